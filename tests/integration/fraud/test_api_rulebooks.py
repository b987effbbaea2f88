"""Rulebooks over HTTP: checked, kept once, tried in the shadow, released, rolled back."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from libs.common.database import execute
from libs.common.service import Runtime
from schemas.fraud.events import VersionAdded, VersionMoved
from services.fraud import bringing, rulebooks
from services.fraud.__main__ import SERVICE
from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.rulebook.rulebook import compile_rulebook
from services.fraud.handlers import pruning
from services.fraud.settings import FraudSettings
from services.fraud.views.features import FeaturesView
from services.fraud.views.rulebooks import CheckedRulebookView, DraftView, RulebookProblemView, RulebookView
from services.fraud.views.rules import RulesView
from services.fraud.views.versions import ComparisonView, VersionPage, VersionView
from tests.deciding import decide
from tests.integration.fraud.scene import add_rulebook, fault, move, pay, rows, rulebook
from tests.serving import Api, problem, require, told

STRICT = rulebook("when amount > 10\n    block")
MILD = rulebook("when amount > 10\n    score 0.1", "when amount > 1_000\n    review")


def events(runtime: Runtime) -> list[Any]:
    return [event for event in told(runtime) if isinstance(event, VersionAdded | VersionMoved)]


def test_a_check_tells_what_a_rulebook_says_and_keeps_nothing(api: Api) -> None:
    answer = api.post("/v1/rulebooks/check", {"text": MILD}, by="staff", key=None)
    require(CheckedRulebookView, answer)
    first, second = answer.json()["rules"]
    assert (first["rule"], first["action"], first["score"], first["fields"]) == ("rule_1", "score", 0.1, ["amount"])
    assert (second["meaning"], second["action"], second["line"]) == ("What rule 2 looks for.", "review", 10)
    assert rows(api.runtime, "SELECT count(*) FROM versions") == [(0,)]


def test_a_rulebook_with_faults_is_refused_with_the_place_of_each(api: Api) -> None:
    text = rulebook("when amont > 10\n    block", "when currency > 3\n    block")
    for path, body in (("check", {"text": text}), ("", {"text": text, "name": "faulty"})):
        answer = api.post(f"/v1/rulebooks/{path}".rstrip("/"), body, by="staff")
        assert problem(answer) == (422, "rulebook_faulty", "text")
        require(RulebookProblemView, answer)
        first, second = answer.json()["errors"]
        assert (first["line"], first["column"]) == (6, 10)
        assert "Did you mean amount?" in first["message"]
        assert second["line"] == 12
    assert rows(api.runtime, "SELECT count(*) FROM versions WHERE name = 'faulty'") == [(0,)]


def test_a_rulebook_is_kept_as_it_is_written_and_once(api: Api) -> None:
    text = f"\n  # as it stands in the file\n{MILD}\n\n"
    answer = api.post("/v1/rulebooks", {"name": "mild", "text": text}, by="staff")
    require(DraftView, answer)
    draft = answer.json()
    assert (draft["state"], draft["added_by"], draft["version"]) == (
        "draft",
        "staff",
        compile_rulebook(text, CATALOGUE).version,
    )
    again = api.post("/v1/rulebooks", {"name": "another name", "text": text}, by="staff").json()
    assert (again["version"], again["name"]) == (draft["version"], "mild")
    shown = api.get(f"/v1/rulebooks/{draft['version']}", by="staff")
    require(RulebookView, shown)
    assert (shown.json()["text"], shown.json()["fault"], len(shown.json()["rules"])) == (text, None, 2)
    assert [type(event) for event in events(api.runtime)] == [VersionAdded]


def test_a_rulebook_goes_from_the_shadow_into_effect_and_is_rolled_back(api: Api) -> None:
    shipped, strict = rulebooks.shipped().version, add_rulebook(api, STRICT)
    assert pay(api)["outcome"] == "allow"

    require(VersionView, move(api, "rulebooks", strict, "shadow"))
    tried = pay(api)
    assert (tried["outcome"], tried["grounds"]["rules_version"]) == ("allow", shipped)
    (shadow,) = api.get(f"/v1/assessments/{tried['payment_id']}", by="staff").json()["shadows"]
    assert (shadow["rules_version"], shadow["outcome"], shadow["rules"]) == (strict, "block", ["rule_1"])

    assert move(api, "rulebooks", strict, "live").json()["state"] == "live"
    released = pay(api)
    assert (released["outcome"], released["grounds"]["rules_version"]) == ("block", strict)
    assert api.get(f"/v1/assessments/{released['payment_id']}", by="staff").json()["shadows"] == []

    assert move(api, "rulebooks", shipped, "live").status_code == 200
    assert pay(api)["outcome"] == "allow"
    changes = api.get(f"/v1/rulebooks/{strict}", by="staff").json()["changes"]
    assert [change["state"] for change in changes] == ["retired", "live", "shadow"]
    assert {(change["changed_by"], change["reason"]) for change in changes} == {("staff", "as agreed on Monday")}
    moves = [(event.version, event.state.value) for event in events(api.runtime) if isinstance(event, VersionMoved)]
    assert moves == [
        (strict, "shadow"),
        (shipped, "retired"),
        (strict, "live"),
        (strict, "retired"),
        (shipped, "live"),
    ]


def test_a_shadow_is_compared_with_what_was_answered(api: Api) -> None:
    mild = add_rulebook(api, MILD)
    move(api, "rulebooks", mild, "shadow")
    payments = [pay(api, amount=amount)["payment_id"] for amount in ("5.00", "20.00", "90000.00", "90000.00")]
    labels = [{"payment_id": payments[2], "label": "fraud"}, {"payment_id": payments[1], "label": "genuine"}]
    assert api.post("/v1/labels", {"labels": labels}, by="staff").status_code == 200
    answer = api.get(f"/v1/rulebooks/{mild}/comparison", by="staff")
    require(ComparisonView, answer)
    found = answer.json()
    assert (found["payments"], found["is_complete"]) == (4, True)
    pairs = {(one["live"], one["shadow"]): (one["payments"], one["labelled_fraud"]) for one in found["outcomes"]}
    assert pairs == {("allow", "allow"): (2, 0), ("review", "review"): (2, 1)}
    assert found["rules"] == [
        {"rule": "rule_1", "payments": 3, "labelled_fraud": 1, "labelled_genuine": 1, "precision": 0.5},
        {"rule": "rule_2", "payments": 2, "labelled_fraud": 1, "labelled_genuine": 0, "precision": 1.0},
    ]
    until = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    earlier = api.get(f"/v1/rulebooks/{mild}/comparison", by="staff", until=until).json()
    assert (earlier["payments"], earlier["outcomes"], earlier["rules"]) == (0, [], [])


def test_what_a_shadow_answered_is_forgotten_after_its_time(api: Api) -> None:
    move(api, "rulebooks", add_rulebook(api, MILD), "shadow")
    payments = [pay(api)["payment_id"] for _ in range(2)]
    age = "UPDATE shadow_verdicts SET judged_at = now() - interval '90 days 1 minute' WHERE payment_id = %s"
    api.runtime.unit.administer(lambda tx: execute(tx, age, (payments[0],)))
    (prune,) = pruning(cast(FraudSettings, api.runtime.settings))
    assert api.runtime.unit.administer(lambda tx: prune(tx, 10)) == 1
    assert rows(api.runtime, "SELECT payment_id::text FROM shadow_verdicts") == [(payments[1],)]


def test_a_comparison_is_of_a_month_at_most_and_of_a_version_there_is(api: Api) -> None:
    mild = add_rulebook(api, MILD)
    path = f"/v1/rulebooks/{mild}/comparison"
    long = api.get(path, by="staff", since="2026-01-01T00:00:00Z", until="2026-03-01T00:00:00Z")
    assert fault(long)[:2] == (422, "wrong_window")
    assert problem(api.get("/v1/rulebooks/000000000000/comparison", by="staff"))[:2] == (404, "not_found")


def test_a_move_that_can_not_be_made_is_refused(api: Api) -> None:
    mild = add_rulebook(api, MILD)
    move(api, "rulebooks", mild, "live")
    assert problem(move(api, "rulebooks", mild, "retired")) == (409, "live_needs_another", "state")
    assert problem(move(api, "rulebooks", "000000000000", "live")) == (404, "version_unknown", "version")
    assert fault(move(api, "rulebooks", mild, "draft")) == (422, "not_in_list", "state")
    shadows = [add_rulebook(api, rulebook(f"when amount > {number}\n    review")) for number in range(4)]
    answers = [move(api, "rulebooks", version, "shadow") for version in shadows]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]
    assert problem(answers[3]) == (409, "too_many_shadows", "state")


def test_a_rulebook_that_can_not_be_read_any_more_is_shown_with_its_fault_and_not_released(api: Api) -> None:
    mild = add_rulebook(api, MILD)
    change = "UPDATE versions SET content = replace(convert_from(content, 'UTF8'), 'amount', 'shoe_size')::bytea"
    api.runtime.unit.administer(lambda tx: execute(tx, f"{change} WHERE version = %s", (mild,)))
    shown = api.get(f"/v1/rulebooks/{mild}", by="staff")
    require(RulebookView, shown)
    assert "shoe_size" in shown.json()["fault"]
    assert problem(move(api, "rulebooks", mild, "live")) == (409, "version_unfit", "version")
    assert move(api, "rulebooks", mild, "retired").status_code == 200


def test_the_same_move_is_made_once(api: Api) -> None:
    mild = add_rulebook(api, MILD)
    first, again = (move(api, "rulebooks", mild, "shadow", key="once") for _ in range(2))
    assert first.content == again.content
    assert len([event for event in events(api.runtime) if isinstance(event, VersionMoved)]) == 1


def test_rulebooks_come_in_pages_newest_first(api: Api) -> None:
    added = [add_rulebook(api, rulebook(f"when amount > {number}\n    review"), str(number)) for number in range(5)]
    wanted, found, cursor = [*reversed(added)], [], None
    while True:
        answer = api.get("/v1/rulebooks", by="staff", limit=2, **({"cursor": cursor} if cursor else {}))
        require(VersionPage, answer)
        found += [version["version"] for version in answer.json()["versions"]]
        if (cursor := answer.json()["next_cursor"]) is None:
            break
    assert [version for version in found if version != rulebooks.shipped().version] == wanted


def test_two_processes_that_bring_and_release_the_same_rulebook_at_once_do_so_once(api: Api) -> None:
    other = Runtime(SERVICE, api.runtime.settings)
    other.codec.prepare(other.handlers.writes)
    read = [compile_rulebook(rulebook(f"when amount > {number}\n    review"), CATALOGUE) for number in range(8)]
    failures: list[BaseException] = []
    together = threading.Barrier(2)

    def bring(runtime: Runtime) -> None:
        try:
            for one in read:
                together.wait(20)
                decide(runtime, bringing.add_rulebook(one, name="twice", by="staff"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=bring, args=(runtime,)) for runtime in (api.runtime, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.engine.dispose()
    assert failures == []
    added = [event.version for event in events(api.runtime) if isinstance(event, VersionAdded)]
    assert sorted(added) == sorted(one.version for one in read)


def test_rules_tell_how_the_live_version_did_or_any_other(api: Api) -> None:
    shipped, mild = rulebooks.shipped().version, add_rulebook(api, MILD)
    assert api.get("/v1/rules", by="staff").json()["rules_version"] == shipped
    move(api, "rulebooks", mild, "live")
    payments = [pay(api, amount=amount)["payment_id"] for amount in ("5.00", "20.00")]
    labels = [{"payment_id": payment_id, "label": "fraud"} for payment_id in payments]
    api.post("/v1/labels", {"labels": labels}, by="staff")
    answer = api.get("/v1/rules", by="staff")
    require(RulesView, answer)
    first, second = answer.json()["rules"]
    assert (answer.json()["rules_version"], first["payments"], first["precision"], first["recall"]) == (mild, 1, 1, 0.5)
    assert (second["payments"], second["precision"], second["recall"]) == (0, None, 0)
    assert api.get("/v1/rules", by="staff", version=shipped).status_code == 200
    assert problem(api.get("/v1/rules", by="staff", version="000000000000")) == (404, "not_found", "version")


def test_the_catalogue_names_every_feature(api: Api) -> None:
    answer = api.get("/v1/features", by="staff")
    require(FeaturesView, answer)
    named = {feature["name"]: feature for feature in answer.json()["features"]}
    assert named["creditor_fraud_share_7d"]["can_be_missing"]
    assert named["channel"]["symbols"][:2] == ["unknown", "api"]
    assert "model_score" in named


@pytest.mark.parametrize("path", ["rulebooks", "rulebooks/000000000000", "models", "list-entries", "features", "rules"])
def test_what_judges_is_for_staff_to_see(api: Api, path: str) -> None:
    assert problem(api.get(f"/v1/{path}", by="shop"))[:2] == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rulebooks", {"name": "mild", "text": MILD}),
        ("rulebooks/check", {"text": MILD}),
        ("rulebooks/000000000000/state", {"state": "live", "reason": "so"}),
        ("models", {}),
        ("list-entries", {}),
    ],
)
def test_what_judges_is_for_staff_to_change(api: Api, path: str, body: Any) -> None:
    assert problem(api.post(f"/v1/{path}", body, by="shop"))[:2] == (403, "forbidden")
