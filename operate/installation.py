"""Where the services of one installation are: as the environment says, else those of `make up` on this machine."""

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, create_model

from libs.common import cli
from libs.common.service import Runtime, Service
from libs.common.settings import ConfiguredSettings, MessagingSettings, Settings
from stack.services import FEATURES
from stack.settings import KEYS, KEYS_OPERATOR, OPERATOR, SERVICES, StackSettings

_Addresses = create_model(
    "_Addresses",
    __base__=ConfiguredSettings,
    **{f"{name}_database_url": (str | None, Field(None, repr=False)) for name in SERVICES},
    **{f"{name}_url": (str | None, None) for name in (*SERVICES, FEATURES, "prometheus")},
)  # type: ignore[call-overload]
"""`WEIR_PAYMENTS_DATABASE_URL`, `WEIR_PAYMENTS_URL` and their like, from the environment or the secrets' folder."""


def _told(name: str) -> str | None:
    found: str | None = getattr(_Addresses(), name)
    return found


def runtime_of(name: str) -> Runtime:
    """A service as its own command line would wire it, with what `WEIR_PAYMENTS_DATABASE_URL` and its like say."""
    return Runtime(service_of(name), settings_of(name))


def settings_of(name: str) -> Settings:
    address = _told(f"{name}_database_url") or StackSettings().database_url(name)
    return service_of(name).settings(database_url=address, **dict(messaging(name)), **_keys(name))


def _keys(name: str) -> dict[str, Any]:
    """The key store as operators find it: as the environment says, where it says where the service's database is."""
    if "WEIR_KEYS_URL" in os.environ or _told(f"{name}_database_url"):
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


def databases() -> Mapping[str, str]:
    """Every service's address of its database, with all it takes to connect: not to be shown."""
    return {name: settings_of(name).database_dsn for name in SERVICES}


def urls(name: str) -> Sequence[str]:
    """Where the processes of a service answer, or fraud's features worker does."""
    if told := _told(f"{name}_url"):
        return [url.strip().rstrip("/") for url in told.split(",") if url.strip()]
    settings = StackSettings()
    port = settings.features_port if name == FEATURES else settings.service_port(name)
    return [f"http://{settings.host}:{port}"]


def prometheus_url() -> str | None:
    """Where Prometheus answers, if that is told."""
    found = _told("prometheus_url")
    return found and found.rstrip("/")


def messaging(user: str = OPERATOR) -> MessagingSettings:
    """Broker and registry: as the environment says, else as that user of the installation of this machine."""
    if any(os.environ.get(f"WEIR_{name}") for name in ("KAFKA_BOOTSTRAP", "REGISTRY_URL")):
        return MessagingSettings()
    return StackSettings().messaging(user)
