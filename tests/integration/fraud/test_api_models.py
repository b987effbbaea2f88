"""Models over HTTP: tried before they are kept, in the shadow, released, explained; rules alone where one is broken."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from libs.common.database import execute
from libs.common.record import replace
from libs.common.service import Runtime
from services.fraud.domain import drift
from services.fraud.domain.model import Artifact, Card, Model, pack
from services.fraud.laboratory import training
from services.fraud.laboratory.training import Known
from services.fraud.views.assessments import AssessmentView
from services.fraud.views.models import ModelView
from services.fraud.views.versions import ComparisonView, VersionPage, VersionView
from tests.integration.fraud.scene import add_rulebook, move, pay, rows, rulebook
from tests.serving import Api, problem, require

FIELDS = ("amount", "is_night", "debtor_attempts_1d")
FEW = {"num_iterations": 12, "num_leaves": 4, "min_data_in_leaf": 5, "learning_rate": 0.3}
LARGE, SMALL = "800.00", "20.00"


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """A model that has learnt from a few hundred payments that large ones are fraud."""
    dice = np.random.default_rng(1)
    amounts = dice.uniform(1, 1_000, 400)
    rows = np.column_stack([amounts, dice.integers(0, 2, 400), dice.integers(1, 9, 400)]).astype(float)
    known = Known(
        fields=FIELDS,
        rows=rows,
        micros=np.arange(400),
        is_fraud=(amounts > 500).astype(np.int8),
        cards=np.arange(400),
    )
    card = Card(
        name="large ones",
        trained_from="2026-01-01",
        trained_until="2026-02-01",
        payments=400,
        frauds=int(known.is_fraud.sum()),
        label_delay_days=7,
        parameters=FEW,
        metrics={"auc": 0.99},
        importances={"amount": 2.0},
        references={"amount": drift.reference_of(known.rows[:, 0])},
    )
    trees = training.fit(known, FEW).model_to_string()
    return Artifact(fields=FIELDS, slope=1.5, intercept=-0.25, card=card, trees=trees)


def add_model(api: Api, artifact: Artifact) -> str:
    answer = api.post("/v1/models", pack(artifact), by="staff")
    assert answer.status_code == 201, answer.text
    require(VersionView, answer)
    return str(answer.json()["version"])


def released_rulebook(api: Api) -> str:
    version = add_rulebook(api, rulebook("when model_score >= 0.5\n    score 0.6"))
    move(api, "rulebooks", version, "live")
    return version


def put_live(runtime: Runtime, version: str, content: bytes, fields: Sequence[str]) -> None:
    """A live model that nobody has looked at."""
    runtime.unit.administer(
        lambda tx: execute(
            tx,
            """INSERT INTO versions
                 (version_id, kind, version, name, content, fields, added_by, added_at, state, sequence)
               VALUES (%s, 'model', %s, 'broken', %s, %s, 'nobody', %s, 'live', 0)""",
            (f"model:{version}", version, content, list(fields), datetime.now(UTC)),
        )
    )


def test_a_model_goes_from_the_shadow_into_effect_and_explains_itself(api: Api, artifact: Artifact) -> None:
    released_rulebook(api)
    version = add_model(api, artifact)
    model = Model(pack(artifact))
    assert version == model.version

    move(api, "models", version, "shadow")
    tried = pay(api, amount=LARGE)
    assert (tried["outcome"], tried["grounds"]["model_version"]) == ("allow", None)
    (shadow,) = api.get(f"/v1/assessments/{tried['payment_id']}", by="staff").json()["shadows"]
    assert (shadow["model_version"], shadow["outcome"], shadow["rules"]) == (version, "review", ["rule_1"])
    assert shadow["model_score"] > 0.5

    assert move(api, "models", version, "live").status_code == 200
    released = pay(api, amount=LARGE)
    grounds = released["grounds"]
    assert (released["outcome"], grounds["model_version"]) == ("review", version)
    (finding,) = grounds["findings"]
    assert finding["reason"].startswith("so: amount 800")

    answer = api.get(f"/v1/assessments/{released['payment_id']}", by="staff")
    require(AssessmentView, answer)
    shown = answer.json()
    values = [shown["values"][field] for field in FIELDS]
    assert values == [800, False, 2]
    assert shown["model_score"] == grounds["model_score"] == model.score(values)
    wanted = [(one.field, one.value, one.contribution) for one in model.contributions(values)]
    assert [(one["field"], one["value"], one["contribution"]) for one in shown["contributions"]] == wanted
    assert shown["contributions"][0]["field"] == "amount"
    assert pay(api, amount=SMALL)["outcome"] == "allow"

    assert move(api, "models", version, "retired").status_code == 200
    assert pay(api, amount=LARGE)["outcome"] == "allow"


def test_contributions_add_up_to_the_score_but_for_what_is_the_same_for_all(api: Api, artifact: Artifact) -> None:
    released_rulebook(api)
    move(api, "models", add_model(api, artifact), "live")
    bases = []
    for amount in (SMALL, "480.00", "510.00", LARGE):
        shown = api.get(f"/v1/assessments/{pay(api, amount=amount)['payment_id']}", by="staff").json()
        log_odds = math.log(shown["model_score"] / (1 - shown["model_score"]))
        bases.append(log_odds - sum(one["contribution"] for one in shown["contributions"]))
    assert bases == pytest.approx([bases[0]] * 4, abs=1e-9)


def test_a_model_shows_its_card_and_who_released_it(api: Api, artifact: Artifact) -> None:
    version = add_model(api, artifact)
    assert add_model(api, artifact) == version
    move(api, "models", version, "live")
    answer = api.get(f"/v1/models/{version}", by="staff")
    require(ModelView, answer)
    shown = answer.json()
    assert (shown["name"], shown["state"], shown["fault"], tuple(shown["fields"])) == (
        "large ones",
        "live",
        None,
        FIELDS,
    )
    assert shown["card"]["metrics"] == {"auc": 0.99}
    assert [change["state"] for change in shown["changes"]] == ["live"]
    page = api.get("/v1/models", by="staff")
    require(VersionPage, page)
    assert [one["version"] for one in page.json()["versions"]] == [version]
    assert problem(api.get("/v1/models/000000000000", by="staff")) == (404, "not_found", "version")


def test_a_model_in_the_shadow_is_compared(api: Api, artifact: Artifact) -> None:
    released_rulebook(api)
    version = add_model(api, artifact)
    move(api, "models", version, "shadow")
    for amount in (SMALL, LARGE, LARGE):
        pay(api, amount=amount)
    answer = api.get(f"/v1/models/{version}/comparison", by="staff")
    require(ComparisonView, answer)
    found = answer.json()
    assert [(one["live"], one["shadow"], one["payments"]) for one in found["outcomes"]] == [
        ("allow", "allow", 1),
        ("allow", "review", 2),
    ]
    assert [(rule["rule"], rule["payments"]) for rule in found["rules"]] == [("rule_1", 2)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fields": ("amount", "is_night", "shoe_size")}, "features that don't exist: shoe_size"),
        ({"format": 2}, "format 2, known is 1"),
        ({"trees": ""}, "can't be read"),
    ],
)
def test_a_model_that_could_not_judge_is_refused(
    api: Api, artifact: Artifact, changes: dict[str, Any], why: str
) -> None:
    answer = api.post("/v1/models", pack(replace(artifact, **changes)), by="staff")
    assert problem(answer) == (422, "model_unusable", "body")
    assert why in answer.json()["detail"]
    assert rows(api.runtime, "SELECT count(*) FROM versions") == [(0,)]


def test_broken_trees_end_no_process_but_the_one_that_tries_them(api: Api, artifact: Artifact) -> None:
    cut = artifact.trees.replace("leaf_value=", "leaf_valu=")
    assert "can't be read" in refused_trees(api, artifact, cut)


def test_trees_of_several_classes_are_refused(api: Api, artifact: Artifact) -> None:
    of_three = artifact.trees.replace("num_class=1", "num_class=3").replace("per_iteration=1", "per_iteration=3")
    told = refused_trees(
        api, artifact, of_three.replace("objective=binary sigmoid:1", "objective=multiclass num_class:3")
    )
    assert "more than one score" in told


def refused_trees(api: Api, artifact: Artifact, trees: str) -> str:
    answer = api.post("/v1/models", pack(replace(artifact, trees=trees)), by="staff")
    assert problem(answer) == (422, "model_unusable", "body")
    return str(answer.json()["detail"])


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\x00", json.dumps({"fields": []}).encode()])
def test_what_is_no_model_is_refused(api: Api, body: bytes) -> None:
    assert problem(api.post("/v1/models", body, by="staff")) == (422, "model_unusable", "body")


def test_without_a_key_or_with_too_much_nothing_is_taken(api: Api, artifact: Artifact) -> None:
    assert problem(api.post("/v1/models", pack(artifact), by="staff", key=None))[1] == "idempotency_key_missing"
    much = b" " * (32 * 1024 * 1024 + 1)
    assert problem(api.post("/v1/models", much, by="staff")) == (413, "body_too_large", "body")


@pytest.mark.parametrize("content", [b"junk", b"", b'{"format": 1}'])
def test_where_the_live_model_is_broken_rules_judge_alone_and_say_so(api: Api, content: bytes) -> None:
    put_live(api.runtime, "0123456789ab", content, ["amount"])
    advice = pay(api, amount=LARGE)
    assert (advice["grounds"]["model_version"], advice["grounds"]["model_score"]) == (None, None)
    assert [(one["rule"], one["score"]) for one in advice["grounds"]["findings"]] == [("model_missing", 0)]
    answer = api.get(f"/v1/assessments/{advice['payment_id']}", by="staff")
    require(AssessmentView, answer)
    assert (answer.json()["contributions"], answer.json()["unexplained"]) == (None, None)
    shown = api.get("/v1/models/0123456789ab", by="staff")
    require(ModelView, shown)
    assert shown.json()["fault"] == "the stored model is not the one that was brought"
    assert problem(move(api, "models", "0123456789ab", "shadow")) == (409, "version_unfit", "version")


def test_an_assessment_by_a_model_that_is_gone_says_that_it_can_not_be_explained(api: Api, artifact: Artifact) -> None:
    move(api, "models", add_model(api, artifact), "live")
    payment_id = pay(api, amount=LARGE)["payment_id"]
    forget = "UPDATE assessments SET model_version = 'lost'"
    api.runtime.unit.administer(lambda tx: execute(tx, forget))
    shown = api.get(f"/v1/assessments/{payment_id}", by="staff").json()
    assert (shown["values"], shown["unexplained"]) == (None, "a version that judged it is not known here")
    assert shown["model_score"] is not None
