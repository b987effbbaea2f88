"""What a key needs for each request to payments."""

from enum import StrEnum

from libs.common.scopes import Scopes


class PaymentsScope(StrEnum):
    PAYMENTS_READ = "payments:read"
    """Payments, files of them, and their timelines."""
    PAYMENTS_WRITE = "payments:write"
    """Order payments, tell more about them, withdraw them."""
    CAPTURES_WRITE = "captures:write"
    REFUNDS_READ = "refunds:read"
    REFUNDS_WRITE = "refunds:write"


SCOPES: Scopes = {
    "POST /v1/payments": (PaymentsScope.PAYMENTS_WRITE,),
    "GET /v1/payments": (PaymentsScope.PAYMENTS_READ,),
    "GET /v1/payments/{payment_id}": (PaymentsScope.PAYMENTS_READ,),
    "POST /v1/payments/{payment_id}/cancel": (PaymentsScope.PAYMENTS_WRITE,),
    "POST /v1/payments/{payment_id}/capture": (PaymentsScope.CAPTURES_WRITE,),
    "POST /v1/payments/{payment_id}/party-data": (PaymentsScope.PAYMENTS_WRITE,),
    "POST /v1/payments/{payment_id}/refunds": (PaymentsScope.REFUNDS_WRITE,),
    "GET /v1/payments/{payment_id}/refunds": (PaymentsScope.REFUNDS_READ,),
    "POST /v1/payment-batches": (PaymentsScope.PAYMENTS_WRITE,),
    "GET /v1/payment-batches/{batch_id}": (PaymentsScope.PAYMENTS_READ,),
}
