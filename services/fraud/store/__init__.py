"""The tables of fraud: what a batch loads and locks, and what it writes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from libs.common.database import fetch
from libs.common.message import Message
from libs.common.writes import Writes
from schemas.compliance.events import CaseResolved
from schemas.fraud.events import PartyRiskUpdated
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentOrder
from services.fraud.domain.assessing import AssessPayment
from services.fraud.domain.entities import EntityKind, device_entity_id
from services.fraud.domain.knowledge import EntityKey, Knowledge, Panel
from services.fraud.domain.labelling import LabelPayment, party_of
from services.fraud.domain.lists import AddListEntry, RemoveListEntry, entry_id
from services.fraud.domain.versions import AddVersion, MoveVersion
from services.fraud.store import assessments, entities, lists, tallies, versions
from services.fraud.store.versions import Panels


def load_knowledge(tx: Connection, messages: Sequence[Message], *, panels: Panels) -> Knowledge:
    """Lock and read all that a batch can touch. Order of locks: who judges, where nobody did yet; versions, by id;
    entries of lists, by id; entities, by kind and id.

    An assessment changes only under the locks of its parties, so it is read after they are held.
    """
    bodies = [message.body for message in messages]
    panel = panels.load(tx)
    moved = versions.lock(tx) if any(isinstance(body, AddVersion | MoveVersion) for body in bodies) else {}
    listed = lists.lock(tx, {entry_id(b.list_name, b.kind, b.entity_id) for b in bodies if _is_about_lists(b)})
    orders = {body.payment_id: body.order for body in bodies if _asks_for_assessment(body)}
    labelled = assessments.find_parties(tx, {body.payment_id for body in bodies if _tells_label(body)})
    keys = {key for order in orders.values() for key in _parties(order)}
    asked = sorted(keys)
    keys |= {key for parties in labelled.values() for key in parties}
    keys |= {key for body in bodies if isinstance(body, PartyRiskUpdated) and (key := party_of(body))}
    known = entities.lock(tx, sorted(keys))
    return Knowledge(
        panel=panel,
        debtors=known[EntityKind.DEBTOR],
        creditors=known[EntityKind.CREDITOR],
        devices=known[EntityKind.DEVICE],
        assessments=assessments.find(tx, orders.keys() | labelled.keys()),
        listed=lists.find_of(tx, asked) if _asks_for_lists(panel) else {},
        list_entries=listed,
        versions=moved,
    )


def save_knowledge(writes: Writes, knowledge: Knowledge) -> None:
    """Say what is to be written of what changed."""
    writes.update(entities.ENTITIES, map(entities.row_of, knowledge.changed_entities))
    writes.save(assessments.ASSESSMENTS, knowledge.assessments, assessments.row_of)
    writes.insert(assessments.SHADOW_VERDICTS, map(assessments.shadow_row_of, knowledge.shadow_verdicts))
    writes.insert(tallies.TALLIES, tallies.rows_of(knowledge.tallies))
    writes.save(lists.LIST_ENTRIES, knowledge.list_entries, lists.row_of)
    writes.save(versions.VERSIONS, knowledge.versions, versions.row_of)
    writes.insert(versions.CHANGES, versions.change_rows_of(knowledge.version_changes))


def is_buried(tx: Connection, letter_id: str) -> bool:
    """Whether there is a dead letter of this id."""
    return bool(fetch(tx, "SELECT 1 FROM dead_letters WHERE event_id = %s", (letter_id,)))


def _tells_label(body: Any) -> bool:
    return isinstance(body, LabelPayment) or (isinstance(body, CaseResolved) and body.payment_id is not None)


def _is_about_lists(body: Any) -> bool:
    return isinstance(body, AddListEntry | RemoveListEntry)


def _asks_for_lists(panel: Panel) -> bool:
    return any(name.endswith("_lists") for judge in (panel.live, *panel.shadows) for name in judge.fields)


def _asks_for_assessment(body: Any) -> bool:
    if isinstance(body, PaymentAnswerOverdue):
        return Answer.FRAUD in body.awaited
    return isinstance(body, PaymentInitiated | AssessPayment)


def _parties(order: PaymentOrder) -> list[EntityKey]:
    parties = [
        (EntityKind.DEBTOR, order.debtor_account_id),
        (EntityKind.CREDITOR, order.creditor_account_id),
    ]
    return [*parties, (EntityKind.DEVICE, device_entity_id(order.device_id))] if order.device_id else parties
