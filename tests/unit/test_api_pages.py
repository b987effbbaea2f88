"""The OpenAPI page of every service says what is answered, and not just that something is."""

import pytest

from docs.catalogue import SERVICES
from docs.readmes import wired
from libs.common.service import Role

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
