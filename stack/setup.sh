#!/usr/bin/env bash
# Makes .venv with everything pinned and hashed. Called by make when a lock is newer than what is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
began=$SECONDS

fail() { echo "$*" >&2; exit 1; }

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || fail "Weir needs Python 3.11, 3.12 or 3.13 (Debian, Ubuntu: apt-get install python3 python3-venv)."

echo "setting up .venv with $("$python" --version)"
if [ ! -x .venv/bin/python ]; then
  "$python" -m venv .venv || fail "Python's venv is missing (Debian, Ubuntu: apt-get install python3-venv)."
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
# Compiled once here, not by each of a dozen processes that start side by side.
.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements/dev.lock
.venv/bin/python -m compileall -q bench chaos demo libs operate schemas services soak stack tests
# Of what is installed, LightGBM alone rests on a library of the system's that a bare machine lacks.
if ! said=$(.venv/bin/python -c 'import lightgbm' 2>&1); then
  case $said in
    *libgomp*) fail "LightGBM needs the system's libgomp1 (Debian, Ubuntu: apt-get install libgomp1)." ;;
    *) fail "LightGBM can not be used: $said" ;;
  esac
fi
touch .venv/.ready
echo "set up in $((SECONDS - began)) s"
