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
from services.accounts.metrics import RoundsOfAccounts
from services.accounts.settings import AccountsSettings
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
        for table in ("accounts", "entries", "transfers"):
            execute(tx, f"ALTER TABLE {table} DISABLE TRIGGER USER")
        execute(tx, statement, values)
        for table in ("accounts", "entries", "transfers"):
            execute(tx, f"ALTER TABLE {table} ENABLE TRIGGER USER")

    runtime.unit.administer(work)


class Prometheus:
    """What it sees of a worker that has just started."""

    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, AccountsSettings)
        self._registry = Metrics()
        self._figures = Figures(runtime.unit, metrics.looks(runtime.settings), self._registry)

    def sees(self, name: str, **labels: str) -> float | None:
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
    spoil(api.runtime, "DELETE FROM entries WHERE account_id = %s", house_account_id(AccountKind.EXTERNAL, "EUR"))
    result = run("check-books")
    assert result.exit_code == 1
    assert "EUR: all entries add up to 100.00 instead of zero\n" in result.stderr
    assert house_account_id(AccountKind.EXTERNAL, "EUR") in result.stderr
    assert ann not in result.stderr


def test_all_accounts_are_looked_at_in_turn_and_what_is_mended_is_forgotten(api: Api) -> None:
    accounts = sorted(opened(api, "1") for _ in range(5))
    runtime = api.runtime
    rounds = RoundsOfAccounts(2)

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
        assert prometheus.sees("ledger_imbalance_minor", currency="EUR") == 0

    with looking_on(look):
        for _ in range(60):
            payment = Payment(ann, ben, "1")
            tell(api.runtime, payment.initiated)
            tell(api.runtime, payment.approved)
