"""Fraud's answers, with what they were made of, and what the payments turned out to be."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.writes import Table
from schemas.fraud.events import FraudFinding, FraudOutcome, Label
from schemas.payments.events import Channel
from services.fraud.domain.entities import EntityKind
from services.fraud.domain.knowledge import Assessment, EntityKey, ShadowVerdict

ASSESSMENTS = Table(
    "assessments",
    key={"payment_id": "uuid"},
    fixed={
        "debtor_account_id": "uuid",
        "creditor_account_id": "uuid",
        "device_entity_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "channel": "text",
        "instructed_at": "timestamptz",
        "outcome": "text",
        "score": "double precision",
        "findings": "text",
        "rules_version": "text",
        "model_version": "text",
        "model_score": "double precision",
        "values": "bytea",
        "debtor_snapshot_version": "bigint",
        "creditor_snapshot_version": "bigint",
        "is_remembered": "boolean",
        "assessed_at": "timestamptz",
    },
    changing={"label": "text", "scenario": "text", "labelled_at": "timestamptz", "sequence": "bigint"},
)
SHADOW_VERDICTS = Table(
    "shadow_verdicts",
    fixed={
        "payment_id": "uuid",
        "rules_version": "text",
        "model_version": "text",
        "model_score": "double precision",
        "outcome": "text",
        "score": "double precision",
        "rules": "text[]",
        "judged_at": "timestamptz",
    },
)

_encode_findings = msgspec.json.Encoder().encode
_decode_findings = msgspec.json.Decoder(tuple[FraudFinding, ...]).decode
# MessagePack keeps a float bit by bit: what is read again is what was decided by.
_encode_values = msgspec.msgpack.Encoder().encode
_decode_values = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


def find(tx: Connection, payment_ids: Iterable[str]) -> dict[str, Assessment]:
    """The assessments of those payments that have one."""
    wanted = list(payment_ids)
    if not wanted:
        return {}
    rows = fetch(
        tx,
        f"SELECT {ASSESSMENTS.select} FROM assessments WHERE payment_id = ANY(%b::uuid[])",
        (array("uuid", wanted),),
        binary=True,
    )
    return {row[0]: assessment_of(row) for row in rows}


def find_parties(tx: Connection, payment_ids: Collection[str]) -> dict[str, list[EntityKey]]:
    """Everyone in each payment that is known. They never change, so this needs no lock."""
    if not payment_ids:
        return {}
    rows = fetch(
        tx,
        """SELECT payment_id, debtor_account_id, creditor_account_id, device_entity_id FROM assessments
            WHERE payment_id = ANY(%b::uuid[])""",
        (array("uuid", payment_ids),),
    )
    kinds = tuple(EntityKind)
    return {
        payment_id: [(kind, entity_id) for kind, entity_id in zip(kinds, parties, strict=True) if entity_id is not None]
        for payment_id, *parties in rows
    }


def prune_shadows(tx: Connection, *, days: int, rows_max: int) -> int:
    """Forget what shadows answered so long ago; return how many answers."""
    return execute(
        tx,
        """DELETE FROM shadow_verdicts WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM shadow_verdicts WHERE judged_at < now() - make_interval(days => %s) LIMIT %s))""",
        (days, rows_max),
    )


def assessment_of(row: Sequence[Any]) -> Assessment:
    """A row of ASSESSMENTS as what it means."""
    payment_id, debtor, creditor, device, amount_minor, currency, channel, *answered = row
    instructed_at, outcome, score, findings, rules_version, model_version, model_score, values, *rest = answered
    debtor_snapshot, creditor_snapshot, is_remembered, assessed_at, label, scenario, labelled_at, sequence = rest
    return Assessment(
        payment_id=payment_id,
        debtor_account_id=debtor,
        creditor_account_id=creditor,
        device_entity_id=device,
        amount_minor=amount_minor,
        currency=currency,
        channel=Channel(channel),
        instructed_at=instructed_at,
        outcome=FraudOutcome(outcome),
        score=score,
        findings=_decode_findings(findings) if findings else (),
        rules_version=rules_version,
        model_version=model_version,
        model_score=model_score,
        values=_decode_values(values),
        debtor_snapshot_version=debtor_snapshot,
        creditor_snapshot_version=creditor_snapshot,
        is_remembered=is_remembered,
        assessed_at=assessed_at,
        label=Label(label) if label else None,
        scenario=scenario,
        labelled_at=labelled_at,
        sequence=sequence,
    )


def row_of(assessment: Assessment) -> tuple[Any, ...]:
    return (
        assessment.payment_id,
        assessment.debtor_account_id,
        assessment.creditor_account_id,
        assessment.device_entity_id,
        assessment.amount_minor,
        assessment.currency,
        assessment.channel.value,
        assessment.instructed_at,
        assessment.outcome.value,
        assessment.score,
        _encode_findings(assessment.findings).decode() if assessment.findings else None,
        assessment.rules_version,
        assessment.model_version,
        assessment.model_score,
        _encode_values(assessment.values),
        assessment.debtor_snapshot_version,
        assessment.creditor_snapshot_version,
        assessment.is_remembered,
        assessment.assessed_at,
        assessment.label and assessment.label.value,
        assessment.scenario,
        assessment.labelled_at,
        assessment.sequence,
    )


def shadow_row_of(verdict: ShadowVerdict) -> tuple[Any, ...]:
    return (
        verdict.payment_id,
        verdict.rules_version,
        verdict.model_version,
        verdict.model_score,
        verdict.outcome.value,
        verdict.score,
        f"{{{','.join(verdict.rules)}}}",
        verdict.judged_at,
    )
