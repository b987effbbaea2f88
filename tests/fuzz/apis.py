"""Hostile requests for the HTTP APIs: schemathesis makes them of what each API says of itself.

Every operation of a service's OpenAPI document gets requests that keep to it and requests that don't.
None may be answered by a 5xx, by a status or a type of content that the document doesn't tell of, or by a
body that isn't as it says.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import (
    not_a_server_error,
)
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


Operation = APIOperation[Any, Any, Any, Any]
Headers = Callable[[], Mapping[str, str]]
"""Who asks, anew with each request, since each has a key of its own."""


def operations(address: str) -> Iterator[Operation]:
    """Every operation that the API at an address tells of."""
    for found in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations():
        if isinstance(found, Err):
            raise found.err()
        yield found.ok()


def fuzz(operation: Operation, *callers: Headers, examples: int, seed_number: int) -> None:
    """Send one operation so many requests of each kind, each by all callers: to make one up takes longest.

    Raises schemathesis' failures, with the request that did it.
    """

    def send(case: Case[Any]) -> None:
        for headers in callers:
            case.call_and_validate(headers=dict(headers()), checks=CHECKS)

    for mode in GenerationMode:
        quiet = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        try:
            quiet(seed(seed_number)(given(operation.as_strategy(generation_mode=mode))(send)))()
        except Unsatisfiable:
            # There is no wrong way to ask for what takes nothing, or anything.
            assert mode is GenerationMode.NEGATIVE
