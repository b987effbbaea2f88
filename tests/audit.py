"""`python -m tests.audit`: whether what we install has known weaknesses, and whether a secret lies among our files.

The first needs the network. Where nobody can be asked, that is said, and fails only where it is
required (`WEIR_AUDIT=required`, for CI): "not audited" must never look like "nothing found".
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from libs.common.record import Record

ROOT = Path(__file__).parents[1]
BASELINE = ROOT / ".secrets.baseline"
LOCK = ROOT / "requirements" / "dev.lock"
"""Of the whole suite: each service's is a part of it."""
SECONDS_MAX = 300


class Outcome(StrEnum):
    """What is known after an audit."""

    CLEAN = "nothing known"
    WEAK = "known weaknesses"
    UNKNOWN = "NOT AUDITED"


class Verdict(Record):
    """How an audit went, and what there is to say of it."""

    outcome: Outcome
    detail: str


def judge(report: Mapping[str, Any] | None, complaint: str) -> Verdict:
    """What a report of pip-audit says; None where it wrote none, with what it complained of.

    A package that was left out was not audited, whatever is said of the others.
    """
    if report is None:
        return Verdict(outcome=Outcome.UNKNOWN, detail=complaint.strip().splitlines()[-1] if complaint else "no answer")
    packages = report["dependencies"]
    weak = [
        f"{package['name']} {package['version']}: {found['id']} (mended in {', '.join(found['fix_versions'])})"
        for package in packages
        for found in package.get("vulns", ())
    ]
    if weak:
        return Verdict(outcome=Outcome.WEAK, detail="\n".join(weak))
    if skipped := [package for package in packages if "skip_reason" in package]:
        return Verdict(outcome=Outcome.UNKNOWN, detail=f"{len(skipped)}: {skipped[0]['skip_reason']}")
    return Verdict(outcome=Outcome.CLEAN, detail=f"{len(packages)} packages")


def audit_dependencies(lock: Path = LOCK) -> Verdict:
    """Ask OSV, the public list of weaknesses, about everything that a lock file pins."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    options = ["--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        result = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return judge(None, f"no answer in {SECONDS_MAX} s")
    return judge(json.loads(result.stdout) if result.stdout.startswith("{") else None, result.stderr)


def find_secrets(files: Sequence[str], baseline: Path = BASELINE) -> str:
    """What looks like a secret in files and is not known to be none; empty if there is nothing."""
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", str(baseline), *files]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def tracked_files() -> list[str]:
    """Everything that is kept, but for the locks, which consist of hashes."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split() if not name.endswith(".lock") and name != BASELINE.name]


def main() -> int:
    """Look, tell, and return 0 only if there is nothing to mend."""
    if found := find_secrets(tracked_files()):
        print(f"secrets: {found}")
    verdict = audit_dependencies()
    if verdict.outcome is not Outcome.CLEAN:
        print(f"dependencies: {verdict.outcome}: {verdict.detail}")
    is_required = os.environ.get("WEIR_AUDIT") == "required"
    has_failed = verdict.outcome is Outcome.WEAK or (verdict.outcome is Outcome.UNKNOWN and is_required)
    return 1 if found or has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
