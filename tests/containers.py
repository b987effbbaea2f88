"""The real parts as containers for as long as the tests run: what docker-compose.yml says, on the tests' own ports."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import yaml
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from stack import docker, kafka, postgres, registry
from stack.part import StackError
from stack.settings import REPOSITORY, StackSettings
from stack.waiting import wait_until

READY_SECONDS_MAX = 120
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(:[-?][^}]*)?\}")


@contextmanager
def running(settings: StackSettings) -> Iterator[None]:
    """Postgres, Kafka and the registry, answering where the settings say. Raises StackError when one never does."""
    services = _services(settings)
    probes = {
        "postgres": lambda: postgres.answers(postgres.admin_dsn(settings)),
        "kafka": lambda: kafka.answers(settings.messaging()),
        "registry": lambda: registry.answers(settings.messaging()),
    }
    with ExitStack() as started:
        network = started.enter_context(Network())
        # The registry wants Postgres to be there.
        for names in (("postgres", "kafka"), ("registry",)):
            containers = {name: started.enter_context(_container(name, services[name], network)) for name in names}
            for name, container in containers.items():
                if not wait_until(probes[name], seconds=READY_SECONDS_MAX):
                    raise StackError(f"{name} did not become ready:\n{container.get_logs()[0].decode()[-2000:]}")
        yield


def _container(name: str, service: dict[str, Any], network: Network) -> DockerContainer:
    container = DockerContainer(service["image"]).with_network(network).with_network_aliases(name)
    container.with_envs(**{key: str(value) for key, value in service["environment"].items()})
    if "command" in service:
        container.with_command(service["command"])
    for mapping in service["ports"]:
        host, port, inside = mapping.split(":")
        # As Docker's own client takes it; without the address, everyone on the network could come in.
        container.ports[inside] = (host, int(port))  # type: ignore[assignment]
    for volume in service.get("volumes", ()):
        source, target, *_ = volume.split(":")
        # Other volumes keep data, and nothing is to outlive a test run.
        if source.startswith("."):
            container.with_volume_mapping(REPOSITORY / source, target)
    return container


def _services(settings: StackSettings) -> dict[str, Any]:
    """The services of docker-compose.yml, with the variables of this installation filled in."""
    values = docker.environment(settings)
    text = _VARIABLE.sub(lambda found: values[found["name"]], docker.FILE.read_text())
    return dict(yaml.safe_load(text)["services"])
