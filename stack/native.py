"""The real parts as plain processes of this machine."""

import shutil
import socket
from collections.abc import Callable

from stack import kafka, postgres, registry
from stack.part import Program, StackError
from stack.settings import SERVICES, StackSettings
from stack.supervision import Supervisor

PARTS = ("kafka", "postgres", "registry")

Say = Callable[[str], None]


class NativeParts:
    """Kafka, Postgres and the registry, supervised."""

    def __init__(self, settings: StackSettings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor

    def fetch(self, say: Say) -> None:
        """Bring what is not here yet."""
        say("Kafka's jars")
        kafka.fetch(self._settings)
        say("the schema registry")
        registry.fetch(self._settings)

    def programs(self) -> list[Program]:
        settings = self._settings
        return [kafka.program(settings), postgres.program(settings), registry.program(settings)]

    def start(self, say: Say) -> None:
        """Start the parts side by side and return when each can be used."""
        say("Postgres")
        postgres.prepare(self._settings)
        kafka.prepare(self._settings)
        self._supervisor.start("postgres", "kafka")
        self._supervisor.wait_ready("postgres")
        postgres.create_databases(self._settings)
        self._supervisor.start("registry")
        say("Kafka")
        self._supervisor.wait_ready("kafka")
        say("the schema registry")
        self._supervisor.wait_ready("registry")

    def require_free_ports(self) -> None:
        """Raise StackError naming every port that something else already uses."""
        settings = self._settings
        ports = {
            "Kafka": settings.kafka_port,
            "Kafka's controller": settings.kafka_controller_port,
            "Postgres": settings.postgres_port,
            "the registry": settings.registry_port,
            "the registry's management": settings.registry_management_port,
            **{service: settings.service_port(service) for service in SERVICES},
            "fraud's features worker": settings.features_port,
        }
        taken = [f"{port} ({use})" for use, port in ports.items() if _is_taken(settings.host, port)]
        if taken:
            raise StackError(
                f"These ports of {settings.host} are in use by something else: {', '.join(taken)}.\n"
                "End it, or set WEIR_PORT_BASE to another number (default 19000)."
            )

    def forget(self) -> None:
        """Remove all data. The parts must have been stopped."""
        shutil.rmtree(self._settings.folder, ignore_errors=True)
        shutil.rmtree(self._settings.postgres_folder, ignore_errors=True)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
