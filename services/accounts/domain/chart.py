"""The chart of accounts: what kinds of account there are, and on which side of the balance sheet each stands."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from libs.common import ids
from libs.common.money import SCALES
from libs.common.record import Record


class AccountType(StrEnum):
    """Where an account stands in the trial balance. Balances of all types count credits as positive."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class AccountKind(StrEnum):
    CUSTOMER = "customer"
    EXTERNAL = "external"
    """The world outside: what came in from it is what it is owed, so it stands below zero."""
    SETTLEMENT = "settlement"
    """What has been handed to a payment scheme and not yet been settled by it."""
    FEES = "fees"
    LIQUIDITY = "liquidity"
    """What conversions give and take, one account per currency: they hold the house's open positions."""
    SUSPENSE = "suspense"
    """What nobody has yet been able to assign."""
    LOSSES = "losses"
    BLOCKED_FUNDS = "blocked_funds"
    """What belongs to listed parties: neither returned nor released (31 CFR 501.603)."""


class Line(Record):
    """A line of the chart."""

    number: int
    type: AccountType
    name: str


CHART: Mapping[AccountKind, Line] = MappingProxyType(
    {
        AccountKind.EXTERNAL: Line(number=1000, type=AccountType.ASSET, name="Money held with other institutions"),
        AccountKind.SETTLEMENT: Line(number=1100, type=AccountType.ASSET, name="Payments being settled"),
        AccountKind.LIQUIDITY: Line(number=1200, type=AccountType.ASSET, name="Currency liquidity"),
        AccountKind.CUSTOMER: Line(number=2000, type=AccountType.LIABILITY, name="Customers' accounts"),
        AccountKind.BLOCKED_FUNDS: Line(number=2100, type=AccountType.LIABILITY, name="Blocked funds"),
        AccountKind.SUSPENSE: Line(number=2200, type=AccountType.LIABILITY, name="Not yet assigned"),
        AccountKind.FEES: Line(number=4000, type=AccountType.INCOME, name="Fees"),
        AccountKind.LOSSES: Line(number=5000, type=AccountType.EXPENSE, name="Losses"),
    }
)

HOUSE_KINDS = tuple(kind for kind in CHART if kind is not AccountKind.CUSTOMER)
"""The accounts that belong to no customer. There is one of each per currency."""


class HouseAccount(Record):
    """Which of the house's accounts an id stands for."""

    kind: AccountKind
    currency: str


@cache
def house_account_id(kind: AccountKind, currency: str) -> str:
    """The id of an account of the house. It is known without asking the ledger."""
    return ids.named("accounts", kind, currency)


@cache
def house_accounts() -> Mapping[str, HouseAccount]:
    """Every account of the house, by id."""
    return MappingProxyType(
        {
            house_account_id(kind, currency): HouseAccount(kind=kind, currency=currency)
            for currency in SCALES
            for kind in HOUSE_KINDS
        }
    )
