"""What a person reads at the end of a demo: what became of everything, and whether all of it holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import httpx
from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from demo import account
from demo.account import End, TimelineEntry
from demo.analysts import CONFIRMER, PROPOSER
from demo.run import EXPECTED_ENDS, Result
from docs import catalogue
from libs.common.codec import Codec
from libs.common.record import Record
from libs.common.registry import Registry
from operate import nothing_lost
from operate.nothing_lost import Finding
from operate.topics import Recorded, read
from schemas.compliance.events import CaseOpened
from schemas.fraud.events import FraudAssessed, FraudOutcome
from stack.settings import SERVICES, StackSettings

EXAMPLES = ("settled", "settled after review", "rejected after review", "blocked")


class Stock(Record):
    """Everything that was found out after a run."""

    ends: dict[str, End]
    books: dict  # type: ignore[type-arg]
    trial_balance: dict  # type: ignore[type-arg]
    comparisons: tuple[Finding, ...]
    events_by_topic: dict[str, Counter]  # type: ignore[type-arg]
    assessments: dict[str, FraudAssessed]
    timelines: dict[str, tuple[str, tuple[TimelineEntry, ...]]]
    """By how it ended: an example's id and its timeline."""
    may_wait: bool

    @property
    def is_well(self) -> bool:
        has_books = self.books["is_balanced"] and (self.may_wait or self.books["open_holds"] == 0)
        return has_books and all(finding.holds for finding in self.comparisons)


def take_stock(settings: StackSettings, result: Result, *, may_wait: bool) -> Stock:
    """Read topics and databases, and compare."""
    recorded = list(read(settings.messaging(), list(catalogue.topics())))
    databases = {service: settings.database_url(service) for service in SERVICES}
    accepted = [ordered.payment_id for ordered in result.ordered if ordered.refusal is None]
    ends = account.ends(databases["payments"], accepted)
    codec = Codec(Registry(settings.messaging()), [CaseOpened, FraudAssessed])
    this_run = [event for event in recorded if event.caused_at >= result.began_at - timedelta(seconds=1)]
    return Stock(
        ends=ends,
        books=_ask_accounts(settings, "books"),
        trial_balance=_ask_accounts(settings, "trial-balance"),
        comparisons=tuple(nothing_lost.compare(recorded, databases, may_wait=may_wait)),
        events_by_topic=_count(this_run),
        assessments=_assessments(this_run, codec),
        timelines=_timelines(ends, this_run, codec),
        may_wait=may_wait,
    )


def show(console: Console, settings: StackSettings, result: Result, stock: Stock, *, seconds: float) -> None:
    """Print it."""
    console.print()
    console.print(_ends(result, stock))
    if any(ordered.order.kind in EXPECTED_ENDS for ordered in result.ordered):
        console.print(_expectations(result, stock))
    if any(ordered.order.scenario is not None for ordered in result.ordered):
        for table in _labels(result, stock):
            console.print(table)
    console.print(_times(result, stock))
    console.print(_topics(stock))
    for how, (payment_id, entries) in stock.timelines.items():
        console.print(_timeline(how, payment_id, entries))
    console.print(_trial_balance(stock))
    console.print(_checks(stock))
    verdict = "[green]all of it holds[/green]" if stock.is_well else "[red]not all of it holds[/red]"
    console.print(f"{verdict} · {seconds:.0f} s altogether")


def addresses(console: Console, settings: StackSettings) -> None:
    """What can be looked at while everything is left running."""
    host = settings.host
    table = _table("running; stop it with: make down", "what", "where")
    for service in SERVICES:
        table.add_row(f"{service}: API", f"http://{host}:{settings.service_port(service)}/docs")
    table.add_row("the analysts' desk", f"http://{host}:{settings.service_port('compliance')}/desk")
    for name in (PROPOSER, CONFIRMER):
        table.add_row(f"  sign in as {name}", settings.secrets.get(f"desk/{name}"))
    table.add_row("API key (read, write, staff)", settings.secrets.get("api-key/demo"))
    table.add_row("Prometheus", f"http://{host}:{settings.prometheus_port}")
    table.add_row("Kafka", settings.kafka_bootstrap)
    table.add_row("schema registry", settings.registry_url)
    console.print(table)


# Taking stock


def _ask_accounts(settings: StackSettings, what: str) -> dict:  # type: ignore[type-arg]
    answer = httpx.get(
        f"http://{settings.host}:{settings.service_port('accounts')}/v1/{what}",
        headers={"Authorization": f"Bearer {settings.secrets.get('api-key/demo')}"},
        timeout=120,
    )
    answer.raise_for_status()
    return dict(answer.json())


def _count(recorded: Sequence[Recorded]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {topic: Counter() for topic in catalogue.topics()}
    for event in {event.event_id: event for event in recorded}.values():
        counts[event.topic][event.event_type] += 1
    return counts


def _assessments(recorded: Sequence[Recorded], codec: Codec) -> dict[str, FraudAssessed]:
    decoded = (_decode(event, codec) for event in recorded if event.event_type == FraudAssessed.__name__)
    return {event.payment_id: event for event in decoded if isinstance(event, FraudAssessed)}


def _timelines(
    ends: Mapping[str, End], recorded: Sequence[Recorded], codec: Codec
) -> dict[str, tuple[str, tuple[TimelineEntry, ...]]]:
    opened = (_decode(event, codec) for event in recorded if event.event_type == CaseOpened.__name__)
    case_ids = {case.case_id: case.payment_id for case in opened if isinstance(case, CaseOpened) and case.payment_id}
    found = {}
    for how in EXAMPLES:
        # One from the middle: the first ones carry the warming up.
        alike = [end.payment_id for end in ends.values() if end.words == how]
        if alike:
            payment_id = alike[len(alike) // 2]
            found[how] = payment_id, tuple(account.timeline(payment_id, recorded, case_ids))
    return found


def _decode(event: Recorded, codec: Codec) -> object:
    reader = codec.reader_of(event.value)
    return reader.decode(event.value) if reader else None


# Showing it


def _ends(result: Result, stock: Stock) -> Table:
    table = _table("payments by end and reason", "end", "reason", "payments")
    for (state, reason), count in sorted(account.by_end(result.ordered, stock.ends).items()):
        table.add_row(state, reason or "–", f"{count:,}")
    table.add_row("[bold]all[/bold]", "", f"[bold]{len(result.ordered):,}[/bold]")
    return table


def _expectations(result: Result, stock: Stock) -> Table:
    table = _table("what was expected, and what happened", "made to be", "payments", "expected", "happened")
    happened = Counter(account.outcomes(result.ordered, stock.ends))
    surprises = account.unexpected(result.ordered, stock.ends)
    for kind, expected in EXPECTED_ENDS.items():
        mine = {words: count for (k, words), count in sorted(happened.items()) if k is kind}
        colour = "red" if kind in surprises else "green"
        words = ", ".join(f"{count:,} {words}" for words, count in mine.items())
        table.add_row(kind, f"{sum(mine.values()):,}", " or ".join(sorted(expected)), f"[{colour}]{words}[/{colour}]")
    return table


def _labels(result: Result, stock: Stock) -> list[Table]:
    """Labels of the file beside what fraud decided, by scenario and by rule."""
    by_scenario: dict[str, Counter[FraudOutcome]] = {}
    by_rule: dict[str, Counter[bool]] = {}
    for ordered in result.ordered:
        assessment = stock.assessments.get(ordered.payment_id)
        if assessment is None or ordered.order.label is None:
            continue
        scenario = f"fraud, scenario {ordered.order.scenario}" if ordered.order.label else "genuine"
        by_scenario.setdefault(scenario, Counter())[assessment.outcome] += 1
        for finding in assessment.findings:
            by_rule.setdefault(finding.rule, Counter())[ordered.order.label] += 1
    outcomes = (FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK)
    scenarios = _table("labels beside what fraud decided", "label", *(outcome.value for outcome in outcomes))
    for scenario, counts in sorted(by_scenario.items()):
        scenarios.add_row(scenario, *(f"{counts[outcome]:,}" for outcome in outcomes))
    rules = _table("labels by rule", "rule", "fired", "fraud", "genuine", "precision")
    for rule, labels in sorted(by_rule.items(), key=lambda item: -item[1].total()):
        precision = f"{labels[True] / labels.total():.0%}"
        rules.add_row(rule, f"{labels.total():,}", f"{labels[True]:,}", f"{labels[False]:,}", precision)
    return [scenarios, rules]


def _times(result: Result, stock: Stock) -> Table:
    unreviewed = sorted(end.seconds for end in stock.ends.values() if end.seconds is not None and not end.was_reviewed)
    table = _table("times", "what", "value")
    table.add_row("accounts opened", f"{result.opened:,} of {result.parties:,}; {result.funded:,} funded")
    table.add_row("first payment settled", f"{result.first_settled_seconds:.0f} s after the beginning")
    table.add_row("throughput", f"{len(result.ordered) / result.settled_seconds:,.0f} payments/s to their ends")
    for percent in (50, 95, 99):
        table.add_row(f"journey p{percent}, reviews apart", f"{percentile(unreviewed, percent) * 1000:,.0f} ms")
    decided = ", ".join(f"{count} to {decision}" for decision, count in sorted(result.decided.items())) or "none"
    table.add_row("decided by two analysts", f"{decided}; {result.left_alone} left to the deadline")
    table.add_row("labels reported", f"{result.labels:,}")
    table.add_row("by shops", f"{result.captured:,} captured in part, {result.refunded:,} refunded")
    return table


def _topics(stock: Stock) -> Table:
    table = _table("events of this run by topic", "topic", "events", "of which")
    for topic, counts in stock.events_by_topic.items():
        words = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        table.add_row(topic, f"{counts.total():,}", words)
    return table


def _timeline(how: str, payment_id: str, entries: Sequence[TimelineEntry]) -> Table:
    table = _table(f"a payment {how}: {payment_id}", "ms", "event", "topic")
    for entry in entries:
        table.add_row(f"{entry.milliseconds:,.0f}", entry.event_type, entry.topic)
    return table


def _trial_balance(stock: Stock) -> Table:
    table = _table("trial balance", "number", "account", "currency", "debit", "credit")
    for currency in stock.trial_balance["currencies"]:
        for row in currency["lines"]:
            cells = (str(row["number"]), row["name"], currency["currency"], row["debit"], row["credit"])
            table.add_row(*cells)
    return table


def _checks(stock: Stock) -> Table:
    books = stock.books
    entries = sum(books["entries_by_currency"].values())
    rows = [
        (books["is_balanced"], "the books balance: zero per asset, balances = entries", f"{entries:,} entries"),
        (stock.may_wait or books["open_holds"] == 0, "every hold is resolved", f"{books['open_holds']:,} open"),
        *((finding.holds, finding.what, finding.detail) for finding in stock.comparisons),
    ]
    table = _table("nothing lost, nothing twice", "", "what", "counted")
    for holds, what, detail in rows:
        table.add_row("[green]✓[/green]" if holds else "[red]✗[/red]", what, detail)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=bool(columns[0]))
    for column in columns:
        is_number = column in (
            "payments",
            "events",
            "ms",
            "fired",
            "fraud",
            "genuine",
            "allow",
            "review",
            "block",
            "debit",
            "credit",
        )
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table
