"""Whether the books add up, as Prometheus is told, and as an operator asks."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from libs.common import cli
from libs.common.database import execute
from libs.common.figures import Figures
from libs.common.metrics import Metrics
from libs.common.service import Runtime
from services.accounts import commands, metrics
from services.accounts.__main__ import SERVICE
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.metrics import Rounds, RoundsOfJournal
from services.accounts.queries import reconciliation
from services.accounts.settings import AccountsSettings
from tests.integration.accounts.conftest import GUARDED
from tests.integration.accounts.scene import Payment, opened
from tests.integration.accounts.test_hot_account import looking_on
from tests.serving import Api, tell

Run = Callable[..., Result]


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The service's command line, on the database of these tests."""
    monkeypatch.setenv("WEIR_DATABASE_URL", api.runtime.settings.database_dsn)
    return lambda *words: CliRunner().invoke(cli.app(SERVICE, commands.extend), words)


def spoil(runtime: Runtime, statement: str, *values: object) -> None:
    """Change something behind the back of the constraints, as only the owner of the tables can."""

    def work(tx: Connection) -> None:
        for table in GUARDED:
            execute(tx, f"ALTER TABLE {table} DISABLE TRIGGER USER")
        execute(tx, statement, values)
        for table in GUARDED:
            execute(tx, f"ALTER TABLE {table} ENABLE TRIGGER USER")

    runtime.unit.administer(work)


class Prometheus:
    """What it sees of a worker that has been round all books once."""

    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, AccountsSettings)
        self._registry = Metrics()
        self._figures = Figures(runtime.unit, metrics.looks(runtime.settings), self._registry)

    def sees(self, name: str, **labels: str) -> float | None:
        # Few as they are, all are seen in two looks, wherever it begins.
        for _ in range(2):
            self._figures.run_once(datetime.now(UTC))
        return self._registry.get_sample_value(name, labels)


@pytest.fixture
def prometheus(api: Api) -> Prometheus:
    return Prometheus(api.runtime)


def test_books_that_balance_say_so(api: Api, run: Run, prometheus: Prometheus) -> None:
    assert run("check-books").output == "the books balance: no entries, 0 open holds\n"
    assert json.loads(run("check-books", "--json").output)["is_balanced"] is True
    ann, ben = opened(api, "100"), opened(api)
    held, posted = Payment(ann, ben, "30"), Payment(ann, ben, "10")
    tell(api.runtime, held.initiated, posted.initiated, posted.approved)
    result = run("check-books")
    assert (result.exit_code, result.output) == (0, "the books balance: EUR 4 entries, 1 open holds\n")
    assert prometheus.sees("holds_open") == 1
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 0
    assert prometheus.sees("ledger_accounts_wrong") == 0


def test_a_balance_that_is_not_what_its_entries_add_up_to_is_named(api: Api, run: Run, prometheus: Prometheus) -> None:
    ann = opened(api, "100")
    spoil(api.runtime, "UPDATE accounts SET posted_minor = 10001 WHERE account_id = %s", ann)
    result = run("check-books")
    assert result.exit_code == 1
    assert result.stderr == f"account {ann} keeps 10001 (minor units) where its entries add up to 10000\n"
    assert result.stdout == ""
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 1
    assert prometheus.sees("ledger_accounts_wrong") == 1


def test_what_is_held_but_not_what_the_holds_add_up_to_is_named(api: Api, run: Run, prometheus: Prometheus) -> None:
    ann, ben = opened(api, "100"), opened(api)
    tell(api.runtime, Payment(ann, ben, "30").initiated)
    spoil(api.runtime, "UPDATE accounts SET held_minor = 0 WHERE account_id = %s", ann)
    result = run("check-books")
    assert (result.exit_code, result.stderr) == (
        1,
        f"account {ann} keeps 0 (minor units) where its holds add up to 3000\n",
    )
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 0
    assert prometheus.sees("ledger_accounts_wrong") == 1


def test_entries_that_do_not_add_up_to_zero_are_told_by_currency(api: Api, run: Run, prometheus: Prometheus) -> None:
    ann = opened(api, "100")
    opened(api, "7", currency="USD")
    external = house_account_id(AccountKind.EXTERNAL, "EUR")
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 0
    spoil(api.runtime, "DELETE FROM entries WHERE account_id = %s", external)
    result = run("check-books")
    assert result.exit_code == 1
    assert "EUR: all entries add up to 100.00 instead of zero\n" in result.stderr
    assert external in result.stderr
    assert ann not in result.stderr
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 100_00
    assert prometheus.sees("ledger_imbalance_minor", currency="USD") == 0
    assert prometheus.sees("ledger_accounts_wrong") == 1


IN_THE_MIDDLE = "account_id = %s AND number = 2"
ALTERED: dict[str, tuple[str, int, int]] = {
    # What is done to the second of Ann's four entries (10.00 to Ben); the imbalance, and how many accounts are wrong.
    "its amount": (f"UPDATE entries SET amount_minor = -999 WHERE {IN_THE_MIDDLE}", 1, 1),
    "its balance": (f"UPDATE entries SET balance_minor = 9100 WHERE {IN_THE_MIDDLE}", 0, 1),
    "its time": (f"UPDATE entries SET effective_at = effective_at - interval '1 day' WHERE {IN_THE_MIDDLE}", 0, 1),
    "its hash": (f"UPDATE entries SET hash = sha256('forged') WHERE {IN_THE_MIDDLE}", 0, 1),
    "that it is there": (f"DELETE FROM entries WHERE {IN_THE_MIDDLE}", 10_00, 1),
    "its transfer": (
        f"""UPDATE transfers SET amount_minor = 999
             WHERE transfer_id = (SELECT transfer_id FROM entries WHERE {IN_THE_MIDDLE})""",
        0,
        2,
    ),
    "it and another, so that they add up": (
        "UPDATE entries SET amount_minor = CASE number WHEN 2 THEN -900 ELSE -1100 END"
        " WHERE number IN (2, 3) AND account_id = %s",
        0,
        1,
    ),
    "that any is there": ("DELETE FROM entries WHERE account_id = %s", -70_00, 1),
}


@pytest.mark.parametrize(("statement", "imbalance_minor", "wrong"), ALTERED.values(), ids=ALTERED)
def test_what_was_altered_in_the_middle_of_an_account_is_seen(
    api: Api, prometheus: Prometheus, statement: str, imbalance_minor: int, wrong: int
) -> None:
    """By one who can go past every trigger: the balance at the end is as it was."""
    ann, ben = opened(api, "100"), opened(api)
    for _ in range(3):
        payment = Payment(ann, ben, "10")
        tell(api.runtime, payment.initiated, payment.approved)
    assert prometheus.sees("ledger_accounts_wrong") == 0
    spoil(api.runtime, statement, ann)
    assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == imbalance_minor
    assert prometheus.sees("ledger_accounts_wrong") == wrong


def test_the_journal_is_read_in_turn_however_its_pages_fall_and_what_is_mended_is_forgotten(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    opened(api, "5")
    for _ in range(5):
        payment = Payment(ann, ben, "10")
        tell(api.runtime, payment.initiated, payment.approved)
    runtime = api.runtime
    # Fourteen entries of five accounts, and two of the house's in four lanes.
    journals = [RoundsOfJournal(entries_max) for entries_max in (1, 2, 3, 5, 7, 100)]

    def seen(looks: int) -> list[set[str]]:
        return [[runtime.unit.administer(journal.look) for _ in range(looks)][-1] for journal in journals]

    assert seen(40) == [set()] * len(journals)
    spoil(runtime, "UPDATE entries SET amount_minor = amount_minor - 1 WHERE account_id = %s AND number = 4", ann)
    assert seen(40) == [{ann}] * len(journals)
    assert [dict(journal.missing_minor) for journal in journals] == [{"EUR": 1}] * len(journals)
    spoil(runtime, "UPDATE entries SET amount_minor = amount_minor + 1 WHERE account_id = %s AND number = 4", ann)
    assert seen(40) == [set()] * len(journals)
    assert [dict(journal.missing_minor) for journal in journals] == [{}] * len(journals)


HELD: dict[str, tuple[str, str, int, int]] = {
    # What is done to a payment of 10.00 of which 4.00 were refunded; what then differs, as kept and as moved.
    "given back, forgotten": ("UPDATE holds SET refunded_minor = 0 WHERE hold_id = %s", "refunded", 0, 4_00),
    "given back, made up": ("UPDATE holds SET refunded_minor = 1000 WHERE hold_id = %s", "refunded", 10_00, 4_00),
    "paid, less than was": ("UPDATE holds SET posted_minor = 999 WHERE hold_id = %s", "posted", 9_99, 10_00),
    "blocked, made up": ("UPDATE holds SET status = 'blocked' WHERE hold_id = %s", "blocked", 10_00, 0),
    "a refund that is gone": ("DELETE FROM refunds WHERE payment_id = %s", "refunds", 0, 4_00),
    "a refund of more": ("UPDATE refunds SET amount_minor = 401 WHERE payment_id = %s", "refunds", 4_01, 4_00),
}


@pytest.mark.parametrize(("statement", "what", "kept", "moved"), HELD.values(), ids=HELD)
def test_a_hold_that_does_not_say_what_its_transfers_say_is_named(
    api: Api, run: Run, prometheus: Prometheus, statement: str, what: str, kept: int, moved: int
) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "10")
    tell(api.runtime, payment.initiated, payment.approved, payment.refund(4_00))
    assert (run("check-books").exit_code, prometheus.sees("ledger_holds_wrong")) == (0, 0)
    spoil(api.runtime, statement, payment.payment_id)
    result = run("check-books")
    words = f"hold {payment.payment_id} keeps {kept} (minor units) as {what} where its transfers add up to {moved}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", words)
    assert api.get("/v1/books", by="staff").json()["holds_differing_from_transfers"] == [
        {"hold_id": payment.payment_id, "what": what, "kept_minor": kept, "computed_minor": moved}
    ]
    # A refund's own row is for the check of all books: by it nothing is moved again.
    assert prometheus.sees("ledger_holds_wrong") == (0 if what == "refunds" else 1)


def test_transfers_of_a_hold_that_is_gone_are_named(api: Api, run: Run) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "10")
    tell(api.runtime, payment.initiated, payment.approved)
    spoil(api.runtime, "DELETE FROM holds WHERE hold_id = %s", payment.payment_id)
    words = f"hold {payment.payment_id} keeps 0 (minor units) as posted where its transfers add up to 1000\n"
    assert run("check-books").stderr == words


def test_all_accounts_are_looked_at_in_turn_and_what_is_mended_is_forgotten(api: Api) -> None:
    accounts = sorted(opened(api, "1") for _ in range(5))
    runtime = api.runtime
    rounds = Rounds(reconciliation.find_wrong_accounts, 2)

    def look() -> set[str]:
        return runtime.unit.administer(rounds.look)

    # Five customers' accounts and the house's two: four looks make a round.
    spoil(runtime, "UPDATE accounts SET posted_minor = posted_minor + 1 WHERE account_id = %s", accounts[-1])
    assert [look() for _ in range(4)][-1] == {accounts[-1]}
    spoil(runtime, "UPDATE accounts SET posted_minor = posted_minor - 1 WHERE account_id = %s", accounts[-1])
    assert [look() for _ in range(8)][-1] == set()


def test_money_on_its_way_is_never_taken_for_a_fault(api: Api, prometheus: Prometheus) -> None:
    """Each figure is of one moment: a posting between two queries must not look like a difference."""
    ann, ben = opened(api, "100"), opened(api)

    def look() -> None:
        assert prometheus.sees("ledger_accounts_wrong") == 0
        assert prometheus.sees("ledger_holds_wrong") == 0
        assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 0

    with looking_on(look):
        for _ in range(60):
            payment = Payment(ann, ben, "1")
            tell(api.runtime, payment.initiated)
            tell(api.runtime, payment.approved)
