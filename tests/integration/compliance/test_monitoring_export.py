"""A run over Weir's own history: what its topics tell of, written as a file, raises again what it raised live."""

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from libs.common import ids
from libs.common.database import transaction
from libs.common.record import replace
from libs.common.service import Runtime
from libs.common.writes import writing
from schemas.accounts.events import CustomerPersonalData, PostedTransfer, PostedTransferKind, TransfersPosted
from schemas.payments.events import PaymentSettled, RefundSettled
from services.compliance import commands
from services.compliance.__main__ import SERVICE
from services.compliance.monitoring import parameters
from services.compliance.monitoring.alerts import Alert
from services.compliance.monitoring.parameters import BEGINNING, Scenario, version_of
from services.compliance.store import standards, watching, work
from tests.deciding import Announcer, decide
from tests.integration.compliance.scene import initiated, registered, rows, settlement, to_another_bank
from tests.serving import running, tell
from tests.waiting import wait_until

BEGIN = datetime(2026, 3, 4, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANN, BEN, CARL, DAN, EVE, FRED, KIM, TILL, NOSTRO = (ids.named("exported", str(n)) for n in range(9))

Run = Callable[..., Result]


@pytest.fixture
def run(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The service's command line, on the parts of these tests."""
    settings = compliance.settings
    given = {
        "WEIR_DATABASE_URL": settings.database_dsn,
        "WEIR_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "WEIR_REGISTRY_URL": settings.registry_url,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> Result:
        return CliRunner().invoke(commands.app(SERVICE), words)

    return run


def moved(dollars: int, debtor: str, creditor: str, after: timedelta, *, is_cash: bool = False) -> PaymentSettled:
    event = settlement(dollars, debtor=debtor, creditor=creditor, at=BEGIN + after, is_cash=is_cash)
    # Of one payer's account, as far as topics go, and so in the order of this test.
    return replace(event, debtor_account_id=ANN)


def refunded(event: PaymentSettled, after: timedelta) -> RefundSettled:
    return RefundSettled(
        refund_id=ids.new(),
        payment_id=event.payment_id,
        debtor_account_id=event.debtor_account_id,
        creditor_account_id=event.creditor_account_id,
        debtor_customer_id=event.debtor_customer_id,
        creditor_customer_id=event.creditor_customer_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        transfer_id=ids.new(),
        settled_at=BEGIN + after,
    )


def transferred(dollars: int, debtor: str, creditor: str, after: timedelta) -> TransfersPosted:
    at = BEGIN + after
    transfer = PostedTransfer(
        transfer_id=ids.new(at_seconds=at.timestamp()),
        kind=PostedTransferKind.BOOKING,
        debit_account_id=ids.derive(debtor, "account"),
        credit_account_id=ids.derive(creditor, "account"),
        amount_minor=dollars * 100,
        currency="USD",
        debit_customer_id=debtor,
        credit_customer_id=creditor,
        effective_at=at,
        recorded_at=at,
    )
    return TransfersPosted(
        link_id=transfer.transfer_id, account_id=transfer.debit_account_id, transfers=(transfer,), posted_at=at
    )


def history(runtime: Runtime) -> Sequence[PaymentSettled | RefundSettled | TransfersPosted]:
    """Cash, a circle, a country on a list, payees elsewhere, a refund, and transfers that were no payments."""
    personal = CustomerPersonalData(name="Kim Example", country="KP")
    decide(runtime, replace(registered("Kim Example", customer_id=KIM), personal=personal))
    decide(runtime, registered("Ben Baker", customer_id=BEN))
    ordered = [
        replace(to_another_bank(creditor=f"Payee {n}"), debtor_customer_id=DAN, creditor_customer_id=NOSTRO)
        for n in range(5)
    ]
    announced = [initiated(one) for one in ordered]
    decide(runtime, *announced)
    abroad = [
        replace(moved(900, DAN, NOSTRO, 20 * DAY + n * HOUR), payment_id=event.payment_id)
        for n, event in enumerate(announced)
    ]
    to_kim = moved(5, BEN, KIM, DAY)
    return [
        moved(6_000, TILL, ANN, HOUR, is_cash=True),
        to_kim,
        moved(5_000, ANN, BEN, 4 * DAY),
        moved(4_900, BEN, CARL, 5 * DAY),
        moved(4_800, CARL, ANN, 6 * DAY),
        *abroad,
        refunded(moved(5, EVE, KIM, 7 * DAY), 8 * DAY),
        *(transferred(9_000, EVE, FRED, 9 * DAY + n * HOUR) for n in range(5)),
    ]


def look_for_cycles(runtime: Runtime) -> None:
    with transaction(runtime.engine) as tx:
        due = work.find_due(tx, datetime.now(UTC) + 2 * watching.CYCLE_DELAY, 100)
    tell(runtime, *(message.body for message in due))


def set_lower(runtime: Runtime) -> None:
    """Parameters that people have set: cash of more than $5,000."""
    lower = parameters.read(Scenario.CASH_REPORT, {"above_cents": 5_000_00})
    told = {"set_by": "ann", "reason": "to be told earlier"}
    version = version_of(Scenario.CASH_REPORT, lower, effective_from=BEGIN, set_at=BEGINNING, **told)

    def save(tx: object) -> None:
        with writing(tx) as writes:  # type: ignore[arg-type]
            writes.insert(standards.VERSIONS, [standards.version_row(version)])

    runtime.unit.administer(save)


def live_alerts(runtime: Runtime) -> list[tuple[str, ...]]:
    found = [msgspec.json.decode(body, type=Alert) for (body,) in rows(runtime, "SELECT body FROM alerts")]
    return sorted(
        (
            alert.scenario.value,
            alert.customer_id,
            alert.occurred_at.isoformat(),
            alert.reason,
            alert.parameters_version,
            " ".join(alert.payment_ids),
        )
        for alert in found
    )


def written_alerts(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "alerts.csv").open(newline="") as file:
        return sorted(tuple(row) for row in list(csv.reader(file))[1:])


def test_a_backtest_over_what_topics_tell_raises_what_was_raised_live(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    set_lower(compliance)
    events = history(compliance)
    announcer = Announcer(compliance, PaymentSettled, RefundSettled, TransfersPosted)
    before = len(rows(compliance, "SELECT 1 FROM inbox"))
    with running(compliance.consumer.run):
        announcer.announce(*events)
        # Told twice, with ids of their own, as after a restore: it is one movement each.
        announcer.announce(*events)
        wait_until(lambda: len(rows(compliance, "SELECT 1 FROM inbox")) == before + 2 * len(events))
    look_for_cycles(compliance)
    live = live_alerts(compliance)
    scenarios = {scenario for scenario, *_ in live}
    assert {"cash_report", "cycle", "high_risk_country", "fan_out", "rapid_movement", "round_amounts"} <= scenarios

    moves, since, until = tmp_path / "moves.csv", str((BEGIN - DAY).date()), str((BEGIN + 60 * DAY).date())
    exported = run("monitoring", "export", "--output", str(moves), "--from", since, "--until", until)
    assert exported.exit_code == 0, exported.output
    assert f"{2 * len(events)} movements" in exported.output
    tested = run("monitor-backtest", "--input", str(moves), "--output", str(tmp_path / "in-force"), "--in-force")
    assert tested.exit_code == 0, tested.output
    assert written_alerts(tmp_path / "in-force") == live
    # With the shipped parameters $6,000 in cash are none.
    tested = run("monitor-backtest", "--input", str(moves), "--output", str(tmp_path / "shipped"))
    assert tested.exit_code == 0, tested.output
    less = [alert for alert in live if alert[0] != "cash_report"]
    assert [alert[:4] for alert in written_alerts(tmp_path / "shipped")] == [alert[:4] for alert in less]
    log = "SELECT actor IS NOT NULL, details FROM audit_entries WHERE object_kind = 'scenarios' AND verb = 'looked'"
    assert rows(compliance, log)[0][1].startswith(f"{2 * len(events)} movements")


def test_an_export_has_what_moved_between_two_moments_and_needs_a_folder(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    announcer = Announcer(compliance, PaymentSettled)
    with running(compliance.consumer.run):
        announcer.announce(*(moved(10 + n, ANN, BEN, (200 + n) * DAY) for n in range(3)))
        wait_until(lambda: rows(compliance, "SELECT count(*) FROM inbox") == [(3,)])
    moves, second = tmp_path / "moves.csv", BEGIN + 201 * DAY
    words = ["monitoring", "export", "--output", str(moves), "--from", second.isoformat()[:19]]
    exported = run(*words, "--until", (second + DAY).isoformat()[:19])
    assert exported.exit_code == 0, exported.output
    with moves.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["TX_AMOUNT"], row["TX_DATETIME"]) == ("11.00", second.isoformat())
    # Nothing has been told since then.
    assert "0 movements" in run(*words[:-1], "2990-01-01").output
    words[3] = str(tmp_path / "none" / "moves.csv")
    assert (run(*words).exit_code, (tmp_path / "none").exists()) == (1, False)
