"""A small town's card payments, made up from a seed: some terminals go bad for weeks, and some cards are stolen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from services.fraud.laboratory.transactions import Transactions, read

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CARDS, TERMINALS = 60, 25


def rows(count: int, *, days: int, seed: int = 1, is_mixed: bool = False) -> dict[str, list[Any]]:
    """Columns of a file. Mixed ones come by several channels and from devices, some amounts are huge, and some labels
    are not known."""
    chance = Random(seed)
    ages = sorted(chance.random() * days for _ in range(count))
    usual = [chance.uniform(5, 80) for _ in range(CARDS)]
    found: dict[str, list[Any]] = {
        name: [] for name in ("TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")
    }
    mixed: dict[str, list[Any]] = {name: [] for name in ("CHANNEL", "DEVICE_ID", "IP_COUNTRY", "CUSTOMER_COUNTRY")}
    for age in ages:
        card, terminal = chance.randrange(CARDS), chance.randrange(TERMINALS)
        is_bad = terminal == int(age / 20) % TERMINALS or (card + int(age / 10)) % 20 == 0
        amount = chance.lognormvariate(0, 0.4) * usual[card] * (4 if is_bad and chance.random() < 0.5 else 1)
        is_fraud: int | None = int(is_bad and chance.random() < 0.9)
        if is_mixed:
            amount = chance.choice([amount] * 9 + [9_000.0, 20_000.0, 30_000.0])
            is_fraud = chance.choice([is_fraud] * 4 + [None])
            mixed["CHANNEL"].append(chance.choice(["card", "card", "web", "api"]))
            mixed["DEVICE_ID"].append(chance.choice([None, f"device {card % 7}", f"device {card}"]))
            mixed["IP_COUNTRY"].append(chance.choice([None, "DE", "BR"]))
            mixed["CUSTOMER_COUNTRY"].append("DE")
        found["TX_DATETIME"].append(BEGINNING + timedelta(seconds=int(age * 86_400)))
        found["CUSTOMER_ID"].append(card)
        found["TERMINAL_ID"].append(terminal)
        found["TX_AMOUNT"].append(round(amount, 2))
        found["TX_FRAUD"].append(is_fraud)
    return {"TRANSACTION_ID": list(range(count)), **found, **(mixed if is_mixed else {})}


def file_of(columns: dict[str, list[Any]], folder: Path) -> Transactions:
    """What is read of a file with these columns."""
    path = folder / "cards.parquet"
    parquet.write_table(pa.table(columns), path)
    return read(path)
