"""Settings that only accounts has."""

from datetime import timedelta

from pydantic import Field

from libs.common.settings import Settings


class AccountsSettings(Settings):
    hold_seconds: int = Field(
        30 * 24 * 3600, description="the backstop: a hold ends after this, which is longer than the longest case"
    )

    @property
    def hold_lifetime(self) -> timedelta:
        return timedelta(seconds=self.hold_seconds)
