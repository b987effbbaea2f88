"""`python -m docs.generate`: writes what is taken from the code; with --check, says what is out of date."""

import sys
from pathlib import Path
from typing import Any

import yaml

from docs import catalogue, dashboards, metrics
from docs.catalogue import Entry
from docs.readmes import readmes
from libs.common import envelope
from libs.common.dead_letters import topic_of
from operate import tables

ROOT = Path(__file__).parent.parent
AVRO = "application/vnd.apache.avro;version=1.9.0"


def main() -> None:
    stale = []
    for path, text in documents().items():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date, run `make docs`: {', '.join(stale)}")


def documents() -> dict[Path, str]:
    """Every generated document, and what it must say."""
    return {
        ROOT / "schemas" / "README.md": events_page(),
        ROOT / "docs" / "asyncapi" / "asyncapi.yaml": asyncapi(),
        ROOT / "docs" / "metrics.md": metrics.page(),
        ROOT / "docs" / "growth.md": tables.page(),
        **{ROOT / path: text for path, text in dashboards.pages().items()},
        **readmes(),
    }


def events_page() -> str:
    """The table of events, for people."""
    lines = [
        "# Events",
        "",
        "Generated from the code by `make docs`; CI checks that it is true. One topic per noun and major version;",
        "several event types to a topic, so that their order is kept.",
        "How to read them: [docs/consuming.md](../docs/consuming.md).",
        "",
    ]
    for topic_name, entries in catalogue.topics().items():
        topic = entries[0].topic
        restricted = " **Restricted**: only the readers named here may see it." if topic.is_restricted else ""
        lines += [
            f"## `{topic_name}`",
            "",
            f"{topic.meaning} Keyed by {topic.key}.{restricted}",
            "",
            "| event | meaning | publisher | readers | key | subject |",
            "|---|---|---|---|---|---|",
            *(_row(entry) for entry in entries),
            "",
        ]
    lines += [
        "## Dead letters",
        "",
        f"Each service publishes what it could not apply to `{topic_of('<service>')}`: key, value and headers as they",
        "came, and headers beginning with `weir_` that say where, when and why.",
        "",
    ]
    return "\n".join(lines)


def _row(entry: Entry) -> str:
    contract = entry.event_type.contract
    link = f"[{entry.name}]({contract.topic.service}/{entry.name}.avsc)"
    readers = ", ".join(entry.readers) or ("nobody" if contract.topic.is_restricted else "outside readers")
    return (
        f"| {link} | {contract.meaning} | {entry.publisher} | {readers} "
        f"| `{contract.key_path}` | `{contract.subject_path}` |"
    )


def asyncapi() -> str:
    """The same, for programs: an AsyncAPI 3 document."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic_name, entries in catalogue.topics().items():
        topic, channel_id = entries[0].topic, _identifier(topic_name)
        channels[channel_id] = {
            "address": topic_name,
            "description": f"{topic.meaning} Keyed by {topic.key}.",
            "messages": {entry.name: {"$ref": f"#/components/messages/{entry.name}"} for entry in entries},
            "tags": [{"name": "restricted" if topic.is_restricted else "open"}],
            "bindings": {"kafka": {"topic": topic_name, "partitions": 24, "bindingVersion": "0.5.0"}},
        }
        for publisher in sorted({entry.publisher for entry in entries}):
            operations[f"{_identifier(publisher)}_publishes_{channel_id}"] = {
                "action": "send",
                "summary": f"{publisher} publishes",
                "channel": {"$ref": f"#/channels/{channel_id}"},
                "messages": [
                    {"$ref": f"#/channels/{channel_id}/messages/{entry.name}"}
                    for entry in entries
                    if entry.publisher == publisher
                ],
            }
        messages |= {entry.name: _message(entry) for entry in entries}
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Weir",
            "version": "1.0.0",
            "description": "Streaming services that move money safely. Bodies are Avro in Confluent's wire format.",
        },
        "defaultContentType": "application/avro",
        "servers": {"local": {"host": "127.0.0.1:19092", "protocol": "kafka", "description": "`make up`"}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"Headers": _headers()}},
    }
    header = "# Generated from the code by `make docs`; CI checks that it is true.\n"
    return header + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _message(entry: Entry) -> dict[str, Any]:
    contract = entry.event_type.contract
    return {
        "name": contract.full_name,
        "title": entry.name,
        "summary": contract.meaning,
        "contentType": "application/avro",
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"schemaFormat": AVRO, "schema": contract.schema},
        "bindings": {"kafka": {"key": {"type": "string", "description": contract.key_path}, "bindingVersion": "0.5.0"}},
    }


def _headers() -> dict[str, Any]:
    meanings = {
        envelope.ID: "Unique per event: what a reader dedupes by.",
        envelope.TYPE: "The event type's full name.",
        envelope.SOURCE: "The service that published it.",
        envelope.TIME: "When it was caused (RFC 3339).",
        envelope.SUBJECT: "The aggregate it is about.",
        envelope.SEQUENCE: "Its place among the events of that aggregate on this topic, from 1 without a gap.",
        envelope.CORRELATION_ID: "The request that began the journey.",
        envelope.CAUSATION_ID: "The command or event that caused it.",
        envelope.TRACEPARENT: "W3C trace context.",
    }
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": meaning} for name, meaning in meanings.items()},
        "required": list(meanings),
    }


def _identifier(text: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in text).strip("_")


if __name__ == "__main__":
    main()
