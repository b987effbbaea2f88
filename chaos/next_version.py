"""The code as its next release may be: the same, with one more field in the event that begins every payment."""

import json
import re
import shutil
from pathlib import Path

from operate import topics
from schemas.payments.events import PaymentInitiated
from stack.settings import REPOSITORY, StackSettings

FIELD = "campaign"
_MIRROR = re.compile(r"(class PaymentInitiated\(Event\):\n(?:    .*\n)+)")


def write(folder: Path) -> Path:
    """A copy of what services run from, with the field in the schema and in its mirror. Returns where it is."""
    for name in ("libs", "services", "schemas"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    schema_path = folder / "schemas" / "payments" / "PaymentInitiated.avsc"
    schema = json.loads(schema_path.read_text())
    schema["fields"].append(
        {"name": FIELD, "doc": "What brought the client here.", "type": ["null", "string"], "default": None}
    )
    schema_path.write_text(json.dumps(schema, indent=2))
    mirror_path = folder / "schemas" / "payments" / "events.py"
    mirror, count = _MIRROR.subn(rf"\1    {FIELD}: str | None = None\n", mirror_path.read_text())
    assert count == 1, "the mirror of PaymentInitiated is not where it was"
    mirror_path.write_text(mirror)
    return folder


def was_seen(settings: StackSettings) -> bool:
    """Whether payments have been published by both versions: their records begin with the ids of two schemas."""
    topic, name = PaymentInitiated.contract.topic.name, PaymentInitiated.__name__
    recorded = topics.read(settings.messaging(), [topic])
    return len({event.value[:5] for event in recorded if event.event_type == name}) >= 2
