"""The scenarios: each a pure function of a moment of one customer and the parameters in force, and what it found.

    moment = the customer · its history, this movement included · the movement from its side · the other side

A finding names what it rests on: the values, the movements, and when the last of them was. Windows are of
event time: a movement that comes late is looked at in its own window, and in those that end later.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from libs.common.money import in_dollars
from libs.common.record import Record
from schemas.accounts.events import CustomerKind
from services.compliance.monitoring.countries import CountryList, CountryLists
from services.compliance.monitoring.history import (
    MICROS_PER_DAY,
    MICROS_PER_HOUR,
    Entry,
    History,
    business_day_number,
    day_number,
)
from services.compliance.monitoring.movements import Profile, date_of_day, micros_of
from services.compliance.monitoring.parameters import (
    CashReport,
    Dormancy,
    FanIn,
    FanOut,
    HighRiskCountry,
    MirroredAmounts,
    NewAccount,
    OwnMaximum,
    Parameters,
    RapidMovement,
    RoundAmounts,
    Scenario,
    Structuring,
    Watches,
)

Values = Mapping[str, int | str]


class Finding(Record):
    """What a scenario says about a customer."""

    scenario: Scenario
    reason: str
    """In words, for the people who look at it."""
    values: dict[str, int | str]
    """What it rests on. Amounts are cents of a dollar."""
    payment_ids: tuple[str, ...]
    """The movements that it rests on, as far as they are kept one by one."""
    at_micros: int
    """When the last of them was."""
    key: str
    """The same key within the quiet time is the same again."""


class Moment:
    """One customer as a movement of its money is looked at."""

    __slots__ = ("before", "countries", "entry", "history", "other", "place", "profile")

    def __init__(
        self,
        *,
        profile: Profile,
        other: Profile,
        before: History,
        history: History,
        entry: Entry,
        countries: CountryLists,
    ) -> None:
        self.profile = profile
        self.other = other
        self.before = before
        """The history without the movement."""
        self.history = history
        self.entry = entry
        self.countries = countries

    @property
    def is_latest(self) -> bool:
        """Whether nothing that is known happened later."""
        return self.entry.at_micros >= self.history.newest_micros

    def windows(self, width_micros: int) -> Iterator[tuple[int, int]]:
        """See `History.windows`. None if the movement came too late, or the customer is too crowded, for any."""
        return self.history.windows(self.entry.at_micros, width_micros)


def watches(parameters: Parameters, kind: CustomerKind | None) -> bool:
    """Whether a scenario looks at such a customer."""
    if parameters.watches is Watches.EVERYONE or kind is None:
        return True
    return (parameters.watches is Watches.COMPANIES) == (kind is CustomerKind.COMPANY)


# Cash


def structuring(moment: Moment, p: Structuring) -> Finding | None:
    """Cash paid in several times, each time just below what must be reported."""
    entry, history = moment.entry, moment.history
    if not p.low_cents <= entry.cents <= p.high_cents:
        return None
    for start, end in moment.windows(p.days * MICROS_PER_DAY):
        found = [
            place
            for place in range(start, end)
            if history.is_cash(place)
            and not history.is_out(place)
            and p.low_cents <= history.cents[place] <= p.high_cents
        ]
        if len(found) >= p.count:
            total = _total(history, found)
            return _finding(
                Scenario.STRUCTURING,
                history,
                found,
                f"{len(found)} times cash of {in_dollars(p.low_cents)} to {in_dollars(p.high_cents)} was paid in "
                f"within {p.days} days, {in_dollars(total)} in all",
                {"count": len(found), "total_cents": total},
            )
    return None


def cash_report(moment: Moment, p: CashReport) -> Finding | None:
    """More cash in a business day than may go unreported; what is paid in and what is paid out count apart."""
    entry, history = moment.entry, moment.history
    day = business_day_number(entry.at_micros)
    total = history.cash_of(day, is_out=entry.is_out)
    if total <= p.above_cents:
        return None
    of_day = [
        place
        for place in range(len(history.times))
        if history.is_cash(place)
        and history.is_out(place) == entry.is_out
        and business_day_number(history.times[place]) == day
    ]
    direction, on = ("out", "in")[not entry.is_out], date_of_day(day).isoformat()
    return Finding(
        scenario=Scenario.CASH_REPORT,
        reason=f"cash of {in_dollars(total)} was paid {direction} on the business day {on}: a report is due",
        values={"total_cents": total, "business_day": on, "direction": direction},
        payment_ids=tuple(map(history.payment_id, of_day)) or (entry.payment_id,),
        at_micros=entry.at_micros,
        key=f"{Scenario.CASH_REPORT.value} {direction} {on}",
    )


# Flows


def rapid_movement(moment: Moment, p: RapidMovement) -> Finding | None:
    """What came in is gone again, nearly all of it, within hours."""
    history = moment.history
    if moment.is_latest and not moment.entry.is_out:
        return None
    for start, end in moment.windows(p.hours * MICROS_PER_HOUR):
        if not history.is_out(end - 1):
            continue
        came = [place for place in range(start, end) if not history.is_out(place)]
        inflow = _total(history, came)
        if not came or inflow < p.inflow_cents_min:
            continue
        went = [place for place in range(came[0], end) if history.is_out(place)]
        outflow = _total(history, went)
        if outflow * 100 >= inflow * p.share_percent:
            return _finding(
                Scenario.RAPID_MOVEMENT,
                history,
                sorted((*came, *went)),
                f"{in_dollars(inflow)} came in and {in_dollars(outflow)} went out again within {p.hours} hours",
                {"inflow_cents": inflow, "outflow_cents": outflow},
            )
    return None


def fan_in(moment: Moment, p: FanIn) -> Finding | None:
    """Many payers in a short time."""
    return _fan(Scenario.FAN_IN, moment, p.hours, p.payers, p.total_cents_min, "payers sent", is_out=False)


def fan_out(moment: Moment, p: FanOut) -> Finding | None:
    """Many payees in a short time."""
    return _fan(Scenario.FAN_OUT, moment, p.hours, p.payees, p.total_cents_min, "payees were sent", is_out=True)


def _fan(
    scenario: Scenario, moment: Moment, hours: int, least: int, total_min: int, words: str, *, is_out: bool
) -> Finding | None:
    history = moment.history
    for start, end in moment.windows(hours * MICROS_PER_HOUR):
        if end - start < least:
            continue
        found = [place for place in range(start, end) if history.is_out(place) == is_out]
        others, total = len({history.counterparts[place] for place in found}), _total(history, found)
        if others >= least and total >= total_min:
            return _finding(
                scenario,
                history,
                found,
                f"{others} {words} {in_dollars(total)} within {hours} hours",
                {"counterparts": others, "total_cents": total},
            )
    return None


def mirrored_amounts(moment: Moment, p: MirroredAmounts) -> Finding | None:
    """What came in went out again to someone else, amount by amount."""
    history = moment.history
    if moment.is_latest and not moment.entry.is_out:
        return None
    for start, end in moment.windows(p.hours * MICROS_PER_HOUR):
        if not history.is_out(end - 1):
            continue
        pairs = list(_mirrored(history, start, end, p))
        if len(pairs) >= p.pairs:
            places = sorted(place for pair in pairs for place in pair)
            total = sum(history.cents[came] for came, _ in pairs)
            return _finding(
                Scenario.MIRRORED_AMOUNTS,
                history,
                places,
                f"{len(pairs)} amounts that came in, {in_dollars(total)} in all, went out again to others within "
                f"{p.hours} hours",
                {"pairs": len(pairs), "total_cents": total},
            )
    return None


def _mirrored(history: History, start: int, end: int, p: MirroredAmounts) -> Iterator[tuple[int, int]]:
    """Places of what came in and of what mirrors it; each is in one pair at most."""
    open_places = [
        place for place in range(start, end) if not history.is_out(place) and history.cents[place] >= p.amount_cents_min
    ]
    for went in range(start, end):
        if not open_places or not history.is_out(went):
            continue
        for came in open_places:
            if came < went and history.counterparts[came] != history.counterparts[went]:
                amount = history.cents[came]
                lowest = amount * (100 - p.commission_percent - p.tolerance_percent)
                if lowest <= history.cents[went] * 100 <= amount * (100 + p.tolerance_percent):
                    open_places.remove(came)
                    yield came, went
                    break


def round_amounts(moment: Moment, p: RoundAmounts) -> Finding | None:
    """Many payments of round sums, paid or received."""
    entry, history = moment.entry, moment.history
    if entry.zeros < p.zeros or entry.cents < p.amount_cents_min:
        return None
    for start, end in moment.windows(p.days * MICROS_PER_DAY):
        found = [
            place
            for place in range(start, end)
            if history.zeros(place) >= p.zeros and history.cents[place] >= p.amount_cents_min
        ]
        if len(found) >= p.count:
            total = _total(history, found)
            return _finding(
                Scenario.ROUND_AMOUNTS,
                history,
                found,
                f"{len(found)} round amounts within {p.days} days, {in_dollars(total)} in all",
                {"count": len(found), "total_cents": total},
            )
    return None


# Against one's own past


def dormancy(moment: Moment, p: Dormancy) -> Finding | None:
    """Nothing for months, and then a large sum."""
    entry, history = moment.entry, moment.history
    woke_at, idle_micros = history.woke_at_micros, history.woke_at_micros - history.idle_from_micros
    if idle_micros < p.days * MICROS_PER_DAY or not 0 <= entry.at_micros - woke_at <= p.hours * MICROS_PER_HOUR:
        return None
    found = [place for place, at in enumerate(history.times) if woke_at <= at <= entry.at_micros]
    total = _total(history, found)
    if not found or total < p.amount_cents_min:
        return None
    idle_days = idle_micros // MICROS_PER_DAY
    return _finding(
        Scenario.DORMANCY,
        history,
        found,
        f"after {idle_days} days without any movement {in_dollars(total)} moved within {p.hours} hours",
        {"idle_days": idle_days, "total_cents": total},
    )


def own_maximum(moment: Moment, p: OwnMaximum) -> Finding | None:
    """Far more at once than this customer has paid lately. What it paid on the same day is part of what is usual."""
    entry, before = moment.entry, moment.before
    if entry.cents < p.amount_cents_min:
        return None
    today = day_number(entry.at_micros)
    days = before.between_days(today - p.days + 1, today)
    payments, highest = sum(before.out_counts[days]), max(before.out_highest[days], default=0)
    if payments < p.payments_min or entry.cents * 100 < highest * p.share_percent:
        return None
    return _of_entry(
        Scenario.OWN_MAXIMUM,
        entry,
        f"{in_dollars(entry.cents)} was paid at once, where {in_dollars(highest)} was the most in {p.days} days",
        {"amount_cents": entry.cents, "highest_cents": highest, "payments": payments},
    )


def new_account(moment: Moment, p: NewAccount) -> Finding | None:
    """Through a customer registered not long ago money only passes. Says nothing where nobody knows since when it is
    one.
    """
    entry, history, since = moment.entry, moment.history, moment.profile.registered_at
    if since is None:
        return None
    since_micros = micros_of(since)
    if not 0 <= entry.at_micros - since_micros <= p.days * MICROS_PER_DAY:
        return None
    days = history.between_days(day_number(since_micros), day_number(entry.at_micros))
    inflow, outflow = sum(history.in_cents[days]), sum(history.out_cents[days])
    if inflow < p.inflow_cents_min or outflow * 100 < inflow * p.share_percent:
        return None
    age_days = (entry.at_micros - since_micros) // MICROS_PER_DAY
    return _of_entry(
        Scenario.NEW_ACCOUNT,
        entry,
        f"{age_days} days after registration {in_dollars(inflow)} had come in and {in_dollars(outflow)} gone out",
        {"age_days": age_days, "inflow_cents": inflow, "outflow_cents": outflow},
    )


# Countries


def high_risk_country(moment: Moment, p: HighRiskCountry) -> Finding | None:
    """Money to or from someone in a country that was on a list of the FATF on that day."""
    entry = moment.entry
    listing = moment.countries.gravest_of(moment.other.countries, date_of_day(day_number(entry.at_micros)))
    if listing is None:
        return None
    is_graver = listing.list_name is CountryList.CALL_FOR_ACTION
    if entry.cents < (p.call_for_action_cents_min if is_graver else p.increased_monitoring_cents_min):
        return None
    words = listing.list_name.value.replace("_", " ")
    return _of_entry(
        Scenario.HIGH_RISK_COUNTRY,
        entry,
        f"{in_dollars(entry.cents)} {'went to' if entry.is_out else 'came from'} {listing.country}, on the FATF's list "
        f"of {words} since {listing.listed_from.isoformat()}",
        {"amount_cents": entry.cents, "country": listing.country, "list": listing.list_name.value},
        key=f"{Scenario.HIGH_RISK_COUNTRY.value} {listing.country}",
    )


Judge = Callable[[Moment, Any], Finding | None]


class Asked(StrEnum):
    """Of which movements a scenario is asked. By what can't be of interest to it, most of the cost is saved."""

    ALL = "all"
    CASH = "cash"
    CASH_IN = "cash_in"
    IN = "in"
    OUT = "out"


JUDGES: Mapping[Scenario, tuple[Asked, Judge]] = {
    Scenario.CASH_REPORT: (Asked.CASH, cash_report),
    Scenario.STRUCTURING: (Asked.CASH_IN, structuring),
    Scenario.RAPID_MOVEMENT: (Asked.ALL, rapid_movement),
    Scenario.MIRRORED_AMOUNTS: (Asked.ALL, mirrored_amounts),
    Scenario.FAN_IN: (Asked.IN, fan_in),
    Scenario.FAN_OUT: (Asked.OUT, fan_out),
    Scenario.ROUND_AMOUNTS: (Asked.ALL, round_amounts),
    Scenario.DORMANCY: (Asked.ALL, dormancy),
    Scenario.OWN_MAXIMUM: (Asked.OUT, own_maximum),
    Scenario.NEW_ACCOUNT: (Asked.ALL, new_account),
    Scenario.HIGH_RISK_COUNTRY: (Asked.ALL, high_risk_country),
}
"""Those that one customer's history is enough for; cycles are looked for in `cycles`."""


def is_asked(asked: Asked, *, is_out: bool, is_cash: bool) -> bool:
    match asked:
        case Asked.CASH:
            return is_cash
        case Asked.CASH_IN:
            return is_cash and not is_out
        case Asked.IN:
            return not is_out
        case Asked.OUT:
            return is_out
    return True


def _finding(
    scenario: Scenario, history: History, places: Iterable[int], reason: str, values: dict[str, int | str]
) -> Finding:
    found = list(places)
    return Finding(
        scenario=scenario,
        reason=reason,
        values=values,
        payment_ids=tuple(map(history.payment_id, found)),
        at_micros=history.times[found[-1]],
        key=scenario.value,
    )


def _of_entry(scenario: Scenario, entry: Entry, reason: str, values: dict[str, int | str], key: str = "") -> Finding:
    return Finding(
        scenario=scenario,
        reason=reason,
        values=values,
        payment_ids=(entry.payment_id,),
        at_micros=entry.at_micros,
        key=key or scenario.value,
    )


def _total(history: History, places: Iterable[int]) -> int:
    return sum(history.cents[place] for place in places)
