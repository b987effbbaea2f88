"""What each scenario looks for: its parameters, and which version of them was in force when.

Amounts are cents of a dollar: exact for what moves in dollars, rough for other currencies. Every window
is as long as histories reach at most (`history.WINDOW_DAYS_MAX`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from libs.common.record import Record
from services.compliance.monitoring.history import DAYS_MAX, WINDOW_DAYS_MAX

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
"""From when on shipped parameters are in force: before any movement."""


class Scenario(StrEnum):
    """What is looked for. A case gives the same words as its reasons."""

    STRUCTURING = "structuring"
    RAPID_MOVEMENT = "rapid_movement"
    FAN_IN = "fan_in"
    FAN_OUT = "fan_out"
    CYCLE = "cycle"
    DORMANCY = "dormancy"
    MIRRORED_AMOUNTS = "mirrored_amounts"
    OWN_MAXIMUM = "own_maximum"
    HIGH_RISK_COUNTRY = "high_risk_country"
    ROUND_AMOUNTS = "round_amounts"
    NEW_ACCOUNT = "new_account"
    CASH_REPORT = "cash_report"
    """Cash over $10,000 within a business day: no suspicion, but a report is due."""


class Watches(StrEnum):
    """Whose movements a scenario looks at. Customers of whom it isn't known what they are, are looked at by all."""

    EVERYONE = "everyone"
    PERSONS = "persons"
    COMPANIES = "companies"


Cents = Annotated[int, Meta(ge=0, le=10**15)]
Count = Annotated[int, Meta(ge=1, le=100)]
Percent = Annotated[int, Meta(ge=1, le=1_000)]
WindowDays = Annotated[int, Meta(ge=1, le=WINDOW_DAYS_MAX)]
WindowHours = Annotated[int, Meta(ge=1, le=24 * WINDOW_DAYS_MAX)]


class Parameters(Record, forbid_unknown_fields=True):
    """What every scenario has."""

    is_on: bool = True
    watches: Watches = Watches.EVERYONE
    quiet_hours: WindowHours = 24
    """After an alert, the same about the same customer is not told again for so long: it would say nothing new."""


class Structuring(Parameters):
    """Cash paid in, each time just below what must be reported (31 U.S.C. 5324)."""

    low_cents: Cents
    high_cents: Cents
    count: Count
    days: WindowDays


class RapidMovement(Parameters):
    """What comes in is soon gone again."""

    inflow_cents_min: Cents
    share_percent: Percent
    hours: WindowHours


class FanIn(Parameters):
    """Many payers in a short time."""

    payers: Count
    hours: WindowHours
    total_cents_min: Cents


class FanOut(Parameters):
    """Many payees in a short time."""

    payees: Count
    hours: WindowHours
    total_cents_min: Cents


class Cycle(Parameters):
    """Money that comes back to where it started."""

    hops_min: Annotated[int, Meta(ge=3, le=10)]
    hops_max: Annotated[int, Meta(ge=3, le=10)]
    days: WindowDays
    amount_cents_min: Annotated[int, Meta(ge=100_00, le=10**15)]
    """Of each hop. Not nothing, for every movement that may be a hop is kept, and looked at."""
    tolerance_percent: Annotated[int, Meta(ge=0, le=50)]
    """How much a hop may differ from the last one."""


class Dormancy(Parameters):
    """Nothing for months, and then a large sum."""

    days: Annotated[int, Meta(ge=30, le=3_650)]
    amount_cents_min: Cents
    hours: WindowHours
    """Within how long after waking: a small payment to try comes first."""


class MirroredAmounts(Parameters):
    """What comes in goes out again to someone else, amount by amount, less a commission."""

    amount_cents_min: Cents
    hours: WindowHours
    tolerance_percent: Annotated[int, Meta(ge=0, le=50)]
    commission_percent: Annotated[int, Meta(ge=0, le=50)]
    """The most that is kept back."""
    pairs: Count


class OwnMaximum(Parameters):
    """Far more at once than this customer has ever paid lately."""

    share_percent: Percent
    """Of the largest payment so far."""
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]
    payments_min: Count
    """Fewer say nothing about what is usual."""
    amount_cents_min: Cents


class HighRiskCountry(Parameters):
    """Money from or to someone in a country on a list of the FATF."""

    call_for_action_cents_min: Cents
    increased_monitoring_cents_min: Cents


class RoundAmounts(Parameters):
    """Many payments of round sums: nothing that is bought costs that."""

    zeros: Annotated[int, Meta(ge=1, le=9)]
    """How many zeros a whole amount ends in, in its own currency: 3 for thousands."""
    amount_cents_min: Cents
    count: Count
    days: WindowDays


class NewAccount(Parameters):
    """A new customer through whom money only passes."""

    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)]
    """Since the customer was registered."""
    inflow_cents_min: Cents
    share_percent: Percent


class CashReport(Parameters):
    """Cash of one person in one business day, in or out, that must be reported (31 CFR 1010.311, 1010.313)."""

    above_cents: Cents
    """Strictly more than this."""


KINDS: Mapping[Scenario, type[Parameters]] = {
    Scenario.STRUCTURING: Structuring,
    Scenario.RAPID_MOVEMENT: RapidMovement,
    Scenario.FAN_IN: FanIn,
    Scenario.FAN_OUT: FanOut,
    Scenario.CYCLE: Cycle,
    Scenario.DORMANCY: Dormancy,
    Scenario.MIRRORED_AMOUNTS: MirroredAmounts,
    Scenario.OWN_MAXIMUM: OwnMaximum,
    Scenario.HIGH_RISK_COUNTRY: HighRiskCountry,
    Scenario.ROUND_AMOUNTS: RoundAmounts,
    Scenario.NEW_ACCOUNT: NewAccount,
    Scenario.CASH_REPORT: CashReport,
}

P = TypeVar("P", bound=Parameters)


class ParametersFault(Exception):
    """Something that is no set of parameters, and why."""


class Version(Record):
    """Parameters of a scenario, in force from a moment on until a later version is."""

    scenario: Scenario
    version: str
    """A hash of what they say, and from when on."""
    parameters: Parameters
    effective_from: datetime
    set_by: str
    reason: str
    set_at: datetime


def version_of(
    scenario: Scenario, parameters: Parameters, *, effective_from: datetime, set_by: str, reason: str, set_at: datetime
) -> Version:
    """A version, named by what it says."""
    said = msgspec.json.encode([scenario.value, parameters, effective_from])
    return Version(
        scenario=scenario,
        version=blake2b(said, digest_size=6).hexdigest(),
        parameters=parameters,
        effective_from=effective_from,
        set_by=set_by,
        reason=reason,
        set_at=set_at,
    )


def read(scenario: Scenario, values: Mapping[str, Any]) -> Parameters:
    """Parameters from their names and values. Raises ParametersFault if one is missing, unknown or senseless."""
    try:
        return msgspec.convert(values, KINDS[scenario])
    except msgspec.ValidationError as fault:
        raise ParametersFault(f"{scenario.value}: {fault}") from fault


def values_of(parameters: Parameters) -> dict[str, Any]:
    """The names and values that `read` takes."""
    values: dict[str, Any] = msgspec.to_builtins(parameters)
    return values
