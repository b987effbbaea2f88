"""A payment at the moment it is judged: the order, and the past of everyone in it. Pure.

    attempts    all payments: who tries often, or much, or at many, shows it whatever came of it
    habits      those that fraud did not block: what was never paid is not usual, and nobody is known by it

What others put an end to later stays a habit: a decision goes by what fraud knows as it decides.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

from libs.common.record import Record
from libs.common.rough import euro_cents
from schemas.payments.events import PaymentOrder, PaymentPersonalData
from services.fraud.domain import history
from services.fraud.domain.entities import Entity, EntityKind, Risk, fingerprint
from services.fraud.domain.history import EMPTY, LOOK_BACK_DAYS, MICROS_PER_DAY, LabelWindow, Past, Window

SNAPSHOT_DAYS_MAX = 30
"""A snapshot of the features worker whose newest label is older says nothing any more."""
FUTURE_SECONDS_MAX = 24 * 3_600
"""An order dated further ahead than this is not taken into anyone's history: it would make all others too old."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_LISTS: frozenset[str] = frozenset()


def micros_of(at: datetime) -> int:
    """A moment in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def is_from_future(instructed_at: datetime, now: datetime) -> bool:
    """Whether an order is dated so far ahead that nobody's history may take it in."""
    return instructed_at - now > timedelta(seconds=FUTURE_SECONDS_MAX)


def _is_too_old(risk: Risk, at_micros: int) -> bool:
    return risk.as_of_micros < at_micros - SNAPSHOT_DAYS_MAX * MICROS_PER_DAY


class Side:
    """One side of a payment, with its past as of the payment's own time."""

    __slots__ = ("blocked", "counterpart", "entity", "habits", "lists", "risk")

    def __init__(self, entity: Entity, at_micros: int, *, counterpart: str, lists: frozenset[str]) -> None:
        self.entity = entity
        self.counterpart = fingerprint(counterpart)
        """The other side of this payment: for a device, who pays."""
        self.lists = lists
        self.habits = Past(entity.history, at_micros)
        self.blocked = None if entity.blocked is EMPTY else Past(entity.blocked, at_micros)
        self.risk = None if entity.risk is None or _is_too_old(entity.risk, at_micros) else entity.risk
        """What the features worker's newest snapshot says; None if it is too old."""

    @property
    def snapshot_version(self) -> int | None:
        """Of the snapshot that says something."""
        return None if self.risk is None else self.risk.version

    def attempts(self, width_micros: int) -> Window:
        """What was ordered within a width, whatever came of it; without this payment."""
        habits = self.habits.window(width_micros)
        if self.blocked is None:
            return habits
        blocked = self.blocked.window(width_micros)
        return Window(habits.payments + blocked.payments, habits.total_cents + blocked.total_cents)

    def labels(self, width_micros: int, delay_micros: int) -> LabelWindow:
        """What the attempts of a width turned out to be that ended `delay_micros` ago."""
        habits = self.habits.labels(width_micros, delay_micros)
        if self.blocked is None:
            return habits
        blocked = self.blocked.labels(width_micros, delay_micros)
        return LabelWindow(
            habits.payments + blocked.payments, habits.labelled + blocked.labelled, habits.frauds + blocked.frauds
        )

    def attempted(self, width_micros: int) -> Iterator[tuple[int, int]]:
        """Amount and counterpart of each attempt within a width, as far as they are kept one by one."""
        pasts = (self.habits,) if self.blocked is None else (self.habits, self.blocked)
        return chain.from_iterable(
            zip(past.amounts(width_micros), past.counterparts(width_micros), strict=True) for past in pasts
        )

    def attempted_cents(self, width_micros: int) -> Iterator[int]:
        """The amounts of those."""
        pasts = (self.habits,) if self.blocked is None else (self.habits, self.blocked)
        return chain.from_iterable(past.amounts(width_micros) for past in pasts)

    def counterpart_count(self, width_micros: int) -> int:
        """Different counterparts of the attempts within a width, this payment's included."""
        found = {self.counterpart, *self.habits.counterparts(width_micros)}
        return len(found if self.blocked is None else found.union(self.blocked.counterparts(width_micros)))

    def knows_counterpart(self, width_micros: int) -> bool | None:
        """Whether this payment's counterpart is among the habits of a width; None where not all of them are kept."""
        if self.entity.history.is_crowded:
            return None
        return self.counterpart in self.habits.counterparts(width_micros)

    @property
    def newest_micros(self) -> int:
        """When the newest attempt was, whether before this payment or after it."""
        pasts = (self.entity.history, self.entity.blocked)
        return max([past.times[-1] for past in pasts if past.times], default=history.BEGINNING_MICROS)

    @property
    def forgotten_until_micros(self) -> int:
        return max(self.entity.history.forgotten_until_micros, self.entity.blocked.forgotten_until_micros)

    @property
    def is_crowded(self) -> bool:
        return self.entity.history.is_crowded or self.entity.blocked.is_crowded


class Lists(Record):
    """The lists that each side is on."""

    debtor: frozenset[str] = _NO_LISTS
    creditor: frozenset[str] = _NO_LISTS
    device: frozenset[str] = _NO_LISTS


class Moment:
    """All that features are taken from."""

    __slots__ = ("amount_cents", "at_micros", "creditor", "debtor", "device", "is_from_future", "order", "personal")

    def __init__(
        self,
        order: PaymentOrder,
        *,
        debtor: Entity,
        creditor: Entity,
        device: Entity | None,
        now: datetime,
        lists: Lists = Lists(),
    ) -> None:
        at_micros = self.at_micros = micros_of(order.instructed_at)
        self.order = order
        self.amount_cents = euro_cents(order.amount_minor, order.currency)
        """The amount, in cents of rough euros."""
        self.personal = order.personal if isinstance(order.personal, PaymentPersonalData) else None
        payer = order.debtor_account_id
        self.debtor = Side(debtor, at_micros, counterpart=order.creditor_account_id, lists=lists.debtor)
        self.creditor = Side(creditor, at_micros, counterpart=payer, lists=lists.creditor)
        self.device = None if device is None else Side(device, at_micros, counterpart=payer, lists=lists.device)
        self.is_from_future = is_from_future(order.instructed_at, now)

    def side(self, kind: EntityKind) -> Side | None:
        if kind is EntityKind.DEBTOR:
            return self.debtor
        return self.creditor if kind is EntityKind.CREDITOR else self.device

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.debtor, self.creditor) if self.device is None else (self.debtor, self.creditor, self.device)

    @property
    def behind_micros(self) -> int:
        """How much newer than this payment the newest is that anyone's past in it holds; 0 if none is."""
        return max(0, *(side.newest_micros - self.at_micros for side in self.sides))

    @property
    def is_late(self) -> bool:
        """Ordered so long before something newer of its parties that part of their past is forgotten."""
        since = self.at_micros - LOOK_BACK_DAYS * MICROS_PER_DAY
        return any(since < side.forgotten_until_micros for side in self.sides)

    @property
    def is_crowded(self) -> bool:
        """Someone in it pays or receives so often that sums over days are estimates."""
        return any(side.is_crowded for side in self.sides)
