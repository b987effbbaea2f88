"""Money moved by request: funded, booked, converted, taken back. Pure.

A transfer takes from one account what it gives to another. What takes more than one of them (several legs, two
currencies) is a list of transfers linked to each other: all are made, in their order, or none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal, localcontext

from libs.common import ids
from libs.common.batch import Refusal, refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.money import AMOUNT_MINOR_MAX, SCALES
from libs.common.record import Record
from libs.common.tenants import may_touch
from schemas.accounts.events import PostedTransfer, PostedTransferKind, TransfersPosted
from services.accounts.domain.chart import AccountKind, house_account_id, house_accounts
from services.accounts.domain.journal import OF_PAYMENTS, Transfer, TransferKind
from services.accounts.domain.ledger import Account, Ledger
from services.accounts.domain.limits import UNLIMITED
from services.accounts.domain.refusals import Obstacle, RefusalReason, obstacle_between, refusal_of

_FUNDING_REASONS: Mapping[Obstacle, RefusalReason] = {
    Obstacle.CREDITOR_ACCOUNT_UNKNOWN: RefusalReason.ACCOUNT_UNKNOWN,
    Obstacle.CREDITOR_ACCOUNT_CLOSED: RefusalReason.ACCOUNT_CLOSED,
    Obstacle.CREDITOR_ACCOUNT_FROZEN: RefusalReason.ACCOUNT_FROZEN,
}
"""There is but one account in a funding."""

RATE, REMAINDER = OF_CONVERSIONS = ("rate", "remainder")
"""What the metadata of a conversion say besides what was asked for."""

_KINDS_TOLD = {kind: PostedTransferKind(kind.value) for kind in TransferKind if kind not in OF_PAYMENTS}


class Fund(Command):
    """Money comes in from the world outside."""

    transfer_id: str
    account_id: str
    amount_minor: int
    currency: str
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    effective_at: datetime | None = None
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class Booking(Record):
    """A transfer somebody asks for."""

    transfer_id: str
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    effective_at: datetime | None = None


class Book(Command):
    """Make transfers, all or none."""

    bookings: tuple[Booking, ...]
    is_linked: bool = False
    """Whether they were asked for as a list, be it of one."""
    by_staff: bool = False
    """Staff asks: accounts of the house may take part, and what customers pay by it is not counted towards limits."""
    tenant_id: str | None = None
    """Whose both accounts must be; None: anyone's, for staff."""


class Convert(Command):
    """Change money of one currency into another's at a rate that was agreed on: for staff, so no limits count it."""

    transfer_id: str
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    """What is taken, in the currency it is taken from."""
    currency: str
    credited_currency: str
    rate: Decimal
    """Units of the credited currency for one of the debited."""
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    """Beside what the books say of every conversion (`OF_CONVERSIONS`)."""
    effective_at: datetime | None = None


class Reverse(Command):
    """Take a transfer back, with those that were linked to it."""

    transfer_id: str
    reference: str | None = None
    metadata: Mapping[str, str] | None = None
    effective_at: datetime | None = None
    by_staff: bool = False
    """Whether accounts of the house may have a part in it."""
    tenant_id: str | None = None
    """Whose it must be; None: anyone's, for staff."""


class Conversion(Record):
    """What a conversion gives."""

    credited_minor: int
    remainder: Decimal
    """What of a minor unit of the credited currency could not be credited: it stays in the house's liquidity."""


def fund(ledger: Ledger, command: Fund, at: datetime) -> Sequence[Event] | Refusal:
    """Credit an account with money that came in from outside."""
    external = house_account_id(AccountKind.EXTERNAL, command.currency)
    obstacle = obstacle_between(
        ledger.accounts[external],
        ledger.customers_account(command.account_id, command.tenant_id),
        paid_minor=command.amount_minor,
        received_minor=command.amount_minor,
        currency=command.currency,
        on=at.date(),
    )
    if obstacle is not None:
        if obstacle in _FUNDING_REASONS:
            return refusal(_FUNDING_REASONS[obstacle], "account_id")
        return refusal_of(obstacle, debtor="account_id", creditor="amount", currency="currency", amount="amount")
    transfer = ledger.transfer(
        command.transfer_id,
        TransferKind.FUNDING,
        debit_account_id=external,
        credit_account_id=command.account_id,
        amount_minor=command.amount_minor,
        at=at,
        reference=command.reference,
        metadata=command.metadata,
        effective_at=command.effective_at,
    )
    return [posted(ledger, [transfer], at)]


def book(ledger: Ledger, command: Book, at: datetime) -> Sequence[Event] | Refusal:
    """Make transfers one after the other, each on the balances the one before has left."""
    link_id = command.bookings[0].transfer_id if len(command.bookings) > 1 else None
    made = []
    for number, booking in enumerate(command.bookings):
        place = f"transfers.{number}." if command.is_linked else ""
        debtor = _account(ledger, booking.debit_account_id, command)
        obstacle = obstacle_between(
            debtor,
            _account(ledger, booking.credit_account_id, command),
            paid_minor=booking.amount_minor,
            received_minor=booking.amount_minor,
            currency=booking.currency,
            on=at.date(),
            limits=UNLIMITED if command.by_staff else ledger.limits_of(debtor),
        )
        if obstacle is not None:
            return refusal_of(
                obstacle,
                debtor=f"{place}debit_account_id",
                creditor=f"{place}credit_account_id",
                currency=f"{place}currency",
                amount=f"{place}amount",
            )
        made.append(
            ledger.transfer(
                booking.transfer_id,
                TransferKind.BOOKING,
                debit_account_id=booking.debit_account_id,
                credit_account_id=booking.credit_account_id,
                amount_minor=booking.amount_minor,
                at=at,
                spending=not command.by_staff,
                link_id=link_id,
                link_number=number,
                reference=booking.reference,
                metadata=booking.metadata,
                effective_at=booking.effective_at,
            )
        )
    return [posted(ledger, made, at)]


def convert(ledger: Ledger, command: Convert, at: datetime) -> Sequence[Event] | Refusal:
    """Take money in one currency and give it in another: two transfers, each balanced, by way of the liquidity."""
    given = conversion(command.amount_minor, command.currency, command.credited_currency, command.rate)
    if given.credited_minor == 0:
        return refusal(RefusalReason.AMOUNT_TOO_SMALL, "amount")
    if given.credited_minor > AMOUNT_MINOR_MAX:
        return refusal(RefusalReason.AMOUNT_TOO_LARGE, "amount")
    debtor = ledger.customers_account(command.debit_account_id)
    creditor = ledger.customers_account(command.credit_account_id)
    liquidity = [
        house_account_id(AccountKind.LIQUIDITY, currency) for currency in (command.currency, command.credited_currency)
    ]
    legs = (
        (debtor, ledger.accounts[liquidity[0]], command.amount_minor, command.currency),
        (ledger.accounts[liquidity[1]], creditor, given.credited_minor, command.credited_currency),
    )
    obstacles = [
        obstacle_between(
            payer, payee, paid_minor=amount_minor, received_minor=amount_minor, currency=currency, on=at.date()
        )
        for payer, payee, amount_minor, currency in legs
    ]
    # Either leg's obstacle, by the one order of precedence.
    found = [obstacle for obstacle in Obstacle if obstacle in obstacles]
    if found:
        currency_field = "currency" if obstacles[0] is found[0] else "credited_currency"
        return refusal_of(
            found[0],
            debtor="debit_account_id",
            creditor="credit_account_id",
            currency=currency_field,
            amount="amount",
        )
    assert debtor is not None and creditor is not None
    metadata = {**(command.metadata or {}), RATE: str(command.rate), REMAINDER: f"{given.remainder:f}"}
    made = [
        ledger.transfer(
            ids.derive(command.transfer_id, "accounts", "leg", number) if number else command.transfer_id,
            TransferKind.CONVERSION,
            debit_account_id=debit_account_id,
            credit_account_id=credit_account_id,
            amount_minor=amount_minor,
            at=at,
            link_id=command.transfer_id,
            link_number=number,
            reference=command.reference,
            metadata=metadata,
            effective_at=command.effective_at,
        )
        for number, (debit_account_id, credit_account_id, amount_minor) in enumerate(
            (
                (debtor.account_id, liquidity[0], command.amount_minor),
                (liquidity[1], creditor.account_id, given.credited_minor),
            )
        )
    ]
    return [posted(ledger, made, at)]


def conversion(amount_minor: int, currency: str, credited_currency: str, rate: Decimal) -> Conversion:
    """What an amount gives in another currency, in minor units of each, rounded down: exact, whatever the scales."""
    with localcontext() as context:
        # An amount has at most 16 digits, a rate at most 20, and scales differ by 9 at most.
        context.prec = 60
        exact = (Decimal(amount_minor) * rate).scaleb(SCALES[credited_currency] - SCALES[currency])
        credited = exact.to_integral_value(ROUND_FLOOR)
        return Conversion(credited_minor=int(credited), remainder=(exact - credited).normalize())


def reverse(ledger: Ledger, command: Reverse, at: datetime) -> Sequence[Event] | Refusal:
    """Take transfers back by further ones, the other way round, last one first. Nothing is ever changed."""
    original = ledger.transfers.get(command.transfer_id)
    if original is None:
        return refusal(RefusalReason.TRANSFER_UNKNOWN, "transfer_id")
    linked = [original] if original.link_id is None else _linked(ledger, original.link_id)
    parties = {id_ for transfer in linked for id_ in (transfer.debit_account_id, transfer.credit_account_id)}
    if not all(may_touch(ledger.accounts[id_].client_id, command.tenant_id) for id_ in parties):
        return refusal(RefusalReason.TRANSFER_UNKNOWN, "transfer_id")
    if original.kind in OF_PAYMENTS:
        return refusal(RefusalReason.OF_A_PAYMENT, "transfer_id")
    if original.kind is TransferKind.REVERSAL:
        return refusal(RefusalReason.IS_A_REVERSAL, "transfer_id")
    if reversal_id(original.transfer_id) in ledger.transfers:
        return refusal(RefusalReason.ALREADY_REVERSED, "transfer_id")
    if not command.by_staff and parties & house_accounts().keys():
        return refusal(RefusalReason.OF_THE_HOUSE, "transfer_id")
    link_id = reversal_id(linked[-1].transfer_id) if len(linked) > 1 else None
    made = []
    for number, transfer in enumerate(reversed(linked)):
        obstacle = obstacle_between(
            ledger.accounts[transfer.credit_account_id],
            ledger.accounts[transfer.debit_account_id],
            paid_minor=transfer.amount_minor,
            received_minor=transfer.amount_minor,
            currency=transfer.currency,
            on=at.date(),
        )
        if obstacle is not None:
            return refusal(RefusalReason(obstacle), "transfer_id")
        made.append(
            ledger.transfer(
                reversal_id(transfer.transfer_id),
                TransferKind.REVERSAL,
                debit_account_id=transfer.credit_account_id,
                credit_account_id=transfer.debit_account_id,
                amount_minor=transfer.amount_minor,
                at=at,
                link_id=link_id,
                link_number=number,
                reversed_transfer_id=transfer.transfer_id,
                reference=command.reference,
                metadata=command.metadata,
                effective_at=command.effective_at,
            )
        )
    return [posted(ledger, made, at)]


def reversal_id(transfer_id: str) -> str:
    """A transfer is taken back once: by one that is known by it."""
    return ids.derive(transfer_id, "accounts", TransferKind.REVERSAL)


def posted(ledger: Ledger, transfers: Sequence[Transfer], at: datetime, *, hold_id: str | None = None) -> Event:
    """The event that tells of transfers."""
    parties = [id_ for transfer in transfers for id_ in (transfer.debit_account_id, transfer.credit_account_id)]
    # What is keyed by an account of the house would all be in one partition.
    account_id = next((id_ for id_ in parties if id_ not in house_accounts()), parties[0])
    return TransfersPosted(
        link_id=transfers[0].transfer_id,
        account_id=account_id,
        transfers=tuple(
            PostedTransfer(
                transfer_id=transfer.transfer_id,
                kind=_KINDS_TOLD[transfer.kind],
                debit_account_id=transfer.debit_account_id,
                credit_account_id=transfer.credit_account_id,
                amount_minor=transfer.amount_minor,
                currency=transfer.currency,
                debit_customer_id=ledger.accounts[transfer.debit_account_id].customer_id,
                credit_customer_id=ledger.accounts[transfer.credit_account_id].customer_id,
                reversed_transfer_id=transfer.reversed_transfer_id,
                effective_at=transfer.effective_at,
                recorded_at=transfer.recorded_at,
            )
            for transfer in transfers
        ),
        hold_id=hold_id,
        posted_at=at,
    )


def _account(ledger: Ledger, account_id: str, command: Book) -> Account | None:
    """An account that a booking may name. What is blocked moves by the law's word only."""
    if not command.by_staff:
        return ledger.customers_account(account_id, command.tenant_id)
    account = ledger.accounts.get(account_id)
    return None if account is None or account.kind is AccountKind.BLOCKED_FUNDS else account


def _linked(ledger: Ledger, link_id: str) -> list[Transfer]:
    linked = [transfer for transfer in ledger.transfers.values() if transfer.link_id == link_id]
    return sorted(linked, key=lambda transfer: transfer.link_number)
