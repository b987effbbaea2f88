"""Same request, same answer: what was answered under a client's Idempotency-Key, and for which body."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from libs.common.database import array, execute, fetch
from libs.common.record import Record
from libs.common.writes import Table, Writes

KEY_LENGTH_MAX = 200

_ANSWERS = Table(
    "idempotency_keys",
    key={"client_id": "text", "route": "text", "key": "text"},
    fixed={"body_hash": "bytea", "status": "smallint", "answer": "bytea"},
)


class RequestKey(Record):
    """What makes two requests the same: who asks, for what, under which key."""

    client_id: str
    route: str
    key: str


class Answer(Record):
    """What a request is answered with. `body` is JSON."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Of an answer that is not kept."""
    is_kept: bool = True
    """Whether the same request gets it again, whenever it comes; else it is looked at anew, as if it had not come."""


class Stored(Record):
    """An answer given before, and the hash of the body it was given for."""

    body_hash: bytes
    answer: Answer


def hash_body(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def lock(tx: Connection, keys: Sequence[RequestKey]) -> set[RequestKey]:
    """Those keys that no other transaction is working on, now ours until the transaction ends.

    Never waits: a second request that did would hold up the whole batch it is in.
    """
    rows = fetch(
        tx,
        """SELECT n FROM unnest(%b::text[]) WITH ORDINALITY AS k (words, n)
            WHERE pg_try_advisory_xact_lock(hashtextextended(words, 0))""",
        (array("text", ["\x1f".join((key.client_id, key.route, key.key)) for key in keys]),),
    )
    return {keys[n - 1] for (n,) in rows}


def find(tx: Connection, keys: Sequence[RequestKey]) -> dict[RequestKey, Stored]:
    """What was answered under these keys."""
    rows = fetch(
        tx,
        """SELECT client_id, route, key, body_hash, status, answer FROM idempotency_keys
             JOIN unnest(%b::text[], %b::text[], %b::text[]) AS asked (client_id, route, key)
            USING (client_id, route, key)""",
        (
            array("text", [key.client_id for key in keys]),
            array("text", [key.route for key in keys]),
            array("text", [key.key for key in keys]),
        ),
        binary=True,
    )
    return {
        RequestKey(client_id=client_id, route=route, key=key): Stored(
            body_hash=body_hash, answer=Answer(status=status, body=answer)
        )
        for client_id, route, key, body_hash, status, answer in rows
    }


def save(writes: Writes, answers: Mapping[RequestKey, Stored]) -> None:
    """Remember answers. Those that tell of a failure of ours (5xx) are never remembered."""
    writes.insert(_ANSWERS, _rows(answers))


def prune(tx: Connection, *, days: int, rows_max: int) -> int:
    """Forget the oldest answers past their time; return how many."""
    return execute(
        tx,
        """DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(days => %s)
              ORDER BY created_at LIMIT %s))""",
        (days, rows_max),
    )


def _rows(answers: Mapping[RequestKey, Stored]) -> Iterable[tuple[str, str, str, bytes, int, bytes]]:
    for key, stored in answers.items():
        assert stored.answer.status < 500
        yield key.client_id, key.route, key.key, stored.body_hash, stored.answer.status, stored.answer.body
