"""What is found at the desk by a name or an id: cases, customers, payments. Read-only SQL, bounded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from libs.common.database import array, fetch, transaction
from libs.common.record import Record
from schemas.compliance.events import ScreeningOutcome
from services.compliance.domain.case import Case
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.searching import id_in, query_words
from services.compliance.domain.work import Customer
from services.compliance.queries import decode_case
from services.compliance.store.customers import decode as decode_customer

FOUND_MAX = 50
"""Of each: cases, and customers."""
LOOKED_AT_MAX = 2_000
"""Of what has all words that were asked for: so much is put in order."""

_AFTER_ALL_WORDS = "\U0010ffff"
"""Sorts after whatever may follow the beginning of a word."""


class FoundPayment(Record):
    """What compliance knows of a payment."""

    payment_id: str
    outcome: ScreeningOutcome
    screened_at: datetime
    settled_at: datetime | None
    case_id: str | None
    """If people were asked about it."""


class Found(Record):
    """What is like a query."""

    cases: tuple[Case, ...]
    """Those that wait first, then the newest."""
    customers: tuple[Customer, ...]
    payments: tuple[FoundPayment, ...]


def search(engine: Engine, query: str) -> Found:
    """What has every word of a query in a name, or the id it is."""
    words, id_ = _longest_first(query), id_in(query)
    with transaction(engine) as tx:
        return Found(
            cases=tuple(_cases(tx, words)) if words else (),
            customers=tuple(_customers(tx, words, id_)) if words else (),
            payments=tuple(_payments(tx, [id_])) if id_ else (),
        )


def find_payments(engine: Engine, payment_ids: Sequence[str]) -> dict[str, FoundPayment]:
    """What compliance knows of payments, by their ids."""
    if not payment_ids:
        return {}
    with transaction(engine) as tx:
        return {payment.payment_id: payment for payment in _payments(tx, payment_ids)}


def _longest_first(query: str) -> list[tuple[str, str]]:
    return sorted(query_words(query), key=lambda word: -len(word[0]))


def _cases(tx: Connection, words: list[tuple[str, str]]) -> list[Case]:
    with_all, values = _with_all("case_words", "case_id", words)
    rows = fetch(
        tx,
        f"""SELECT body FROM cases WHERE opened_at IS NOT NULL AND case_id IN ({with_all})
             ORDER BY ended_at DESC NULLS FIRST, case_id DESC LIMIT %s""",
        (*values, FOUND_MAX),
    )
    return [decode_case(body) for (body,) in rows]


def _customers(tx: Connection, words: list[tuple[str, str]], id_: str | None) -> list[Customer]:
    found: tuple[str, tuple[Any, ...]] = ("%s", (id_,)) if id_ else _with_all("customer_words", "customer_id", words)
    rows = fetch(
        tx,
        f"""SELECT body FROM customers WHERE customer_id IN ({found[0]})
             ORDER BY status = 'closed', customer_id DESC LIMIT %s""",
        (*found[1], FOUND_MAX),
    )
    return [decode_customer(body) for (body,) in rows]


def _payments(tx: Connection, payment_ids: Sequence[str]) -> list[FoundPayment]:
    rows = fetch(
        tx,
        """SELECT s.payment_id, s.outcome, s.screened_at, s.settled_at, c.case_id
             FROM unnest(%b::uuid[], %b::uuid[]) AS asked (payment_id, case_id)
             JOIN screenings s ON s.payment_id = asked.payment_id
             LEFT JOIN cases c ON c.case_id = asked.case_id AND c.opened_at IS NOT NULL""",
        (array("uuid", payment_ids), array("uuid", map(payment_case_id, payment_ids))),
    )
    return [
        FoundPayment(
            payment_id=id_,
            outcome=ScreeningOutcome(outcome),
            screened_at=screened_at,
            settled_at=settled_at,
            case_id=case_id,
        )
        for id_, outcome, screened_at, settled_at, case_id in rows
    ]


def _with_all(table: str, key: str, words: list[tuple[str, str]]) -> tuple[str, tuple[Any, ...]]:
    """A query for what has every one of these words, the first of which narrows it most."""
    values = tuple(value for beginning, sound in words for value in (beginning, beginning + _AFTER_ALL_WORDS, sound))
    others = "".join(
        f" AND EXISTS (SELECT FROM {table} o WHERE o.{key} = w.{key} AND {_word_is('o')})" for _ in words[1:]
    )
    return f"SELECT w.{key} FROM {table} w WHERE {_word_is('w')}{others} LIMIT %s", (*values, LOOKED_AT_MAX)


def _word_is(table: str) -> str:
    return f"({table}.word >= %s AND {table}.word < %s OR {table}.word = %s)"
