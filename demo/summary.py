"""What a person reads at the end of a demo: what became of everything, and whether all of it holds."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import percentile
from demo import account, expectations
from demo.account import TimelineEntry
from demo.analysts import CONFIRMER, PROPOSER
from demo.expectations import EXPECTATIONS
from demo.stock import Stock
from demo.story import Kind, Order, Ordered
from schemas.fraud.events import FraudOutcome
from stack.settings import SERVICES, StackSettings


def show(console: Console, stock: Stock, *, seconds: float) -> None:
    """Print it."""
    console.print()
    console.print(_ends(stock))
    if stock.fulfilments:
        console.print(_expectations(stock))
        console.print(expectations.in_words(stock.fulfilments))
    if any(_is_labelled(ordered) for ordered in stock.result.ordered):
        for table in _labels(stock):
            console.print(table)
    console.print(_times(stock))
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


def _ends(stock: Stock) -> Table:
    result = stock.result
    table = _table("payments by end and reason", "end", "reason", "payments")
    for (state, reason), count in sorted(account.by_end(result.ordered, stock.ends).items()):
        table.add_row(state, reason or "–", f"{count:,}")
    table.add_row("[bold]all[/bold]", "", f"[bold]{len(result.ordered):,}[/bold]")
    return table


def _expectations(stock: Stock) -> Table:
    columns = ("", "made to be", "payments", "as expected", "not", "expected", "happened")
    table = _table("what was expected, and what happened", *columns)
    for one in stock.fulfilments:
        words = ", ".join(f"{count:,} {words}" for words, count in sorted(one.became.items()))
        counts = (f"{one.payments:,}", f"{one.as_expected:,}", f"{one.otherwise:,}")
        table.add_row(_mark(holds=not one.faults), one.kind, *counts, " or ".join(EXPECTATIONS[one.kind].ends), words)
    return table


def _labels(stock: Stock) -> list[Table]:
    """Labels of the file beside what fraud decided, by scenario and by rule."""
    by_scenario: dict[str, Counter[FraudOutcome]] = {}
    by_rule: dict[str, Counter[bool]] = {}
    for ordered in stock.result.ordered:
        assessment = stock.assessments.get(ordered.payment_id)
        if assessment is None or not _is_labelled(ordered):
            continue
        by_scenario.setdefault(_in_words(ordered.order), Counter())[assessment.outcome] += 1
        for finding in assessment.findings:
            by_rule.setdefault(finding.rule, Counter())[bool(ordered.order.label)] += 1
    outcomes = (FraudOutcome.ALLOW, FraudOutcome.REVIEW, FraudOutcome.BLOCK)
    scenarios = _table("labels beside what fraud decided", "label", *(outcome.value for outcome in outcomes))
    for scenario, counts in sorted(by_scenario.items()):
        scenarios.add_row(scenario, *(f"{counts[outcome]:,}" for outcome in outcomes))
    rules = _table("labels by rule", "rule", "fired", "fraud", "genuine", "precision")
    for rule, labels in sorted(by_rule.items(), key=lambda item: -item[1].total()):
        precision = f"{labels[True] / labels.total():.0%}"
        rules.add_row(rule, f"{labels.total():,}", f"{labels[True]:,}", f"{labels[False]:,}", precision)
    return [scenarios, rules]


def _is_labelled(ordered: Ordered) -> bool:
    """Whether the file says what the payment was."""
    return ordered.order.kind is Kind.REAL and ordered.order.label is not None


def _in_words(order: Order) -> str:
    if not order.label:
        return "genuine"
    return f"fraud, scenario {order.scenario}" if order.scenario is not None else "fraud"


def _times(stock: Stock) -> Table:
    result = stock.result
    unreviewed = sorted(end.seconds for end in stock.ends.values() if end.seconds is not None and not end.was_reviewed)
    table = _table("times", "what", "value")
    table.add_row("accounts opened", f"{result.opened:,} of {result.parties:,}; {result.funded:,} funded")
    if result.first_settled_seconds is not None:
        table.add_row("first payment settled", f"{result.first_settled_seconds:.0f} s after the beginning")
    table.add_row("throughput", f"{len(result.ordered) / result.settled_seconds:,.0f} payments/s to their ends")
    for percent in (50, 95, 99) if unreviewed else ():
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
    table = _table("nothing lost, nothing twice", "", "what", "counted")
    table.show_header = False
    for check in stock.checks:
        table.add_row(_mark(holds=check.holds), check.what, check.detail)
    return table


def _mark(*, holds: bool) -> str:
    return "[green]✓[/green]" if holds else "[red]✗[/red]"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        is_number = column in (
            "payments",
            "as expected",
            "not",
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
