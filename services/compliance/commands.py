"""What operators ask of compliance: import lists and see them, let people in at the desk."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict
from sqlalchemy import Connection

from libs.common import cli, interventions
from libs.common.cli import Actor, AsJson, By, Reason, answer, recorded
from libs.common.service import Runtime, Service
from services.compliance import (
    list_changes,
    monitoring_commands,
    queries,
    rescreening,
    travel_commands,
    whitelist_commands,
)
from services.compliance.desk import passwords
from services.compliance.domain.audit import OPERATOR, AuditVerb, Happening, ObjectKind, Signature
from services.compliance.domain.people import Role, is_username
from services.compliance.importing import Imported, ListFormat, import_list, read_list
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
        actor: Actor,
        reason: Reason = "",
        list_format: ListFormat | None = typer.Option(None, "--format", help="guessed from the path if not given"),
        review: NewReviewScore = None,
        block: NewBlockScore = None,
        force: bool = typer.Option(
            False,
            help="even if it has not changed, or has lost many entries: then another person confirms it at the desk",
        ),
        as_json: AsJson = False,
    ) -> None:
        """Import a list: a UN XML file, a folder with OFAC's CSV files, or a CSV of one's own or of who owns what.

        The new version is live for everybody at once, or, if anything is wrong with the file, the old one stays.
        All customers, and the parties of payments that wait for people, are screened again against it by the workers.
        """
        found, settings = runtime()

        def become(tx: Connection) -> Imported:
            imported = import_list(
                tx,
                name,
                file,
                by=_operator(actor),
                shrink_max=settings.shrink_max,
                review=review,
                block=block,
                is_forced=force,
            )
            if imported.is_new:
                by = By(actor=actor, reason=reason)
                interventions.record(tx, "import-list", by, name=name, version=imported.import_id, is_forced=force)
            return imported

        try:
            file = read_list(path, list_format, bytes_max=settings.lists_bytes_max)
            imported = found.unit.administer(become)
        except (ListFault, OSError) as fault:
            cli.fail(f"{name} was not imported, and stays as it was: {fault}")
        answer(str(imported), {**asdict(imported), "thresholds": asdict(imported.thresholds)}, as_json=as_json)

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
    def retire_list(name: str, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Propose that a list is searched no more: another person confirms it at the desk."""
        found, _ = runtime()
        propose = recorded(
            lambda tx: list_changes.propose_retirement(tx, name, by=_operator(actor)),
            "retire-list",
            By(actor=actor, reason=reason),
            name=name,
        )
        if found.unit.administer(propose) is None:
            cli.fail(f"there is no list {name!r}")
        words = f"{name} is searched until another person confirms this at the desk"
        answer(words, {"list_name": name, "is_proposed": True}, as_json=as_json)

    @commands.command("rescreen")
    def rescreen_all(actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Look all customers up again, and payments that wait or settled lately, as if all lists had changed."""
        found, _ = runtime()
        by = By(actor=actor, reason=reason)

        def work(tx: Connection) -> int:
            count = rescreening.rescreen(tx, by=_operator(actor))
            interventions.record(tx, "rescreen", by, customers=count)
            return count

        count = found.unit.administer(work)
        words = f"{rescreening.in_words(count)}: compliance_customers_outdated says how many are left"
        answer(words, {"customers": count}, as_json=as_json)

    @commands.command("lists")
    def show_lists(as_json: AsJson = False) -> None:
        """Show which version of which list is live."""
        found, _ = runtime()
        if as_json:
            cli.tell(queries.list_lists(found.engine), as_json=True)
            return
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
        actor: Actor,
        reason: Reason = "",
        is_given: bool = typer.Option(False, "--password-stdin", help="the password, read from standard input"),
        role: Role | None = typer.Option(None, help="analyst, if not given for somebody new"),
        as_json: AsJson = False,
    ) -> None:
        """Let a person in at the desk, or give them a new password; one that is made up is printed once."""
        found, _ = runtime()
        password = cli.read_secret() if is_given else None
        _add_user(found, username, password, role, By(actor=actor, reason=reason), as_json=as_json)

    @commands.command("seed-users")
    def seed_users(actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Let the two first people in, with passwords from the environment, else made up and printed once.

        Both are supervisors, so that each can confirm what the other proposes; neither says who else may sign in.
        """
        found, settings = runtime()
        given = {"analyst1": settings.desk_password_analyst1, "analyst2": settings.desk_password_analyst2}
        for username in SEEDED_USERS:
            secret = given[username]
            password = secret.get_secret_value() if secret else None
            _add_user(found, username, password, Role.SUPERVISOR, By(actor=actor, reason=reason), as_json=as_json)

    @commands.command("disable-user")
    def disable_user(username: str, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Let a person in no more, and end their sessions."""
        found, _ = runtime()

        def disable(tx: Connection) -> bool:
            is_known = people.disable(tx, username)
            if is_known:
                audit.append(tx, _by_operator(actor, AuditVerb.USER_DISABLED, username))
            return is_known

        by = By(actor=actor, reason=reason)
        if not found.unit.administer(recorded(disable, "disable-user", by, username=username)):
            cli.fail(f"there is no user {username!r}")
        answer(f"{username} is let in no more", {"username": username, "is_disabled": True}, as_json=as_json)

    @commands.command("verify-audit")
    def verify_audit(as_json: AsJson = False) -> None:
        """Compute every hash of the audit log anew; name the first entry that does not fit, and fail if one doesn't.

        The newest hash, kept elsewhere, shows later that nobody has written the whole log anew.
        """
        found, _ = runtime()
        verified = audit.verify(found.engine, entries_max=sys.maxsize)
        assert verified is not None
        if verified.fault is not None:
            cli.fail(f"entry {verified.fault.number} {verified.fault.what}")
        newest = verified.entry_hash.hex()
        words = f"the audit log is what was written: {verified.entry_count} entries, {newest}"
        answer(words, {"entries": verified.entry_count, "hash": newest}, as_json=as_json)

    @commands.command("forget-records")
    def forget_records(actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Delete records that the law no longer asks for, each kind after its own time; to be run now and then.

        The times are in store/retention.py. What was deleted is counted in the audit log, which itself stays.
        """
        found, _ = runtime()
        now = datetime.now(UTC)
        for kind in RecordKind:
            count = _forget(found, kind, now, By(actor=actor, reason=reason))
            answer(f"{kind.value}: {count:,} forgotten", {"kind": kind, "forgotten": count}, as_json=as_json)

    monitoring_commands.extend(commands, make_runtime)
    travel_commands.extend(commands, make_runtime)
    whitelist_commands.extend(commands, make_runtime)


def _forget(runtime: Runtime, kind: RecordKind, now: datetime, by: By) -> int:
    """Forget all that is over of a kind, so many in a transaction, each with its entry in the audit log."""

    def forget(tx: Connection) -> int:
        count = retention.forget(tx, kind, now)
        if count:
            audit.append(
                tx,
                _operator(by.actor).happening(
                    now, AuditVerb.RECORDS_FORGOTTEN, ObjectKind.RECORDS, kind.value, str(count)
                ),
            )
            interventions.record(tx, "forget-records", by, kind=kind, count=count)
        return count

    total = 0
    while count := runtime.unit.administer(forget):
        total += count
    return total


def _operator(actor: str) -> Signature:
    return Signature(actor=actor, role=OPERATOR)


def _by_operator(actor: str, verb: AuditVerb, username: str, details: str = "") -> Happening:
    return _operator(actor).happening(datetime.now(UTC), verb, ObjectKind.USER, username, details)


def _add_user(
    runtime: Runtime, username: str, password: str | None, role: Role | None, by: By, *, as_json: bool
) -> None:
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
        audit.append(tx, _by_operator(by.actor, AuditVerb.USER_ADDED, username, becomes.value))
        interventions.record(tx, "add-user", by, username=username, role=becomes)

    runtime.unit.administer(add)
    told = {"username": username, "password": None if password else chosen}
    answer(f"{username}: {'the password given' if password else chosen}", told, as_json=as_json)
