"""A batch's state: each decision works on a draft that is kept or forgotten."""

import pytest

from libs.common.record import Record
from libs.common.state import Aggregates, Journal, Numbered, State
from tests.tally.events import INCREMENT, REPORT, CounterReported


class Counter(Record):
    counter_id: str
    total: int = 0
    sequence: int = 0


def counters(*loaded: str) -> Aggregates[Counter]:
    return Aggregates({id_: Counter(counter_id=id_) for id_ in loaded})


def test_a_draft_is_seen_at_once_and_stands_when_kept() -> None:
    known = counters("a")
    known.put("a", Counter(counter_id="a", total=1))
    known.put("b", Counter(counter_id="b", total=2))
    assert (known["a"].total, known["b"].total) == (1, 2)
    assert (known.inserted, known.updated) == ([], [])
    known.keep()
    assert [c.counter_id for c in known.inserted] == ["b"]
    assert [c.counter_id for c in known.updated] == ["a"]


def test_a_forgotten_draft_leaves_what_was_kept_before() -> None:
    known = counters("a")
    known.put("a", Counter(counter_id="a", total=1))
    known.keep()
    known.put("a", Counter(counter_id="a", total=2))
    known.put("b", Counter(counter_id="b"))
    known.forget()
    assert known["a"].total == 1
    assert "b" not in known
    known.keep()
    assert [(c.counter_id, c.total) for c in known.updated] == [("a", 1)]
    assert known.inserted == []


def test_what_is_neither_loaded_nor_put_is_missing() -> None:
    with pytest.raises(KeyError):
        counters("a")["b"]
    assert counters("a").get("b") is None


def test_all_values_are_as_they_now_are() -> None:
    known = counters("a", "b")
    known.put("b", Counter(counter_id="b", total=1))
    known.keep()
    known.put("c", Counter(counter_id="c", total=2))
    assert [(c.counter_id, c.total) for c in known.values()] == [("a", 0), ("b", 1), ("c", 2)]


def test_a_journal_keeps_its_rows_in_order() -> None:
    rows: Journal[Counter] = Journal()
    rows.append(Counter(counter_id="a"))
    rows.keep()
    rows.append(Counter(counter_id="lost"))
    rows.forget()
    rows.append(Counter(counter_id="b"))
    assert ([row.counter_id for row in rows], len(rows)) == (["a"], 1), "a draft is not yet a row"
    rows.keep()
    assert [row.counter_id for row in rows] == ["a", "b"]


def test_events_are_numbered_per_aggregate_without_a_gap_even_when_a_decision_is_forgotten() -> None:
    known = counters("a", "b")
    state = State(known, numbering={REPORT: Numbered(aggregates=known)})
    reports = {id_: CounterReported(counter_id=id_, total=0) for id_ in ("a", "b")}
    assert state.number([reports["a"], reports["b"], reports["a"]]) == [1, 1, 2]
    state.keep()
    assert state.number([reports["a"]]) == [3]
    state.forget()
    assert state.number([reports["a"]]) == [3]
    state.keep()
    assert {c.counter_id: c.sequence for c in known.updated} == {"a": 3, "b": 1}


def test_one_aggregate_may_count_the_events_of_two_topics_apart() -> None:
    class Both(Record):
        counter_id: str
        ones: int = 0
        others: int = 0

    known: Aggregates[Both] = Aggregates({"a": Both(counter_id="a")})
    state = State(
        known,
        numbering={
            INCREMENT: Numbered(aggregates=known, counter="ones"),
            REPORT: Numbered(aggregates=known, counter="others"),
        },
    )
    report = CounterReported(counter_id="a", total=0)
    assert state.number([report, report]) == [1, 2]
    assert (known["a"].ones, known["a"].others) == (0, 2)


def test_an_event_about_what_is_not_in_the_state_cant_be_numbered() -> None:
    known = counters()
    state = State(known, numbering={REPORT: Numbered(aggregates=known)})
    with pytest.raises(KeyError):
        state.number([CounterReported(counter_id="a", total=0)])
