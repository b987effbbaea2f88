"""Which data the law asks for about the parties of a payment, by jurisdiction, assets, amount and day. Pure.

Rules are rows of a file ([travel_rule.csv](../defaults/travel_rule.csv), or one's own), each with the days on which it
is in force and where it is written. A payment within the house travels nowhere: no rule asks about it.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from fractions import Fraction

from libs.common.money import SCALES
from libs.common.record import Record
from schemas.payments.events import Institution, PaymentOrder

CRYPTO = frozenset({"BTC", "ETH"})
"""Assets that are no money in the sense of the rules on transfers of funds."""


class Datum(StrEnum):
    """What a rule may ask to be known about a party, besides its name and what it is."""

    ACCOUNT_NUMBER = "account_number"
    ADDRESS = "address"
    """With its country."""
    IDENTITY = "identity"
    """Address with its country, number of a document and number of the customer; or date and place of birth: Regulation
    (EU) 2023/1113, articles 4(1)(c) and 14(1)(d)."""
    WALLET_OWNERSHIP = "wallet_ownership"
    """That the party holds the wallet itself, where nobody holds it for the party."""


class Assets(StrEnum):
    FUNDS = "funds"
    CRYPTO = "crypto"


class HeldBy(StrEnum):
    """Who holds the account that a payment goes to, or comes from."""

    INSTITUTION = "institution"
    SELF_HOSTED = "self_hosted"


class Floor(Record):
    """From which amount on a rule asks."""

    amount: Fraction
    currency: str
    is_included: bool
    """Whether it asks of exactly that amount, too."""


class TravelRule(Record):
    """A row of the file of rules."""

    rule: str
    jurisdiction: str
    assets: Assets
    held_by: HeldBy
    outside: frozenset[str] = frozenset()
    """It asks nothing where the other institution is in one of these countries."""
    floor: Floor | None = None
    """None: of any amount."""
    applies_from: date
    applies_until: date | None = None
    """The first day on which it is in force no more."""
    debtor: tuple[Datum, ...] = ()
    creditor: tuple[Datum, ...] = ()
    source: str

    def holds(self, on: date) -> bool:
        return self.applies_from <= on and (self.applies_until is None or on < self.applies_until)


class TravelRules:
    """The rules of the jurisdictions that a house is in."""

    def __init__(
        self, rules: Iterable[TravelRule], worths: Mapping[str, Fraction], jurisdictions: Iterable[str]
    ) -> None:
        """`worths`: units of each currency that one euro is worth."""
        own = frozenset(jurisdictions)
        self.rules = tuple(rule for rule in rules if rule.jurisdiction in own)
        self._worths = worths

    def applicable(self, order: PaymentOrder, on: date) -> tuple[TravelRule, ...]:
        """The rules that ask something about a payment, as they were on a day: that of its first screening. What its
        client says of when it was ordered would let the client choose the rules."""
        elsewhere = [held for held in (order.debtor_institution, order.creditor_institution) if held is not None]
        if not elsewhere:
            return ()
        assets = Assets.CRYPTO if order.currency in CRYPTO else Assets.FUNDS
        return tuple(
            rule
            for rule in self.rules
            if rule.assets is assets
            and rule.holds(on)
            and any(_is_about(rule, held) for held in elsewhere)
            and self._reaches(order, rule.floor)
        )

    def _reaches(self, order: PaymentOrder, floor: Floor | None) -> bool:
        """Whether the amount is one that a rule asks about. One whose worth nobody has said is."""
        if floor is None:
            return True
        amount = Fraction(order.amount_minor, 10 ** SCALES[order.currency])
        if order.currency != floor.currency:
            worth, of_floor = self._worths.get(order.currency), self._worths.get(floor.currency)
            if worth is None or of_floor is None:
                return True
            amount = amount / worth * of_floor
        return amount >= floor.amount if floor.is_included else amount > floor.amount


def _is_about(rule: TravelRule, held: Institution) -> bool:
    is_self_hosted = rule.held_by is HeldBy.SELF_HOSTED
    return held.is_self_hosted is is_self_hosted and held.country not in rule.outside
