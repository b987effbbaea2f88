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
        ("features_generation", "0", "WEIR_FEATURES_GENERATION: "),
        ("kafka_security_protocol", "SASL_SSL", "give WEIR_KAFKA_USER and WEIR_KAFKA_PASSWORD"),
        ("kafka_ca", "/no/such/ca.pem", "WEIR_KAFKA_CA: "),
        ("secrets_dir", "/no/such/folder", "WEIR_SECRETS_DIR: there is no folder /no/such/folder"),
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
        ("fraud backtest", "Missing option '--input'"),
        ("fraud score --input /no/such/file.csv --output scores.csv", "there is no file /no/such/file.csv"),
        ("fraud score --input payments.csv --output scores.txt", "scores.txt is neither .parquet nor .csv"),
        ("fraud score --input payments.csv --output no/folder/scores.csv", "there is no folder no/folder"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(run: Run, words: str, told: str) -> None:
    require_one_line(run(words), words.split()[0], told)


@pytest.mark.parametrize("verb", ["show", "replay --reason so", "discard --reason so"])
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


COLUMNS = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,yesterday,a,b,1", "TX_DATETIME is not a time in 1 row (row 1: 'yesterday')"),
        ("1,2026-01-01,a,b,-1", "minor units in 1 row (row 1: '-1')"),
        ("1,2026-01-01,,b,1", "CUSTOMER_ID is not given in 1 row (row 1: None)"),
    ],
)
@pytest.mark.parametrize("command", ["score --output {0}/scores.csv", "backtest --output {0}/report"])
def test_a_file_names_the_rows_that_cant_be_read(run: Run, tmp_path: Path, command: str, row: str, told: str) -> None:
    path = tmp_path / "payments.csv"
    path.write_text(f"{COLUMNS}\n{row}\n")
    status, _, complained = run(f"fraud {command.format(tmp_path)} --input {path}")
    assert status == 1
    assert told in complained and "Traceback" not in complained


def test_every_transaction_of_a_file_gets_a_score_in_the_order_of_the_file(run: Run, tmp_path: Path) -> None:
    path, scores = tmp_path / "payments.csv", tmp_path / "scores.csv"
    rows = [f"{100 - day},2026-01-0{day}T00:00:00,a,b,{amount}" for day, amount in ((3, 5), (1, 0), (2, 300))]
    path.write_text("\n".join([COLUMNS, *rows, ""]))
    status, printed, complained = run(f"fraud score --input {path} --output {scores}")
    assert (status, printed.splitlines()[-1]) == (0, "3 transactions scored")
    assert "1 rows stood behind a later one" in complained or "2 rows stood behind a later one" in complained
    head, *lines = scores.read_text().splitlines()
    assert head.replace('"', "") == "TRANSACTION_ID,SCORE"
    assert [line.split(",")[0] for line in lines] == ["97", "99", "98"]
    assert [float(line.split(",")[1]) for line in lines] == [0.0, 0.0, 0.7]


def test_a_rulebook_with_faults_is_told_line_by_line(run: Run, tmp_path: Path) -> None:
    path, rules = tmp_path / "payments.csv", tmp_path / "some.rules"
    path.write_text(f"{COLUMNS}\n1,2026-01-01,a,b,1\n")
    rules.write_text("threshold review 0.5\nthreshold block 0.9\nlet a = shoe_size > 4\nlet b = amount + is_cash\n")
    status, _, complained = run(f"fraud score --input {path} --output {tmp_path}/scores.csv --rules {rules}")
    assert status == 1
    assert [f"{rules}:{line}:" in complained for line in (1, 2, 3, 4)] == [False, False, True, True]
    assert f"fraud: {rules} is no rulebook without faults" in complained


def test_a_file_names_the_columns_that_are_missing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("TRANSACTION_ID,TX_AMOUNT\n")
    status, _, complained = run(f"fraud score --input {path} --output {tmp_path}/scores.csv")
    assert status == 1
    assert "has no column TX_DATETIME, CUSTOMER_ID, TERMINAL_ID; it has TRANSACTION_ID, TX_AMOUNT" in complained


@pytest.mark.parametrize("words", ["payments", "payments --help", "accounts clients --help"])
def test_help_is_no_failure(run: Run, words: str) -> None:
    status, printed, complaint = run(words)
    assert (status, complaint) == (0, "")
    assert "Usage: python -m services." in printed
