"""Every operation of every API meets requests that nobody would send in good faith."""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from libs.common import ids
from libs.common.service import Service
from services.compliance.domain.people import Role
from tests.fuzz import apis
from tests.integration.compliance.scene import add_people
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.parts import Parts
from tests.serving import Api, serving

# Few by itself, since each operation takes a quarter of a second to prepare: `make fuzz` sends many.
EXAMPLES = int(os.environ.get("WEIR_FUZZ_EXAMPLES", 2))
SEED = int(os.environ.get("WEIR_FUZZ_SEED", 1))
DESK = "/desk/"


@contextmanager
def asked(parts: Parts, name: str) -> Iterator[Api]:
    service: Service = importlib.import_module(f"services.{name}.__main__").SERVICE
    with parts.runtime(service) as runtime, serving(runtime) as api:
        yield api


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["payments", "accounts", "fraud", "compliance"])
def test_no_request_is_answered_by_what_the_document_does_not_tell_of(parts: Parts, name: str) -> None:
    with asked(parts, name) as api:

        def headers() -> Mapping[str, str]:
            return api.headers(by="staff", key=ids.new())

        operations = [operation for operation in apis.operations(api.address) if not operation.path.startswith(DESK)]
        assert operations
        for operation in operations:
            apis.fuzz(operation, headers, examples=EXAMPLES, seed_number=SEED)


def headers_of(person: Analyst) -> apis.Headers:
    cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
    return lambda: {"Cookie": cookies, "X-CSRF-Token": person.csrf_token, "Idempotency-Key": ids.new()}


@pytest.mark.timeout(1800)
def test_the_desks_own_api_holds_to_its_document_whoever_asks(parts: Parts) -> None:
    with asked(parts, "compliance") as api:
        add_people(api.runtime)
        with (
            signed_in(api.address, Role.OFFICER) as officer,
            signed_in(api.address, Role.ADMINISTRATOR) as administrator,
        ):
            operations = [operation for operation in apis.operations(api.address) if operation.path.startswith(DESK)]
            assert operations
            for operation in operations:
                callers = headers_of(officer), headers_of(administrator)
                apis.fuzz(operation, *callers, examples=EXAMPLES, seed_number=SEED)
