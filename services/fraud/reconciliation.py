"""Are the snapshots what the labels say? The features worker's counts against SQL over the stored labels.

A snapshot is compared only where it has seen every label of its party; one that lags behind is
listed as such, and one that is ahead of the labels, which can't be, as wrong.
"""

from enum import StrEnum

from sqlalchemy import Connection

from libs.common.database import fetch
from libs.common.record import Record, replace
from services.fraud.domain.entities import Risk
from services.fraud.domain.party_risk import WINDOW_DAYS, sequence_of
from services.fraud.store.entities import unpack_risk

DIFFERENCES_MAX = 1_000


class Verdict(StrEnum):
    """How a snapshot stands to the labels."""

    EQUAL = "equal"
    BEHIND = "behind"
    """It has not seen every label yet; or there is none at all."""
    WRONG = "wrong"


class Counts(Record):
    """Of the labels of a window."""

    labelled: int
    frauds: int
    counterparts: int
    """Different ones in the frauds."""


class Comparison(Record):
    """One party: what its snapshot says, and what its labels say."""

    role: str
    account_id: str
    verdict: Verdict
    version: int | None
    labels_unseen: int
    snapshot: Counts | None
    labels: Counts


class Reconciliation(Record):
    """All payers and payees with labels or a snapshot."""

    equal: int
    behind: list[Comparison]
    wrong: list[Comparison]


_COMPARE = """
WITH told AS (
  SELECT p.kind::entity_kind AS kind, p.entity_id, p.counterpart_id, a.label = 'fraud' AS is_fraud,
         date(a.instructed_at AT TIME ZONE 'UTC') AS paid_on
    FROM assessments a CROSS JOIN LATERAL (
           VALUES ('debtor', a.debtor_account_id, a.creditor_account_id),
                  ('creditor', a.creditor_account_id, a.debtor_account_id)) AS p (kind, entity_id, counterpart_id)
   WHERE a.label IS NOT NULL
), newest AS (
  SELECT kind, entity_id, max(paid_on) AS newest_on FROM told GROUP BY kind, entity_id
), counted AS (
  SELECT kind, entity_id, count(*) AS labelled, count(*) FILTER (WHERE is_fraud) AS frauds,
         count(DISTINCT counterpart_id) FILTER (WHERE is_fraud) AS counterparts
    FROM newest JOIN told USING (kind, entity_id)
   WHERE paid_on > newest_on - %s
   GROUP BY kind, entity_id
)
SELECT e.kind::text, e.entity_id, e.label_sequence, e.risk,
       coalesce(c.labelled, 0), coalesce(c.frauds, 0), coalesce(c.counterparts, 0)
  FROM entities e LEFT JOIN counted c USING (kind, entity_id)
 WHERE e.label_sequence > 0 OR e.risk IS NOT NULL
 ORDER BY e.kind, e.entity_id
"""


def reconcile(tx: Connection) -> Reconciliation:
    """Compare every snapshot with the labels, as of one moment."""
    compared = [_compare(*row) for row in fetch(tx, _COMPARE, (WINDOW_DAYS,))]
    return Reconciliation(
        equal=sum(1 for one in compared if one.verdict is Verdict.EQUAL),
        behind=[one for one in compared if one.verdict is Verdict.BEHIND],
        wrong=[one for one in compared if one.verdict is Verdict.WRONG],
    )


def _compare(
    role: str, account_id: str, label_sequence: int, packed: bytes | None, labelled: int, frauds: int, counterparts: int
) -> Comparison:
    risk = unpack_risk(packed)
    seen = 0 if risk is None else sequence_of(risk.version)
    labels = Counts(labelled=labelled, frauds=frauds, counterparts=counterparts)
    return Comparison(
        role=role,
        account_id=account_id,
        verdict=_verdict(label_sequence - seen, risk, labels),
        version=None if risk is None else risk.version,
        labels_unseen=label_sequence - seen,
        snapshot=None if risk is None else _counts_of(risk),
        labels=labels,
    )


def _verdict(labels_unseen: int, risk: Risk | None, labels: Counts) -> Verdict:
    if labels_unseen > 0:
        return Verdict.BEHIND
    return Verdict.EQUAL if labels_unseen == 0 and risk is not None and _agrees(risk, labels) else Verdict.WRONG


def _agrees(risk: Risk, labels: Counts) -> bool:
    """Whether a snapshot says what the labels say; where it says no more than how many there are at least, no less."""
    said = _counts_of(risk)
    if not risk.is_counterpart_count_exact and said.counterparts < labels.counterparts:
        return replace(said, counterparts=labels.counterparts) == labels
    return said == labels


def _counts_of(risk: Risk) -> Counts:
    return Counts(labelled=risk.labelled_count, frauds=risk.fraud_count, counterparts=risk.counterpart_count)
