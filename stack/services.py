"""Weir's own services as programs of this machine, wired to the real parts."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from urllib.error import URLError

from pydantic import SecretStr

from libs.common.settings import MessagingSettings
from stack import postgres
from stack.part import Program, StackError
from stack.settings import KEYS, REPOSITORY, SERVICES, StackSettings

PARTITIONS = 6
"""Of every topic that is made on one machine: with each, every look at a topic costs more (docs/decisions/0011)."""
DESK = ("desk", "read", "staff")
"""As whom the desk asks payments for timelines, and what it may there."""
DESK_KEY = "api-key/desk"
FEATURES = "features"
"""The name of fraud's Faust worker among the programs."""
RELAY_IDLE_POLL_SECONDS = 0.25
"""Here a service is one process, whose own commits wake its relay. To look for what others commit 20 times a second
would cost a fifteenth of a core on which nothing else happens."""


def environment(settings: StackSettings, service: str) -> dict[str, str]:
    """What a service needs to know to find its database, the broker and the registry."""
    found = {
        "WEIR_DATABASE_URL": settings.database_url(service),
        **as_environment(settings.messaging(service)),
        "WEIR_KEYS_URL": settings.database_url(KEYS),
        "WEIR_MASTER_KEYS": settings.master_keys,
        "WEIR_METRICS_TOKEN": settings.metrics_token,
        "WEIR_PARTITIONS": str(PARTITIONS),
        "WEIR_RELAY_IDLE_POLL_SECONDS": str(RELAY_IDLE_POLL_SECONDS),
        "WEIR_HTTP_HOST": settings.host,
        "WEIR_HTTP_PORT": str(settings.service_port(service)),
    }
    return found | desk_environment(settings) if service == "compliance" else found


def desk_environment(settings: StackSettings) -> dict[str, str]:
    """What the desk asks others by, on one machine."""
    return {
        # Only a demonstration takes customers for proven by who is simulated.
        "WEIR_DOCUMENT_PROVIDER": "simulated",
        "WEIR_PAYMENTS_URL": f"http://{settings.host}:{settings.service_port('payments')}",
        "WEIR_PAYMENTS_KEY": settings.secrets.get(DESK_KEY),
    }


def migration_environment(settings: StackSettings, service: str) -> dict[str, str]:
    """What `migrate` needs to know: it comes as the tables' owner, and lets the service in."""
    own = {"WEIR_DATABASE_URL": _as_owner(settings, service), "WEIR_DATABASE_ROLE": service}
    keys = {"WEIR_KEYS_URL": _as_owner(settings, KEYS), "WEIR_KEYS_ROLE": KEYS}
    return {**environment(settings, service), **own, **keys}


def _as_owner(settings: StackSettings, database: str) -> str:
    return settings.database_url(database, postgres.owner_of(database))


def as_environment(settings: MessagingSettings) -> dict[str, str]:
    """Settings as another process reads them."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"WEIR_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in given.items()
        if value is not None
    }


def program(settings: StackSettings, service: str, overrides: Mapping[str, str]) -> Program:
    """A service with all its roles in one process, as a small installation runs it."""
    return Program(
        name=service,
        command=(sys.executable, "-m", f"services.{service}", "api", "worker", "relay"),
        environment={**environment(settings, service), **overrides},
        directory=REPOSITORY,
        is_ready=lambda: is_ready(f"http://{settings.host}:{settings.service_port(service)}/ready"),
    )


def features_program(settings: StackSettings, overrides: Mapping[str, str]) -> Program:
    """Fraud's Faust worker, which has a process of its own."""
    address = {"WEIR_HTTP_PORT": str(settings.features_port)}
    # A name kept over restarts: the broker hands the work back at once instead of waiting for a dead member.
    membership = {"WEIR_FEATURES_INSTANCE_ID": FEATURES}
    folder = {"APP_DATADIR": str(settings.folder / FEATURES)}
    return Program(
        name=FEATURES,
        command=(sys.executable, "-m", "services.fraud", "features"),
        environment={**environment(settings, "fraud"), **address, **membership, **folder, **overrides},
        directory=REPOSITORY,
        is_ready=lambda: is_ready(f"http://{settings.host}:{settings.features_port}/ready"),
    )


def migrate(
    settings: StackSettings, overrides: Mapping[str, Mapping[str, str]], names: Iterable[str] = SERVICES
) -> None:
    """Prepare services' databases, topics and schemas, side by side, with the settings that the services will have.

    Repeatable. Raises StackError.
    """
    running = {
        service: subprocess.Popen(
            [sys.executable, "-m", f"services.{service}", "migrate"],
            env={**os.environ, **migration_environment(settings, service), **overrides.get(service, {})},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for service in names
    }
    for service, process in running.items():
        output, _ = process.communicate()
        if process.returncode != 0:
            raise StackError(f"{service} could not be prepared:\n{output[-4000:]}")
    if "payments" in running:
        let_desk_in(settings)


def let_desk_in(settings: StackSettings) -> None:
    """Have payments know the desk's key. Repeatable."""
    added = subprocess.run(
        [sys.executable, "-m", "services.payments", "clients", "add", *DESK, "--key-stdin"],
        env={**os.environ, **environment(settings, "payments")},
        cwd=REPOSITORY,
        input=settings.secrets.get(DESK_KEY),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if added.returncode != 0:
        raise StackError(f"payments does not let the desk in:\n{added.stdout[-4000:]}")


def is_ready(url: str) -> bool:
    """Whether a service says that each of its roles can work."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
