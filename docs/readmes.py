"""What the READMEs of the services list: taken from the code, between two comments, so that it can't be wrong."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from prometheus_client import CollectorRegistry
from pydantic.fields import FieldInfo

from docs import catalogue
from libs.common import cli
from libs.common.service import Role, Runtime, Service
from libs.common.settings import Settings

ROOT = Path(__file__).parent.parent
_NOWHERE = "postgresql+psycopg://nobody@nowhere/nothing"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def readmes() -> dict[Path, str]:
    """Every README with lists taken from the code, and what it must say."""
    found = {ROOT / "services" / service / "README.md": tables(service) for service in catalogue.SERVICES}
    found[ROOT / "libs" / "common" / "README.md"] = {"settings": lambda: _settings_table(Settings)}
    return {path: _filled(path.read_text(), written) for path, written in found.items()}


Tables = dict[str, Callable[[], Iterable[str]]]


def wired(name: str) -> Runtime:
    """A service as it is put together, connected to nothing."""
    service: Service = importlib.import_module(f"services.{name}.__main__").SERVICE
    return Runtime(service, service.settings(database_url=_NOWHERE))


def tables(name: str) -> Tables:
    """What may be asked for in a service's README, by the word that asks for it."""
    runtime = wired(name)
    service = runtime.service
    return {
        "endpoints": lambda: _endpoints_table(runtime),
        "topics": lambda: _topics_table(name),
        "settings": lambda: _settings_table(service.settings, without=Settings),
        "metrics": lambda: _metrics_table(service, runtime.settings),
        "commands": lambda: _commands_table(service),
        "rules": _rules_table,
        "limits": _limits_table,
    }


def _filled(text: str, written: Tables) -> str:
    def fill(block: re.Match[str]) -> str:
        lines = "\n".join(written[block[2]]())
        return f"{block[1]}{lines}\n{block[3]}"

    return _BLOCK.sub(fill, text)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield "|" + "---|" * len(head)
    yield from map(_row, rows)


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
    return _table(("request", "what it does"), rows)


def _topics_table(service: str) -> Iterator[str]:
    handlers = catalogue.handlers(service)
    kinds = [("reads", kind) for kind in handlers.reads] + [("publishes", kind) for kind in handlers.writes]
    by_topic: dict[tuple[str, str], list[str]] = {}
    for way, kind in kinds:
        topic = kind.contract.topic
        words = f"`{topic.name}`" + (" (restricted)" if topic.is_restricted else "")
        by_topic.setdefault((way, words), []).append(kind.__name__)
    rows = [(way, topic, ", ".join(names)) for (way, topic), names in by_topic.items()]
    return _table(("", "topic", "events"), rows)


def _settings_table(kind: type[Settings], *, without: type[Settings] | None = None) -> Iterator[str]:
    known = without.model_fields if without else {}
    rows = [
        (f"`WEIR_{name.upper()}`", _default(field), field.description or "")
        for name, field in kind.model_fields.items()
        if name not in known
    ]
    return _table(("variable", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == frozenset() or value == {}:
        return "–"
    return f"`{value:,}`".replace(",", " ") if type(value) is int and value >= 10_000 else f"`{value}`"


def _metrics_table(service: Service, settings: Settings) -> Iterator[str]:
    registry = CollectorRegistry()
    service.observer(registry)
    counted = [(metric.name, metric.type, metric.documentation, "") for metric in registry.collect()]
    counted = [
        (f"{name}_total" if kind == "counter" else name, kind, meaning, "") for name, kind, meaning, _ in counted
    ]
    looked = [
        (figure.name, "gauge", figure.meaning, figure.label or "")
        for look in service.looks(settings)
        for figure in look.figures
    ]
    rows = [
        (f"`{name}`" + (f" by {label}" if label else ""), kind, meaning)
        for name, kind, meaning, label in looked + counted
    ]
    return _table(("metric", "kind", "meaning"), rows)


def _commands_table(service: Service) -> Iterator[str]:
    try:
        own = importlib.import_module(f"services.{service.name}.commands")
        extend: cli.Extend | None = own.extend
    except ModuleNotFoundError:
        extend = None
    # Where several modules add to the command line, the service puts them together.
    extend = getattr(importlib.import_module(f"services.{service.name}.__main__"), "extend", extend)
    rows = [
        (f"`{' '.join(words)}`", _first_sentence(command.help or ""))
        for words, command in _commands(typer.main.get_command(cli.app(service, extend)), ())
    ]
    return _table(("command", "what it does"), rows)


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
    from services.fraud.domain.limits import DEFAULT_LIMITS
    from services.fraud.domain.rule_set import RULES, meaning_of

    rows = []
    for name, rule in RULES.items():
        used = [limit for limit in _limits_of(rule) if hasattr(DEFAULT_LIMITS, limit)]
        limits = ", ".join(f"`{limit}` {getattr(DEFAULT_LIMITS, limit):,}".replace(",", " ") for limit in used)
        path = Path(inspect.getsourcefile(rule) or "").relative_to(ROOT / "services" / "fraud")
        rows.append((f"`{name}`", _first_sentence(meaning_of(rule)), limits or "–", f"[{path.name}]({path})"))
    return _table(("rule", "looks for", "goes by (defaults)", "source"), rows)


def _limits_of(rule: Callable[..., Any]) -> list[str]:
    """The limits a rule names, itself or in the functions of its module that it calls."""
    module = inspect.getmodule(rule)
    functions = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    seen, found, waiting = set[str](), dict[str, None](), [rule.__name__]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(inspect.getsource(functions[name]))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "limits":
                found[node.attr] = None
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                waiting.append(node.func.id)
    return list(found)


def _limits_table() -> Iterator[str]:
    from services.fraud.domain.limits import DEFAULT_LIMITS, Limits

    (declared,) = ast.parse(inspect.getsource(Limits)).body
    assert isinstance(declared, ast.ClassDef)
    rows = []
    for field, words in zip(declared.body, declared.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant):
            name = ast.unparse(field.target)
            value = f"{getattr(DEFAULT_LIMITS, name):,}".replace(",", " ")
            rows.append((f"`{name}`", value, str(words.value.value)))
    return _table(("limit", "default", "meaning"), rows)


def _first_sentence(text: str) -> str:
    text = " ".join(text.split())
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
