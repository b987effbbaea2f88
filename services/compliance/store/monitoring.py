"""What monitoring keeps: customers' histories, alerts, silence, hops of cycles; locked and loaded, and as rows."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, Writes, lock_rows
from schemas.accounts.events import CustomerKind
from services.compliance.domain.monitored import AlertMove, Hop, Monitored
from services.compliance.matching.subject import Subject
from services.compliance.monitoring import history
from services.compliance.monitoring.alerts import Alert, AlertState, CaseAlert, Mark, Silence, SilenceChange, Watched
from services.compliance.monitoring.cycles import FOLLOWED_MAX, LOOKED_AT_MAX, Edge, EdgesInto, Wanted
from services.compliance.monitoring.history import LATE_DAYS_MAX, WINDOW_DAYS_MAX
from services.compliance.monitoring.links import Link, added_up
from services.compliance.monitoring.movements import Profile, moment_of

KEPT_YEARS = 5
"""Alerts, and what is known of who moves nothing any more (31 CFR 1010.430(d))."""
HOPS_KEPT = timedelta(days=WINDOW_DAYS_MAX + LATE_DAYS_MAX)
LINKS_KEPT = timedelta(days=400)
_YEAR = timedelta(days=366)

WATCHED = Table(
    "watched_customers",
    key={"customer_id": "uuid"},
    changing={"history": "bytea", "standing": "text", "wake_at": "timestamptz", "forget_on": "date"},
)
ALERTS = Table(
    "alerts",
    key={"alert_id": "uuid"},
    fixed={
        "scenario": "text",
        "customer_id": "uuid",
        "body": "text",
        "occurred_at": "timestamptz",
        "raised_at": "timestamptz",
        "state": "text",
        "case_id": "uuid",
    },
    on_conflict="DO NOTHING",
)
MOVED_ALERTS = Table("alerts", key={"alert_id": "uuid"}, changing={"state": "text", "case_id": "uuid"})
HOPS = Table(
    "hops",
    key={"payment_id": "uuid"},
    fixed={
        "debtor_customer_id": "uuid",
        "creditor_customer_id": "uuid",
        "cents": "bigint",
        "at_micros": "bigint",
    },
    changing={"is_looked_at": "boolean"},
    on_conflict="DO NOTHING",
)
LINKS = Table(
    "payment_links",
    key={"debtor_customer_id": "uuid", "month_on": "date", "creditor_customer_id": "uuid"},
    changing={"payments": "bigint", "cents": "bigint"},
    # Whoever adds has locked both customers: nobody waits for another here.
    on_conflict="""(debtor_customer_id, month_on, creditor_customer_id)
        DO UPDATE SET payments = old.payments + excluded.payments, cents = old.cents + excluded.cents""",
)
SILENCES = Table(
    "alert_silences",
    fixed={
        "customer_id": "uuid",
        "scenario": "text",
        "kind": "text",
        "until": "timestamptz",
        "reason": "text",
        "said_by": "text",
        "said_at": "timestamptz",
    },
)


class Standing(Record, omit_defaults=True):
    """What of a customer is no history."""

    marks: tuple[Mark, ...] = ()
    silences: tuple[Silence, ...] = ()
    snoozed: tuple[CaseAlert, ...] = ()
    case_id: str | None = None


class _Known(Record):
    """What monitoring asks of a customer that screening knows."""

    customer_id: str
    kind: CustomerKind
    subject: Subject | None
    registered_at: datetime | None = None


_encode = msgspec.json.Encoder().encode
_decode_standing = msgspec.json.Decoder(Standing).decode
_decode_known = msgspec.json.Decoder(_Known).decode
_decode_alert = msgspec.json.Decoder(Alert).decode


def lock_watched(tx: Connection, customer_ids: set[str]) -> dict[str, Watched]:
    """Lock customers' rows in order of their ids, adding those that are not there yet."""
    if not customer_ids:
        return {}
    ordered = (array("uuid", sorted(customer_ids)),)
    # One pass, as in fraud's entities: who went through the ids twice could wait for another who does.
    execute(
        tx,
        """INSERT INTO watched_customers AS w (customer_id, history, standing, forget_on)
           SELECT customer_id, '', '{}', 'infinity' FROM unnest(%b::uuid[]) AS k (customer_id) ORDER BY customer_id
           ON CONFLICT (customer_id) DO UPDATE SET standing = w.standing WHERE false""",
        ordered,
    )
    rows = fetch(
        tx,
        """SELECT k.number, w.* FROM unnest(%b::uuid[]) WITH ORDINALITY AS k (customer_id, number)
            CROSS JOIN LATERAL (SELECT history, standing FROM watched_customers
                                 WHERE customer_id = k.customer_id OFFSET 0) AS w""",
        ordered,
        binary=True,
    )
    ids = sorted(customer_ids)
    return {ids[number - 1]: _watched(ids[number - 1], past, standing) for number, past, standing in rows}


def find_known(tx: Connection, customer_ids: set[str]) -> dict[str, Profile]:
    """What is known of customers, as of now."""
    if not customer_ids:
        return {}
    rows = fetch(tx, "SELECT body FROM customers WHERE customer_id = ANY(%b::uuid[])", (array("uuid", customer_ids),))
    return {known.customer_id: _profile(known) for known in (_decode_known(body) for (body,) in rows)}


def lock_hops(tx: Connection, payment_ids: set[str]) -> dict[str, Hop]:
    return {row[0]: _hop(*row) for row in lock_rows(tx, HOPS, payment_ids)}


def edges_into(tx: Connection) -> EdgesInto:
    """The look-up among movements that are kept in the database."""

    def found(asked: Sequence[Wanted]) -> list[list[Edge]]:
        edges: list[list[Edge]] = [[] for _ in asked]
        if not asked:
            return edges
        creditors, after, before, low, high = zip(*asked, strict=True)
        rows = fetch(
            tx,
            """SELECT k.number, e.* FROM unnest(%b::uuid[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])
                                         WITH ORDINALITY AS k (creditor, after, before, low, high, number)
                CROSS JOIN LATERAL (
                  SELECT * FROM (
                    SELECT payment_id, debtor_customer_id, creditor_customer_id, cents, at_micros FROM hops
                     WHERE creditor_customer_id = k.creditor AND at_micros > k.after AND at_micros < k.before
                     ORDER BY at_micros DESC, payment_id LIMIT %s) AS looked_at
                   WHERE cents BETWEEN k.low AND k.high
                   ORDER BY at_micros DESC, payment_id LIMIT %s) AS e
                ORDER BY k.number, e.at_micros DESC, e.payment_id""",
            (array("uuid", creditors), *(array("bigint", column) for column in (after, before, low, high)),
             LOOKED_AT_MAX, FOLLOWED_MAX),
        )  # fmt: skip
        for number, *edge in rows:
            edges[number - 1].append(Edge(*edge))
        return edges

    return found


def find_unseen_hops(tx: Connection, until: datetime, at_most: int) -> list[tuple[str, str]]:
    """Payment and payee of movements that have been known since before a moment, and were not looked at."""
    rows = fetch(
        tx,
        """SELECT payment_id, creditor_customer_id FROM hops WHERE NOT is_looked_at AND known_at <= %s
            ORDER BY known_at LIMIT %s""",
        (until, at_most),
    )
    return [(payment_id, customer_id) for payment_id, customer_id in rows]


def find_to_wake(tx: Connection, now: datetime, at_most: int) -> list[str]:
    """Customers of whom alerts are held back by a snooze that is over."""
    rows = fetch(
        tx,
        "SELECT customer_id FROM watched_customers WHERE wake_at <= %s ORDER BY wake_at LIMIT %s",
        (now, at_most),
    )
    return [customer_id for (customer_id,) in rows]


def save(writes: Writes, monitored: Monitored) -> None:
    """Say what is to be written of what changed."""
    # None is inserted: that was done when they were locked.
    writes.update(WATCHED, map(_watched_row, monitored.watched.updated))
    writes.save(HOPS, monitored.hops, _hop_row)
    writes.insert(ALERTS, map(_alert_row, monitored.alerts))
    writes.update(MOVED_ALERTS, map(_move_row, monitored.moves))
    writes.insert(SILENCES, map(_silence_row, monitored.silences))
    writes.insert(LINKS, map(_link_row, added_up(monitored.links)))


def forget_hops(tx: Connection, at_most: int) -> int:
    """Delete movements that no cycle reaches any more."""
    return execute(
        tx,
        """DELETE FROM hops WHERE payment_id IN (
             SELECT payment_id FROM hops WHERE known_at < now() - %s ORDER BY known_at LIMIT %s)""",
        (HOPS_KEPT, at_most),
    )


def forget_alerts(tx: Connection, at_most: int) -> int:
    """Delete alerts that have been kept long enough."""
    return execute(
        tx,
        """DELETE FROM alerts WHERE alert_id IN (
             SELECT alert_id FROM alerts WHERE raised_at < now() - %s ORDER BY raised_at LIMIT %s)""",
        (KEPT_YEARS * _YEAR, at_most),
    )


def forget_watched(tx: Connection, at_most: int) -> int:
    """Delete what is known of who has moved nothing for years."""
    return execute(
        tx,
        """DELETE FROM watched_customers WHERE customer_id IN (
             SELECT customer_id FROM watched_customers WHERE forget_on <= now()::date ORDER BY forget_on LIMIT %s)""",
        (at_most,),
    )


def forget_links(tx: Connection, at_most: int) -> int:
    """Delete who paid whom long ago."""
    return execute(
        tx,
        """DELETE FROM payment_links WHERE (debtor_customer_id, month_on, creditor_customer_id) IN (
             SELECT debtor_customer_id, month_on, creditor_customer_id FROM payment_links
              WHERE month_on < (now() - %s)::date ORDER BY month_on LIMIT %s)""",
        (LINKS_KEPT, at_most),
    )


def alert_of(body: str, state: str, case_id: str | None) -> Alert:
    """An alert as it is kept: what may change of it stands beside its body."""
    return msgspec.structs.replace(_decode_alert(body), state=AlertState(state), case_id=case_id)


def _watched(customer_id: str, past: bytes, standing: str) -> Watched:
    found = _decode_standing(standing)
    return Watched(
        customer_id=customer_id,
        history=history.unpack(past),
        marks=found.marks,
        silences=found.silences,
        snoozed=found.snoozed,
        case_id=found.case_id,
    )


def _watched_row(watched: Watched) -> tuple[Any, ...]:
    standing = Standing(
        marks=watched.marks, silences=watched.silences, snoozed=watched.snoozed, case_id=watched.case_id
    )
    return (
        watched.customer_id,
        history.pack(watched.history),
        _encode(standing).decode(),
        watched.wake_at,
        _forget_on(watched).isoformat(),
    )


def _forget_on(watched: Watched) -> date:
    """The first of a month, so that the index changes once a month and not with every payment."""
    newest = watched.history.newest_micros
    last = moment_of(newest) if watched.history is not history.EMPTY and newest > 0 else None
    if last is None:
        return date(9999, 12, 31)
    month = last.year * 12 + last.month
    return date(month // 12 + KEPT_YEARS, month % 12 + 1, 1)


def _profile(known: _Known) -> Profile:
    return Profile(
        customer_id=known.customer_id, kind=known.kind, subject=known.subject, registered_at=known.registered_at
    )


def _hop(payment_id: str, debtor: str, creditor: str, cents: int, at_micros: int, is_looked_at: bool) -> Hop:
    return Hop(
        payment_id=payment_id, edge=Edge(payment_id, debtor, creditor, cents, at_micros), is_looked_at=is_looked_at
    )


def _hop_row(hop: Hop) -> tuple[Any, ...]:
    return (*hop.edge, hop.is_looked_at)


def _link_row(link: Link) -> tuple[Any, ...]:
    return (
        link.debtor_customer_id,
        link.month_on.isoformat(),
        link.creditor_customer_id,
        link.payments,
        link.cents,
    )


def _alert_row(alert: Alert) -> tuple[Any, ...]:
    return (
        alert.alert_id,
        alert.scenario.value,
        alert.customer_id,
        _encode(alert).decode(),
        alert.occurred_at,
        alert.raised_at,
        alert.state.value,
        alert.case_id,
    )


def _move_row(move: AlertMove) -> tuple[Any, ...]:
    return move.alert_id, AlertState.OPEN.value, move.case_id


def _silence_row(change: SilenceChange) -> tuple[Any, ...]:
    return (
        change.customer_id,
        change.scenario.value,
        change.kind and change.kind.value,
        change.until,
        change.reason,
        change.by,
        change.at,
    )
