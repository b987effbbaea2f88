"""What accounts does: it keeps customers and their accounts, and answers whether the money is there."""

from functools import partial

from libs.common import vault
from libs.common.batch import Handlers
from schemas.accounts.events import (
    AccountBoundsSet,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    CustomerClosed,
    CustomerRegistered,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
    HoldEnded,
    HoldPlaced,
    PropertyBlocked,
    RefundPosted,
    RefundRefused,
    TransfersPosted,
)
from schemas.compliance.events import CustomerRefused, CustomerRestricted, CustomerVerified
from schemas.payments.events import (
    PaymentAnswerOverdue,
    PaymentApproved,
    PaymentBlockRequested,
    PaymentCancelled,
    PaymentInitiated,
    PaymentRejected,
    PaymentReleaseRequested,
    RefundAnswerOverdue,
    RefundRequested,
)
from services.accounts import store
from services.accounts.domain import customers, funds, holds, refunds, transfers
from services.accounts.settings import AccountsSettings


def handlers(settings: AccountsSettings) -> Handlers:
    """The table of contents: each event and command, and what is decided on it."""
    return Handlers(
        service="accounts",
        load=partial(
            store.load_ledger, hold_lifetime=settings.hold_lifetime, limits=settings.limits, vault=vault.of(settings)
        ),
        save=store.save_ledger,
        wanted_keys=store.wanted_keys,
        # A posting must not be applied when the hold before it could not be.
        parks_keys=True,
        decisions={
            # A customer's life
            customers.RegisterCustomer: customers.register,
            CustomerVerified: customers.verify,
            CustomerRefused: customers.refuse,
            CustomerRestricted: customers.restrict,
            customers.OpenAccount: customers.open_account,
            customers.Freeze: customers.freeze,
            customers.Thaw: customers.thaw,
            customers.Close: customers.close,
            customers.SetBounds: customers.set_bounds,
            customers.CloseCustomer: customers.close_customer,
            # Money that is moved by request
            transfers.Fund: transfers.fund,
            transfers.Book: transfers.book,
            transfers.Convert: transfers.convert,
            transfers.Reverse: transfers.reverse,
            holds.PlaceHold: holds.place,
            holds.PostHold: holds.post,
            holds.PostHolds: holds.post_all,
            holds.VoidHold: holds.void,
            holds.ExpireHold: holds.expire,
            # A payment's money
            PaymentInitiated: funds.hold,
            PaymentApproved: funds.post,
            PaymentBlockRequested: funds.block,
            PaymentRejected: funds.release,
            PaymentCancelled: funds.release,
            PaymentReleaseRequested: funds.release,
            PaymentAnswerOverdue: funds.answer_again,
            RefundRequested: refunds.refund,
            RefundAnswerOverdue: refunds.refund,
        },
        writes=(
            CustomerRegistered,
            CustomerClosed,
            AccountOpened,
            AccountFrozen,
            PropertyBlocked,
            AccountThawed,
            AccountBoundsSet,
            AccountClosed,
            FundsHeld,
            FundsDeclined,
            FundsPosted,
            FundsPostRefused,
            FundsBlocked,
            FundsReleased,
            RefundPosted,
            RefundRefused,
            HoldPlaced,
            HoldEnded,
            TransfersPosted,
        ),
    )
