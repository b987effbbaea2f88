"""The audit log: whoever changes anything in it is found out, at the very entry."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from libs.common.record import replace
from services.compliance.domain.audit import (
    EMPTY,
    AuditEntry,
    AuditHead,
    Happening,
    ObjectKind,
    chained,
    first_fault,
)
from tests.unit.compliance.office import START, Office, suspended
from tests.unit.compliance.test_cases import CASE, confirm, propose, take

LOG = [
    Happening(
        at=START + timedelta(minutes=number),
        actor="ann",
        role="analyst",
        verb="looked",
        object_kind=ObjectKind.CASE,
        object_id=CASE,
        details=f"look {number}",
    )
    for number in range(6)
]


def written() -> tuple[list[AuditEntry], AuditHead]:
    """The log written in two batches, and its head."""
    first = chained(EMPTY, LOG[:2])
    second = chained(AuditHead(entry_count=2, entry_hash=first[-1].hash), LOG[2:])
    return [*first, *second], AuditHead(entry_count=6, entry_hash=second[-1].hash)


def test_a_log_that_is_what_was_written_has_no_fault() -> None:
    assert first_fault(*written()) is None
    assert first_fault([], EMPTY) is None


@pytest.mark.parametrize(
    ("change", "number", "what"),
    [
        (lambda log: log[:2] + log[3:], 3, "is missing"),
        (lambda log: log[:5], 6, "is missing at the end"),
        (lambda log: [*log[:3], replace(log[3], actor="ben"), *log[4:]], 4, "is not what was written"),
        (lambda log: [replace(log[0], details=""), *log[1:]], 1, "is not what was written"),
        (lambda log: [*log[:1], replace(log[1], at=START), *log[2:]], 2, "is not what was written"),
        (lambda log: [log[1], log[0], *log[2:]], 1, "is missing"),
        (
            lambda log: log + chained(AuditHead(entry_count=6, entry_hash=log[-1].hash), LOG[:1]),
            8,
            "is missing at the end",
        ),
        (lambda log: chained(EMPTY, [replace(LOG[0], actor="ben"), *LOG[1:]]), 7, "is missing at the end"),
    ],
    ids=["removed", "cut short", "changed", "details", "time", "reordered", "added", "written anew"],
)
def test_whatever_is_changed_later_is_named(
    change: Callable[[list[AuditEntry]], list[AuditEntry]], number: int, what: str
) -> None:
    log, head = written()
    fault = first_fault(change(log), head)
    assert fault is not None
    assert (fault.number, fault.what) == (number, what)


def test_every_act_of_a_person_is_audited_with_their_role_and_none_of_the_service_itself() -> None:
    office = Office()
    office.decide(suspended())
    office.decide(take())
    office.decide(propose())
    assert office.refusal(confirm(actor="ann")) == "own_proposal"
    office.decide(confirm())
    assert [(found.actor, found.role, found.verb, found.object_id) for found in office.audit] == [
        ("ann", "supervisor", "taken", CASE),
        ("ann", "supervisor", "proposed", CASE),
        ("ben", "supervisor", "confirmed", CASE),
    ]
    assert office.audit[1].details == "act 3; approve; known customer"
