"""Prometheus, from Debian's package: it watches the services, and no payment depends on it."""

import json
import shutil
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

from stack import debian
from stack.cache import fetch_once
from stack.part import Program
from stack.settings import REPOSITORY, SERVICES, StackSettings

CONFIGURATION = REPOSITORY / "deploy" / "prometheus"
RULE_TESTS = ("rules_test.yml", "rules_slow_test.yml")
"""What promtool tests the rules by."""
TARGETS, ALERTMANAGERS = "targets.json", "alertmanagers.json"
"""Where Prometheus finds the services, and whom it tells what fires: all that differs between installations."""
TOKEN = Path("..", "secrets", "weir_metrics_token")
"""Where prometheus.yml, seen from itself, has the token that services ask for: only its owner reads it."""
READ_SECONDS_MAX = 5


def fetch(settings: StackSettings) -> None:
    """Bring the package, once. Raises StackError where that is not possible."""
    fetch_once(_package(settings), lambda draft: debian.unpack("prometheus", into=draft))


def is_fetched(settings: StackSettings) -> bool:
    return _package(settings).exists()


def prepare(settings: StackSettings, *, alertmanagers: Sequence[str] = ()) -> None:
    """Write the configuration: the repository's, with the services of this installation, and whom it tells what fires.

    `alertmanagers`: host:port of each.
    """
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copyfile(CONFIGURATION / name, folder / name)
    (folder / TARGETS).write_text(json.dumps(targets(settings), indent=1))
    (folder / ALERTMANAGERS).write_text(json.dumps([{"targets": list(alertmanagers)}]))
    token = folder / TOKEN
    token.parent.mkdir(mode=0o700, exist_ok=True)
    token.touch(mode=0o600)
    token.write_text(settings.metrics_token)


def targets(settings: StackSettings) -> list[dict[str, object]]:
    """Each service and where it answers, as Prometheus reads it from a file."""
    ports = {**{service: settings.service_port(service) for service in SERVICES}, "features": settings.features_port}
    return [{"targets": [f"{settings.host}:{port}"], "labels": {"service": service}} for service, port in ports.items()]


def program(settings: StackSettings) -> Program:
    folder, package = _folder(settings), _package(settings)
    return Program(
        name="prometheus",
        command=(
            str(package / "usr" / "bin" / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=15d",
            "--enable-feature=exemplar-storage",
            f"--web.listen-address={settings.host}:{settings.prometheus_port}",
            f"--web.console.templates={package / 'etc' / 'prometheus' / 'consoles'}",
            f"--web.console.libraries={package / 'etc' / 'prometheus' / 'console_libraries'}",
        ),
        directory=folder,
        is_ready=lambda: answers(f"http://{settings.host}:{settings.prometheus_port}"),
    )


def answers(url: str) -> bool:
    """Whether a Prometheus or an Alertmanager answers there."""
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def read(settings: StackSettings, url: str) -> str:
    """What a service shows of itself, as Prometheus reads it. Raises URLError and OSError."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {settings.metrics_token}"})
    with urllib.request.urlopen(request, timeout=READ_SECONDS_MAX) as response:
        return str(response.read().decode())


def promtool(settings: StackSettings) -> Path:
    """The program that checks and tests rules."""
    return _package(settings) / "usr" / "bin" / "promtool"


def _folder(settings: StackSettings) -> Path:
    return settings.folder / "prometheus"


def _package(settings: StackSettings) -> Path:
    return settings.cache / "prometheus-debian"
