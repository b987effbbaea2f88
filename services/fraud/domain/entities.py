"""The three that fraud knows by their past: who pays, who is paid, and the device an order came from. Pure."""

import zlib
from enum import StrEnum

from libs.common import ids
from libs.common.record import Record
from services.fraud.domain.history import EMPTY, History


class EntityKind(StrEnum):
    """Which side of a payment an entity is on; an account has one past as payer, and one as payee."""

    DEBTOR = "debtor"
    CREDITOR = "creditor"
    DEVICE = "device"


class Risk(Record):
    """The newest snapshot of the features worker about a payer or a payee. Advisory."""

    version: int
    labelled_count: int
    fraud_count: int
    counterpart_count: int
    """Different ones in the frauds: a payee's payers, a payer's payees."""
    is_counterpart_count_exact: bool
    """Or else there were at least so many."""
    window_days: int
    as_of_micros: int


class Entity(Record):
    """One side of payments, with what is remembered of it."""

    kind: EntityKind
    entity_id: str
    history: History = EMPTY
    """Its payments, as far as fraud let them go on: what is usual for it."""
    blocked: History = EMPTY
    """Those that fraud blocked: it tried, and that is all."""
    label_sequence: int = 0
    """How many times its payments were labelled, corrections included."""
    risk: Risk | None = None


def device_entity_id(device_id: str) -> str:
    """The id of a device's entity: the name that the client gave it is not kept."""
    return ids.named("fraud", "device", device_id)


def fingerprint(entity_id: str) -> int:
    """32 bits to recognise a counterpart by. Two of 192 are taken for one another once in 200,000 histories."""
    return zlib.crc32(entity_id.encode())
