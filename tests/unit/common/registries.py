"""A registry in memory, for what is about bytes and not about who keeps their schemas."""

from collections.abc import Iterable
from typing import Any

from libs.common.events import Contract, Event
from libs.common.registry import Registry, UnregisteredSchema
from tests.unit.common.any_event import CONTRACTS


class RegistryInMemory(Registry):
    """Every contract under a number, and whatever else is put there."""

    def __init__(self, event_types: Iterable[type[Event]] = CONTRACTS) -> None:
        self.schemas = {number: kind.contract.schema for number, kind in enumerate(event_types, 1)}
        self.asked: list[int] = []

    def id_of(self, contract: Contract) -> int:
        for number, schema in self.schemas.items():
            if schema == contract.schema:
                return number
        raise UnregisteredSchema(contract.registry_subject)

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        self.asked.append(schema_id)
        return self.schemas.get(schema_id)
