"""Files of pairs for the whitelist: what is read, what is refused with line and field, and what is new in them."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.common.record import replace
from schemas.compliance.events import ScreeningOutcome
from services.compliance.domain.whitelist import Pair, PairState, end_of
from services.compliance.files import whitelist as whitelist_file
from services.compliance.files.whitelist import (
    COLUMNS,
    FAULTS_SHOWN,
    Listed,
    NewPair,
    Row,
    WhitelistFault,
    in_force,
    new_pairs,
    read_whitelist,
    table_of,
)
from services.compliance.lists.listed import ListedName, ListedParty, PartyKind
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
HEADER = ",".join(COLUMNS)
LINE = "un,7,Jon Smitheringale,1988-07-02,GB,person,P 4711 0815,2027-01-31,another passport"
ROW = Row(
    line=2,
    reference="un/7",
    subject=Subject(
        name="Jon Smitheringale",
        birth_date="1988-07-02",
        country="GB",
        kind=PartyKind.PERSON,
        identifier="P47110815",
    ),
    until=datetime(2027, 2, 1, tzinfo=UTC),
    reason="another passport",
)
ENTRY = ListedParty(entity_id="7", kind=PartyKind.PERSON, names=(ListedName(name="Jon Smithering"),))


def read(*lines: str, header: str = HEADER) -> tuple[Row, ...]:
    return read_whitelist("\n".join((header, *lines)).encode(), NOW)


def hit(outcome: ScreeningOutcome = ScreeningOutcome.REVIEW, entry: ListedParty = ENTRY) -> Hit:
    return Hit(
        list_name="un",
        import_id=1,
        listed_name="Jon Smithering",
        score=0.9,
        outcome=outcome,
        reasons=(),
        listed=entry,
    )


def listed(*hits: Hit) -> Listed:
    return Listed(references=frozenset({"un/7"}), hits=lambda _: hits)


def agreed(new: NewPair) -> Pair:
    return in_force(new, proposed_by="ann", proposed_at=NOW, confirmed_by="ben", confirmed_at=NOW)


def found(*hits: Hit, known: Sequence[Pair] = (), row: Row = ROW) -> list[NewPair]:
    return new_pairs([row], {pair.pair_id: pair for pair in known}, listed(*hits), NOW)


def test_a_row_says_all_that_is_known_of_a_party() -> None:
    assert read(LINE) == (ROW,)


def test_what_is_unknown_may_stay_empty_or_have_no_column() -> None:
    header = "until,reason,list,entity_id,name,birth_date"
    (row,) = read("2027-01-31,why,un,7,  Jon  Smitheringale ,1988-07-02", header=header)
    assert row.subject == Subject(name="Jon Smitheringale", birth_date="1988-07-02")
    (row,) = read("un,7,Jon,,,,P 4711 0815,2027-01-31,why")
    assert row.subject == Subject(name="Jon", identifier="P47110815")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"birth_date": "", "identifier": ""}, "line 2, birth_date: the whole date, or an official number"),
        ({"birth_date": "1988", "identifier": ""}, "line 2, birth_date: the whole date"),
        ({"birth_date": "yesterday"}, "line 2, birth_date: 'yesterday' is no date of birth"),
        ({"identifier": "12"}, "line 2, identifier: '12' is too short"),
        ({"name": " "}, "line 2, name: must not be empty"),
        ({"name": "J" * 501}, "line 2, name: more than 500"),
        ({"entity_id": ""}, "line 2, entity_id: must not be empty"),
        ({"country": "gb"}, "line 2, country: 'gb' is no two-letter code"),
        ({"kind": "ghost"}, "line 2, kind: 'ghost' is none of person"),
        ({"until": "31.1.2027"}, "line 2, until: '31.1.2027' is no day"),
        ({"until": "2026-11-22"}, "line 2, until: 2026-11-22 is not from today on"),
        ({"until": "2027-12-31"}, "line 2, until: 2027-12-31 is not from today on within 366 days"),
        ({"until": "9999-12-31"}, "line 2, until: 9999-12-31 is not from today on"),
        ({"reason": ""}, "line 2, reason: must not be empty"),
        ({"reason": "x" * 4_001}, "line 2, reason: more than 4000"),
        ({"reason": "card 4111 1111 1111 1111"}, "line 2, reason: must not hold a card number"),
        ({"birth_date": "4111111111111111"}, "line 2, birth_date: must not hold a card number"),
        ({"identifier": "4111111111111111"}, "line 2, identifier: must not hold a card number"),
        ({"entity_id": "7\0"}, "line 2, entity_id: must not hold control characters"),
        ({"reason": "another\0passport"}, "line 2, reason: must not hold control characters"),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(changed: dict[str, str], words: str) -> None:
    fields = {**dict(zip(COLUMNS, LINE.split(","), strict=True)), **changed}
    with pytest.raises(WhitelistFault) as fault:
        read(",".join(fields.values()))
    assert words in str(fault.value)


def test_all_faults_are_told_together_up_to_so_many() -> None:
    with pytest.raises(WhitelistFault, match=r"line 2, name: must.*; line 4, until"):
        read(LINE.replace("Jon Smitheringale", ""), LINE, LINE.replace("2027-01-31", "soon"))
    with pytest.raises(WhitelistFault) as fault:
        read(*[LINE.replace("2027-01-31", "soon")] * (FAULTS_SHOWN + 5))
    assert str(fault.value).count("until") == FAULTS_SHOWN
    assert str(fault.value).endswith("and perhaps more")


def test_a_pair_that_is_there_twice_is_told_with_both_lines() -> None:
    with pytest.raises(WhitelistFault, match="line 3, entity_id: the same party and entry as in line 2"):
        read(LINE, LINE.replace("Jon", "JON").replace("another", "yet another"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: the header lacks entity_id, list, name, reason, until"),
        (HEADER.encode(), "no pair at all"),
        (f"{HEADER},colour\n{LINE},red".encode(), "unknown fields: colour"),
        (f"{HEADER},name\n{LINE},Jon".encode(), "a field twice"),
        (f"{HEADER}\n{LINE}\nun,7".encode(), "line 3: more or fewer fields"),
        (f'{HEADER}\n"un,7'.encode(), "line 2: not CSV, or cut short"),
        (f"{HEADER}\n".encode() + b"\xff", "line 2: not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(WhitelistFault, match=words):
        read_whitelist(content, NOW)


def test_a_file_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitelist_file, "ROWS_MAX", 2)
    assert len(read(LINE, LINE.replace("un,7", "un,8"))) == 2
    with pytest.raises(WhitelistFault, match="line 4: more than 2 pairs"):
        read(LINE, LINE.replace("un,7", "un,8"), LINE.replace("un,7", "un,9"))
    monkeypatch.setattr(whitelist_file, "BYTES_MAX", 10)
    with pytest.raises(WhitelistFault, match="more than 10 bytes"):
        read(LINE)


def test_what_is_not_in_force_is_new_and_what_is_stays() -> None:
    (new,) = found(hit())
    assert (new.reference, new.listed_name, new.until, new.version) == ("un/7", "Jon Smithering", ROW.until, 0)
    pair = agreed(new)
    assert (pair.state, pair.version, pair.case_id, pair.holds(NOW)) == (PairState.IN_FORCE, 1, None, True)
    assert found(hit(), known=[pair]) == []
    # Not even where its entry is a hit no more.
    assert found(known=[pair]) == []


def test_another_end_or_reason_or_entry_is_proposed_over_what_is_in_force() -> None:
    (new,) = found(hit())
    pair = agreed(new)
    for row in (replace(ROW, until=end_of(date(2027, 3, 1))), replace(ROW, reason="seen in person")):
        (changed,) = found(hit(), known=[pair], row=row)
        assert (changed.version, changed.until, changed.reason) == (1, row.until, row.reason)
    (changed,) = found(hit(entry=replace(ENTRY, countries=("GB",))), known=[pair])
    assert changed.entry != new.entry
    ended = replace(pair, state=PairState.ENDED)
    assert found(hit(), known=[ended]) == [replace(new, version=1)]


@pytest.mark.parametrize(
    ("hits", "row", "words"),
    [
        ([hit()], replace(ROW, reference="un/9"), "line 2, entity_id: no list that is searched has an entry un/9"),
        ([], ROW, "line 2, name: nothing to rule out"),
        ([hit(ScreeningOutcome.BLOCK)], ROW, "line 2, name: what screening blocks can't be ruled out"),
    ],
)
def test_only_a_hit_that_people_may_decide_on_is_ruled_out(hits: list[Hit], row: Row, words: str) -> None:
    with pytest.raises(WhitelistFault, match=words):
        found(*hits, row=row)


@pytest.mark.parametrize("changed", [{"state": PairState.PROPOSED}, {"end_proposed_by": "eve"}])
def test_what_waits_for_a_second_person_is_theirs_to_decide(changed: dict[str, str]) -> None:
    (new,) = found(hit())
    waiting = replace(agreed(new), reason="another", **changed)
    with pytest.raises(WhitelistFault, match="waits for a second person"):
        found(hit(), known=[waiting])
    over = replace(waiting, until=NOW - timedelta(days=1))
    assert len(found(hit(), known=[over])) == 1


def test_what_is_written_is_read_the_same() -> None:
    hostile = 'a "quote", a\nnew line; =1+1'
    (new,) = found(hit(), row=replace(ROW, reason=hostile))
    text = io.StringIO()
    csv.writer(text).writerows(table_of([agreed(new)]))
    (row,) = read_whitelist(text.getvalue().encode(), NOW)
    assert (row.pair_id, row.until, row.reason) == (new.pair_id, new.until, hostile)
    assert found(hit(), known=[agreed(new)], row=row) == []
