"""What a listed customer owns: moved to blocked funds as soon as nothing else holds it. Pure.

    CustomerRefused, as listed ─► frozen ─► what is available ─┐
                                  a hold ends ─► what it held ─┴─► blocked funds, and PropertyBlocked

Money that a payment holds is left to it: the payment may be blocked itself, and nothing is blocked twice.
"""

from datetime import datetime

from libs.common import ids
from libs.common.events import Event
from schemas.accounts.events import PropertyBlocked
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.journal import TransferKind
from services.accounts.domain.ledger import Ledger


def block_available(ledger: Ledger, account_id: str, at: datetime, *, payment_id: str | None = None) -> list[Event]:
    """Move what is available on an account whose property is blocked (31 CFR 501.603); on any other nothing.

    `payment_id`: the payment that has just let go of it, so that nobody reports its money as given back.
    """
    account = ledger.accounts[account_id]
    amount_minor = account.available_minor
    if not account.is_blocked or amount_minor <= 0:
        return []
    blocked_account_id = house_account_id(AccountKind.BLOCKED_FUNDS, account.currency)
    transfer = ledger.transfer(
        # Entries are only added: no two transfers from an account begin at the same one.
        ids.derive(account_id, "accounts", TransferKind.BLOCKING, account.entry_count),
        TransferKind.BLOCKING,
        debit_account_id=account_id,
        credit_account_id=blocked_account_id,
        amount_minor=amount_minor,
        at=at,
    )
    return [
        PropertyBlocked(
            account_id=account_id,
            customer_id=account.owner_id,
            blocked_account_id=blocked_account_id,
            amount_minor=amount_minor,
            currency=account.currency,
            transfer_id=transfer.transfer_id,
            blocked_at=at,
            payment_id=payment_id,
        )
    ]
