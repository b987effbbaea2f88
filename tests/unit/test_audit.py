"""What is said of dependencies and of secrets: above all that "nobody could be asked" is not "nothing was found"."""

from pathlib import Path

import pytest

from tests import audit
from tests.audit import Outcome, judge

CLEAN = {"name": "idna", "version": "3.20", "vulns": []}
WEAK = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-2020-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "lost", "skip_reason": "could not be audited: lost (1.0)"}


@pytest.mark.parametrize(
    ("packages", "outcome", "told"),
    [
        ([CLEAN], Outcome.CLEAN, "1 packages"),
        ([CLEAN, WEAK], Outcome.WEAK, "old 1.0: PYSEC-2020-1 (mended in 1.1)"),
        ([CLEAN, SKIPPED], Outcome.UNKNOWN, "could not be audited"),
        ([WEAK, SKIPPED], Outcome.WEAK, "PYSEC-2020-1"),
    ],
)
def test_a_report_is_taken_for_what_it_says(packages: list[object], outcome: Outcome, told: str) -> None:
    verdict = judge({"dependencies": packages}, "")
    assert verdict.outcome is outcome
    assert told in verdict.detail


def test_no_report_is_no_good_news() -> None:
    verdict = judge(None, "Traceback\nConnectionError: nobody answers\n")
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.detail == "ConnectionError: nobody answers"


@pytest.mark.parametrize(
    ("outcome", "setting", "status"),
    [
        (Outcome.CLEAN, "", 0),
        (Outcome.UNKNOWN, "", 0),
        (Outcome.UNKNOWN, "required", 1),
        (Outcome.WEAK, "", 1),
    ],
)
def test_what_could_not_be_audited_is_told_and_fails_only_where_it_must_not_be(
    outcome: Outcome,
    setting: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEIR_AUDIT", setting)
    monkeypatch.setattr(audit, "find_secrets", lambda _: "")
    monkeypatch.setattr(audit, "audit_dependencies", lambda: audit.Verdict(outcome=outcome, detail="why"))
    assert audit.main() == status
    assert (outcome.value in capsys.readouterr().out) is (outcome is not Outcome.CLEAN)


def test_a_secret_among_the_files_is_found(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    # In two parts, or this very file would hold one.
    file.write_text("-----BEGIN " + "PRIVATE KEY-----\nMIIB\n-----END " + "PRIVATE KEY-----\n")
    assert "Private Key" in audit.find_secrets([str(file)])
