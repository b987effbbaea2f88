"""The whitelist on the command line: a file of pairs is proposed, and those in force are written as such a file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict
from sqlalchemy import Connection

from libs.common import interventions
from libs.common.cli import Actor, AsJson, By, Reason, answer, fail
from libs.common.service import Runtime
from services.compliance import whitelist_import, whitelist_queries
from services.compliance.domain.audit import OPERATOR, AuditVerb, ObjectKind, Signature
from services.compliance.files.rows import FileFault, written
from services.compliance.files.whitelist import WhitelistFault, table_of
from services.compliance.store import audit
from services.compliance.whitelist_import import WhitelistProposed

PairsPath = Annotated[Path, typer.Argument(help="CSV; the columns are in files/whitelist.py")]


def extend(commands: typer.Typer, make_runtime: Callable[[], Runtime]) -> None:
    """Add them to the command line."""

    @commands.command("import-whitelist")
    def import_whitelist(path: PairsPath, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Propose that the pairs of a file are whitelisted, all or none: another person confirms it at the desk.

        What is in force already stays; a pair with another end or reason is proposed anew.
        """
        found = make_runtime()
        by = Signature(actor=actor, role=OPERATOR)

        def propose(tx: Connection) -> WhitelistProposed:
            done = whitelist_import.propose(tx, checked, reason=reason, by=by)
            if done.is_new:
                said = {"source": checked.file.source, "change_id": done.change_id, "pairs": done.proposed}
                interventions.record(tx, "import-whitelist", By(actor=actor, reason=reason), **said)
            return done

        try:
            checked = whitelist_import.check(found, whitelist_import.find_file(path))
        except (WhitelistFault, OSError) as fault:
            fail(f"nothing of {path} was taken: {fault}")
        proposed = found.unit.administer(propose)
        answer(str(proposed), asdict(proposed), as_json=as_json)

    @commands.command("export-whitelist")
    def export_whitelist(path: PairsPath, actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Write the pairs that are in force to a file as import-whitelist reads it."""
        found, now = make_runtime(), datetime.now(UTC)
        try:
            with written(path) as file:
                count = 0
                for count, row in enumerate(table_of(whitelist_queries.all_in_force(found.engine, now))):  # noqa: B007
                    file.writerow(row)
        except (FileFault, OSError) as fault:
            fail(f"{path} was not written: {fault}")
        said = f"{count:,} pairs in force, to {path.name}" + (f": {reason}" if reason else "")
        happening = Signature(actor=actor, role=OPERATOR).happening(
            now, AuditVerb.LOOKED, ObjectKind.WHITELIST, details=said
        )
        found.unit.administer(lambda tx: audit.append(tx, happening))
        answer(said, {"path": str(path), "pairs": count}, as_json=as_json)
