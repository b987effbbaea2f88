"""Everything as plain processes of this machine, kept alive by a supervisor."""

import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from stack import alertmanager, kafka, machine, postgres, prometheus, registry, services
from stack.kafka import access
from stack.part import PartState, Program, Say, StackError
from stack.settings import SERVICES, StackSettings
from stack.supervision import Supervisor
from stack.waiting import wait_until

PORTS_SECONDS_MAX = 5
"""How long the kernel may take to close what an ended process had open."""
SERVICE_PROGRAMS = (*SERVICES, services.FEATURES)


class Native:
    """Kafka, Postgres, the registry, Prometheus with its Alertmanager, and the services, supervised."""

    def __init__(
        self, settings: StackSettings, supervisor: Supervisor, overrides: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._overrides = overrides

    @property
    def is_up(self) -> bool:
        return self._supervisor.is_alive

    def fetch(self, say: Say) -> None:
        """Bring everything that runs here, once. What watches may be missing, and why is said. Raises StackError."""
        self._fetch_parts(say)
        self._fetch_prometheus(say)
        self._fetch_alertmanager(say)

    def start_parts(self, say: Say) -> None:
        """Fetch and start the real parts side by side; return when each can be used."""
        if not self.is_up:
            self._supervisor.require_usable_folder()
            machine.require_room(self._settings)
        self._fetch_parts(say)
        if not self.is_up:
            # What a crash of the supervisor has left would hold the ports and the data.
            ended = self._supervisor.end_leftovers()
            self._require_free_ports(seconds=PORTS_SECONDS_MAX if ended else 0)
        say("Postgres: its data")
        self._remember_security()
        if aside := postgres.prepare(self._settings):
            say(f"Postgres: another installation's data was here; it is now in {aside}")
        postgres.secure(self._settings)
        registry.prepare(self._settings)
        say("Kafka: its data")
        kafka.prepare(self._settings)
        self._supervisor.declare(self.programs())
        self._supervisor.start("postgres", "kafka")
        say("Postgres")
        self._supervisor.wait_ready("postgres")
        postgres.create_databases(self._settings)
        self._supervisor.start("registry")
        say("Kafka")
        self._supervisor.wait_ready("kafka")
        if self._settings.is_secure:
            say("Kafka: its users")
            access.grant(self._settings)
        say("the schema registry")
        self._supervisor.wait_ready("registry")

    def start_services(self, say: Say) -> None:
        """Start Weir's services, and what watches them. The parts must run."""
        self._start_prometheus(say)
        say("databases, topics, schemas")
        services.migrate(self._settings, self._overrides)
        say("the services")
        self._supervisor.start(*SERVICE_PROGRAMS)
        self._supervisor.wait_ready(*SERVICE_PROGRAMS)

    def migrate(self, *names: str) -> None:
        """Bring services' databases to what this code expects. Raises StackError."""
        services.migrate(self._settings, self._overrides, names)

    def stop(self) -> None:
        """Stop everything, also what outlived a supervisor that crashed."""
        # The services first, so that they have what they need to finish what they are at.
        self._supervisor.shut_down(first=SERVICE_PROGRAMS)
        self._supervisor.end_leftovers()

    def forget(self) -> None:
        """Remove all data. Everything must have been stopped."""
        shutil.rmtree(self._settings.folder, ignore_errors=True)
        shutil.rmtree(self._settings.postgres_folder, ignore_errors=True)

    def restart(self, name: str) -> None:
        """Stop one part or service and start it anew; return when it can be used. Raises StackError."""
        self._supervisor.know(self.programs())
        self._supervisor.require_known(name)
        self._supervisor.stop(name)
        self._supervisor.start(name)
        self._supervisor.wait_ready(name)

    @contextmanager
    def pause(self, *names: str, stay_stopped: bool = False) -> Iterator[None]:
        """Parts or services are stopped while the block lasts, or for good, whatever becomes of it."""
        self._supervisor.know(self.programs())
        self._supervisor.stop(*names)
        if stay_stopped:
            yield
            return
        try:
            yield
        except BaseException:
            # What went wrong is to be told, not that what lacks something waits for it.
            self._supervisor.start(*names)
            raise
        self._supervisor.start(*names)
        self._supervisor.wait_ready(*names)

    def states(self) -> list[PartState]:
        """How each part and service is."""
        self._supervisor.know(self.programs())
        return self._supervisor.states()

    def log_command(self, name: str, *, follow: bool) -> list[str]:
        """What shows a part's log."""
        self._supervisor.know(self.programs())
        self._supervisor.require_known(name)
        return ["tail", "-n", "100", *(["-F"] if follow else []), str(self._supervisor.log_of(name))]

    def _remember_security(self) -> None:
        """For `make status`, `bin/weir` and all who come later, who are not told again."""
        if self._settings.is_secure:
            self._settings.secure_mark.touch()
        else:
            self._settings.secure_mark.unlink(missing_ok=True)

    def _fetch_parts(self, say: Say) -> None:
        say("fetching Kafka")
        kafka.fetch(self._settings)
        say("fetching the schema registry")
        registry.fetch(self._settings)

    def _fetch_prometheus(self, say: Say) -> bool:
        return self._fetch_if_possible(say, "Prometheus", prometheus.fetch, without="on which no payment depends")

    def _fetch_alertmanager(self, say: Say) -> bool:
        without = "so that nobody is told what fires"
        return self._fetch_if_possible(say, "Alertmanager", alertmanager.fetch, without=without)

    def _fetch_if_possible(self, say: Say, name: str, fetch: Callable[[StackSettings], None], *, without: str) -> bool:
        """Whether it is there now; where it can't be had, what that means is said, and why."""
        say(f"fetching {name}")
        try:
            fetch(self._settings)
        except StackError as error:
            say(f"without {name}, {without}: {error}")
            return False
        return True

    def _start_prometheus(self, say: Say) -> None:
        if not self._fetch_prometheus(say):
            return
        # Told first who is to be told: what it could send to nobody, Prometheus keeps for a minute.
        prometheus.prepare(self._settings, alertmanagers=self._start_alertmanager(say))
        # Only now is it known to be there.
        self._supervisor.declare(self.programs())
        self._supervisor.start("prometheus")

    def _start_alertmanager(self, say: Say) -> Sequence[str]:
        """Where it answers; nowhere, unless there is anybody to tell."""
        if not alertmanager.is_wanted(self._settings) or not self._fetch_alertmanager(say):
            return ()
        alertmanager.prepare(self._settings)
        self._supervisor.declare(self.programs())
        # Anew: who is told may be somebody else by now.
        self._supervisor.stop("alertmanager")
        self._supervisor.start("alertmanager")
        return (f"{self._settings.host}:{self._settings.alertmanager_port}",)

    def programs(self) -> list[Program]:
        """Everything there is to run; what watches only where it could be had, and who tells where anybody is told."""
        settings, overrides = self._settings, self._overrides
        parts = [kafka.program(settings), postgres.program(settings), registry.program(settings)]
        if prometheus.is_fetched(settings):
            parts.append(prometheus.program(settings))
        if alertmanager.is_wanted(settings) and alertmanager.is_fetched(settings):
            parts.append(alertmanager.program(settings))
        ours = [services.program(settings, name, overrides.get(name, {})) for name in SERVICES]
        return [*parts, *ours, services.features_program(settings, overrides.get(services.FEATURES, {}))]

    def _require_free_ports(self, *, seconds: float) -> None:
        if not wait_until(lambda: not self._taken_ports(), seconds=seconds):
            raise StackError(
                f"These ports of {self._settings.host} are in use by something else: "
                f"{', '.join(self._taken_ports())}.\n"
                "End it, or set WEIR_PORT_BASE to another number (default 19000)."
            )

    def _taken_ports(self) -> list[str]:
        settings = self._settings
        return [f"{port} ({use})" for use, port in settings.ports.items() if _is_taken(settings.host, port)]


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
