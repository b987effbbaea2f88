"""Records that the law no longer asks for, forgotten by their kind.

    kind          kept                                              by
    screenings    10 years                                          31 CFR 501.601
    travel        5 years after the payment was first screened      31 CFR 1010.430(d); Regulation (EU) 2023/1113,
                                                                    article 26
    whitelist     10 years after a pair's end                       31 CFR 501.601
    filings       5 years after they were filed or withdrawn; 10,   31 CFR 1010.430(d), 501.601
                  if on a rejected transfer
    cases         5 years after their end; 10, if about a list      31 CFR 1010.430(d), 501.601
                  30 days, if nobody was ever asked: they say only
                  that a payment was cancelled

A case is kept as long as a report on it, and, like what is known of its payment, as long as that lies in blocked
funds; blocked property, reports on it and the audit log are never forgotten. Alerts go by themselves
(`store/monitoring.py`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from libs.common.database import execute
from schemas.payments.events import InternalReason
from services.compliance.domain.case import CaseReason
from services.compliance.monitoring.parameters import Scenario

FORGOTTEN_MAX = 5_000
"""In one transaction."""
_YEAR = timedelta(days=366)
BSA, OFAC = 5 * _YEAR, 10 * _YEAR
NEVER_ASKED = timedelta(days=30)
"""So much later a suspension may come, on another topic, of a payment that was cancelled."""


class RecordKind(StrEnum):
    """What is kept for a time of its own."""

    SCREENINGS = "screenings"
    TRAVEL = "travel"
    """What the travel rule asked to be known about payments, with their orders and messages."""
    WHITELIST = "whitelist"
    FILINGS = "filings"
    CASES = "cases"
    """After reports: those on a case keep it."""


ABOUT_LISTS = sorted(
    {InternalReason.COMPLIANCE_REVIEW.value, InternalReason.COMPLIANCE_BLOCK.value}
    | ({reason.value for reason in CaseReason} - {scenario.value for scenario in Scenario})
)
"""The reasons of cases that rest on sanctions lists."""

_STATEMENTS: Mapping[RecordKind, str] = {
    RecordKind.SCREENINGS: """
        DELETE FROM screenings WHERE payment_id IN (
          SELECT payment_id FROM screenings s WHERE screened_at < %s
             AND NOT EXISTS (SELECT FROM blocked_property b WHERE b.payment_id = s.payment_id) LIMIT %s)""",
    RecordKind.TRAVEL: """
        DELETE FROM travel_records WHERE payment_id IN (
          SELECT payment_id FROM travel_records t WHERE asked_on < %s
             AND NOT EXISTS (SELECT FROM blocked_property b WHERE b.payment_id = t.payment_id) LIMIT %s)""",
    RecordKind.WHITELIST: """
        DELETE FROM whitelist_pairs WHERE pair_id IN (
          SELECT pair_id FROM whitelist_pairs
           WHERE CASE state WHEN 'ended' THEN changed_at ELSE until END < %s LIMIT %s)""",
    RecordKind.FILINGS: """
        WITH old AS (
          SELECT filing_id FROM filings f
           WHERE status IN ('filed', 'withdrawn')
             AND kind NOT IN ('blocked', 'annual')
             AND (SELECT max(acted_at) FROM filing_acts a WHERE a.filing_id = f.filing_id)
                 < CASE kind WHEN 'rejected' THEN %s::timestamptz ELSE %s::timestamptz END LIMIT %s),
        acts AS (DELETE FROM filing_acts WHERE filing_id IN (SELECT filing_id FROM old))
        DELETE FROM filings WHERE filing_id IN (SELECT filing_id FROM old)""",
    RecordKind.CASES: """
        WITH old AS (
          SELECT case_id FROM cases c
           WHERE (ended_at < %s OR ended_at < %s AND NOT reasons && %s::text[]
                  OR ended_at < %s AND opened_at IS NULL)
             AND NOT EXISTS (SELECT FROM filings f WHERE f.case_id = c.case_id)
             AND NOT EXISTS (SELECT FROM blocked_property b WHERE b.payment_id = c.payment_id)
             AND NOT EXISTS (SELECT FROM blocked_property b WHERE b.customer_id = c.customer_id) LIMIT %s),
        words AS (DELETE FROM case_words WHERE case_id IN (SELECT case_id FROM old)),
        files AS (DELETE FROM case_files WHERE case_id IN (SELECT case_id FROM old)),
        acts AS (DELETE FROM case_acts WHERE case_id IN (SELECT case_id FROM old))
        DELETE FROM cases WHERE case_id IN (SELECT case_id FROM old)""",
}


def forget(tx: Connection, kind: RecordKind, now: datetime) -> int:
    """Delete records of a kind whose time is over, FORGOTTEN_MAX at most; return how many that were."""
    times: Mapping[RecordKind, tuple[Any, ...]] = {
        RecordKind.SCREENINGS: (now - OFAC,),
        RecordKind.TRAVEL: ((now - BSA).date(),),
        RecordKind.WHITELIST: (now - OFAC,),
        RecordKind.FILINGS: (now - OFAC, now - BSA),
        RecordKind.CASES: (now - OFAC, now - BSA, ABOUT_LISTS, now - NEVER_ASKED),
    }
    execute(tx, "SET LOCAL weir.forgets = 'on'")
    return execute(tx, _STATEMENTS[kind], (*times[kind], FORGOTTEN_MAX))
