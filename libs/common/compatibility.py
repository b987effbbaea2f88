"""What a schema may become without breaking anyone: the rules of growth, checked before registration.

Avro's own rules (both ways, through the `avro` package) are not enough where money is concerned:
they call a decimal's scale going from 2 to 4 compatible, which is a silent factor of 100. So a
logical type, its precision and its scale are frozen, every name is documented, what is added can be
missing, what is there stays (a renamed field keeps its old name as an alias, an enum its symbols),
what a missing field or an unknown symbol stands for stays too, and personal data are never untagged.
"""

import json
from collections.abc import Iterator
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

_FROZEN = ("logicalType", "precision", "scale", "size")


def breaches(*, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Why `new` may not follow `old`: an empty list when it may. Each entry names the place."""
    rules = (_removals, _frozen_changes, _default_changes, _symbol_changes, _avro_faults)
    return [*undocumented(new), *(fault for rule in rules for fault in rule(old, new))]


def undocumented(schema: dict[str, Any]) -> list[str]:
    """The named types and fields that don't say what they mean."""
    return [f"{place} has no doc" for place, part in _parts(schema) if "name" in part and not part.get("doc")]


def _avro_faults(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    faults = []
    for what, reader, writer in (("old readers", old, new), ("new readers of old events", new, old)):
        result = ReaderWriterCompatibilityChecker().get_compatibility(  # type: ignore[no-untyped-call]
            reader=parse(json.dumps(reader)), writer=parse(json.dumps(writer))
        )
        if result.compatibility is not SchemaCompatibilityType.compatible:
            places = ", ".join(sorted(result.locations)) or "/"
            faults.append(f"breaks {what} at {places}: {', '.join(sorted(result.messages))}")
    return faults


def _removals(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    kept = {place for place, _ in _parts(new)}
    return [f"{place} was removed; contracts only grow" for place, _ in _parts(old) if place not in kept]


def _frozen_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    was, faults = dict(_parts(old)), []
    for place, part in _parts(new):
        before = was.get(place)
        if before is None:
            continue
        faults += [
            f"{place}: {name} may not change from {before.get(name)} to {part.get(name)}"
            for name in _FROZEN
            if before.get(name) != part.get(name)
        ]
        if before.get("personal") and not part.get("personal"):
            faults.append(f"{place}: personal data may not lose its tag")
    return faults


def _default_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    is_now, faults = dict(_parts(new)), []
    for place, before in _parts(old):
        part = is_now.get(place)
        if part is not None and "default" in before and part.get("default", "nothing") != before["default"]:
            change = f"from {before['default']} to {part.get('default', 'nothing')}"
            faults.append(f"{place}: the default may not change {change}: it is what old events mean")
    return faults


def _symbol_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    was, faults = dict(_parts(old)), []
    for place, part in _parts(new):
        before = was.get(place, part)
        symbols, known = set(part.get("symbols", ())), set(before.get("symbols", ()))
        faults += [f"{place}: {symbol} may not be removed: old events say it" for symbol in sorted(known - symbols)]
        if symbols - known and "default" not in before:
            added = ", ".join(sorted(symbols - known))
            faults.append(f"{place}: {added} can't be added, for the enum had no default to fall to")
    return faults


def _parts(schema: Any, place: str = "", named: dict[str, Any] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every type and field with the path that leads to it, old names included; a named type wherever it is used."""
    named = {} if named is None else named
    if isinstance(schema, list):
        for branch in schema:
            yield from _parts(branch, f"{place}|{_branch_name(branch)}", named)
    elif isinstance(schema, str):
        if schema in named:
            yield from _parts(named[schema], place, named)
        else:
            yield place, {"type": schema}
    else:
        yield place or "/", schema
        yield from _parts_within(schema, place, named)
        if "name" in schema:
            named[schema["name"]] = schema


def _parts_within(schema: dict[str, Any], place: str, named: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in schema.get("fields", ()):
        for name in (field["name"], *field.get("aliases", ())):
            yield f"{place}/{name}", field
            yield from _parts(field["type"], f"{place}/{name}:", named)
    for inner in ("items", "values"):
        if inner in schema:
            yield from _parts(schema[inner], f"{place}[]", named)


def _branch_name(branch: Any) -> str:
    return str(branch.get("name", branch.get("type"))) if isinstance(branch, dict) else str(branch)
