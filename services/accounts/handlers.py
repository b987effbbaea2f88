"""What accounts does: it keeps customers and their accounts, and answers whether the money is there."""

from functools import partial

from libs.common.batch import Handlers
from schemas.accounts.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountThawed,
    CustomerRegistered,
    FundsBlocked,
    FundsDeclined,
    FundsHeld,
    FundsPosted,
    FundsPostRefused,
    FundsReleased,
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
)
from services.accounts import store
from services.accounts.domain import customers, funds
from services.accounts.settings import AccountsSettings


def handlers(settings: AccountsSettings) -> Handlers:
    """The table of contents: each event and command, and what is decided on it."""
    return Handlers(
        service="accounts",
        load=partial(store.load_ledger, hold_lifetime=settings.hold_lifetime),
        save=store.save_ledger,
        # A posting must not be applied when the hold before it could not be.
        parks_keys=True,
        decisions={
            # A customer's life
            customers.RegisterCustomer: customers.register,
            CustomerVerified: customers.verify,
            CustomerRefused: customers.refuse,
            CustomerRestricted: customers.restrict,
            customers.OpenAccount: customers.open_account,
            customers.Fund: customers.fund,
            customers.Freeze: customers.freeze,
            customers.Thaw: customers.thaw,
            customers.Close: customers.close,
            # A payment's money
            PaymentInitiated: funds.hold,
            PaymentApproved: funds.post,
            PaymentBlockRequested: funds.block,
            PaymentRejected: funds.release,
            PaymentCancelled: funds.release,
            PaymentReleaseRequested: funds.release,
            PaymentAnswerOverdue: funds.answer_again,
            funds.ExpireHold: funds.expire,
        },
        writes=(
            CustomerRegistered,
            AccountOpened,
            AccountFrozen,
            AccountThawed,
            AccountClosed,
            FundsHeld,
            FundsDeclined,
            FundsPosted,
            FundsPostRefused,
            FundsBlocked,
            FundsReleased,
        ),
    )
