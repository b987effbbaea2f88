"""Changes of lists that take two people: proposed with all that is needed to carry them out, confirmed, turned down."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.batch import Refusal
from services.compliance.domain import rule_change
from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.domain.rule_change import OF_LISTS, ChangeKind, ChangeRefusal, ChangeStatus, RuleChange
from services.compliance.standards import current_countries
from services.compliance.store import audit, lists, rule_changes, standards
from services.compliance.store.lists import ListImport, LiveList
from services.compliance.store.standards import CountryImport

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ListImport).decode
_decode_countries = msgspec.msgpack.Decoder(CountryImport).decode

COUNTRIES = "countries"
"""What changes of the lists of countries are about, and entries of the log."""


def propose_retirement(tx: Connection, list_name: str, *, by: Signature) -> RuleChange | None:
    """Propose that a list is searched no more; None if there is none of that name."""
    live = _live(tx, list_name)
    if live is None:
        return None
    return _propose(tx, ChangeKind.RETIRE_LIST, list_name, live.import_id, "searched no more", by=by)


def propose_import(tx: Connection, imported: ListImport, live: LiveList, said: str, *, by: Signature) -> RuleChange:
    """Propose a version of a list by which less may be found than by the live one. The catalogue must be locked."""
    about, content = live.list_name, _encode(imported)
    return _propose(tx, ChangeKind.IMPORT_LIST, about, live.import_id, said, by=by, content=content)


def propose_countries(tx: Connection, imported: CountryImport, live: int, said: str, *, by: Signature) -> RuleChange:
    """Propose lists of countries that lack some of those of version `live`. The catalogue must be locked."""
    return _propose(tx, ChangeKind.IMPORT_COUNTRIES, COUNTRIES, live, said, by=by, content=_encode(imported))


def confirm(tx: Connection, change_id: str, *, by: Signature) -> RuleChange | Refusal:
    """Carry out, as a second person at the desk, what somebody has proposed there; adopt what came from elsewhere."""
    at = datetime.now(UTC)
    lists.lock_catalogue(tx)
    change = rule_change.confirmed(_find(tx, change_id), by, at)
    if isinstance(change, Refusal):
        return change
    if _live_version(tx, change) != change.live_import_id:
        return rule_change.refusal(ChangeRefusal.OVERTAKEN)
    if change.status is ChangeStatus.PROPOSED:
        rule_changes.save_adopted(tx, change)
        said = f"{change.kind.value}: {change.said}; proposed by {change.adopted_from} outside the desk"
        _put_down(tx, change, by, AuditVerb.CHANGE_ADOPTED, said)
        return change
    _carry_out(tx, change, by)
    rule_changes.save_decided(tx, change)
    return change


def _live_version(tx: Connection, change: RuleChange) -> int | None:
    if change.kind is ChangeKind.IMPORT_COUNTRIES:
        return current_countries(tx).version
    live = _live(tx, change.about)
    return live.import_id if live is not None else None


def _carry_out(tx: Connection, change: RuleChange, by: Signature) -> None:
    done = f"{change.said}; proposed by {change.proposed_by}"
    match change.kind:
        case ChangeKind.RETIRE_LIST:
            lists.retire(tx, change.about)
            _put_down(tx, change, by, AuditVerb.LIST_RETIRED, done)
        case ChangeKind.IMPORT_COUNTRIES:
            version = standards.save_import(tx, _decode_countries(rule_changes.find_content(tx, change.change_id)))
            _put_down(tx, change, by, AuditVerb.COUNTRIES_IMPORTED, f"version {version} {done}")
        case _:
            imported = _decode(rule_changes.find_content(tx, change.change_id))
            version = lists.save_import(tx, imported, is_agreed=True)
            _put_down(tx, change, by, AuditVerb.LIST_IMPORTED, f"version {version} {done}")


def turn_down(tx: Connection, change_id: str, *, by: Signature) -> RuleChange | Refusal:
    """Have all stay as it is."""
    change = rule_change.turned_down(_find(tx, change_id), by, datetime.now(UTC))
    if not isinstance(change, Refusal):
        rule_changes.save_decided(tx, change)
        _put_down(tx, change, by, AuditVerb.CHANGE_TURNED_DOWN, f"{change.said}; proposed by {change.proposed_by}")
    return change


def _propose(
    tx: Connection,
    kind: ChangeKind,
    about: str,
    live_version: int,
    said: str,
    *,
    by: Signature,
    content: bytes | None = None,
) -> RuleChange:
    change = RuleChange(
        change_id=ids.new(),
        kind=kind,
        about=about,
        said=said,
        live_import_id=live_version,
        proposed_by=by.actor,
        proposer_role=by.role,
        proposed_at=datetime.now(UTC),
    )
    rule_changes.save_new(tx, change, content)
    _put_down(tx, change, by, AuditVerb.CHANGE_PROPOSED, f"{kind.value}: {said}")
    return change


def _find(tx: Connection, change_id: str) -> RuleChange | None:
    """The change, locked; None if it is about something else than lists, too: who may decide on that is another."""
    found = rule_changes.lock(tx, {change_id}).get(change_id)
    return found if found is not None and found.kind in OF_LISTS else None


def _live(tx: Connection, list_name: str) -> LiveList | None:
    return {found.list_name: found for found in lists.find_live_lists(tx)}.get(list_name)


def _put_down(tx: Connection, change: RuleChange, by: Signature, verb: AuditVerb, said: str) -> None:
    audit.append(tx, by.happening(datetime.now(UTC), verb, ObjectKind.LIST, change.about, said))
