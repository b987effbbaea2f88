"""The schema registry: the ids our schemas have there, and the schemas behind ids met on topics."""

import json
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import httpx
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from libs.common.compatibility import breaches
from libs.common.errors import Outage
from libs.common.events import Contract
from libs.common.settings import MessagingSettings

COMPATIBILITY = "FULL_TRANSITIVE"
_AVRO = "AVRO"
_TIMEOUT_SECONDS = 5
REGISTER_SECONDS_MAX = 30.0
REGISTER_RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class IncompatibleSchema(Exception):
    """A schema would break a reader of ours, past or future; the message says where."""


class UnregisteredSchema(Exception):
    """A schema is not in the registry. `migrate` puts it there; nothing else does."""


class Registry:
    """What Weir asks of a registry. Every call raises Outage while none answers."""

    def __init__(self, settings: MessagingSettings) -> None:
        self._client = SchemaRegistryClient(client_config(settings))

    def register(self, contract: Contract) -> int:
        """Add a schema to its subject if it isn't there, and return its id. Raises IncompatibleSchema."""
        self._require_compatibility()
        return self._register(contract)

    def register_all(self, contracts: Iterable[Contract], *, seconds_max: float = REGISTER_SECONDS_MAX) -> None:
        """Register each, once more while the registry fails, for so long: one whose own database was away fails with
        every connection that it still has to it. Raises Outage and IncompatibleSchema.
        """
        deadline = time.monotonic() + seconds_max
        steps: list[Callable[[], object]] = [self._require_compatibility]
        steps += [partial(self._register, contract) for contract in contracts]
        for step in steps:
            while True:
                try:
                    step()
                    break
                except Outage as outage:
                    if time.monotonic() > deadline:
                        raise
                    log.warning("registering once more", extra={"error": str(outage)})
                    time.sleep(REGISTER_RETRY_SECONDS)

    def faults(self, contract: Contract) -> list[str]:
        """Why a schema may not follow those that its subject has; empty when it may, or is one of them."""
        with _Outages():
            versions = self._versions(contract.registry_subject)
        return [fault for version in versions for fault in breaches(old=version, new=contract.schema)]

    def id_of(self, contract: Contract) -> int:
        """The id under which this very schema was registered. Raises UnregisteredSchema."""
        with _Outages():
            try:
                found = self._client.lookup_schema(contract.registry_subject, _schema(contract))
            except SchemaRegistryError as error:
                if error.http_status_code == 404:
                    raise UnregisteredSchema(f"{contract.registry_subject} is not registered as it is here") from error
                raise
            assert found.schema_id is not None
            return found.schema_id

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        """The schema behind an id met on a topic; None when the registry knows none that is an Avro record's."""
        with _Outages():
            try:
                found = self._client.get_schema(schema_id)
            except SchemaRegistryError as error:
                if error.http_status_code == 404:
                    return None
                raise
            if found.schema_type != _AVRO or found.schema_str is None:
                return None
            parsed = json.loads(found.schema_str)
            return parsed if isinstance(parsed, dict) else None

    def _require_compatibility(self) -> None:
        with _Outages():
            try:
                self._client.set_compatibility(level=COMPATIBILITY)
            except SchemaRegistryError as error:
                if error.http_status_code != 409:
                    raise
                # On a new registry another service was quicker to make the rule. Now there is one, and it can be set.
                self._client.set_compatibility(level=COMPATIBILITY)

    def _register(self, contract: Contract) -> int:
        subject = contract.registry_subject
        with _Outages():
            for version in self._versions(subject):
                if faults := breaches(old=version, new=contract.schema):
                    raise IncompatibleSchema(f"{subject}: " + "; ".join(faults))
            try:
                return self._client.register_schema(subject, _schema(contract))
            except SchemaRegistryError as error:
                if error.http_status_code in (409, 422):
                    raise IncompatibleSchema(f"{subject}: {error.error_message}") from error
                raise

    def _versions(self, subject: str) -> list[dict[str, Any]]:
        try:
            numbers = self._client.get_versions(subject)
        except SchemaRegistryError as error:
            if error.http_status_code == 404:
                return []
            raise
        texts = [self._client.get_version(subject, number).schema.schema_str for number in numbers]
        return [json.loads(text) for text in texts if text]


def client_config(settings: MessagingSettings) -> dict[str, Any]:
    """What every client of the registry's is told."""
    config: dict[str, Any] = {"url": settings.registry_url, "timeout": _TIMEOUT_SECONDS, "max.retries": 0}
    if settings.registry_ca:
        config["ssl.ca.location"] = str(settings.registry_ca)
    elif "https:" not in settings.registry_url:
        # Nobody shows a certificate here, and reading all of the world's authorities would take 30 ms of every start.
        config["ssl.ca.location"] = False
    return config


class _Outages:
    """Turns "nobody answers", and every answer that the caller has no meaning for, into Outage."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx.TransportError):
            raise Outage(f"the schema registry does not answer: {error}") from error
        if isinstance(error, SchemaRegistryError):
            # The server's failure, or a refusal that is no schema's fault: too many requests, no permission.
            raise Outage(f"the schema registry failed: {error}") from error


def _schema(contract: Contract) -> Schema:
    return Schema(json.dumps(contract.schema), _AVRO)
