"""What the READMEs of the services list: taken from the code, between two comments, so that it can't be wrong."""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic.fields import FieldInfo

from bench import capacity
from docs import catalogue
from libs.common import cli
from libs.common.service import Role, Runtime, Service
from libs.common.settings import Settings
from operate import installation

ROOT = Path(__file__).parent.parent
_NOWHERE = "postgresql+psycopg://nobody@nowhere/nothing"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def readmes() -> dict[Path, str]:
    """Every README with lists taken from the code, and what it must say."""
    found = {ROOT / "services" / service / "README.md": tables(service) for service in catalogue.SERVICES}
    found[ROOT / "libs" / "common" / "README.md"] = {"settings": lambda: _settings_table(Settings)}
    found[ROOT / "docs" / "operations.md"] = {"alerts": _alerts_table}
    found[ROOT / "docs" / "capacity.md"] = {"capacity": _capacity_table, "costs": _costs_table}
    return {path: _filled(path.read_text(), written) for path, written in found.items()}


Tables = dict[str, Callable[[], Iterable[str]]]


def wired(name: str, **given: Any) -> Runtime:
    """A service as it is put together, connected to nothing, with settings that are not to be the defaults."""
    service: Service = importlib.import_module(f"services.{name}.__main__").SERVICE
    return Runtime(service, service.settings(database_url=_NOWHERE, **given))


def tables(name: str) -> Tables:
    """What may be asked for in a service's README, by the word that asks for it."""
    runtime = wired(name)
    service = runtime.service
    return {
        "endpoints": lambda: _endpoints_table(runtime),
        "topics": lambda: _topics_table(name),
        "settings": lambda: _settings_table(service.settings, without=Settings),
        "commands": lambda: _commands_table(service),
        "rules": _rules_table,
        "features": _features_table,
    }


def _filled(text: str, written: Tables) -> str:
    def fill(block: re.Match[str]) -> str:
        lines = "\n".join(written[block[2]]())
        return f"{block[1]}{lines}\n{block[3]}"

    return _BLOCK.sub(fill, text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of Markdown."""
    yield _row(head)
    yield "|" + "---|" * len(head)
    yield from map(_row, rows)


def _capacity_table() -> Iterator[str]:
    """What tickets of several sizes take, side by side."""
    tickets = (10.0, 50.0, 200.0)
    plans = [dict(capacity.rows(capacity.plan(capacity.load(), capacity.Demand(ticket=ticket)))) for ticket in tickets]
    head = ("$100 M a week", *(f"average payment ${ticket:.0f}" for ticket in tickets))
    return table(head, ((line, *(plan[line] for plan in plans)) for line in plans[0]))


def _costs_table() -> Iterator[str]:
    """What a payment was measured to cost."""
    costs = capacity.load()
    kinds = {
        "CPU, ms of a core": costs.cpu_ms,
        "database, bytes": costs.database_bytes,
        "topic, bytes": costs.topic_bytes,
    }
    rows = ((what, name, f"{value:,.1f}") for what, values in kinds.items() for name, value in values.items() if value)
    return table(("of each payment", "in", f"mean of {costs.payments:,}"), rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _endpoints_table(runtime: Runtime) -> Iterator[str]:
    paths = runtime.app([Role.API], dict).openapi()["paths"]
    rows = [
        (f"`{method.upper()} {path}`", _first_sentence(operation.get("description", operation["summary"])))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if path.startswith("/v1")
    ]
    return table(("request", "what it does"), rows)


def _topics_table(service: str) -> Iterator[str]:
    handlers = catalogue.handlers(service)
    kinds = [("reads", kind) for kind in handlers.reads] + [("publishes", kind) for kind in handlers.writes]
    by_topic: dict[tuple[str, str], list[str]] = {}
    for way, kind in kinds:
        topic = kind.contract.topic
        words = f"`{topic.name}`" + (" (restricted)" if topic.is_restricted else "")
        by_topic.setdefault((way, words), []).append(kind.__name__)
    rows = [(way, topic, ", ".join(names)) for (way, topic), names in by_topic.items()]
    return table(("", "topic", "events"), rows)


def _settings_table(kind: type[Settings], *, without: type[Settings] | None = None) -> Iterator[str]:
    known = without.model_fields if without else {}
    rows = [
        (f"`WEIR_{name.upper()}`", _default(field), field.description or "")
        for name, field in kind.model_fields.items()
        if name not in known
    ]
    return table(("variable", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == frozenset() or value == {}:
        return "–"
    return f"`{value:,}`".replace(",", " ") if type(value) is int and value >= 10_000 else f"`{value}`"


def _alerts_table() -> Iterator[str]:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    rows = [
        (
            f"[`{alert['alert']}`](#{alert['annotations']['runbook'].partition('#')[2]})",
            alert["labels"]["severity"],
            alert.get("for", "at once"),
        )
        for alert in alerts
    ]
    return table(("alert", "severity", "after"), rows)


def _commands_table(service: Service) -> Iterator[str]:
    extend = installation.extend_of(service.name)
    rows = [
        (f"`{' '.join(words)}`", _first_sentence(command.help or ""))
        for words, command in _commands(typer.main.get_command(cli.app(service, extend)), ())
    ]
    return table(("command", "what it does"), rows)


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _commands(child, (*words, name))
    else:
        arguments = [f"{p.name.upper()}{'…' if p.nargs == -1 else ''}" for p in command.params if _is_argument(p)]
        yield (*words, *arguments), command


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _rules_table() -> Iterator[str]:
    from services.fraud import rulebooks
    from services.fraud.domain.rulebook.rulebook import Action

    rows = [
        (
            f"[`{rule.name}`](rulebooks/default.rules#L{rule.line})",
            _first_sentence(rule.meaning),
            f"{rule.score:g}" if rule.action is Action.SCORE else rule.action.value,
        )
        for rule in rulebooks.shipped().rules
    ]
    return table(("rule", "looks for", "score, or what it orders"), rows)


def _features_table() -> Iterator[str]:
    """Every field of rules, those that differ in their window alone in one row."""
    from services.fraud.domain.judging import CATALOGUE
    from services.fraud.domain.measures import WIDTHS

    rows = []
    for name, field in CATALOGUE.items():
        stem, _, width = name.rpartition("_")
        is_windowed = all(f"{stem}_{other}" in CATALOGUE for other in WIDTHS)
        missing = "yes" if field.can_be_missing else ""
        if not is_windowed:
            rows.append((f"`{name}`", field.kind.value, missing, field.meaning))
        elif width == "7d":
            rows.append((f"`{stem}_…`", field.kind.value, missing, field.meaning.replace("7 days", "the window")))
    return table(("field", "kind", "may be missing", "meaning"), rows)


def _first_sentence(text: str) -> str:
    text = " ".join(text.split())
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
