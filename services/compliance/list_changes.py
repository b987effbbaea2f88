"""Changes of lists that take two people: proposed with all that is needed to carry them out, confirmed, turned down."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.batch import Refusal
from services.compliance.domain import rule_change
from services.compliance.domain.audit import AuditVerb, ObjectKind, Signature
from services.compliance.domain.rule_change import OF_LISTS, ChangeKind, ChangeRefusal, RuleChange
from services.compliance.store import audit, lists, rule_changes
from services.compliance.store.lists import ListImport, LiveList

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ListImport).decode


def propose_retirement(tx: Connection, list_name: str, *, by: Signature) -> RuleChange | None:
    """Propose that a list is searched no more; None if there is none of that name."""
    live = _live(tx, list_name)
    return None if live is None else _propose(tx, ChangeKind.RETIRE_LIST, live, "searched no more", by=by)


def propose_import(tx: Connection, imported: ListImport, live: LiveList, said: str, *, by: Signature) -> RuleChange:
    """Propose a version of a list by which less may be found than by the live one. The catalogue must be locked."""
    return _propose(tx, ChangeKind.IMPORT_LIST, live, said, by=by, content=_encode(imported))


def confirm(tx: Connection, change_id: str, *, by: Signature) -> RuleChange | Refusal:
    """Carry out, as a second person, what somebody has proposed."""
    at = datetime.now(UTC)
    lists.lock_catalogue(tx)
    change = rule_change.confirmed(_find(tx, change_id), by, at)
    if isinstance(change, Refusal):
        return change
    live = _live(tx, change.about)
    if live is None or live.import_id != change.live_import_id:
        return rule_change.refusal(ChangeRefusal.OVERTAKEN)
    done = f"{change.said}; proposed by {change.proposed_by}"
    if change.kind is ChangeKind.RETIRE_LIST:
        lists.retire(tx, change.about)
        _put_down(tx, change, by, AuditVerb.LIST_RETIRED, done)
    else:
        version = lists.save_import(tx, _decode(rule_changes.find_content(tx, change_id)))
        _put_down(tx, change, by, AuditVerb.LIST_IMPORTED, f"version {version} {done}")
    rule_changes.save_decided(tx, change)
    return change


def turn_down(tx: Connection, change_id: str, *, by: Signature) -> RuleChange | Refusal:
    """Have all stay as it is."""
    change = rule_change.turned_down(_find(tx, change_id), by, datetime.now(UTC))
    if not isinstance(change, Refusal):
        rule_changes.save_decided(tx, change)
        _put_down(tx, change, by, AuditVerb.CHANGE_TURNED_DOWN, f"{change.said}; proposed by {change.proposed_by}")
    return change


def _propose(
    tx: Connection, kind: ChangeKind, live: LiveList, said: str, *, by: Signature, content: bytes | None = None
) -> RuleChange:
    change = RuleChange(
        change_id=ids.new(),
        kind=kind,
        about=live.list_name,
        said=said,
        live_import_id=live.import_id,
        proposed_by=by.actor,
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
