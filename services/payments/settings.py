"""Settings that only payments has."""

from datetime import timedelta

from pydantic import Field

from libs.common.settings import Settings
from services.payments.domain.payment import Policy


class PaymentsSettings(Settings):
    ask_again_seconds: float = Field(30, description="an answer is asked for again after this")
    suspend_seconds: float = Field(120, description="a payment without all answers is suspended after this")
    review_seconds: float = Field(5 * 24 * 3600, description="a suspended payment is given up after this")

    in_flight_max: int = Field(
        10_000, description="payments under way, reviews apart, beyond which no more are taken on"
    )
    intake_wait_seconds_max: float = Field(30, description="how long a file waits for room before it gets a 503")
    batch_bytes_max: int = Field(64 * 1024 * 1024, description="largest file of payments")

    @property
    def policy(self) -> Policy:
        return Policy(
            ask_again_after=timedelta(seconds=self.ask_again_seconds),
            suspend_after=timedelta(seconds=self.suspend_seconds),
            review_within=timedelta(seconds=self.review_seconds),
        )
