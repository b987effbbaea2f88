"""Which data the law asks for about the parties of a payment, by jurisdiction, assets, amount and day. Pure.

Rules are rows of a file ([travel_rule.csv](../defaults/travel_rule.csv), or one's own), each with the days on which it
is in force and where it is written. A payment within the house travels nowhere: no rule asks about it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
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
    is_linked: bool = False
    """Whether its floor is held against what went between the same two parties lately, taken together."""
    applies_from: date
    applies_until: date | None = None
    """The first day on which it is in force no more."""
    debtor: tuple[Datum, ...] = ()
    creditor: tuple[Datum, ...] = ()
    source: str

    def holds(self, on: date) -> bool:
        return self.applies_from <= on and (self.applies_until is None or on < self.applies_until)


class Worth(Record):
    """What a currency is worth from a day on."""

    currency: str
    since: date
    per_euro: Fraction
    """So many units of it are worth a euro."""


class Sum(Record):
    """What went before between the two parties of a payment, in one currency."""

    currency: str
    amount_minor: int


class TravelRules:
    """The rules of the jurisdictions that a house is in."""

    def __init__(
        self,
        rules: Iterable[TravelRule],
        worths: Iterable[Worth],
        jurisdictions: Iterable[str],
        *,
        linked_within: timedelta = timedelta(0),
    ) -> None:
        """`linked_within`: how long two transfers between the same parties appear to be linked."""
        own = frozenset(jurisdictions)
        self.rules = tuple(rule for rule in rules if rule.jurisdiction in own)
        self.linked_within = linked_within
        self._worths: dict[str, list[Worth]] = defaultdict(list)
        for worth in sorted(worths, key=lambda one: one.since):
            self._worths[worth.currency].append(worth)

    def may_be_linked(self, order: PaymentOrder, on: date) -> bool:
        """Whether a rule asks, of however small an amount, what else went between the parties of a payment."""
        return bool(self.linked_within) and any(rule.is_linked for rule in self._about(order, on))

    def applicable(self, order: PaymentOrder, on: date, linked: Sequence[Sum] = ()) -> tuple[TravelRule, ...]:
        """The rules that ask something about a payment, as they were on a day: that of its first screening. What its
        client says of when it was ordered would let the client choose the rules. `linked`: what went before it."""
        return tuple(rule for rule in self._about(order, on) if self._reaches(order, rule, on, linked))

    def _about(self, order: PaymentOrder, on: date) -> tuple[TravelRule, ...]:
        """Those that would ask about such a payment of a large amount."""
        elsewhere = [held for held in (order.debtor_institution, order.creditor_institution) if held is not None]
        if not elsewhere:
            return ()
        assets = Assets.CRYPTO if order.currency in CRYPTO else Assets.FUNDS
        return tuple(
            rule
            for rule in self.rules
            if rule.assets is assets and rule.holds(on) and any(_is_about(rule, held) for held in elsewhere)
        )

    def _reaches(self, order: PaymentOrder, rule: TravelRule, on: date, linked: Sequence[Sum]) -> bool:
        """Whether the amount is one that a rule asks about. One whose worth nobody has said is."""
        floor = rule.floor
        if floor is None:
            return True
        own = Sum(currency=order.currency, amount_minor=order.amount_minor)
        total = Fraction(0)
        for part in (own, *(linked if rule.is_linked else ())):
            worth = self._worth(part, floor.currency, on)
            if worth is None:
                return True
            total += worth
        return total >= floor.amount if floor.is_included else total > floor.amount

    def _worth(self, part: Sum, currency: str, on: date) -> Fraction | None:
        """An amount in another currency, by what both were worth on a day; None if nobody has said."""
        amount = Fraction(part.amount_minor, 10 ** SCALES[part.currency])
        if part.currency == currency:
            return amount
        worth, other = self._per_euro(part.currency, on), self._per_euro(currency, on)
        return None if worth is None or other is None else amount / worth * other

    def _per_euro(self, currency: str, on: date) -> Fraction | None:
        known = self._worths.get(currency, [])
        place = bisect_right(known, on, key=lambda worth: worth.since)
        return known[place - 1].per_euro if place else None


def _is_about(rule: TravelRule, held: Institution) -> bool:
    is_self_hosted = rule.held_by is HeldBy.SELF_HOSTED
    return held.is_self_hosted is is_self_hosted and held.country not in rule.outside
