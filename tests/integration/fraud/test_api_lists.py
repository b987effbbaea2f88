"""Lists over HTTP: who is on them is blocked or allowed by rulebooks that ask, until the end of the entry."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common import ids
from schemas.fraud.events import ListEntryAdded, ListEntryRemoved
from services.fraud.domain.entities import device_entity_id
from services.fraud.views.lists import ListEntryPage, ListEntryView
from tests.integration.fraud.scene import ANN, BOB, add_rulebook, assess, fault, move, rulebook
from tests.serving import Api, problem, require, told

ASKING = rulebook(
    "when debtor on blocked or device on blocked\n    block",
    "when creditor on allowed\n    allow",
    "when amount > 100\n    review",
)
DEBTOR = {"list": "blocked", "kind": "debtor", "account_id": ANN, "reason": "a mule"}


def add(api: Api, **changes: Any) -> Any:
    body = {name: value for name, value in {**DEBTOR, **changes}.items() if value is not None}
    return api.post("/v1/list-entries", body, by="staff")


def remove(api: Api, **changes: Any) -> Any:
    return api.post("/v1/list-entries/removals", {**DEBTOR, **changes}, by="staff")


def outcome(api: Api, **changes: Any) -> str:
    return str(assess(api, **changes)["outcome"])


def test_who_is_on_a_list_is_treated_as_its_rules_say_until_taken_off(api: Api) -> None:
    move(api, "rulebooks", add_rulebook(api, ASKING), "live")
    assert (outcome(api), outcome(api, amount="200.00")) == ("allow", "review")

    answer = add(api)
    require(ListEntryView, answer)
    assert (answer.status_code, answer.json()["added_by"], answer.json()["is_current"]) == (201, "staff", True)
    assert outcome(api) == "block"
    # As a payee the same account is another entity.
    assert outcome(api, debtor={"account_id": BOB}, creditor={"account_id": ANN}) == "allow"

    ended = remove(api)
    require(ListEntryView, ended)
    assert (ended.status_code, ended.json()["is_current"]) == (200, False)
    assert outcome(api) == "allow"

    add(api, list="allowed", kind="creditor", account_id=BOB)
    assert outcome(api, amount="200.00") == "allow"
    kinds = [type(event) for event in told(api.runtime) if isinstance(event, ListEntryAdded | ListEntryRemoved)]
    assert kinds == [ListEntryAdded, ListEntryRemoved, ListEntryAdded]


def test_an_assessment_shows_the_lists_that_counted(api: Api) -> None:
    move(api, "rulebooks", add_rulebook(api, ASKING), "live")
    add(api)
    shown = api.get(f"/v1/assessments/{assess(api)['payment_id']}", by="staff").json()
    assert (shown["values"]["debtor_lists"], shown["values"]["creditor_lists"]) == (["blocked"], [])


def test_a_device_is_listed_by_its_name_which_is_not_kept(api: Api) -> None:
    move(api, "rulebooks", add_rulebook(api, ASKING), "live")
    answer = add(api, kind="device", account_id=None, device_id="phone-4711")
    assert answer.json()["entity_id"] == device_entity_id("phone-4711")
    assert "phone-4711" not in answer.text
    assert (outcome(api, device_id="phone-4711"), outcome(api, device_id="another")) == ("block", "allow")


def test_an_entry_ends_when_it_says_and_one_that_is_over_is_refused(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    answer = add(api, until=soon.isoformat())
    assert datetime.fromisoformat(answer.json()["until"]) == soon
    over = add(api, until="2026-01-01T00:00:00Z")
    assert problem(over) == (409, "already_over", "until")


def test_a_second_entry_takes_the_place_of_the_first(api: Api) -> None:
    add(api)
    assert add(api, reason="two reports").status_code == 201
    (entry,) = api.get("/v1/list-entries", by="staff").json()["entries"]
    assert entry["reason"] == "two reports"


def test_who_is_on_no_list_can_not_be_taken_off(api: Api) -> None:
    assert problem(remove(api))[:2] == (404, "entry_unknown")
    add(api)
    remove(api)
    assert problem(remove(api))[:2] == (404, "entry_unknown")


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"account_id": None}, "missing", "account_id"),
        ({"kind": "device"}, "unknown_field", "account_id"),
        ({"device_id": "phone"}, "unknown_field", "device_id"),
        ({"kind": "person"}, "not_in_list", "kind"),
        ({"account_id": "ann"}, "not_an_id", "account_id"),
        ({"list": "Bad Ones"}, "wrong_value", "list"),
        ({"reason": " "}, "too_short", "reason"),
        ({"until": "tomorrow"}, "not_a_time", "until"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(
    api: Api, changes: dict[str, Any], reason: str, field: str
) -> None:
    answer = add(api, **changes)
    assert answer.status_code == 422
    assert (reason, field) in [(one["reason"], one["field"]) for one in answer.json()["errors"]]


def test_entries_are_shown_by_list_and_by_entity_a_page_at_a_time(api: Api) -> None:
    accounts = [ids.new() for _ in range(3)]
    for account_id in accounts:
        add(api, account_id=account_id)
    add(api, list="allowed", kind="creditor", account_id=accounts[0])
    first = api.get("/v1/list-entries", by="staff", list="blocked", limit=2)
    require(ListEntryPage, first)
    cursor = first.json()["next_cursor"]
    second = api.get("/v1/list-entries", by="staff", list="blocked", limit=2, cursor=cursor).json()
    assert second["next_cursor"] is None
    entries = [*first.json()["entries"], *second["entries"]]
    assert sorted(entry["entity_id"] for entry in entries) == sorted(accounts)
    of_one = api.get("/v1/list-entries", by="staff", entity=accounts[0]).json()["entries"]
    assert [entry["list"] for entry in of_one] == ["allowed", "blocked"]
    assert fault(api.get("/v1/list-entries", by="staff", name="blocked"))[1] == "unknown_field"


def test_the_same_request_is_carried_out_once(api: Api) -> None:
    answers = [api.post("/v1/list-entries", DEBTOR, by="staff", key="once") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert len([event for event in told(api.runtime) if isinstance(event, ListEntryAdded)]) == 1
