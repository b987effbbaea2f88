"""What operators may ask of every service: dead letters, parked keys, outbox, offsets, schemas, interventions.

What is told is a table or a sentence for people, and with `--json` an object a line for programs. Whoever changes
anything says who they are and why, and that stays on record (`interventions.py`).
"""

import getpass
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from time import monotonic
from time import sleep as pause
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from libs.common import inbox, interventions, kafka, outbox
from libs.common.interventions import By, recorded
from libs.common.registry import UnregisteredSchema
from libs.common.replay import DeadLetter, Replay, ReplayRefused, StillFails, Wanted
from libs.common.service import Runtime

T = TypeVar("T")

REPLAYED_MAX = 10_000
"""By one command."""
APPLIED = "applied"

Wired = Callable[[], Runtime]
AsJson = Annotated[bool, typer.Option("--json", help="an object a line, for programs")]
Actor = Annotated[str, typer.Option(help="who does this", default_factory=getpass.getuser)]
Reason = Annotated[str, typer.Option("--reason", help="why, for the record: no secrets, and nobody's name")]
Since = Annotated[datetime | None, typer.Option("--from", help="UTC: those that failed from then on")]
Until = Annotated[datetime | None, typer.Option(help="UTC: those that failed before")]
Key = Annotated[str | None, typer.Option(help="those of this key")]

log = logging.getLogger(__name__)


def read_secret() -> str:
    """A secret from standard input, for arguments are seen by every user of the machine. Fails where there is none."""
    secret = sys.stdin.readline().strip()
    if not secret:
        fail("standard input has no secret: give it there, in one line")
    return secret


def fail(reason: str) -> NoReturn:
    """End with what was wrong."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)


def answer(words: str, row: Mapping[str, Any], *, as_json: bool) -> None:
    """Say one thing: a sentence for people, an object for programs."""
    typer.echo(json.dumps(row, default=str) if as_json else words)


def tell_whole(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Show one thing with all that is in it: an object on a line, or as people read one."""
    typer.echo(json.dumps(found, indent=None if as_json else 2, default=str))


def tell(rows: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """Say what there is: an object a line, or a table as wide as what it holds where nobody reads it on a terminal."""
    found = list(rows)
    if as_json:
        for row in found:
            typer.echo(json.dumps(row, default=str))
        return
    if not found:
        typer.echo("nothing")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in found[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in found:
        table.add_row(*(_in_words(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False).print(table)


def _in_words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping | list):
        return json.dumps(value, default=str)
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else str(value)


def add_dead_letters(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)
    commands.add_typer(group, name="dead-letters")

    @group.command("list")
    def list_dead(
        limit: int = 50,
        status: str = "dead",
        key: Key = None,
        since: Since = None,
        until: Until = None,
        as_json: AsJson = False,
    ) -> None:
        """The oldest ones; with `--status applied` or `discarded` those that somebody has settled, and who."""
        letters = runtime().replay.list_dead(limit=limit, status=status, wanted=_wanted(key, since, until))
        tell(map(_summary, letters), as_json=as_json)

    @group.command()
    def show(event_id: str, as_json: AsJson = False) -> None:
        """One of them whole: bytes in hexadecimal, headers, error and place."""
        letter = _or_fail(lambda: runtime().replay.find(event_id))
        source = letter.source
        headers = {name: (value or b"").decode(errors="replace") for name, value in source.headers}
        whole = {
            **_summary(letter),
            "key": (source.key or b"").decode(errors="replace"),
            "headers": headers,
            "value_hex": (source.value or b"").hex(),
            "stack": letter.stack.splitlines(),
            "settled_by": letter.settled_by,
        }
        tell_whole(whole, as_json=as_json)

    @group.command()
    def diff(event_id: str, as_json: AsJson = False) -> None:
        """How the schema that one was written with differs from the one it is read with here."""
        found = _or_fail(lambda: runtime().replay.differences(event_id))
        tell(({"difference": difference} for difference in found), as_json=as_json)

    @group.command()
    def replay(
        event_id: Annotated[str | None, typer.Argument(help="one; else those of --key, --from, --until")] = None,
        *,
        reason: Reason,
        actor: Actor,
        key: Key = None,
        since: Since = None,
        until: Until = None,
        limit: Annotated[int, typer.Option(min=1, max=REPLAYED_MAX, help="of them, the oldest")] = 500,
        rate: Annotated[float, typer.Option(min=0.1, help="at most so many a second")] = 50.0,
        is_dry: Annotated[bool, typer.Option("--dry-run", help="say which, and change nothing")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Apply letters after all, in the order they failed in, from their stored bytes, in this service alone.

        With --key it ends at the first that still fails: what follows it may rest on it. Each is told when it is done.
        """
        wanted = _wanted(key, since, until)
        if (event_id is None) == (wanted == Wanted()):
            fail("say which: an id, or --key, --from, --until")
        replay = runtime().replay
        if event_id is not None:
            letters = [_or_fail(lambda: replay.find(event_id))]
        else:
            letters = replay.list_dead(limit=limit, wanted=wanted)
        if is_dry:
            tell(map(_summary, letters), as_json=as_json)
            return
        is_done = True
        for row in _replayed_in_order(replay, letters, By(actor=actor, reason=reason), rate, until_one_fails=bool(key)):
            # At once: should the next not come to its end, it is known what was done.
            answer(f"{row['event_id']}  {row['result']}", row, as_json=as_json)
            is_done &= row["result"] == APPLIED
        if not is_done:
            raise typer.Exit(1)

    @group.command()
    def discard(event_id: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Decide that one is never to be applied. It stays on record."""
        _or_fail(lambda: runtime().replay.discard(event_id, By(actor=actor, reason=reason)))
        answer("discarded", {"event_id": event_id, "status": "discarded"}, as_json=as_json)


def add_parked_keys(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(help="Keys whose messages wait for one that could not be applied.", no_args_is_help=True)
    commands.add_typer(group, name="parked-keys")

    @group.command("list")
    def list_keys(as_json: AsJson = False) -> None:
        """Each key, what it waits for, and how many messages wait."""
        found = runtime().replay.parked_keys()
        tell(({"key": key, "because_of": why, "waiting": count} for key, why, count in found), as_json=as_json)

    @group.command()
    def show(
        key: str,
        limit: Annotated[int, typer.Option(min=1, max=REPLAYED_MAX, help="of them, the first")] = 500,
        as_json: AsJson = False,
    ) -> None:
        """The messages that wait for a key, in the order they will be applied in, and what they wait for."""
        waiting = runtime().replay.parked_messages(key, limit)
        rows = (
            {
                "event_id": one.event_id,
                "place": f"{one.topic}/{one.partition}@{one.offset}",
                "because_of": one.because_of,
                "parked_at": one.parked_at,
            }
            for one in waiting
        )
        tell(rows, as_json=as_json)

    @group.command()
    def release(key: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Work off what waits for a key, in order."""
        count = _or_fail(lambda: runtime().replay.release(key, By(actor=actor, reason=reason)))
        answer(f"{count} messages applied", {"key": key, "applied": count}, as_json=as_json)


def add_outbox(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(
        help="Events that wait to be published, and those that Kafka would not take.", no_args_is_help=True
    )
    commands.add_typer(group, name="outbox")

    @group.command()
    def backlog(as_json: AsJson = False) -> None:
        """How many events wait in each shard, and since when the first does."""
        found = runtime().unit.administer(outbox.measure)
        rows = ({"shard": shard, "events": count, "oldest_at": oldest_at} for shard, count, oldest_at in found)
        tell(rows, as_json=as_json)

    @group.command()
    def parked(as_json: AsJson = False) -> None:
        """The topics and keys whose events are parked, with the reason."""
        found = runtime().unit.administer(outbox.list_parked)
        rows = ({"topic": topic, "key": key, "events": count, "error": error} for topic, key, count, error in found)
        tell(rows, as_json=as_json)

    @group.command()
    def release(topic: str, key: str, reason: Reason, actor: Actor, as_json: AsJson = False) -> None:
        """Have the relay send the events of a topic and key again, before those that follow them."""
        by = By(actor=actor, reason=reason)
        count = runtime().unit.administer(
            recorded(lambda tx: outbox.request_release(tx, topic, key), "outbox release", by, topic=topic, key=key)
        )
        if not count:
            fail("nothing is parked there")
        told = {"topic": topic, "key": key, "events": count}
        answer(f"{count} events will be sent again", told, as_json=as_json)


def add_offsets(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(help="How far this service has read.", no_args_is_help=True)
    commands.add_typer(group, name="offsets")

    @group.command()
    def show(as_json: AsJson = False) -> None:
        """Each partition: where it stands, what its log holds, and how much is left."""
        found = runtime()
        progress = found.unit.administer(lambda tx: inbox.load_progress(tx, found.service.name))
        bounds = kafka.log_bounds(found.settings, progress)
        rows = (
            {
                "topic": topic,
                "partition": partition,
                "next": progress[topic, partition].next_offset,
                "first": bounds[topic, partition][0],
                "end": bounds[topic, partition][1],
                "left": bounds[topic, partition][1] - progress[topic, partition].next_offset,
                "epoch": progress[topic, partition].epoch,
            }
            for topic, partition in sorted(progress)
        )
        tell(rows, as_json=as_json)

    @group.command()
    def rewinds(limit: int = 50, as_json: AsJson = False) -> None:
        """What was read again, the newest first: by whom, or by nobody where the database was found to know less."""
        found = runtime()
        listed = found.unit.administer(lambda tx: inbox.list_rewinds(tx, found.service.name, limit))
        tell(map(msgspec.structs.asdict, listed), as_json=as_json)

    @group.command()
    def rewind(
        topic: str,
        partition: int,
        offset: Annotated[int, typer.Argument(min=0)],
        reason: Reason,
        actor: Actor,
        is_dry: Annotated[bool, typer.Option("--dry-run", help="say what would be read again")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Have a partition read again from an offset. What was applied before is known, and is not applied twice.

        Only backwards, and only as far as the log still goes. A worker that owns the partition notices within seconds,
        and goes on from there within half a minute.
        """
        found, place = runtime(), (topic, partition)
        progress = found.unit.administer(lambda tx: inbox.load_progress(tx, found.service.name))
        if place not in progress:
            fail(f"{found.service.name} has never read {topic}/{partition}")
        first, _ = kafka.log_bounds(found.settings, [place])[place]
        stands_at = progress[place].next_offset
        if not first <= offset <= stands_at:
            fail(f"{topic}/{partition} stands at {stands_at} and its log begins at {first}: choose between them")
        if not is_dry:
            rewind = recorded(
                lambda tx: inbox.rewind(tx, found.service.name, place, offset, actor=actor),
                "offsets rewind",
                By(actor=actor, reason=reason),
                topic=topic,
                partition=partition,
                offset=offset,
            )
            if not found.unit.administer(rewind):
                fail("someone else has moved it meanwhile: look again")
            log.warning("offsets were rewound", extra={"place": place, "offset": offset, "actor": actor})
        told = {"topic": topic, "partition": partition, "records": stands_at - offset, "is_dry": is_dry}
        words = f"{stands_at - offset} records {'would be' if is_dry else 'will be'} read again"
        answer(words, told, as_json=as_json)


def add_schemas(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(help="The schemas of what this service publishes, and the registry's.", no_args_is_help=True)
    commands.add_typer(group, name="schemas")

    def compared(found: Runtime) -> list[dict[str, str]]:
        rows = []
        for contract in (kind.contract for kind in found.handlers.writes):
            faults = found.registry.faults(contract)
            try:
                state = f"registered as {found.registry.id_of(contract)}"
            except UnregisteredSchema:
                state = "incompatible" if faults else "new"
            rows.append({"subject": contract.registry_subject, "state": state, "differences": "; ".join(faults)})
        return rows

    @group.command()
    def diff(as_json: AsJson = False) -> None:
        """Each schema of ours: registered, new, or what of it breaks a version that is registered."""
        tell(compared(runtime()), as_json=as_json)

    @group.command()
    def check(as_json: AsJson = False) -> None:
        """Fail if a schema of ours may not follow those that are registered."""
        faulty = [row for row in compared(runtime()) if row["differences"]]
        tell(faulty, as_json=as_json)
        if faulty:
            raise typer.Exit(1)

    @group.command()
    def register(actor: Actor, reason: Reason = "", as_json: AsJson = False) -> None:
        """Register what is new, as `migrate` does. Registers nothing that would break a reader."""
        found, by = runtime(), By(actor=actor, reason=reason)
        contracts = [kind.contract for kind in found.handlers.writes]
        # Beforehand, for the registry shares no transaction with anything: nothing is done without its record.
        subjects = [contract.registry_subject for contract in contracts]
        found.unit.administer(lambda tx: interventions.record(tx, "schemas register", by, subjects=subjects))
        rows = ({"subject": one.registry_subject, "id": found.registry.register(one)} for one in contracts)
        tell(rows, as_json=as_json)


def add_interventions(commands: typer.Typer, runtime: Wired) -> None:
    group = typer.Typer(help="What operators have done to this service, and why.", no_args_is_help=True)
    commands.add_typer(group, name="interventions")

    @group.command("list")
    def list_interventions(
        limit: Annotated[int, typer.Option(min=1, max=REPLAYED_MAX)] = 50, as_json: AsJson = False
    ) -> None:
        """Each command that changed something, the newest first: to what, who, why and when."""
        listed = runtime().unit.administer(lambda tx: interventions.list_newest(tx, limit))
        tell(map(msgspec.structs.asdict, listed), as_json=as_json)


GROUPS: tuple[Callable[[typer.Typer, Wired], None], ...] = (
    add_dead_letters,
    add_parked_keys,
    add_outbox,
    add_offsets,
    add_schemas,
    add_interventions,
)
"""Every group of commands that each service has, besides clients."""


def _replayed_in_order(
    replay: Replay, letters: Iterable[DeadLetter], by: By, rate: float, *, until_one_fails: bool
) -> Iterator[dict[str, str]]:
    has_failed = False
    for letter in letters:
        if has_failed and until_one_fails:
            yield {"event_id": letter.event_id, "result": "left, for one before it still fails"}
            continue
        started = monotonic()
        result = _replayed(replay, letter, by)
        has_failed |= result["result"] != APPLIED
        yield result
        pause(max(0.0, 1 / rate - (monotonic() - started)))


def _replayed(replay: Replay, letter: DeadLetter, by: By) -> dict[str, str]:
    """Apply a letter, and say what became of it."""
    try:
        replay.apply(letter.event_id, by)
        result = APPLIED
    except (ReplayRefused, StillFails) as error:
        result = _why(error)
    log.warning("a dead letter was replayed", extra={"event_id": letter.event_id, "actor": by.actor})
    return {"event_id": letter.event_id, "result": result}


def _wanted(key: str | None, since: datetime | None, until: datetime | None) -> Wanted:
    return Wanted(key=None if key is None else key.encode(), since=_utc(since), until=_utc(until))


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=at.tzinfo or UTC)


def _summary(letter: DeadLetter) -> dict[str, object]:
    source = letter.source
    return {
        "event_id": letter.event_id,
        "status": letter.status,
        "place": f"{source.topic}/{source.partition}@{source.offset}",
        "error_type": letter.error_type,
        "error": letter.error,
        "failed_at": letter.failed_at.isoformat(),
        "settled_by": letter.settled_by,
    }


def _or_fail(work: Callable[[], T]) -> T:
    try:
        return work()
    except (ReplayRefused, StillFails) as error:
        fail(_why(error))


def _why(error: Exception) -> str:
    return f"{'still fails: ' if isinstance(error, StillFails) else ''}{error}"
