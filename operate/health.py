"""Whether everything works: each process of each service, their databases, the broker, the registry, Prometheus."""

from collections.abc import Callable, Iterable, Iterator

import httpx
from confluent_kafka import KafkaException

from libs.common.database import fetch
from libs.common.errors import Outage
from libs.common.kafka import Admin
from libs.common.record import Record
from libs.common.service import Runtime
from libs.common.settings import MessagingSettings
from operate import installation
from stack.services import FEATURES
from stack.settings import SERVICES

TIMEOUT_SECONDS = 5


class Health(Record):
    """How one part is."""

    part: str
    is_well: bool
    detail: str


def look() -> Iterator[Health]:
    """Each part in turn, what the others rest on first."""
    first = installation.runtime_of(SERVICES[0])
    yield _asked("kafka", lambda: _ask_broker(first.settings))
    yield _asked("registry", _ask_registry)
    if first.vault.store is not None:
        yield _asked("key store", lambda: _ask_key_store(first))
    for name in SERVICES:
        yield _asked(f"{name} database", lambda name=name: _ask_database(name))  # type: ignore[misc]
        yield from _roles(name)
    yield from _roles(FEATURES)
    if (url := installation.prometheus_url()) is not None:
        yield _asked("prometheus", lambda: ask_prometheus(url))


def _asked(part: str, ask: Callable[[], str]) -> Health:
    try:
        return Health(part=part, is_well=True, detail=ask())
    except (Outage, Unwell) as error:
        return Health(part=part, is_well=False, detail=str(error).splitlines()[0])


def _ask_broker(settings: MessagingSettings) -> str:
    admin = Admin(settings)
    try:
        return f"{len(admin.list_topics(timeout=TIMEOUT_SECONDS).topics)} topics"
    except KafkaException as error:
        raise admin.outage(error) from error


class Unwell(Exception):
    """A part answers, and what it says is wrong."""


def _ask_registry() -> str:
    return compare_schemas([installation.runtime_of(name) for name in SERVICES])


def compare_schemas(runtimes: Iterable[Runtime]) -> str:
    """Hold every schema of services against the registry's. Raises Unwell for those that may not follow, and Outage."""
    checked, faulty = 0, []
    for runtime in runtimes:
        for contract in (kind.contract for kind in runtime.handlers.writes):
            checked += 1
            faulty += [f"{contract.registry_subject}: {fault}" for fault in runtime.registry.faults(contract)]
    if faulty:
        raise Unwell("; ".join(faulty))
    return f"it answers, and {checked} schemas may follow what it has"


def _ask_key_store(runtime: Runtime) -> str:
    store = runtime.vault.store
    assert store is not None
    return f"{sum(store.count_by_master().values())} keys"


def _ask_database(name: str) -> str:
    runtime = installation.runtime_of(name)
    try:
        ((size,),) = runtime.unit.administer(
            lambda tx: fetch(tx, "SELECT pg_size_pretty(pg_database_size(current_database()))")
        )
    finally:
        runtime.engine.dispose()
    return f"{size} on disk"


def _roles(name: str) -> Iterator[Health]:
    """Each process of a service; several are told apart by their addresses."""
    urls = installation.urls(name)
    for url in urls:
        part = name if len(urls) == 1 else f"{name} at {url}"
        try:
            answer = httpx.get(f"{url}/ready", timeout=TIMEOUT_SECONDS)
            roles = answer.json()
            waiting = [role for role, is_ready in roles.items() if not is_ready]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError) as error:
            yield Health(part=part, is_well=False, detail=f"{url}: {error or type(error).__name__}")
            continue
        detail = f"waits: {', '.join(waiting)}" if waiting else ", ".join(roles)
        yield Health(part=part, is_well=answer.status_code == 200, detail=detail)


def ask_prometheus(url: str) -> str:
    try:
        answer = httpx.get(f"{url}/-/ready", timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unwell(f"{url}: {error or type(error).__name__}") from error
    if answer.status_code != 200:
        raise Unwell(f"{url} answers {answer.status_code}")
    return "it answers"
