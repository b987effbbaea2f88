"""What a demo is made of: customers, their money, and the payments they order."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from libs.common.record import Record


class Kind(StrEnum):
    """What a payment was made to be, and so what should become of it."""

    GOOD = "good"
    SUSPICIOUS = "suspicious"
    LISTED = "listed name"
    ALIKE = "name alike"
    UNDERFUNDED = "underfunded"
    SHIPPED_IN_PART = "shipped in part"
    RETURNED = "returned"
    MALFORMED = "malformed"
    REAL = "from the file"


class Party(Record):
    """Someone with an account."""

    number: int
    """Counted from 0 over everyone; how payments refer to them."""
    name: str
    is_company: bool
    country: str
    birth_date: str | None = None
    funds_minor: int = 0


class Order(Record):
    """A payment to be ordered."""

    kind: Kind
    debtor: int
    creditor: int
    amount: str
    creditor_name: str | None = None
    """Another name than the account holder's, as the payer wrote it."""
    creditor_birth_date: str | None = None
    creditor_country: str | None = None
    channel: str = "card"
    device_id: str | None = None
    ip_country: str | None = None
    reference: str | None = None
    instructed_at: str | None = None
    label: bool | None = None
    """Whether it was fraud, where the input tells."""
    scenario: int | None = None
    capture: str | None = None
    """Who takes the money that is held: `manual` if the shop does, and says how much."""
    spoilt: Mapping[str, Any] = MappingProxyType({})
    """Fields put in at the end, to make it malformed."""


class Ordered(Record):
    """An order, and the payment it became or the reason why it didn't."""

    order: Order
    payment_id: str
    refusal: str | None


class Story(Protocol):
    """A source of payments."""

    currency: str
    title: str

    def parties(self) -> list[Party]:
        """Everyone who takes part, with the money they begin with."""

    def orders(self) -> Iterator[Order]:
        """The payments, in the order of their time."""

    def count(self) -> int:
        """How many payments there are."""
