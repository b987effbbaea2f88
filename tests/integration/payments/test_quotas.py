"""Quotas over HTTP: exact whatever the number of processes, and what is refused leaves nothing behind."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from libs.common import cli
from libs.common.database import execute
from libs.common.service import Runtime
from services.payments import commands
from services.payments.__main__ import SERVICE
from tests.integration.payments.scene import order, stored
from tests.serving import Api, problem, rows, serving

PATH = "/v1/payments"


@pytest.fixture(autouse=True)
def no_quotas(wired: Runtime) -> None:
    wired.unit.administer(lambda tx: execute(tx, "TRUNCATE quotas"))


def run(api: Api, *words: str, group: str = "quotas") -> list[dict[str, Any]]:
    app = cli.app(SERVICE, commands.extend, lambda: api.runtime)
    result = CliRunner().invoke(app, [group, *words, "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_is_beyond_a_quota_is_refused_for_the_day_and_nothing_of_it_is_stored(api: Api) -> None:
    run(api, "set", "shop", "payments", "1")
    assert api.post(PATH, order()).status_code == 202
    before = stored(api.runtime)
    refused = api.post(PATH, order(), key="tomorrow")
    assert problem(refused) == (429, "payment_quota_exceeded", None)
    assert refused.json()["detail"].endswith("1 payments a day, of which 0 payments are left")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert '"payments-per-day";q=1;w=86400' in refused.headers.get_list("ratelimit-policy")
    assert stored(api.runtime) == before
    assert api.post(PATH, order(), by="rival").status_code == 202
    assert api.post(PATH, order(), key="tomorrow").status_code == 429
    run(api, "set", "shop", "payments", "2")
    assert api.post(PATH, order(), key="tomorrow").status_code == 202, "the same key, when there is room"
    metrics = api.metrics()
    assert 'payments_quota_refusals_total{quota="payments"} 2.0' in metrics


def test_who_set_a_quota_stays_on_record(api: Api) -> None:
    run(api, "set", "shop", "payments", "1", "--actor", "carol", "--reason", "a trial")
    newest, *_ = run(api, "list", group="interventions")
    assert (newest["command"], newest["actor"], newest["reason"]) == ("quotas set", "carol", "a trial")
    assert newest["arguments"] == {"client_id": "shop", "measure": "payments", "per_day": "1"}


def test_amounts_are_counted_by_currency_and_shown_to_operators(api: Api) -> None:
    run(api, "set", "shop", "EUR", "20.00")
    assert api.post(PATH, order(amount="12.34")).status_code == 202
    refused = api.post(PATH, order(amount="7.67"))
    assert problem(refused) == (429, "amount_quota_exceeded", "amount")
    assert refused.json()["detail"].endswith("20.00 EUR a day, of which 7.66 EUR are left")
    assert api.post(PATH, order(amount="7.66")).status_code == 202
    assert run(api, "list", "shop") == [
        {"client_id": "shop", "measure": "EUR", "per_day": "20.00", "is_default": False, "used_today": "20.00"}
    ]


def test_lines_of_a_file_count_one_by_one(api: Api) -> None:
    run(api, "set", "shop", "payments", "3")
    lines = b"\n".join(json.dumps(order(reference=str(n))).encode() for n in range(5))
    headers = {"Content-Type": "application/x-ndjson"}
    told = api.post("/v1/payment-batches", lines, key="file", headers=headers)
    assert (told.json()["accepted"], told.json()["refused"]) == (3, 2)
    assert [(line["line"], line["reason"]) for line in told.json()["refusals"]] == [
        (4, "payment_quota_exceeded"),
        (5, "payment_quota_exceeded"),
    ]
    assert problem(api.post(PATH, order()))[0] == 429
    again = api.post("/v1/payment-batches", lines, key="file", headers=headers)
    assert again.json() == told.json()


def test_several_processes_together_take_on_no_more_than_the_quota(api: Api, wired: Runtime) -> None:
    run(api, "set", "shop", "payments", "40")
    run(api, "set", "shop", "EUR", "45.00")
    with serving(Runtime(SERVICE, wired.settings)) as other, ThreadPoolExecutor(8) as pool:
        apis = [api, other]
        answers = list(pool.map(lambda n: apis[n % 2].post(PATH, order(amount="1.00")).status_code, range(100)))
    assert Counter(answers) == {202: 40, 429: 60}
    assert rows(wired, "SELECT measure, used FROM quotas ORDER BY 1") == [("EUR", 4000), ("payments", 40)]
    assert stored(wired)["payments"] == 40


def test_defaults_count_from_a_clients_first_order_in_every_process(api: Api, wired: Runtime) -> None:
    settings = wired.settings.model_copy(update={"quota_payments_per_day": 10})
    one, two = Runtime(SERVICE, settings), Runtime(SERVICE, settings)
    with serving(one) as first, serving(two) as second, ThreadPoolExecutor(8) as pool:
        apis = [first, second]
        answers = list(pool.map(lambda n: apis[n % 2].post(PATH, order()).status_code, range(30)))
    assert Counter(answers) == {202: 10, 429: 20}
    ((used_on, used),) = rows(wired, "SELECT used_on, used FROM quotas")
    assert (used_on, used) == (datetime.now(UTC).date(), 10)
