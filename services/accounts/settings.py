"""Settings that only accounts has."""

from datetime import timedelta

from pydantic import Field

from libs.common.settings import Settings


class AccountsSettings(Settings):
    hold_seconds: int = Field(
        30 * 24 * 3600, description="the backstop: a hold ends after this, which is longer than the longest case"
    )
    checked_accounts: int = Field(1_000, ge=1, description="accounts compared with their entries at each look, in turn")

    @property
    def hold_lifetime(self) -> timedelta:
        return timedelta(seconds=self.hold_seconds)
