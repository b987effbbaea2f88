"""What `make status` shows of the golden signals and the alerts, as a terminal of 120 columns has it."""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console, RenderableType

from stack import live
from stack.live import ALERTS_SHOWN_MAX, in_words, view
from stack.settings import StackSettings
from stack.signals import NO_TROUBLE, SIGNALS

QUERIES = {signal.title: signal.query for signal in SIGNALS}
RUNBOOK = "docs/operations.md#requests-fail"


class Prometheus:
    """Answers as Prometheus does; what, is told it by a test."""

    def __init__(self) -> None:
        self.values: dict[str, Mapping[str, str]] = {}
        """By signal, by service: values are text, as Prometheus writes them."""
        self.alerts: list[Mapping[str, Any]] = []
        self.raw: bytes | None = None
        prometheus = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = prometheus.answer(self.path) if prometheus.raw is None else prometheus.raw
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, path: str) -> bytes:
        url = urlsplit(path)
        if url.path == "/api/v1/alerts":
            return _data({"alerts": self.alerts})
        assert url.path == "/api/v1/query"
        (query,) = parse_qs(url.query)["query"]
        (signal,) = [title for title, known in QUERIES.items() if known == query]
        series = [
            {"metric": {"service": service}, "value": [1795413000.781, value]}
            for service, value in self.values.get(signal, {}).items()
        ]
        return _data({"resultType": "vector", "result": series})

    def fire(self, name: str, severity: str, *, state: str = "firing", summary: str = "Something is wrong") -> None:
        self.alerts.append(
            {
                "labels": {"alertname": name, "severity": severity, "service": "payments"},
                "annotations": {"summary": summary, "runbook": RUNBOOK},
                "state": state,
                "activeAt": "2026-01-01T00:00:00Z",
                "value": "1e+00",
            }
        )


def _data(data: object) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    found = Prometheus()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def settings(prometheus: Prometheus, tmp_path: Path) -> StackSettings:
    offset = StackSettings(folder=tmp_path).prometheus_port - StackSettings(folder=tmp_path).port_base
    return StackSettings(folder=tmp_path, port_base=prometheus.server.server_address[1] - offset)


def shown(what: RenderableType, *, width: int = 120) -> list[str]:
    """Its lines, without what is only room."""
    console = Console(record=True, width=width, color_system="truecolor", force_terminal=True, file=StringIO())
    console.print(what)
    return [line.rstrip() for line in console.export_text(styles=False).splitlines()]


def coloured(what: RenderableType) -> str:
    console = Console(record=True, width=120, color_system="standard", force_terminal=True, file=StringIO())
    console.print(what)
    return console.export_text(styles=True)


RED, YELLOW = "\x1b[31m", "\x1b[33m"
BOLD_RED = "\x1b[1;31m"


def test_signals_stand_by_service_and_what_worries_is_red(prometheus: Prometheus, settings: StackSettings) -> None:
    prometheus.values = {
        "requests": {"payments": "12.4666", "fraud": "0"},
        "failed": {"payments": "0.003", "fraud": "NaN"},
        "answer p99": {"payments": "0.0452", "compliance": "2.1"},
        "lag": {"accounts": "420"},
        "outbox": {"payments": "29.9"},
        "connections": {"payments": "0.5", "unheard of": "1"},
    }
    found = view(settings)
    heading, payments, fraud, compliance, accounts, _, alerts = shown(found)
    assert heading.split() == ["service", *" ".join(QUERIES).split()]
    assert payments.split() == ["payments", "12.5/s", "–", "0.3", "%", "45", "ms", "–", "–", "29.9", "s", "50.0", "%"]
    assert fraud.split() == ["fraud", "0.0/s", *"–––––––"]
    assert compliance.split() == ["compliance", *"–––", "2.1", "s", *"––––"]
    assert accounts.split() == ["accounts", *"–––––", "7", "min", *"––"]
    assert alerts == "no alert fires"
    words = coloured(found)
    for told, is_worrying in (("0.3 %", True), ("2.1 s", True), ("7 min", True), ("29.9 s", False), ("50.0 %", False)):
        (style,) = re.findall(rf"((?:\x1b\[[0-9;]*m)?) *{told}", words)
        assert (style == BOLD_RED) is is_worrying, told


def test_alerts_stand_with_pages_first_and_where_to_read_on(prometheus: Prometheus, settings: StackSettings) -> None:
    prometheus.fire("ABacklog", "ticket", summary="1 [red]letter[/red] of [payments] waits")
    prometheus.fire("RequestsFail", "page")
    prometheus.fire("NotYet", "page", state="pending")
    prometheus.fire("Watchdog", NO_TROUBLE)
    prometheus.fire("OfAnother", "made up elsewhere")
    found = view(settings)
    lines = shown(found)[6:]
    assert [line.split()[0] for line in lines] == ["alert", "RequestsFail", "ABacklog", "OfAnother"]
    assert "1 [red]letter[/red] of [payments] waits" in lines[2] and lines[2].endswith(RUNBOOK)
    text = coloured(found)
    assert f"{RED}RequestsFail" in text and f"{YELLOW}ABacklog" in text


def test_of_many_alerts_the_first_stand_and_the_others_are_counted(
    prometheus: Prometheus, settings: StackSettings
) -> None:
    for number in range(ALERTS_SHOWN_MAX + 3):
        prometheus.fire(f"Ticket{number:02}", "ticket")
    prometheus.fire("Woken", "page")
    lines = shown(view(settings))[6:]
    assert lines[1].startswith("Woken")
    assert len(lines) == 1 + ALERTS_SHOWN_MAX + 1
    assert lines[-1] == "and 4 more"


def test_on_a_narrow_terminal_names_and_runbooks_stay_whole(prometheus: Prometheus, settings: StackSettings) -> None:
    prometheus.fire("IdempotencyKeysAreNotRemoved", "ticket", summary="Nothing has been removed " * 5)
    text = "".join("".join(shown(view(settings), width=60)).split())
    assert "…" not in text[text.index("what") :]


@pytest.mark.parametrize("raw", [b"<html>Somebody else</html>", b"{}", b"[]", b""])
def test_whatever_else_answers_there_is_no_prometheus(
    prometheus: Prometheus, settings: StackSettings, raw: bytes
) -> None:
    prometheus.raw = raw
    assert shown(view(settings))[0].startswith("Prometheus does not answer, so there is nothing to tell: ")


def test_without_prometheus_it_is_said(prometheus: Prometheus, settings: StackSettings) -> None:
    prometheus.server.shutdown()
    prometheus.server.server_close()
    (line, *_) = shown(view(settings))
    assert line.startswith("Prometheus does not answer, so there is nothing to tell: ") and "refused" in line


def test_it_is_shown_anew_until_somebody_has_seen_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            return
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    views = iter(["first", "second", "third"])
    console = Console(record=True, width=40, force_terminal=True, file=StringIO())
    live.watch(console, lambda: next(views))
    assert looks == [live.LOOK_SECONDS] * 2
    assert next(views, None) is None


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0, "reqps", "0.0/s"),
        (0.0005, "percentunit", "0.1 %"),
        (0.0452, "s", "45 ms"),
        (119.94, "s", "119.9 s"),
        (420, "s", "7 min"),
        (1234567, "short", "1 234 567"),
    ],
)
def test_a_number_is_told_as_a_person_reads_it(value: float, unit: str, words: str) -> None:
    assert in_words(value, unit) == words
