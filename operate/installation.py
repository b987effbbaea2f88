"""Where the services of one installation are: as the environment says, else those of `make up` on this machine."""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from libs.common import cli
from libs.common.service import Runtime, Service
from libs.common.settings import MessagingSettings
from stack.settings import KEYS, KEYS_OPERATOR, OPERATOR, SERVICES, StackSettings


def runtime_of(name: str) -> Runtime:
    """A service as its own command line would wire it, with what `WEIR_PAYMENTS_DATABASE_URL` and its like say."""
    service = service_of(name)
    return Runtime(service, service.settings(database_url=database_url(name), **dict(messaging(name)), **_keys(name)))


def _keys(name: str) -> dict[str, Any]:
    """The key store as operators find it: as the environment says, where it says where the service's database is."""
    if "WEIR_KEYS_URL" in os.environ or f"WEIR_{name.upper()}_DATABASE_URL" in os.environ:
        return {}
    settings = StackSettings()
    return {"keys_url": settings.database_url(KEYS, KEYS_OPERATOR), "master_keys": settings.master_keys}


def service_of(name: str) -> Service:
    found: Service = importlib.import_module(f"services.{name}.__main__").SERVICE
    return found


def extend_of(name: str) -> cli.Extend | None:
    """What a service's command line has besides what every service's has."""
    main = importlib.import_module(f"services.{name}.__main__")
    # Where several modules add to the command line, the service puts them together.
    found: cli.Extend | None = getattr(main, "extend", None) or getattr(getattr(main, "commands", None), "extend", None)
    return found


def database_url(name: str) -> str:
    return os.environ.get(f"WEIR_{name.upper()}_DATABASE_URL") or StackSettings().database_url(name)


def database_urls() -> Mapping[str, str]:
    return {name: database_url(name) for name in SERVICES}


def url(name: str) -> str:
    """Where a service answers."""
    settings = StackSettings()
    return os.environ.get(f"WEIR_{name.upper()}_URL") or f"http://{settings.host}:{settings.service_port(name)}"


def messaging(user: str = OPERATOR) -> MessagingSettings:
    """Broker and registry: as the environment says, else as that user of the installation of this machine."""
    if any(os.environ.get(f"WEIR_{name}") for name in ("KAFKA_BOOTSTRAP", "REGISTRY_URL")):
        return MessagingSettings()
    return StackSettings().messaging(user)
