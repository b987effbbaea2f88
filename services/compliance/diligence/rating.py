"""How risky a customer is: factors with weights that are added up, and a level for the sum. Pure.

    factor                  it counts when
    call_for_action         the customer's country is on that list of the FATF today
    increased_monitoring    … on that one
    country_unknown         nobody has said which country
    company, kind_unknown   the customer is a company, or nobody knows what it is
    crypto                  it has an account in a crypto asset
    resembles_listed        it resembles an entry of a list, also one that people have ruled out, as long as it is there
    pep                     … whose programme says PEP: a politically exposed person
    document_refused        the last document it handed in was not accepted

Weights, levels and the days after which a customer is looked at again are a file: defaults/risk.toml.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from libs.common.record import Record
from schemas.accounts.events import CustomerKind
from services.compliance.diligence.documents import DocumentStatus
from services.compliance.matching.screening import Hit
from services.compliance.monitoring.countries import CountryList, CountryLists
from services.compliance.travel.rules import CRYPTO


class Factor(StrEnum):
    """What speaks for risk."""

    CALL_FOR_ACTION = "call_for_action"
    INCREASED_MONITORING = "increased_monitoring"
    COUNTRY_UNKNOWN = "country_unknown"
    COMPANY = "company"
    KIND_UNKNOWN = "kind_unknown"
    CRYPTO = "crypto"
    RESEMBLES_LISTED = "resembles_listed"
    PEP = "pep"
    DOCUMENT_REFUSED = "document_refused"


class RiskLevel(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RiskTable(Record, forbid_unknown_fields=True):
    """Weights of factors, sums from which on a level counts, and days between two looks."""

    weights: Mapping[Factor, int]
    levels: Mapping[RiskLevel, int]
    review_days: Mapping[RiskLevel, int]

    def __post_init__(self) -> None:
        lacking = [
            *(f"weights.{name}" for name in Factor if name not in self.weights),
            *(f"levels.{name}" for name in (RiskLevel.MEDIUM, RiskLevel.HIGH) if name not in self.levels),
            *(f"review_days.{name}" for name in RiskLevel if name not in self.review_days),
        ]
        if lacking:
            raise ValueError(f"{', '.join(lacking)} is missing")
        if not 0 < self.levels[RiskLevel.MEDIUM] < self.levels[RiskLevel.HIGH]:
            raise ValueError("levels must be above zero, and high above medium")
        if min(self.weights.values()) < 0 or not all(0 < days <= REVIEW_DAYS_MAX for days in self.review_days.values()):
            raise ValueError(f"weights are not below zero, and review_days lie between 1 and {REVIEW_DAYS_MAX}")
        if self.review_days[RiskLevel.HIGH] > REVIEW_DAYS_OF_HIGH_MAX:
            raise ValueError(f"review_days.high is {REVIEW_DAYS_OF_HIGH_MAX} at most")


REVIEW_DAYS_MAX, REVIEW_DAYS_OF_HIGH_MAX = 1_826, 365
"""Five years, and one: Regulation (EU) 2024/1624, article 26(2)."""


class Rating(Record):
    """What was found, and what it comes to."""

    factors: tuple[Factor, ...]
    points: int
    level: RiskLevel


class Known(Record):
    """What a rating goes by."""

    kind: CustomerKind
    country: str | None
    resembles: Factor | None = None
    """A listed party, or a politically exposed person: also one that people have said it is not."""
    currencies: tuple[str, ...]
    document_status: DocumentStatus | None
    is_proven: bool = False
    """Whether a document proves today who it is."""
    is_whole: bool
    """Whether the data could be read, and say when a person was born, or it is a company."""


def rate(known: Known, countries: CountryLists, table: RiskTable, on: date) -> Rating:
    """Rate a customer by what is known on a day."""
    factors = tuple(_factors(known, countries, on))
    points = sum(table.weights[factor] for factor in factors)
    reached = [level for level in (RiskLevel.MEDIUM, RiskLevel.HIGH) if points >= table.levels[level]]
    return Rating(factors=factors, points=points, level=reached[-1] if reached else RiskLevel.LOW)


def review_on(rating: Rating, table: RiskTable, on: date) -> date:
    """By when a customer is looked at again that was looked at on a day."""
    return on + timedelta(days=table.review_days[rating.level])


TIER_NAME_ONLY = 1
"""Screened by name: what little can be told about this person."""
TIER_IDENTIFIED = 2
"""A person whose whole date of birth is known, or a company: hits can be told from chance."""
TIER_PROVEN = 3
"""The same, by a document that was checked."""


def tier_of(known: Known, level: RiskLevel) -> int:
    """How far a customer that may be served is verified; of high risk, a step less far than its data would take it."""
    tier = TIER_NAME_ONLY
    if known.is_whole:
        tier = TIER_PROVEN if known.is_proven else TIER_IDENTIFIED
    return max(TIER_NAME_ONLY, tier - 1) if level is RiskLevel.HIGH else tier


def resemblance(hits: Sequence[Hit]) -> Factor | None:
    """What hits speak for, whatever people have said of them; None if there is none."""
    if not hits:
        return None
    is_pep = any("PEP" in hit.listed.programme.upper().split() for hit in hits)
    return Factor.PEP if is_pep else Factor.RESEMBLES_LISTED


def _factors(known: Known, countries: CountryLists, on: date) -> list[Factor]:
    found = []
    if known.country is None:
        found.append(Factor.COUNTRY_UNKNOWN)
    listing = countries.listing_of(known.country, on)
    if listing is not None:
        is_call = listing.list_name is CountryList.CALL_FOR_ACTION
        found.append(Factor.CALL_FOR_ACTION if is_call else Factor.INCREASED_MONITORING)
    match known.kind:
        case CustomerKind.COMPANY:
            found.append(Factor.COMPANY)
        case CustomerKind.UNKNOWN:
            found.append(Factor.KIND_UNKNOWN)
    if CRYPTO & set(known.currencies):
        found.append(Factor.CRYPTO)
    if known.resembles is not None:
        found.append(known.resembles)
    if known.document_status is DocumentStatus.REFUSED:
        found.append(Factor.DOCUMENT_REFUSED)
    return found


read_table = msgspec.toml.decode
