"""The command line: what an operator can mend is told in one line, and only a fault of ours leaves a stack."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from libs.common import cli
from libs.common.errors import Outage
from libs.common.registry import IncompatibleSchema
from services.accounts import commands as accounts_commands
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.compliance import commands as compliance_commands
from services.compliance.__main__ import SERVICE as COMPLIANCE
from services.fraud import commands as fraud_commands
from services.fraud.__main__ import SERVICE as FRAUD
from services.payments.__main__ import SERVICE as PAYMENTS

NOWHERE = "postgresql+psycopg://weir@127.0.0.1:1/nowhere"
EXTEND = {
    "accounts": (ACCOUNTS, accounts_commands.extend),
    "compliance": (COMPLIANCE, compliance_commands.extend),
    "fraud": (FRAUD, fraud_commands.extend),
    "payments": (PAYMENTS, None),
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("payments clients add")` -> exit status, what it printed, what it complained of."""
    monkeypatch.delenv("WEIR_DATABASE_URL", raising=False)

    def run(words: str, *, extend: cli.Extend | None = None, **settings: str) -> tuple[int, str, str]:
        for name, value in settings.items():
            monkeypatch.setenv(f"WEIR_{name.upper()}", value)
        service, *rest = words.split()
        found, own = EXTEND[service]
        monkeypatch.setattr(sys, "argv", ["-m", *rest])
        with pytest.raises(SystemExit) as ended:
            cli.main(found, extend or own)
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    return run


def require_one_line(ended: tuple[int, str, str], service: str, *told: str) -> None:
    status, _, complaint = ended
    assert status == 1
    assert complaint.startswith(f"{service}: ")
    assert complaint.count("\n") == 1, complaint
    assert "Traceback" not in complaint
    for words in told:
        assert words in complaint


@pytest.mark.parametrize("service", EXTEND)
@pytest.mark.parametrize("words", ["worker", "api worker relay", "migrate", "dead-letters list"])
def test_a_missing_setting_is_named(run: Run, service: str, words: str) -> None:
    require_one_line(run(f"{service} {words}"), service, "WEIR_DATABASE_URL is not set")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("database_url", "nonsense", "WEIR_DATABASE_URL: must be like postgresql+psycopg://user@host/database"),
        ("http_port", "eighty", "WEIR_HTTP_PORT: "),
        ("log_level", "LOUD", "WEIR_LOG_LEVEL: "),
        ("idempotency_days", "1", "WEIR_IDEMPOTENCY_DAYS: "),
        ("limits", "{", "limits"),
        ("limits", '{"no_such_limit": 1}', "there are no such limits: no_such_limit"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(run: Run, name: str, value: str, told: str) -> None:
    secret = {"database_url": NOWHERE.replace("weir@", "weir:secret@")} | {name: value}
    ended = run("fraud dead-letters list", **secret)
    require_one_line(ended, "fraud", told)
    assert "secret" not in ended[2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("payments nonsense", "No such command 'nonsense'"),
        ("payments api wroker", "no such role: wroker (there are api, worker, relay, migrate)"),
        ("payments migrate api", "migrate prepares and ends"),
        ("payments --nope", "No such option: --nope"),
        ("payments clients nonsense", "No such command 'nonsense'"),
        ("payments clients add", "Missing argument 'client_id'"),
        ("payments clients add shop fly", "'fly' is not one of"),
        ("payments dead-letters list --limit many", "'--limit'"),
        ("accounts check-books now", "unexpected extra argument"),
        ("compliance import-list", "Missing argument 'name'"),
        ("fraud backtest", "Missing argument 'path'"),
        ("fraud backtest /no/such/file.csv", "/no/such/file.csv: No such file or directory"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(run: Run, words: str, told: str) -> None:
    require_one_line(run(words), words.split()[0], told)


@pytest.mark.parametrize("verb", ["show", "replay", "discard"])
def test_a_dead_letter_by_what_is_no_id_does_not_exist(run: Run, verb: str) -> None:
    ended = run(f"payments dead-letters {verb} nonsense", database_url=NOWHERE)
    assert ended == (1, "", "there is no dead letter nonsense\n")


@pytest.mark.parametrize(
    "words",
    [
        "payments migrate",
        "payments clients add shop read",
        "payments dead-letters list",
        "payments outbox parked",
        "accounts parked-keys list",
        "accounts check-books",
        "compliance lists",
        "compliance add-user carol",
        "fraud reconcile-snapshots",
    ],
)
def test_a_database_that_is_away_is_told_in_one_line(run: Run, words: str) -> None:
    ended = run(words, database_url=NOWHERE)
    require_one_line(ended, words.split()[0], "the database: ", "Connection refused")


def raising(error: Exception) -> cli.Extend:
    def extend(commands: typer.Typer, _: object) -> None:
        @commands.command()
        def fail() -> None:
            raise error

    return extend


@pytest.mark.parametrize(
    "error",
    [
        Outage("Kafka: no broker answers\nand more of it"),
        IncompatibleSchema("payments.payment.v1: a field was removed"),
        typer.Abort(),
    ],
)
def test_what_an_operator_can_mend_leaves_no_stack(run: Run, error: Exception) -> None:
    require_one_line(run("payments fail", extend=raising(error)), "payments")


def test_a_fault_of_ours_leaves_its_stack(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        run("payments fail", extend=raising(ZeroDivisionError()))


def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("payments api", database_url=NOWHERE, http_port=str(port))
        require_one_line(ended, "payments", f"127.0.0.1:{port}: Address already in use")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("yesterday,a,b,1,EUR,api,,0", "row 1: Invalid isoformat string"),
        ("2026-01-01T00:00:00+00:00,a,b,-1,EUR,api,,0", "row 1: -1 EUR is not_positive"),
        ("2026-01-01T00:00:00+00:00,a,b,1.005,EUR,api,,0", "row 1: 1.005 EUR is too_precise"),
        ("2026-01-01T00:00:00+00:00,a,b,1,EUR,pigeon,,0", "row 1: 'pigeon' is not a valid Channel"),
    ],
)
def test_a_backtest_names_the_row_it_cant_read(run: Run, tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "payments.csv"
    path.write_text(f"instructed_at,debtor,creditor,amount,currency,channel,device,is_fraud\n{row}\n")
    require_one_line(run(f"fraud backtest {path}"), "fraud", told)


def test_a_backtest_leaves_out_and_counts_amounts_of_zero(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    rows = [f"2026-01-0{day}T00:00:00+00:00,a,b,{amount},EUR,card,,0" for day, amount in ((1, "0.00"), (2, 5), (3, 0))]
    columns = "instructed_at,debtor,creditor,amount,currency,channel,device,is_fraud"
    path.write_text("\n".join([columns, *rows]))
    status, printed, _ = run(f"fraud backtest {path} --warm-up-days 0")
    assert status == 0
    assert [line.split()[:2] for line in printed.splitlines() if line.startswith("all ")] == [["all", "1"]]
    assert "left out, for their amount is zero: 2" in printed


def test_a_backtest_names_the_columns_that_are_missing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("instructed_at,debtor\n")
    require_one_line(run(f"fraud backtest {path}"), "fraud", "has no column amount, channel, creditor")


@pytest.mark.parametrize("words", ["payments", "payments --help", "accounts clients --help"])
def test_help_is_no_failure(run: Run, words: str) -> None:
    status, printed, complaint = run(words)
    assert (status, complaint) == (0, "")
    assert "Usage: python -m services." in printed
