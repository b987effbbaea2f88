"""How a schema that something was written with differs from today's: what was released is held against what is here."""

import json
from typing import Any

import pytest

from libs.common.events import Contract
from libs.common.schema_diff import differences
from schemas import release

MICROS = {"type": "long", "logicalType": "timestamp-micros"}


def record(*fields: dict[str, Any], name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "x", "doc": "What happened.", "fields": list(fields)}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "doc": "What it means.", "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "doc": "Which.", "symbols": list(symbols), **more}


def decimal(scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}


A = field("a", "string")
B = field("b", ["null", "string"], default=None)
DIFFERENT = {
    "added by who wrote it": ([A, B], [A], ["/b: added as written; not read"]),
    "lacking, with a default": ([A], [A, B], ["/b: lacking as written; read as null"]),
    "lacking, without": ([], [A], ["/a: lacking as written; read as nothing"]),
    "another type": ([A], [field("a", "int")], ["/a: written as string, read as int"]),
    "another meaning": ([field("a", "long")], [field("a", MICROS)], [
        '/a: logicalType nothing as written, "timestamp-micros" as read'
    ]),
    "another scale": ([field("a", decimal(2))], [field("a", decimal(4))], ["/a: scale 2 as written, 4 as read"]),
    "another default": ([field("a", "int", default=1)], [field("a", "int", default=2)], [
        "/a: default 1 as written, 2 as read"
    ]),
    "another name": ([A], [field("z", "string", aliases=["a"])], ['/z: name "a" as written, "z" as read']),
    "personal by now": ([A], [{**A, "personal": True}], ["/a: personal nothing as written, true as read"]),
    "optional by now": ([A], [field("a", ["null", "string"])], ["/a: may be null as read, not as written"]),
    "one more kind": ([field("a", ["null", "string", "int"])], [field("a", ["null", "string"])], [
        "/a: may be int as written, not as read"
    ]),
    "symbols": ([field("a", enum("old", "new"))], [field("a", enum("old", "gone", default="old"))], [
        '/a: symbol new as written; read as "old"',
        "/a: symbol gone lacking as written",
        '/a: default nothing as written, "old" as read',
    ]),
    "within an optional record": ([field("p", ["null", record(A, B, name="P")])], [
        field("p", ["null", record(A, name="P")])
    ], ["/p/b: added as written; not read"]),
    "within a list": ([field("l", {"type": "array", "items": record(A, name="P")})], [
        field("l", {"type": "array", "items": record(A, B, name="P")})
    ], ["/l[]/b: lacking as written; read as null"]),
    "within a map": ([field("m", {"type": "map", "values": "int"})], [
        field("m", {"type": "map", "values": "string"})
    ], ["/m[]: written as int, read as string"]),
    "where a named type is used again": ([field("p", record(A, name="P")), field("q", "P")], [
        field("p", record(name="P")), field("q", "x.P")
    ], ["/p/a: added as written; not read", "/q/a: added as written; not read"]),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENT)
def test_each_difference_is_told_with_its_place(case: str) -> None:
    written, read, told = DIFFERENT[case]
    assert differences(written=record(*written), read=record(*read)) == told


def test_docs_and_order_make_no_difference() -> None:
    assert differences(written=record(A, B), read=record(B, {**A, "doc": "Otherwise."})) == []


def test_a_type_within_itself_is_looked_at_once() -> None:
    def tree(*fields: dict[str, Any]) -> dict[str, Any]:
        return record(*fields, field("children", {"type": "array", "items": "R"}))

    assert differences(written=tree(A), read=tree()) == ["/a: added as written; not read"]


@pytest.mark.parametrize("contract", list(release.contracts()), ids=lambda contract: contract.full_name)
def test_what_was_released_is_told_from_what_is_here(contract: Contract) -> None:
    """A version differs exactly if it says something else, and what is lacking one way was added the other."""
    for version in release.versions(contract):
        then, since = (
            differences(written=version, read=contract.schema),
            differences(written=contract.schema, read=version),
        )
        assert bool(then) is bool(since) is (_without_docs(version) != _without_docs(contract.schema))
        assert _places(then, "lacking as written") <= _places(since, "added as written")
        # Contracts only grow.
        assert not _places(then, "added as written")


def test_an_order_of_an_older_release_lacks_what_was_added_since() -> None:
    (contract,) = [each for each in release.contracts() if each.full_name == "weir.payments.PaymentInitiated"]
    last_but_one = release.versions(contract)[1]
    personal = "/order/personal|PaymentPersonalData"
    lacking = ["account_number", "birth_place", "document_number", "customer_number"]
    assert set(differences(written=last_but_one, read=contract.schema)) >= {
        f'{personal}/debtor/kind: lacking as written; read as "unknown"',
        *(f"{personal}/creditor/{name}: lacking as written; read as null" for name in lacking),
        "/order/debtor_institution: lacking as written; read as null",
    }
    # What a process of the release before tells of an order written by this one.
    assert "/order/debtor_institution: added as written; not read" in differences(
        written=contract.schema, read=last_but_one
    )


def _places(told: list[str], what: str) -> set[str]:
    return {place for place, _, rest in (each.partition(": ") for each in told) if rest.startswith(what)}


def _without_docs(schema: Any) -> Any:
    """As text, whatever order fields stand in."""

    def bare(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: bare(value) for name, value in part.items() if name != "doc"}
        return [bare(each) for each in part] if isinstance(part, list) else part

    return json.dumps(bare(schema), sort_keys=True)
