"""What logs say, and never say, after whatever the tests before have done: kills, outages, refusals, files, reviews."""

import json
import re
import secrets
from pathlib import Path
from typing import Any

import httpx

from chaos.faults import no_connections
from chaos.installation import Installation
from chaos.shop import Shop
from libs.common import ids
from stack.services import FEATURES
from stack.settings import SERVICES
from tests import in_the_clear
from tests.e2e import test_erasing, test_money_back, test_travel_rule
from tests.waiting import wait_until

TOLD_IN_REQUESTS = ("Ben Baker", "1 Mill Race", "Ghent", "CH9300762011623852957", "P1234567", *test_erasing.WORDS)
"""What clients of the other tests say of people, their names and birth dates apart."""
STACKS = re.compile(r'|(Current thread|Thread) 0x[0-9a-f]+ .*|  File ".*", line \d+ in .*|  \.\.\.')
"""What a process that gives itself up says last: where each of its threads was, without any value."""
SCENES = (test_money_back.PARTIES, test_travel_rule.PARTIES, test_erasing.PARTIES)


def test_logs_are_json_with_ids_and_hold_no_personal_data_and_no_secret(installation: Installation, shop: Shop) -> None:
    shop.pay_many(5)
    installation.come_to_rest()
    texts = _logs(installation)
    assert set(texts) >= {f"{name}.log" for name in (*SERVICES, FEATURES)}
    for name, text in texts.items():
        for line in text.splitlines():
            if not STACKS.fullmatch(line):
                assert line.startswith("{"), f"{name}: {line}"
                assert {"event", "level", "service", "timestamp"} <= set(json.loads(line)), f"{name}: {line}"
    parties = [party for scene in SCENES for party in scene]
    birth_dates = [party.birth_date for party in parties if party.birth_date]
    names = [party.name for party in parties]
    forbidden = {*shop.personal_data, *names, *birth_dates, *TOLD_IN_REQUESTS, *_secrets_of(installation)}
    for name, text in texts.items():
        lowered = text.lower()
        found = [word for word in forbidden if word.lower() in lowered]
        assert not found, f"{name} tells {found[:3]}"
        assert not re.search(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b", text), f"{name} holds what looks like an IBAN"
        assert not re.search(r"\b\d{13,19}\b", text), f"{name} holds what looks like the number of a card"
        assert not re.search(r"Bearer\s+\S|postgresql(\+psycopg)?://[^:\s]+:[^@\s]+@", text), f"{name} holds a key"


def test_what_a_log_says_of_a_request_that_failed_bears_the_ids_that_its_caller_knows(
    installation: Installation, shop: Shop
) -> None:
    trace_id = secrets.token_hex(16)
    headers = {
        **installation.authorization,
        "Idempotency-Key": ids.new(),
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    with no_connections(installation, "payments"):
        answer = in_the_clear.get(
            f"{installation.url('payments')}/v1/payments/{ids.new()}", headers=headers, timeout=60
        )
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE

    def said() -> list[dict[str, Any]]:
        lines = map(json.loads, _logs(installation)["payments.log"].splitlines())
        return [line for line in lines if line.get("trace_id") == trace_id]

    wait_until(lambda: bool(said()))
    assert {line["correlation_id"] for line in said()} == {answer.headers["x-request-id"]}
    installation.come_to_rest()


def _logs(installation: Installation) -> dict[str, str]:
    """Those of our own processes, by the names of their files."""
    paths = (installation.settings.folder / "logs").glob("*.log")
    ours = (*SERVICES, FEATURES)
    return {path.name: path.read_text(errors="replace") for path in paths if path.stem.split("-")[0] in ours}


def _secrets_of(installation: Installation) -> list[str]:
    kept = json.loads(Path(installation.settings.folder / "secrets.json").read_text())
    return [value for value in kept.values() if isinstance(value, str)]
