"""The tally, in the one shape."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.batch import Handlers, Refusal
from libs.common.database import array, execute, fetch
from libs.common.events import Event
from libs.common.message import Command, Message
from libs.common.record import Record
from libs.common.rights import WRITE
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.state import Aggregates, Numbered, State
from libs.common.writes import Table, Writes
from tests.tally.events import REPORT, CounterIncremented, CounterReported

UNLUCKY = 13
"""The increment that the decision can't stand, until someone mends it."""
COUNTERS = Table("counters", key={"counter_id": "text"}, changing={"total": "bigint", "sequence": "bigint"})


class Increment(Command):
    counter_id: str
    by: int


class Counter(Record):
    counter_id: str
    total: int = 0
    sequence: int = 0


class Tally(State):
    def __init__(self, counters: dict[str, Counter]) -> None:
        self.counters: Aggregates[Counter] = Aggregates(counters)
        super().__init__(self.counters, numbering={REPORT: Numbered(aggregates=self.counters)})


class Superstition:
    """Whether the fault in the decision is still there: switched off by tests that replay."""

    is_active = True


def count(tally: Tally, body: CounterIncremented | Increment, at: datetime) -> Sequence[Event] | Refusal:
    counter = tally.counters.get(body.counter_id) or Counter(counter_id=body.counter_id)
    total = counter.total + body.by
    tally.counters.put(body.counter_id, Counter(counter_id=body.counter_id, total=total, sequence=counter.sequence))
    if body.by == UNLUCKY and Superstition.is_active:
        raise ValueError("thirteen")
    if body.by < 0:
        return Refusal(reason="negative", detail="counters only grow", field="by")
    return [CounterReported(counter_id=body.counter_id, total=total)]


def load(tx: Connection, messages: Sequence[Message]) -> Tally:
    ids = array("text", sorted({m.body.counter_id for m in messages if hasattr(m.body, "counter_id")}))
    execute(tx, "INSERT INTO counters SELECT unnest(%b::text[]), 0, 0 ON CONFLICT DO NOTHING", (ids,))
    rows = fetch(
        tx,
        """SELECT counter_id, total, sequence FROM counters
           WHERE counter_id = ANY(%b::text[]) ORDER BY 1 FOR NO KEY UPDATE""",
        (ids,),
    )
    return Tally({id_: Counter(counter_id=id_, total=total, sequence=sequence) for id_, total, sequence in rows})


def save(writes: Writes, tally: Tally) -> None:
    writes.save(COUNTERS, tally.counters, msgspec.structs.astuple)


def make_slow(engine: Engine, *, rows_max: int) -> None:
    """Have the database give up, as after its time-out, a statement that changes more counters than so many."""
    with engine.begin() as tx:
        execute(
            tx,
            f"""CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                  IF (SELECT count(*) FROM changed) > {rows_max} THEN RAISE SQLSTATE '57014'; END IF;
                  RETURN NULL;
                END $$;
                CREATE TRIGGER slow AFTER UPDATE ON counters REFERENCING NEW TABLE AS changed
                  FOR EACH STATEMENT EXECUTE FUNCTION give_up()""",
        )


def service(*, parks_keys: bool = False) -> Service:
    def handlers(_: Settings) -> Handlers:
        return Handlers(
            service="tally",
            load=load,
            save=save,
            decisions={CounterIncremented: count, Increment: count},
            writes=(CounterReported,),
            parks_keys=parks_keys,
        )

    return Service(
        name="tally",
        title="Tally",
        description="Counts, for tests.",
        folder=Path(__file__).parent,
        settings=Settings,
        handlers=handlers,
        rights={"counters": WRITE},
        routes=lambda _: [],
        scopes={},
    )
