#!/usr/bin/env bash
# Makes .venv with everything pinned and hashed. Called by make when a lock is newer than what is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
began=$SECONDS

fail() { echo "$*" >&2; exit 1; }

# The system's own first: one that was built here for oneself is mostly built without the profile that distributions
# optimise theirs by, and takes a sixth more of the processor for all that Weir does.
python=""
known=(/usr/bin/python3.1{3,2,1} python3.1{3,2,1} python3)
for candidate in "${WEIR_PYTHON:-${known[@]}}"; do
  if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || fail "Weir needs Python 3.11, 3.12 or 3.13 with venv (Debian, Ubuntu: apt-get install python3 python3-venv)."

echo "setting up .venv with $("$python" --version)"
if [ ! -x .venv/bin/python ]; then
  "$python" -m venv .venv || fail "No .venv could be made by $python; another can be named: WEIR_PYTHON=python3.12 make setup"
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
