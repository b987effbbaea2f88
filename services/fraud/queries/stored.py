"""All that fraud has judged, as rows of a file of transactions: what models of tomorrow learn from."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from libs.common.database import fetch, transaction
from libs.common.money import SCALES
from schemas.fraud.events import Label

PAGE_LENGTH = 20_000
COLUMNS = (
    "TRANSACTION_ID",
    "TX_DATETIME",
    "CUSTOMER_ID",
    "TERMINAL_ID",
    "TX_AMOUNT",
    "TX_FRAUD",
    "TX_FRAUD_SCENARIO",
    "CURRENCY",
    "CHANNEL",
    "DEVICE_ID",
)
"""Those of docs/fraud-files.md. A device is told as fraud knows it: not by the name that a client gave it."""

_IS_FRAUD = {None: None, Label.FRAUD.value: 1, Label.GENUINE.value: 0}


def pages(engine: Engine) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of COLUMNS, by payment id, some thousands at a time, each page by a query of its own."""
    after = "00000000-0000-0000-0000-000000000000"
    while True:
        with transaction(engine) as tx:
            rows = fetch(
                tx,
                """SELECT payment_id, instructed_at, debtor_account_id, creditor_account_id, amount_minor, label,
                          scenario, currency, channel, device_entity_id
                     FROM assessments WHERE payment_id > %s AND is_remembered ORDER BY payment_id LIMIT %s""",
                (after, PAGE_LENGTH),
            )
        if not rows:
            return
        yield [_row(*row) for row in rows]
        after = rows[-1][0]


def _row(payment_id: str, at: Any, debtor: str, creditor: str, minor: int, label: str | None, *rest: Any) -> Any:
    scenario, currency, channel, device = rest
    amount = float(Decimal(minor).scaleb(-SCALES.get(currency, 2)))
    return (payment_id, at, debtor, creditor, amount, _IS_FRAUD[label], scenario, currency, channel, device)
