"""The audit log: every look and every act, in the order in which they happened, chained by hashes. Pure.

One chain for all: looks and acts are people's, a few in a second, and what programs of staff ask for; each holds the
chain's head for no longer than writing and its commit take. What the service does by itself is on record as acts of
its cases, and never waits for the chain; but for ratings that the lists of countries have changed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from libs.common.chain import NO_HASH, link
from libs.common.record import Record, replace

DETAILS_LENGTH_MAX = 4_000


class AuditVerb(StrEnum):
    """What was done besides acts on cases, which have their own names (`ActKind`)."""

    LOOKED = "looked"
    REFUSED = "refused"
    """Somebody asked for what their role or the rules of cases don't allow."""
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    USER_ADDED = "user_added"
    USER_READMITTED = "user_readmitted"
    USER_DISABLED = "user_disabled"
    ROLE_CHANGED = "role_changed"
    LIST_IMPORTED = "list_imported"
    LIST_CHECKED = "list_checked"
    """Brought in again, and no other than the live version."""
    LIST_RETIRED = "list_retired"
    RESCREENING_ORDERED = "rescreening_ordered"
    """Everybody is to be looked up again, though no list has changed."""
    CHANGE_PROPOSED = "change_proposed"
    """Somebody wants rules changed by which less may be found."""
    CHANGE_ADOPTED = "change_adopted"
    """Somebody at the desk makes theirs what was proposed outside it."""
    CHANGE_TURNED_DOWN = "change_turned_down"
    COUNTRIES_IMPORTED = "countries_imported"
    WHITELIST_IMPORTED = "whitelist_imported"
    PAIR_CONFIRMED = "pair_confirmed"
    """A second person agrees that a party is not a listed entry."""
    PARAMETERS_SET = "parameters_set"
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    RATED = "rated"
    """The lists of countries have changed, and with them how risky a customer is."""
    DOCUMENT_HANDED_IN = "document_handed_in"
    DETAILS_TOLD = "details_told"
    """A program or an operator has told something of a payment's parties."""
    RECORDS_FORGOTTEN = "records_forgotten"
    CUSTOMER_ERASED = "customer_erased"


class ObjectKind(StrEnum):
    """What somebody looked at, or acted on."""

    CASE = "case"
    CUSTOMER = "customer"
    CASES = "cases"
    PAYMENT = "payment"
    """What the travel rule asks about one, and who its parties are."""
    ALERTS = "alerts"
    SCREENING = "screening"
    """Who is found on the lists by a name that a program asks about; the name is not kept."""
    TRAVEL_RULES = "travel_rules"
    FILE = "file"
    SEARCH = "search"
    BLOCKED_PROPERTY = "blocked_property"
    USER = "user"
    USERS = "users"
    FILING = "filing"
    FILINGS = "filings"
    WHITELIST = "whitelist"
    LIST = "list"
    LISTS = "lists"
    SCENARIO = "scenario"
    SCENARIOS = "scenarios"
    SILENCE = "silence"
    SILENCES = "silences"
    RECORDS = "records"
    OVERVIEW = "overview"
    EXPORT = "export"
    """A case, taken out of the desk."""
    AUDIT = "audit"
    DESK = "desk"


class Happening(Record):
    """What somebody did, as it goes into the log."""

    at: datetime
    actor: str
    role: str
    """What the actor was at that moment; empty if nobody was signed in."""
    verb: str
    object_kind: ObjectKind
    object_id: str = ""
    details: str = ""


class Signature(Record):
    """Who does something, at the desk, as a program, or on the command line."""

    actor: str
    role: str

    def happening(
        self, at: datetime, verb: AuditVerb, kind: ObjectKind, object_id: str = "", details: str = ""
    ) -> Happening:
        """What this one does, as it goes into the log."""
        return Happening(
            at=at,
            actor=self.actor,
            role=self.role,
            verb=verb.value,
            object_kind=kind,
            object_id=object_id,
            details=details,
        )


OPERATOR = "operator"
"""The role of who works on the command line."""
CLIENT = "client"
"""The role of a program that shows a key."""


class AuditEntry(Record):
    """A happening at its place in the log."""

    number: int
    """From 1 without a gap."""
    at: datetime
    actor: str
    role: str
    verb: str
    object_kind: str
    object_id: str
    details: str
    hash_before: bytes
    hash: bytes
    """Of this entry and all before it: SHA-256."""


class AuditHead(Record):
    """How long the log is, and its newest hash: kept apart from the entries."""

    entry_count: int
    entry_hash: bytes


EMPTY = AuditHead(entry_count=0, entry_hash=NO_HASH)


class AuditFault(Record):
    """The first place where the log is not what was once written."""

    number: int
    what: str


def chained(head: AuditHead, happenings: Sequence[Happening]) -> list[AuditEntry]:
    """The entries for what happened, in order, after those that the head tells of."""
    entries = []
    hash_before = head.entry_hash
    for number, happening in enumerate(happenings, head.entry_count + 1):
        entry = AuditEntry(
            number=number,
            at=happening.at,
            actor=happening.actor,
            role=happening.role,
            verb=happening.verb,
            object_kind=happening.object_kind.value,
            object_id=happening.object_id,
            details=happening.details[:DETAILS_LENGTH_MAX],
            hash_before=hash_before,
            hash=NO_HASH,
        )
        entries.append(replace(entry, hash=_hash_of(entry)))
        hash_before = entries[-1].hash
    return entries


def first_fault(entries: Iterable[AuditEntry], head: AuditHead) -> AuditFault | None:
    """Compute every hash anew, entries in order. What comes after the first fault proves nothing."""
    number, hash_before = 0, NO_HASH
    for entry in entries:
        number += 1
        if entry.number != number:
            return AuditFault(number=number, what="is missing")
        if entry.hash_before != hash_before or entry.hash != _hash_of(entry):
            return AuditFault(number=number, what="is not what was written")
        hash_before = entry.hash
    if (number, hash_before) != (head.entry_count, head.entry_hash):
        return AuditFault(number=number + 1, what="is missing at the end")
    return None


def _hash_of(entry: AuditEntry) -> bytes:
    return link(entry.hash_before, msgspec.structs.astuple(entry)[:-2])
