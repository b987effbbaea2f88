"""Changes of lists and of the whitelist that take two people: proposed with all that is needed to carry them out,
confirmed, turned down.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from libs.common import ids
from libs.common.batch import Refusal
from libs.common.record import replace
from services.compliance.domain import rule_change
from services.compliance.domain.audit import AuditVerb, Happening, ObjectKind, Signature
from services.compliance.domain.rule_change import (
    OF_LISTS,
    OF_WHITELIST,
    ChangeKind,
    ChangeRefusal,
    ChangeStatus,
    RuleChange,
)
from services.compliance.domain.whitelist import Pair
from services.compliance.files.whitelist import NewPair, in_force
from services.compliance.standards import current_countries
from services.compliance.store import audit, lists, rule_changes, standards, whitelist
from services.compliance.store.lists import ListImport, LiveList
from services.compliance.store.standards import CountryImport

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ListImport).decode
_decode_countries = msgspec.msgpack.Decoder(CountryImport).decode
_decode_pairs = msgspec.msgpack.Decoder(tuple[NewPair, ...]).decode

COUNTRIES = "countries"
"""What changes of the lists of countries are about, and entries of the log."""
WHITELIST = "whitelist"
"""The same of files of pairs."""


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


def propose_pairs(
    tx: Connection, pairs: Sequence[NewPair], said: str, *, reason: str, by: Signature
) -> tuple[RuleChange, bool]:
    """Propose that pairs are whitelisted, unless just that waits already; and whether it is new.

    The catalogue must be locked.
    """
    content = _encode(tuple(pairs))
    content_hash = hashlib.sha256(content).hexdigest()
    for change in rule_changes.find_waiting(tx, OF_WHITELIST):
        if change.content_hash == content_hash:
            return change, False
    change = _new(ChangeKind.IMPORT_WHITELIST, WHITELIST, said, by=by)
    change = replace(change, reason=reason, content_hash=content_hash)
    _keep(tx, change, by, content)
    return change, True


def confirm(
    tx: Connection, change_id: str, *, by: Signature, kinds: Collection[ChangeKind] = OF_LISTS
) -> RuleChange | Refusal:
    """Carry out, as a second person at the desk, what somebody has proposed there; adopt what came from elsewhere.

    `kinds`: those that this person may decide on.
    """
    at = datetime.now(UTC)
    lists.lock_catalogue(tx)
    change = rule_change.confirmed(_find(tx, change_id, kinds), by, at)
    if isinstance(change, Refusal):
        return change
    if _is_overtaken(tx, change, at):
        return rule_change.refusal(ChangeRefusal.OVERTAKEN)
    if change.status is ChangeStatus.PROPOSED:
        rule_changes.save_adopted(tx, change)
        said = f"{change.kind.value}: {change.said}; proposed by {change.adopted_from} outside the desk"
        _put_down(tx, change, by, AuditVerb.CHANGE_ADOPTED, said)
        return change
    _carry_out(tx, change, by)
    rule_changes.save_decided(tx, change)
    return change


def _is_overtaken(tx: Connection, change: RuleChange, at: datetime) -> bool:
    """Whether it was proposed on the ground of something that is so no more."""
    if change.kind is not ChangeKind.IMPORT_WHITELIST:
        return _live_version(tx, change) != change.live_import_id
    proposed = _pairs(tx, change)
    known = whitelist.lock(tx, [pair.pair_id for pair in proposed])
    return any(pair.until <= at or _version(known, pair) != pair.version for pair in proposed)


def _version(known: Mapping[str, Pair], pair: NewPair) -> int:
    return known[pair.pair_id].version if pair.pair_id in known else 0


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
        case ChangeKind.IMPORT_WHITELIST:
            _whitelist(tx, change, by)
            _put_down(tx, change, by, AuditVerb.WHITELIST_IMPORTED, done)
        case _:
            imported = _decode(rule_changes.find_content(tx, change.change_id))
            version = lists.save_import(tx, imported, is_agreed=True)
            _put_down(tx, change, by, AuditVerb.LIST_IMPORTED, f"version {version} {done}")


def _whitelist(tx: Connection, change: RuleChange, by: Signature) -> None:
    """Have the pairs of a file in force, each with its entry in the log, as where a person confirms a single one."""
    at = datetime.now(UTC)
    pairs = [
        in_force(
            pair,
            proposed_by=change.proposed_by,
            proposed_at=change.proposed_at,
            confirmed_by=by.actor,
            confirmed_at=at,
        )
        for pair in _pairs(tx, change)
    ]
    whitelist.save(tx, pairs, known=whitelist.lock(tx, [pair.pair_id for pair in pairs]))
    audit.append(tx, *(_confirmed(pair, by, at) for pair in pairs))


def _confirmed(pair: Pair, by: Signature, at: datetime) -> Happening:
    about = f"{pair.subject.name} is not {pair.reference} {pair.listed_name}; until {pair.until:%Y-%m-%d}"
    said = f"{about}; {pair.reason}; proposed by {pair.proposed_by}, in a file"
    return by.happening(at, AuditVerb.PAIR_CONFIRMED, ObjectKind.WHITELIST, pair.pair_id, said)


def _pairs(tx: Connection, change: RuleChange) -> tuple[NewPair, ...]:
    return _decode_pairs(rule_changes.find_content(tx, change.change_id))


def find_proposed_pairs(tx: Connection, change_id: str) -> tuple[NewPair, ...] | None:
    """The pairs of a file that waits for a second person; None if none of that id waits."""
    waiting = {change.change_id: change for change in rule_changes.find_waiting(tx, OF_WHITELIST)}
    return _pairs(tx, waiting[change_id]) if change_id in waiting else None


def read_waiting_files(tx: Connection) -> Iterator[tuple[NewPair, ...]]:
    """The pairs of every file that waits for a second person."""
    return (_pairs(tx, change) for change in rule_changes.find_waiting(tx, OF_WHITELIST))


def turn_down(
    tx: Connection, change_id: str, *, by: Signature, kinds: Collection[ChangeKind] = OF_LISTS
) -> RuleChange | Refusal:
    """Have all stay as it is."""
    change = rule_change.turned_down(_find(tx, change_id, kinds), by, datetime.now(UTC))
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
    change = replace(_new(kind, about, said, by=by), live_import_id=live_version)
    _keep(tx, change, by, content)
    return change


def _new(kind: ChangeKind, about: str, said: str, *, by: Signature) -> RuleChange:
    return RuleChange(
        change_id=ids.new(),
        kind=kind,
        about=about,
        said=said,
        proposed_by=by.actor,
        proposer_role=by.role,
        proposed_at=datetime.now(UTC),
    )


def _keep(tx: Connection, change: RuleChange, by: Signature, content: bytes | None) -> None:
    rule_changes.save_new(tx, change, content)
    _put_down(tx, change, by, AuditVerb.CHANGE_PROPOSED, f"{change.kind.value}: {change.said}")


def _find(tx: Connection, change_id: str, kinds: Collection[ChangeKind]) -> RuleChange | None:
    """The change, locked; None if it is about something else, too: who may decide on that is another."""
    found = rule_changes.lock(tx, {change_id}).get(change_id)
    return found if found is not None and found.kind in kinds else None


def _live(tx: Connection, list_name: str) -> LiveList | None:
    return {found.list_name: found for found in lists.find_live_lists(tx)}.get(list_name)


def _put_down(tx: Connection, change: RuleChange, by: Signature, verb: AuditVerb, said: str) -> None:
    kind = ObjectKind.WHITELIST if change.kind is ChangeKind.IMPORT_WHITELIST else ObjectKind.LIST
    audit.append(tx, by.happening(datetime.now(UTC), verb, kind, change.about, said))
