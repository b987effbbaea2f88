"""What a long run found, as a page of Markdown that says first whether all of it held."""

from collections.abc import Iterable, Mapping, Sequence

from bench.capacity import Costs
from chaos.installation import ROLES
from docs.readmes import table
from libs.common.record import Record
from operate import tables
from operate.tables import Bound as Growth
from soak.measuring import BOUNDS, Kind, Measured, TableSize
from soak.verdict import CONFIDENCE, Sample, Trend, trend
from stack.services import FEATURES
from stack.settings import SERVICES

KEPT_UP_SHARE = 0.95
"""Of the payments asked for, that must have been sent: clients wait for answers, so a system that slows down is asked
for less, and would look as if it stayed as it is."""
WHOLE_MINUTES = 30
"""From here on, a run has to say something of everything in EXPECTED."""
_PROCESSES = (*(f"{service} {role}" for service in SERVICES for role in ROLES), FEATURES)
EXPECTED = frozenset(
    [(kind, process) for process in _PROCESSES for kind in (Kind.MEMORY, Kind.HANDLES)]
    + [(Kind.CONNECTIONS, service) for service in SERVICES]
)


class Findings(Record):
    """What came out of a run."""

    seed: int
    minutes: float
    rate: float
    """Asked for, payments a second."""
    sent: int
    decided: int
    """Of those that waited for people, while it ran."""
    restarts: int
    trends: Mapping[tuple[Kind, str], Trend]
    too_short: Sequence[tuple[Kind, str]]
    """Series of which nothing can be said: lives too short, or too few samples, or none at all."""
    sizes: Mapping[tuple[str, str], tuple[TableSize, TableSize]]
    """Of each table, at the beginning and at the end."""
    left_over: Mapping[str, int]
    """Rows past their time that a job should have forgotten, by table."""
    cost: Costs
    broken: str
    """What was lost, came twice or does not balance; empty where nothing."""

    @property
    def growing(self) -> list[tuple[Kind, str]]:
        return [name for name, found in self.trends.items() if not found.is_flat]

    @property
    def asked(self) -> float:
        """Payments that there was time for at that rate."""
        return self.rate * self.minutes * 60

    @property
    def is_kept_up(self) -> bool:
        return self.sent >= KEPT_UP_SHARE * self.asked

    @property
    def unsaid(self) -> list[tuple[Kind, str]]:
        """What a run of this length should have told, and has not."""
        return [name for name in self.too_short if name in EXPECTED] if self.minutes >= WHOLE_MINUTES else []

    @property
    def holds(self) -> bool:
        failures = (self.growing, self.broken, self.unsaid, any(self.left_over.values()), not self.decided)
        return not any(failures) and self.is_kept_up and bool(self.trends)


def trends(
    measured: Measured, *, warm_up_seconds: float
) -> tuple[dict[tuple[Kind, str], Trend], list[tuple[Kind, str]]]:
    """How each series went, and those of which nothing can be said: of those expected, also what was never seen."""
    found: dict[tuple[Kind, str], Trend] = {}
    too_short: list[tuple[Kind, str]] = []
    for name in sorted({*measured.series, *EXPECTED}):
        went = _trend(name[0], measured.series.get(name, ()), warm_up_seconds)
        if went is None:
            too_short.append(name)
        else:
            found[name] = went
    return found, too_short


def _trend(kind: Kind, samples: Sequence[Sample], warm_up_seconds: float) -> Trend | None:
    return trend(samples, BOUNDS[kind], warm_up_seconds=warm_up_seconds)


def page(findings: Findings) -> str:
    """All of it."""
    return "\n".join(
        [
            f"# Long run: {'all of it held' if findings.holds else 'NOT all of it held'}",
            "",
            f"{findings.minutes:g} minutes, {findings.rate:.0f} payments a second asked for, {findings.sent:,} sent"
            f" in files, {findings.decided:,} decided by people, {findings.restarts} restarts, seed {findings.seed}.",
            "",
            *_failures(findings),
            "## Flat or growing",
            "",
            f"Slopes an hour (Theil–Sen, after each process's warm-up); *at least*: with {CONFIDENCE:.0%} confidence.",
            "A series grows if that is more than is allowed.",
            "",
            *table(
                ("what", "of", "median", "slope/h", "at least/h", "allowed/h", "samples", "verdict"),
                (
                    (
                        kind, of, f"{found.middle:,.1f}", f"{found.per_hour:+,.1f}", f"{found.at_least_per_hour:+,.1f}",
                        f"{found.allowed_per_hour:,.1f}", str(found.samples),
                        "flat" if found.is_flat else "**growing**",
                    )
                    for (kind, of), found in findings.trends.items()
                ),
            ),
            *_not_said(findings),
            "## Tables",
            "",
            "Rows and bytes gained for each payment sent; what bounds them: docs/growth.md.",
            "",
            *table(
                ("table", "bound", "live rows", "dead rows", "MB", "of it indexes", "rows/payment", "bytes/payment"),
                _sizes(findings),
            ),
            "",
            "## What a payment cost",
            "",
            "Tables, indexes and one replica of each topic; docs/capacity.md goes by these.",
            "",
            *table(("what", "of", "each"), _costs(findings.cost)),
        ]
    )  # fmt: skip


def _failures(findings: Findings) -> Iterable[str]:
    if findings.broken:
        yield f"- **Lost, twice or out of balance**: {findings.broken}"
    else:
        yield "- Every payment accepted has one end, no event is lost or applied twice, every request sent again gets"
        yield "  the answer it got, the books balance and every hash of the journal is right."
    if not findings.is_kept_up:
        share = findings.sent / findings.asked
        yield f"- **Not kept up**: {share:.0%} of what was asked for was sent, so what is flat was asked for less"
    if not findings.decided:
        yield "- **Nobody decided** what waited for people"
    for kind, of in findings.growing:
        yield f"- **Grows**: {kind} of {of}"
    for kind, of in findings.unsaid:
        yield f"- **Not seen for long enough**: {kind} of {of}"
    for name, rows in findings.left_over.items():
        what = "**Not forgotten**" if rows else "Forgotten in time"
        yield f"- {what}: {name}, {rows:,} rows past their time are left"
    yield ""


def _not_said(findings: Findings) -> Iterable[str]:
    if findings.too_short:
        yield ""
        yield "Too little was seen of these to say anything: " + ", ".join(
            f"{k} of {of}" for k, of in findings.too_short
        )
    yield ""


def _sizes(findings: Findings) -> Iterable[Sequence[str]]:
    for (service, name), (first, last) in sorted(findings.sizes.items()):
        growth = tables.of(service)[name].bound
        gained = last.table_bytes + last.index_bytes - first.table_bytes - first.index_bytes
        if growth is Growth.NATURE and not gained:
            continue
        yield (
            f"{service}.{name}", growth, f"{last.live:,}", f"{last.dead:,}",
            f"{(last.table_bytes + last.index_bytes) / 2**20:.1f}", f"{last.index_bytes / 2**20:.1f}",
            f"{(last.live - first.live) / max(findings.sent, 1):.2f}", f"{gained / max(findings.sent, 1):,.0f}",
        )  # fmt: skip


def _costs(cost: Costs) -> Iterable[Sequence[str]]:
    yield from (("CPU, ms of a core", name, f"{value:.2f}") for name, value in cost.cpu_ms.items())
    yield from (("database, bytes", name, f"{value:,.0f}") for name, value in cost.database_bytes.items())
    yield from (("topic, bytes", name, f"{value:,.0f}") for name, value in cost.topic_bytes.items() if value)
