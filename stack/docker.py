"""Everything in containers: `docker-compose.yml`, with the ports and passwords of one installation."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from stack import alertmanager, kafka, postgres, prometheus, registry, services
from stack.part import PartState, Say, StackError, in_words
from stack.settings import REPOSITORY, SERVICES, StackSettings
from stack.waiting import wait_until

FILE = REPOSITORY / "docker-compose.yml"
PARTS = (("postgres", "kafka"), ("registry",))
"""One after the other, for the registry wants Postgres: Compose, which would wait as well, does not say why in vain."""
PROFILES = ("alerts", "grafana")
"""What is started only where somebody asks for it."""
ASK_SECONDS_MAX = 30
"""An engine is slow to answer where much else runs, and nobody is to be told then that there is none."""
READY_SECONDS_MAX = 180


@cache
def is_here() -> bool:
    """Whether an engine answers, and Compose is there to speak to it."""
    return _answers("docker", "version") and compose_command() is not None


@cache
def compose_command() -> tuple[str, ...] | None:
    """Compose as a plugin of Docker, or as the program it once was."""
    commands = (("docker", "compose"), ("docker-compose",))
    return next((command for command in commands if _answers(*command, "version")), None)


class Docker:
    """Kafka, Postgres, the registry, Prometheus and the services as containers of one Compose project."""

    def __init__(self, settings: StackSettings, overrides: Mapping[str, Mapping[str, str]]) -> None:
        self._settings = settings
        self._overrides = overrides

    @property
    def is_up(self) -> bool:
        return self._settings.folder.exists() and bool(self._compose("ps", "-q").strip())

    def start_parts(self, say: Say) -> None:
        """Start the real parts and return when each can be used. Images that are missing are fetched."""
        say("Postgres, Kafka, the schema registry")
        for names in PARTS:
            self._up(*names)
            self._wait_ready(*names)
        # The image makes databases and roles on an empty volume alone: what releases have added since is added here.
        postgres.create_databases(self._settings)

    def start_services(self, say: Say) -> None:
        """Build and start Weir's services, and what watches them."""
        say("the images of the services (the first time, this takes minutes)")
        self._compose("build")
        say("databases, topics, schemas, and the services")
        self._up()
        self._wait_ready(*self._probes)

    def migrate(self, *names: str) -> None:
        """Bring services' databases to what this code expects. Raises StackError."""
        for name in names:
            self._compose("run", "--rm", "--no-deps", f"{name}-migrate")
        # As the other way does: the database that was put in place may not know the desk yet.
        self._compose("run", "--rm", "--no-deps", "desk-key")

    def stop(self) -> None:
        """Stop and remove the containers; the volumes with their data stay."""
        # Images declare volumes of their own besides, which `down` would leave behind, one more each time.
        self._compose("rm", "--stop", "--force", "-v", profiles=PROFILES)
        self._compose("down", "--remove-orphans", profiles=PROFILES)

    def forget(self) -> None:
        """Remove all data."""
        self._compose("down", "--remove-orphans", "--volumes", profiles=PROFILES)
        shutil.rmtree(self._settings.folder, ignore_errors=True)

    def restart(self, name: str) -> None:
        """Stop one part or service and start it anew; return when it can be used. Raises StackError."""
        self._require_known(name)
        self._compose("restart", name)
        self._wait_ready(name)

    @contextmanager
    def pause(self, *names: str, stay_stopped: bool = False) -> Iterator[None]:
        """Parts or services are stopped while the block lasts, or for good, whatever becomes of it."""
        self._compose("stop", *names)
        if stay_stopped:
            yield
            return
        try:
            yield
        except BaseException:
            # What went wrong is to be told, not that what lacks something waits for it.
            self._compose("start", *names)
            raise
        self._compose("start", *names)
        self._wait_ready(*names)

    def states(self) -> list[PartState]:
        """How each part and service is."""
        began = self._running_since()
        return [self._state(name, began.get(name)) for name in self._probes]

    def log_command(self, name: str, *, follow: bool) -> list[str]:
        """What shows a part's log."""
        self._require_known(name)
        return [*self._command(), "logs", "--no-log-prefix", "--tail=100", *(["--follow"] if follow else []), name]

    @property
    def project(self) -> str:
        """What Compose calls this installation."""
        return f"weir-{hashlib.sha256(str(self._settings.folder).encode()).hexdigest()[:8]}"

    @property
    def _probes(self) -> dict[str, Callable[[], bool]]:
        settings = self._settings
        address = f"http://{settings.host}"
        ours = {name: settings.service_port(name) for name in SERVICES} | {services.FEATURES: settings.features_port}
        alerting = f"{address}:{settings.alertmanager_port}"
        return {
            "kafka": lambda: kafka.answers(settings.messaging()),
            "postgres": lambda: postgres.answers(postgres.admin_dsn(settings)),
            "registry": lambda: registry.answers(settings.messaging()),
            "prometheus": lambda: prometheus.answers(f"{address}:{settings.prometheus_port}"),
            **({"alertmanager": lambda: prometheus.answers(alerting)} if alertmanager.is_wanted(settings) else {}),
            **{name: _ready_probe(f"{address}:{port}/ready") for name, port in ours.items()},
        }

    def _state(self, name: str, began: datetime | None) -> PartState:
        if began is None:
            return PartState(name=name, state="stopped", age="")
        state = "ready" if self._probes[name]() else "starting"
        return PartState(name=name, state=state, age=in_words(datetime.now(UTC) - began))

    def _running_since(self) -> dict[str, datetime]:
        """Since when each container has been running, by the service it belongs to."""
        ids = self._compose("ps", "-q").split()
        template = '{{.State.Running}} {{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}}'
        lines = _run("docker", "inspect", "--format", template, *ids).splitlines() if ids else []
        # To the second: Docker writes more digits than Python reads.
        return {name: _instant(at) for is_running, name, at in map(str.split, lines) if is_running == "true"}

    def _wait_ready(self, *names: str) -> None:
        for name in names:
            if not wait_until(self._probes[name], seconds=READY_SECONDS_MAX):
                log = self._compose("logs", "--no-color", "--tail=20", name)
                raise StackError(f"{name} did not become ready; the end of its log:\n{log}")

    def _up(self, *names: str) -> None:
        self._compose("up", "--detach", *names)

    def _compose(self, *arguments: str, profiles: Sequence[str] | None = None) -> str:
        return _run(*self._command(profiles), *arguments)

    def _command(self, profiles: Sequence[str] | None = None) -> Sequence[str]:
        """How Compose is called. What belongs to a profile it sees if that is named: by default, if it is wanted."""
        command = compose_command()
        if command is None or not is_here():
            raise StackError("No Docker engine with Compose answers: start Docker, or set WEIR_STACK=native.")
        environment, overrides = self._write_environment(), self._write_overrides()
        files = ["-f", str(FILE), "-f", str(overrides)]
        if profiles is None:
            profiles = ("alerts",) if alertmanager.is_wanted(self._settings) else ()
        return [
            *command,
            "-p",
            self.project,
            "--env-file",
            str(environment),
            "--project-directory",
            str(REPOSITORY),
            *(word for profile in profiles for word in ("--profile", profile)),
            *files,
        ]

    def _write_environment(self) -> Path:
        """What docker-compose.yml leaves open, in a file that only its owner reads."""
        path = self._settings.folder / "compose.env"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in environment(self._settings).items()))
        return path

    def _write_overrides(self) -> Path:
        path = self._settings.folder / "compose.overrides.yml"
        # JSON is YAML. Without a single service Compose wants no such file to be empty, so there is always one.
        found = {
            program: {"environment": dict(values)}
            for name, values in self._overrides.items()
            for program in ((name, f"{name}-migrate") if name in SERVICES else (name,))
        }
        path.write_text(json.dumps({"services": found or {"payments": {}}}))
        return path

    def _require_known(self, name: str) -> None:
        if name not in self._probes:
            raise StackError(f"There is no {name!r}; there are {', '.join(sorted(self._probes))}.")


def environment(settings: StackSettings) -> dict[str, str]:
    """The variables that docker-compose.yml reads: where everything is to answer, and the passwords."""
    ports = {
        "POSTGRES": settings.postgres_port,
        "KAFKA": settings.kafka_port,
        "REGISTRY": settings.registry_port,
        "PROMETHEUS": settings.prometheus_port,
        "ALERTMANAGER": settings.alertmanager_port,
        "GRAFANA": settings.grafana_port,
        "FEATURES": settings.features_port,
        **{service.upper(): settings.service_port(service) for service in SERVICES},
    }
    passwords = {name.upper(): settings.secrets.get(f"postgres/{name}") for name in ("postgres", *postgres.ROLES)}
    return {
        "WEIR_HOST": settings.host,
        **{f"WEIR_{name}_PORT": str(port) for name, port in ports.items()},
        **{f"WEIR_{name}_PASSWORD": password for name, password in passwords.items()},
        "WEIR_MASTER_KEYS": settings.master_keys,
        "WEIR_RECEIVERS": str(settings.receivers),
        "WEIR_METRICS_TOKEN": settings.metrics_token,
        "WEIR_DESK_KEY": settings.secrets.get(services.DESK_KEY),
    }


def _run(*command: str) -> str:
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"Docker refused {' '.join(command[-2:])}:\n{result.stderr.strip()[-3000:]}")
    return result.stdout


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.split(".")[0].rstrip("Z")).replace(tzinfo=UTC)


def _ready_probe(url: str) -> Callable[[], bool]:
    return lambda: services.is_ready(url)


def _answers(*command: str) -> bool:
    try:
        result = subprocess.run(command, capture_output=True, timeout=ASK_SECONDS_MAX, env=dict(os.environ))
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0
