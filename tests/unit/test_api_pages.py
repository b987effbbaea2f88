"""The OpenAPI page of every service says what is asked and answered, and not just that something is."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from docs.catalogue import SERVICES
from docs.readmes import wired
from libs.common.fields import View
from libs.common.service import Role
from services.accounts.views import AccountView, HoldView, StatementView, TransferView

DOCUMENTS = {"text/csv", "application/xml"}
"""Answers that are files of a known format."""


@pytest.mark.parametrize("name", SERVICES)
def test_every_answer_of_an_api_has_a_shape(name: str) -> None:
    document = wired(name).app([Role.API], dict).openapi()
    paths = {path: operations for path, operations in document["paths"].items() if path.startswith("/v1")}
    assert paths
    for path, operations in paths.items():
        for method, operation in operations.items():
            (answer,) = [found for status, found in operation["responses"].items() if status < "300"]
            if set(answer["content"]) <= DOCUMENTS:
                continue
            schema = answer["content"]["application/json"]["schema"]
            branches = schema.get("anyOf", [schema])
            assert all(list(branch) == ["$ref"] for branch in branches), f"{method} {path}: {schema}"


def bodies(name: str) -> Iterator[tuple[str, APIRoute, dict[str, Any]]]:
    """Every request of a service's API that has a body: its name, its route, and its operation."""
    app = wired(name).app([Role.API], dict)
    paths = app.openapi()["paths"]
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1"):
            for method in route.methods or ():
                operation = paths[route.path][method.lower()]
                if "requestBody" in operation:
                    yield f"{method} {route.path}", route, operation["requestBody"]["content"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_request_has_an_example_that_would_be_taken(name: str) -> None:
    found = list(bodies(name))
    assert found
    for request, route, content in found:
        if route.body_field is None:
            # A file, which the route reads itself.
            assert all("example" in media or "examples" in media for media in content.values()), request
            continue
        model: TypeAdapter[Any] = TypeAdapter(cast(Any, route.body_field.field_info.annotation))
        examples = examples_of(model.json_schema())
        assert examples, f"{request} has no example"
        for example in examples:
            model.validate_json(json.dumps(example))


@pytest.mark.parametrize("view", [AccountView, StatementView, TransferView, HoldView])
def test_the_main_answers_of_accounts_have_an_example_that_is_one(view: type[View]) -> None:
    examples = examples_of(TypeAdapter(view).json_schema())
    assert examples
    for example in examples:
        TypeAdapter(view).validate_json(json.dumps(example), extra="forbid")


def examples_of(schema: dict[str, Any]) -> list[Any]:
    """The examples of a model, be it one that may be left out."""
    found: list[Any] = schema.get("examples", [])
    for branch in schema.get("anyOf", []):
        if "$ref" in branch:
            found = found + schema["$defs"][branch["$ref"].rpartition("/")[2]].get("examples", [])
    return found
