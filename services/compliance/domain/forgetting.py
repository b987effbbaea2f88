"""Parties that were screened long ago are forgotten: what is known of them then is what a search finds. Pure."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.events import Event
from libs.common.message import Command
from services.compliance.domain.work import Work


class ForgetParties(Command):
    """The time of some remembered parties is over."""

    before: datetime


def forget(work: Work, command: ForgetParties, at: datetime) -> Sequence[Event]:
    """Let what has expired go."""
    work.forgets_before = command.before
    return []
