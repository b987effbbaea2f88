"""What operators ask of compliance: import lists and see them, let people in at the desk."""

import getpass
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from libs.common import cli
from libs.common.service import Runtime, Service
from services.compliance import list_changes, monitoring_commands, queries, rescreening, travel_commands
from services.compliance.desk import passwords
from services.compliance.domain.audit import OPERATOR, AuditVerb, Happening, ObjectKind, Signature
from services.compliance.domain.people import Role, is_username
from services.compliance.importing import ListFormat, import_list, read_list
from services.compliance.lists.listed import ListFault
from services.compliance.matching.scoring import BLOCK_NAME_SCORE, PAIR_SCORE, REVIEW_SCORE, Thresholds
from services.compliance.settings import SEEDED_USERS, ComplianceSettings
from services.compliance.store import audit, people, retention
from services.compliance.store.retention import RecordKind

ReviewScore = Annotated[float, typer.Option(min=PAIR_SCORE, max=1, help="what a name must reach for a review")]
BlockScore = Annotated[float, typer.Option(min=PAIR_SCORE, max=1, help="what a name must reach before it may block")]
NewReviewScore = Annotated[
    float | None,
    typer.Option(min=PAIR_SCORE, max=1, help="what a name must reach for a review; as before if not given"),
]
NewBlockScore = Annotated[
    float | None,
    typer.Option(min=PAIR_SCORE, max=1, help="what a name must reach before it may block; as before if not given"),
]
OutputFile = Annotated[Path, typer.Option(help="where the answers go, as CSV")]
NamesFile = Annotated[Path, typer.Option("--names", help="CSV: name, and if known date_of_birth, country, type, id")]
PairsFile = Annotated[Path, typer.Option("--pairs", help="CSV: query_name, candidate_name, and if known their extras")]
Lists = Annotated[
    list[Path] | None, typer.Option("--list", help="a list, whatever its format; again for more; else those imported")
]
Ownership = Annotated[Path | None, typer.Option(help="CSV: owner, owned, percent; OFAC's 50 % rule over it")]


def app(service: Service) -> typer.Typer:
    """Every service's commands, and those of compliance."""
    return cli.app(service, extend)


def extend(commands: typer.Typer, make_runtime: Callable[[], Runtime]) -> None:
    """Add them to the command line."""

    def runtime() -> tuple[Runtime, ComplianceSettings]:
        found = make_runtime()
        assert isinstance(found.settings, ComplianceSettings)
        return found, found.settings

    @commands.command("import-list")
    def import_list_command(
        name: str,
        path: Path,
        list_format: ListFormat | None = typer.Option(None, "--format", help="guessed from the path if not given"),
        review: NewReviewScore = None,
        block: NewBlockScore = None,
        force: bool = typer.Option(
            False,
            help="even if it has not changed, or has lost many entries: then another person confirms it at the desk",
        ),
    ) -> None:
        """Import a list: a UN XML file, a folder with OFAC's CSV files, or a CSV of one's own or of who owns what.

        The new version is live for everybody at once, or, if anything is wrong with the file, the old one stays.
        All customers, and the parties of payments that wait for people, are screened again against it by the workers.
        """
        found, settings = runtime()
        try:
            file = read_list(path, list_format, bytes_max=settings.lists_bytes_max)
            imported = found.unit.administer(
                lambda tx: import_list(
                    tx,
                    name,
                    file,
                    by=_operator(),
                    shrink_max=settings.shrink_max,
                    review=review,
                    block=block,
                    is_forced=force,
                )
            )
        except (ListFault, OSError) as fault:
            cli.fail(f"{name} was not imported, and stays as it was: {fault}")
        typer.echo(str(imported))

    @commands.command("screen")
    def screen_names(
        names: NamesFile,
        output: OutputFile,
        lists_given: Lists = None,
        ownership: Ownership = None,
        review: ReviewScore = REVIEW_SCORE,
        block: BlockScore = BLOCK_NAME_SCORE,
        hits: Annotated[int, typer.Option(min=1, help="how many hits of a party are written, the best first")] = 5,
        processes: Annotated[int, typer.Option(min=1, help="how many screen at once")] = os.cpu_count() or 1,
    ) -> None:
        """Screen a file of names against lists: those given, or those imported."""
        from services.compliance.files import commands as by_file

        thresholds = Thresholds(review=review, block=block)
        given = [
            *((path, None) for path in lists_given or ()),
            *([(ownership, ListFormat.OWNERSHIP)] if ownership else ()),
        ]
        if lists_given:
            sources = by_file.read_lists(given, thresholds)
        else:
            sources = [*by_file.imported(runtime()[0]), *by_file.read_lists(given, thresholds)]
        by_file.screen(names, output, sources, hits_max=hits, processes=processes)

    @commands.command("compare")
    def compare_names(pairs: PairsFile, output: OutputFile) -> None:
        """Compare the two names of every row of a file; no list is needed."""
        from services.compliance.files import commands as by_file

        by_file.compare(pairs, output)

    @commands.command("retire-list")
    def retire_list(name: str) -> None:
        """Propose that a list is searched no more: another person confirms it at the desk."""
        found, _ = runtime()

        if found.unit.administer(lambda tx: list_changes.propose_retirement(tx, name, by=_operator())) is None:
            cli.fail(f"there is no list {name!r}")
        typer.echo(f"{name} is searched until another person confirms this at the desk")

    @commands.command("rescreen")
    def rescreen_all() -> None:
        """Look all customers up again, and payments that wait or settled lately, as if all lists had changed."""
        found, _ = runtime()
        count = found.unit.administer(lambda tx: rescreening.rescreen(tx, by=_operator()))
        typer.echo(f"{rescreening.in_words(count)}: compliance_customers_outdated says how many are left")

    @commands.command("lists")
    def show_lists() -> None:
        """Show which version of which list is live."""
        found, _ = runtime()
        for live in queries.list_lists(found.engine):
            dated = f", dated {live['dated_on']}" if live["dated_on"] else ""
            typer.echo(
                f"{live['list_name']}: version {live['version']}{dated}, {live['parties']} entries, "
                f"{live['names']} names, from {live['source']}, imported {live['imported_at']} by {live['imported_by']}"
                f"{f', the same at {checked}' if (checked := live['checked_at']) else ''}"
            )

    @commands.command("add-user")
    def add_user(
        username: str,
        is_given: bool = typer.Option(False, "--password-stdin", help="the password, read from standard input"),
        role: Role | None = typer.Option(None, help="analyst, if not given for somebody new"),
    ) -> None:
        """Let a person in at the desk, or give them a new password; one that is made up is printed once."""
        found, _ = runtime()
        _add_user(found, username, cli.read_secret() if is_given else None, role)

    @commands.command("seed-users")
    def seed_users() -> None:
        """Let the two first people in, with passwords from the environment, else made up and printed once.

        Both are supervisors, so that each can confirm what the other proposes; neither says who else may sign in.
        """
        found, settings = runtime()
        given = {"analyst1": settings.desk_password_analyst1, "analyst2": settings.desk_password_analyst2}
        for username in SEEDED_USERS:
            password = given[username]
            _add_user(found, username, password.get_secret_value() if password else None, Role.SUPERVISOR)

    @commands.command("disable-user")
    def disable_user(username: str) -> None:
        """Let a person in no more, and end their sessions."""
        found, _ = runtime()

        def disable(tx: Connection) -> bool:
            is_known = people.disable(tx, username)
            if is_known:
                audit.append(tx, _by_operator(AuditVerb.USER_DISABLED, username))
            return is_known

        if not found.unit.administer(disable):
            cli.fail(f"there is no user {username!r}")

    @commands.command("verify-audit")
    def verify_audit() -> None:
        """Compute every hash of the audit log anew; name the first entry that does not fit, and fail if one doesn't.

        The newest hash, kept elsewhere, shows later that nobody has written the whole log anew.
        """
        found, _ = runtime()
        verified = audit.verify(found.engine, entries_max=sys.maxsize)
        assert verified is not None
        if verified.fault is not None:
            cli.fail(f"entry {verified.fault.number} {verified.fault.what}")
        typer.echo(f"the audit log is what was written: {verified.entry_count} entries, {verified.entry_hash.hex()}")

    @commands.command("forget-records")
    def forget_records() -> None:
        """Delete records that the law no longer asks for, each kind after its own time; to be run now and then.

        The times are in store/retention.py. What was deleted is counted in the audit log, which itself stays.
        """
        found, _ = runtime()
        now = datetime.now(UTC)
        for kind in RecordKind:
            count = _forget(found, kind, now)
            typer.echo(f"{kind.value}: {count:,} forgotten")

    monitoring_commands.extend(commands, make_runtime)
    travel_commands.extend(commands, make_runtime)


def _forget(runtime: Runtime, kind: RecordKind, now: datetime) -> int:
    """Forget all that is over of a kind, so many in a transaction, each with its entry in the audit log."""

    def forget(tx: Connection) -> int:
        count = retention.forget(tx, kind, now)
        if count:
            audit.append(
                tx,
                _operator().happening(now, AuditVerb.RECORDS_FORGOTTEN, ObjectKind.RECORDS, kind.value, str(count)),
            )
        return count

    total = 0
    while count := runtime.unit.administer(forget):
        total += count
    return total


def _operator() -> Signature:
    return Signature(actor=getpass.getuser(), role=OPERATOR)


def _by_operator(verb: AuditVerb, username: str, details: str = "") -> Happening:
    return _operator().happening(datetime.now(UTC), verb, ObjectKind.USER, username, details)


def _add_user(runtime: Runtime, username: str, password: str | None, role: Role | None) -> None:
    chosen = password or passwords.make_up()
    if len(chosen) < passwords.LENGTH_MIN:
        cli.fail(f"a password has at least {passwords.LENGTH_MIN} characters")
    if not is_username(username):
        cli.fail("a user name begins with a lower-case letter, and has letters, digits and _.- after it")
    password_hash = passwords.hash_password(chosen)

    def add(tx: Connection) -> None:
        before = people.find_role(tx, username)
        if role not in (None, before) and people.is_vouched(tx, username):
            cli.fail(f"the OpenID provider says what {username} is: change it there")
        becomes = role or before or Role.ANALYST
        people.save_user(tx, username, password_hash, becomes)
        audit.append(tx, _by_operator(AuditVerb.USER_ADDED, username, becomes.value))

    runtime.unit.administer(add)
    typer.echo(f"{username}: {'the password given' if password else chosen}")
