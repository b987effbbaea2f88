"""Are the snapshots what the labels say? The features worker's counts against SQL over the stored labels.

A snapshot is compared only where it has seen every label of its account; one that lags behind is
listed as such, and one that is ahead of the labels, which can't be, as wrong.
"""

from enum import StrEnum

from sqlalchemy import Connection

from libs.common.database import fetch
from libs.common.record import Record
from services.fraud.domain.creditor_risk import WINDOW_DAYS, sequence_of
from services.fraud.domain.label_days import LabelCount

DIFFERENCES_MAX = 1_000


class Verdict(StrEnum):
    """How a snapshot stands to the labels."""

    EQUAL = "equal"
    BEHIND = "behind"
    """It has not seen every label yet; or there is none at all."""
    WRONG = "wrong"


class Comparison(Record):
    """One account: what its snapshot says, and what its labels say."""

    creditor_account_id: str
    verdict: Verdict
    version: int | None
    labels_unseen: int
    snapshot: LabelCount | None
    labels: LabelCount


class Reconciliation(Record):
    """All accounts with labels or a snapshot."""

    equal: int
    behind: list[Comparison]
    wrong: list[Comparison]


_COMPARE = """
WITH newest AS (
  SELECT creditor_account_id, max(date(instructed_at AT TIME ZONE 'UTC')) AS newest_on
    FROM assessments WHERE label IS NOT NULL GROUP BY creditor_account_id
), counted AS (
  SELECT n.creditor_account_id, count(*) AS labelled, count(*) FILTER (WHERE a.label = 'fraud') AS fraud
    FROM newest n JOIN assessments a
      ON a.creditor_account_id = n.creditor_account_id AND a.label IS NOT NULL
     AND date(a.instructed_at AT TIME ZONE 'UTC') > n.newest_on - %s
   GROUP BY n.creditor_account_id
)
SELECT e.entity_id, e.label_sequence, e.risk_version, e.risk_labelled_count, e.risk_fraud_count,
       coalesce(c.labelled, 0), coalesce(c.fraud, 0)
  FROM entities e LEFT JOIN counted c ON c.creditor_account_id = e.entity_id
 WHERE e.kind = 'creditor' AND (e.label_sequence > 0 OR e.risk_version IS NOT NULL)
 ORDER BY e.entity_id
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
    account_id: str,
    label_sequence: int,
    version: int | None,
    snapshot_labelled: int | None,
    snapshot_fraud: int | None,
    labelled: int,
    fraud: int,
) -> Comparison:
    seen = 0 if version is None else sequence_of(version)
    labels = LabelCount(labelled=labelled, fraud=fraud)
    snapshot = None
    if snapshot_labelled is not None and snapshot_fraud is not None:
        snapshot = LabelCount(labelled=snapshot_labelled, fraud=snapshot_fraud)
    return Comparison(
        creditor_account_id=account_id,
        verdict=_verdict(label_sequence - seen, snapshot, labels),
        version=version,
        labels_unseen=label_sequence - seen,
        snapshot=snapshot,
        labels=labels,
    )


def _verdict(labels_unseen: int, snapshot: LabelCount | None, labels: LabelCount) -> Verdict:
    if labels_unseen > 0:
        return Verdict.BEHIND
    return Verdict.EQUAL if labels_unseen == 0 and snapshot == labels else Verdict.WRONG
