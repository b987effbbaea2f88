"""What operators of payments may ask for besides what every service offers: how much clients may order in a day."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from libs.common import interventions
from libs.common.interventions import By
from libs.common.money import SCALES, format_amount, parse_amount
from libs.common.operating import Actor, AsJson, Reason, tell
from libs.common.service import Runtime
from services.payments import queries, store
from services.payments.domain.quota import PAYMENTS, Quota

UNLIMITED = 2**63 - 1
"""More than can be counted in 64 bits."""


def extend(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    """Add it to the command line."""
    group = typer.Typer(help="How much clients may order in a day.", no_args_is_help=True)
    commands.add_typer(group, name="quotas")

    @group.command("list")
    def list_quotas(
        client_id: Annotated[str | None, typer.Argument(help="one client's; else everybody's")] = None,
        as_json: AsJson = False,
    ) -> None:
        """What clients may order today by each measure that has a limit, and have ordered."""
        now, wired = datetime.now(UTC), runtime()
        found = wired.unit.administer(lambda tx: queries.list_quotas(tx, client_id, now))
        defaults = getattr(wired.settings, "default_quotas")  # noqa: B009
        tell((_row(quota, defaults.get(quota.measure)) for quota in found), as_json=as_json)

    @group.command("set")
    def set_quota(
        client_id: str,
        measure: Annotated[str, typer.Argument(help="payments, or a currency")],
        most: Annotated[str, typer.Argument(help="a number of payments or an amount; default; unlimited")],
        actor: Actor,
        reason: Reason = "",
        as_json: AsJson = False,
    ) -> None:
        """Say how many payments, or how much of a currency, a client may order in a day (of UTC), from now on."""
        limit = _limit(measure, most)
        told = {"client_id": client_id, "measure": measure, "per_day": most}

        def work(tx: Connection) -> None:
            store.set_quota(tx, client_id, measure, limit)
            interventions.record(tx, "quotas set", By(actor=actor, reason=reason), **told)

        runtime().unit.administer(work)
        tell([told], as_json=as_json)


def _limit(measure: str, most: str) -> int | None:
    if measure != PAYMENTS and measure not in SCALES:
        raise typer.BadParameter(f"{measure!r} is neither {PAYMENTS} nor a currency")
    if most in ("default", "unlimited"):
        return None if most == "default" else UNLIMITED
    if most == "0" or (measure == PAYMENTS and most.isdecimal()):
        return min(int(most), UNLIMITED)
    limit = parse_amount(most, measure) if measure != PAYMENTS else None
    if not isinstance(limit, int):
        raise typer.BadParameter(f"{most!r} is no number of payments, nor an amount in a currency")
    return limit


def _row(quota: Quota, default: int | None) -> dict[str, object]:
    most = default if quota.most is None else quota.most
    return {
        "client_id": quota.client_id,
        "measure": quota.measure,
        "per_day": "unlimited" if most in (None, UNLIMITED) else _words(most, quota.measure),
        "is_default": quota.most is None,
        "used_today": _words(quota.used, quota.measure),
    }


def _words(count: int | None, measure: str) -> str:
    assert count is not None
    return str(count) if measure == PAYMENTS else format_amount(count, measure)
