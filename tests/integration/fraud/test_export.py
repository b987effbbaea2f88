"""What was judged, as a file: and a replay of that file sees what the live decisions saw."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer._click.exceptions import ClickException

from libs.common import ids
from libs.common.service import Runtime
from schemas.fraud.events import Label
from services.fraud import rulebooks
from services.fraud.domain.judging import Judge
from services.fraud.domain.knowledge import Panel
from services.fraud.laboratory import commands, transactions
from services.fraud.laboratory.replay import Replay
from services.fraud.queries import assessments
from tests.deciding import decide
from tests.integration.fraud.scene import T0, initiated, order
from tests.integration.fraud.test_labels import report
from tests.serving import Api

UNTOLD = {"ip_country", "debtor_country", "creditor_country"}
"""What is personal, or nearly, and so in no file."""


def pay(runtime: Runtime, payers: list[str], shop: str) -> list[str]:
    """A payment every few hours for three weeks, some of them large, half of them from a phone."""
    events = [
        initiated(
            order(
                payers[number % 3],
                shop,
                minor=90_000 if number % 17 == 0 else 1_000 + 37 * number,
                at=T0 + number * timedelta(hours=5),
                device="phone" if number % 2 else None,
            )
        )
        for number in range(100)
    ]
    for event in events:
        decide(runtime, event)
    return [event.payment_id for event in events]


def test_a_replay_of_what_was_exported_sees_what_was_seen(api: Api, tmp_path: Path) -> None:
    payment_ids = pay(api.runtime, [ids.new() for _ in range(3)], ids.new())
    commands.export(api.runtime.engine, tmp_path / "judged.parquet")
    given = transactions.read(tmp_path / "judged.parquet")
    assert len(given) == 100
    judge = Judge(rulebooks.shipped())
    replayed = Replay(Panel(live=judge), label_delay=timedelta(days=7)).run(given.payments())
    named = dict(zip(map(str, range(100)), given.ids.to_pylist(), strict=True))
    for payment, assessment in replayed:
        live = assessments.find_assessment(api.runtime.engine, named[payment.payment_id])
        assert live is not None
        told = dict(zip(judge.fields, assessment.values, strict=True))
        for name, value in told.items():
            expected = live["values"][name]
            is_number = isinstance(value, float) and isinstance(expected, float)
            assert name in UNTOLD or value == (pytest.approx(expected, abs=1e-9) if is_number else expected), name
    assert set(named.values()) == set(payment_ids)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_labels_are_exported_with_their_payments(api: Api, tmp_path: Path, suffix: str) -> None:
    first, second, *_ = pay(api.runtime, [ids.new() for _ in range(3)], ids.new())
    report(api, (first, "fraud"), (second, "genuine"), scenario="stolen card")
    commands.export(api.runtime.engine, tmp_path / f"judged.{suffix}")
    given = transactions.read(tmp_path / f"judged.{suffix}")
    labels = [payment.label for payment in given.payments()]
    assert labels == [Label.FRAUD, Label.GENUINE, *[None] * 98]


def test_nothing_judged_is_nothing_to_export(api: Api, tmp_path: Path) -> None:
    with pytest.raises(ClickException, match="nothing has been judged yet"):
        commands.export(api.runtime.engine, tmp_path / "judged.csv")
    assert not (tmp_path / "judged.csv").exists()
