"""Versions of rulebooks and models: from which state to which, who was live before, and back again at once."""

import pytest

from schemas.fraud.events import VersionAdded, VersionKind, VersionMoved, VersionState
from services.fraud.domain.versions import SHADOWS_MAX, AddVersion, MoveVersion, RefusalReason, version_key
from tests.unit.fraud.past import DAY, START, Desk

RULEBOOK, MODEL = VersionKind.RULEBOOK, VersionKind.MODEL
DRAFT, SHADOW, LIVE, RETIRED = VersionState.DRAFT, VersionState.SHADOW, VersionState.LIVE, VersionState.RETIRED
STATES = (DRAFT, SHADOW, LIVE, RETIRED)


def brought(version: str, kind: VersionKind = RULEBOOK) -> AddVersion:
    return AddVersion(
        kind=kind, version=version, name=f"the {version}", content=version.encode(), fields=("amount",), by="ann"
    )


def moved(version: str, state: VersionState, kind: VersionKind = RULEBOOK) -> MoveVersion:
    return MoveVersion(kind=kind, version=version, state=state, by="cleo", reason="it is better")


def desk_with(kind: VersionKind = RULEBOOK, /, **states: VersionState) -> Desk:
    """Versions of a kind, each in its state."""
    desk = Desk()
    for version, state in states.items():
        desk.hears(brought(version, kind))
        if state is not DRAFT:
            desk.hears(moved(version, state, kind))
    assert states_of(desk, kind) == states
    return desk


def states_of(desk: Desk, kind: VersionKind = RULEBOOK) -> dict[str, VersionState]:
    return {version.version: version.state for version in desk.versions.values() if version.kind is kind}


def test_a_new_version_is_a_draft_with_its_content_and_who_brought_it() -> None:
    desk = Desk()
    (event,) = desk.hears(brought("one"))
    assert event == VersionAdded(
        version_id="rulebook:one", kind=RULEBOOK, version="one", name="the one", added_by="ann", added_at=START
    )
    known = desk.versions[version_key(RULEBOOK, "one")]
    assert (known.state, known.content, known.fields, known.added_by) == (DRAFT, b"one", ("amount",), "ann")
    assert desk.numbers == [1]


def test_the_same_content_again_changes_nothing_whatever_became_of_it() -> None:
    desk = desk_with(one=LIVE)
    assert desk.hears(brought("one")) == []
    assert states_of(desk) == {"one": LIVE}


def test_a_rulebook_and_a_model_of_one_version_are_two() -> None:
    desk = Desk()
    desk.hears(brought("one", RULEBOOK), brought("one", MODEL))
    desk.hears(moved("one", LIVE, MODEL))
    assert (states_of(desk), states_of(desk, MODEL)) == ({"one": DRAFT}, {"one": LIVE})


MOVES = [
    (kind, before, after)
    for kind in (RULEBOOK, MODEL)
    for before in STATES
    for after in STATES
    if before is not after and after is not DRAFT and not (kind is RULEBOOK and before is LIVE)
]


@pytest.mark.parametrize(("kind", "before", "after"), MOVES)
def test_a_version_goes_from_any_state_to_any_other(
    kind: VersionKind, before: VersionState, after: VersionState
) -> None:
    desk = desk_with(kind, one=before)
    desk.now += DAY
    (event,) = desk.hears(moved("one", after, kind))
    assert event == VersionMoved(
        version_id=version_key(kind, "one"),
        kind=kind,
        version="one",
        state=after,
        previous_state=before,
        moved_by="cleo",
        reason="it is better",
        moved_at=desk.now,
    )
    assert states_of(desk, kind) == {"one": after}
    change = desk.version_changes[-1]
    assert (change.version_id, change.state, change.changed_by, change.reason, change.changed_at) == (
        event.version_id,
        after,
        "cleo",
        "it is better",
        desk.now,
    )


SHADOWS = {f"s{number}": SHADOW for number in range(SHADOWS_MAX)}
REFUSED: list[tuple[VersionKind, dict[str, VersionState], VersionState, RefusalReason]] = [
    (RULEBOOK, {"other": DRAFT}, LIVE, RefusalReason.VERSION_UNKNOWN),
    (MODEL, {}, DRAFT, RefusalReason.VERSION_UNKNOWN),
    *[(kind, {"one": state}, DRAFT, RefusalReason.BACK_TO_DRAFT) for kind in (RULEBOOK, MODEL) for state in STATES[1:]],
    # Without a rulebook nothing could be judged.
    (RULEBOOK, {"one": LIVE}, RETIRED, RefusalReason.LIVE_NEEDS_ANOTHER),
    (RULEBOOK, {"one": LIVE}, SHADOW, RefusalReason.LIVE_NEEDS_ANOTHER),
    (RULEBOOK, {"two": RETIRED, "one": LIVE}, RETIRED, RefusalReason.LIVE_NEEDS_ANOTHER),
    (RULEBOOK, {**SHADOWS, "one": LIVE}, SHADOW, RefusalReason.LIVE_NEEDS_ANOTHER),
    (RULEBOOK, {**SHADOWS, "one": DRAFT}, SHADOW, RefusalReason.TOO_MANY_SHADOWS),
    (RULEBOOK, {**SHADOWS, "one": RETIRED}, SHADOW, RefusalReason.TOO_MANY_SHADOWS),
    (MODEL, {**SHADOWS, "one": LIVE}, SHADOW, RefusalReason.TOO_MANY_SHADOWS),
]


@pytest.mark.parametrize(("kind", "states", "state", "reason"), REFUSED)
def test_what_is_refused_changes_nothing(
    kind: VersionKind, states: dict[str, VersionState], state: VersionState, reason: RefusalReason
) -> None:
    desk = desk_with(kind, **states)
    changes = len(desk.version_changes)
    assert desk.refuses(moved("one", state, kind)) == reason
    assert states_of(desk, kind) == states
    assert len(desk.version_changes) == changes


def test_every_refusal_is_in_the_table() -> None:
    assert {reason for *_, reason in REFUSED} == set(RefusalReason)


@pytest.mark.parametrize("state", STATES)
def test_who_is_in_a_state_already_stays_in_it_without_a_word(state: VersionState) -> None:
    desk = desk_with(one=state)
    changes = len(desk.version_changes)
    assert desk.hears(moved("one", state)) == []
    assert len(desk.version_changes) == changes


@pytest.mark.parametrize("kind", [RULEBOOK, MODEL])
def test_what_is_released_takes_the_place_of_who_was_live_and_says_both(kind: VersionKind) -> None:
    desk = desk_with(kind, one=LIVE, two=SHADOW, three=DRAFT)
    events = desk.hears(moved("two", LIVE, kind))
    told = [(e.version, e.previous_state, e.state) for e in events if isinstance(e, VersionMoved)]
    assert told == [("one", LIVE, RETIRED), ("two", SHADOW, LIVE)]
    assert states_of(desk, kind) == {"one": RETIRED, "two": LIVE, "three": DRAFT}
    assert [change.version_id for change in desk.version_changes[-2:]] == [
        version_key(kind, "one"),
        version_key(kind, "two"),
    ]


def test_to_roll_back_is_to_release_the_one_before_again() -> None:
    desk = desk_with(one=LIVE)
    desk.hears(brought("two"), moved("two", LIVE))
    desk.hears(moved("one", LIVE))
    assert states_of(desk) == {"one": LIVE, "two": RETIRED}


def test_within_a_batch_one_after_another_is_live() -> None:
    desk = desk_with(one=LIVE, two=SHADOW, three=SHADOW)
    desk.hears(moved("two", LIVE), moved("three", LIVE), moved("one", LIVE))
    assert states_of(desk) == {"one": LIVE, "two": RETIRED, "three": RETIRED}


def test_a_release_of_a_model_leaves_the_rulebook_live() -> None:
    desk = desk_with(RULEBOOK, one=LIVE)
    desk.hears(brought("net", MODEL), moved("net", LIVE, MODEL), moved("net", RETIRED, MODEL))
    assert (states_of(desk), states_of(desk, MODEL)) == ({"one": LIVE}, {"net": RETIRED})


def test_a_place_in_the_shadow_is_free_again_for_another() -> None:
    desk = desk_with(**SHADOWS, one=DRAFT)
    desk.hears(moved("s0", RETIRED), moved("one", SHADOW))
    assert states_of(desk) == {**SHADOWS, "s0": RETIRED, "one": SHADOW}
    desk.hears(moved("s1", LIVE), moved("s0", SHADOW))
    assert states_of(desk)["s0"] is SHADOW


def test_the_changes_of_a_version_are_numbered() -> None:
    desk = Desk()
    numbers = []
    for message in (brought("one"), moved("one", SHADOW), moved("one", LIVE)):
        desk.hears(message)
        numbers += desk.numbers
    assert numbers == [1, 2, 3]


def test_the_content_of_a_version_never_changes() -> None:
    desk = desk_with(one=DRAFT)
    for state in (SHADOW, LIVE):
        desk.hears(moved("one", state))
    known = desk.versions[version_key(RULEBOOK, "one")]
    assert (known.content, known.fields, known.name, known.added_by, known.added_at) == (
        b"one",
        ("amount",),
        "the one",
        "ann",
        START,
    )
