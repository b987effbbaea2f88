"""What accounts' tests over HTTP share: customers with money, what payments and compliance say, looks at the books."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from libs.common import ids
from libs.common.money import parse_amount
from libs.common.service import Runtime
from schemas.compliance.events import CustomerVerified
from schemas.payments.events import (
    Channel,
    Party,
    PaymentApproved,
    PaymentBlockRequested,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentRejected,
    PublicReason,
    RefundRequested,
)
from services.accounts.domain.customers import account_id_of
from services.accounts.queries import reconciliation
from tests.serving import Api, tell

NOW = datetime.now(UTC)


def registered(api: Api, *currencies: str, by: str = "shop", **fields: Any) -> str:
    """Register a customer of a client's, and return its id."""
    response = api.post("/v1/customers", {"name": "Ann Miller", "currencies": list(currencies), **fields}, by=by)
    assert response.status_code == HTTPStatus.CREATED, response.text
    return str(response.json()["customer_id"])


def verified(customer_id: str, tier: int = 3) -> CustomerVerified:
    return CustomerVerified(customer_id=customer_id, tier=tier, verified_at=NOW)


def opened(api: Api, amount: str | None = None, *, currency: str = "EUR", by: str = "shop", tier: int = 3) -> str:
    """A verified customer's account, funded if there is an amount; return its id."""
    customer_id = registered(api, currency, by=by)
    tell(api.runtime, verified(customer_id, tier))
    account_id = account_id_of(customer_id, currency)
    if amount is not None:
        funded = api.post("/v1/fundings", {"account_id": account_id, "currency": currency, "amount": amount}, by=by)
        assert funded.status_code == HTTPStatus.CREATED, funded.text
    return account_id


def money(api: Api, account_id: str) -> tuple[str, str, str]:
    """Posted, held and available, as anyone sees them."""
    found = api.get(f"/v1/accounts/{account_id}", by="staff").json()
    return found["posted"], found["held"], found["available"]


def require_balanced(runtime: Runtime) -> None:
    """Everything recomputed from the transfers, entries and holds is as it is kept."""
    books = reconciliation.check_books(runtime.engine)
    assert books["is_balanced"], books


class Payment:
    """A payment, and what payments says about it."""

    def __init__(self, debtor: str, creditor: str, amount: str, currency: str = "EUR") -> None:
        self.payment_id = ids.new()
        self.debtor, self.creditor, self.currency = debtor, creditor, currency
        minor = parse_amount(amount, currency)
        assert isinstance(minor, int)
        self.amount_minor = minor

    @property
    def initiated(self) -> PaymentInitiated:
        order = PaymentOrder(
            client_id="shop",
            debtor_account_id=self.debtor,
            creditor_account_id=self.creditor,
            debtor_customer_id=ids.derive(self.debtor, "owner"),
            creditor_customer_id=ids.derive(self.creditor, "owner"),
            amount_minor=self.amount_minor,
            currency=self.currency,
            channel=Channel.API,
            instructed_at=NOW,
            personal=PaymentPersonalData(debtor=Party(name="Ann"), creditor=Party(name="Ben")),
        )
        return PaymentInitiated(payment_id=self.payment_id, order=order, initiated_at=NOW)

    @property
    def approved(self) -> PaymentApproved:
        return PaymentApproved(**self._money, approved_at=NOW)

    @property
    def block_requested(self) -> PaymentBlockRequested:
        return PaymentBlockRequested(**self._money, requested_at=NOW)

    @property
    def rejected(self) -> PaymentRejected:
        return PaymentRejected(
            payment_id=self.payment_id,
            debtor_account_id=self.debtor,
            reason=PublicReason.DECLINED,
            rejected_at=NOW,
        )

    def refund(self, amount_minor: int) -> RefundRequested:
        return RefundRequested(**{**self._money, "amount_minor": amount_minor}, refund_id=ids.new(), requested_at=NOW)

    @property
    def _money(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "debtor_account_id": self.debtor,
            "creditor_account_id": self.creditor,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
        }
