"""What operators of accounts may ask for besides what every service offers: checks of the books."""

import sys
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

from libs.common.money import format_amount
from libs.common.operating import AsJson, tell
from libs.common.service import Runtime
from services.accounts.queries import reconciliation, verification

SECONDS_MAX = 3_600.0


def extend(commands: typer.Typer, runtime: Callable[[], Runtime]) -> None:
    """Add it to the command line."""

    @commands.command("check-books")
    def check_books(as_json: AsJson = False) -> None:
        """Recompute every balance from entries and holds, every hold and refund from transfers; name what differs, and
        fail if anything does."""
        books = reconciliation.check_books(runtime().engine, seconds_max=SECONDS_MAX)
        if as_json:
            tell([books], as_json=True)
            raise typer.Exit(0 if books["is_balanced"] else 1)
        for currency, minor in books["imbalance_minor_by_currency"].items():
            typer.echo(f"{currency}: all entries add up to {format_amount(minor, currency)} instead of zero", err=True)
        for what, name in (("entries", "balances_differing_from_entries"), ("holds", "balances_differing_from_holds")):
            for difference in books[name]:
                typer.echo(_words(what, difference), err=True)
        for difference in books["holds_differing_from_transfers"]:
            typer.echo(_words_of_hold(difference), err=True)
        if not books["is_balanced"]:
            raise typer.Exit(1)
        entries = books["entries_by_currency"]
        counted = ", ".join(f"{currency} {count} entries" for currency, count in entries.items()) or "no entries"
        typer.echo(f"the books balance: {counted}, {books['open_holds']} open holds")

    @commands.command("verify-journal")
    def verify_journal(
        account_id: Annotated[str | None, typer.Argument(help="all accounts, if not given")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Compute every entry's hash anew; name the first entry of each account that does not fit, and fail if any."""
        engine, entry_count = runtime().engine, 0
        faults: list[dict[str, object]] = []
        if account_id is None:
            found = verification.verify_journal(engine)
        else:
            verified = verification.verify_account(engine, account_id, entries_max=sys.maxsize)
            if verified is None:
                raise typer.BadParameter(f"there is no account {account_id}")
            found = iter([verified])
        for verified in found:
            entry_count += verified.entry_count
            for fault in verified.faults:
                faults.append(msgspec.structs.asdict(fault))
                typer.echo(
                    f"account {fault.account_id}, lane {fault.lane}: entry {fault.number} {fault.what}", err=True
                )
        if as_json:
            tell([{"is_what_was_written": not faults, "entries": entry_count, "faults": faults}], as_json=True)
        if faults:
            raise typer.Exit(1)
        if not as_json:
            typer.echo(f"the journal is what was written: {entry_count} entries")


def _words(what: str, difference: dict[str, object]) -> str:
    kept, computed = difference["kept_minor"], difference["computed_minor"]
    return f"account {difference['account_id']} keeps {kept} (minor units) where its {what} add up to {computed}"


def _words_of_hold(difference: dict[str, object]) -> str:
    hold_id, what, kept, computed = difference.values()
    return f"hold {hold_id} keeps {kept} (minor units) as {what} where its transfers add up to {computed}"
