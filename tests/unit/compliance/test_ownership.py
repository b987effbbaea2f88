"""OFAC's 50 % rule: shares of listed owners add up, also through companies that are blocked; nothing is multiplied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.lists.listed import ListedName, ListedParty, ListFault, NameStrength, PartyKind
from services.compliance.lists.ownership import blocked_by_ownership, parse_ownership
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import screen
from services.compliance.matching.sourced import SourcedParty
from services.compliance.matching.subject import Subject

HEAD = "owner,owned,percent\n"


@pytest.mark.parametrize(
    ("shares", "blocked"),
    [
        ({"Mill": {"Count": 50}}, {"Mill"}),
        ({"Mill": {"Count": 49.99}}, set()),
        ({"Mill": {"Count": 25, "Baron": 25}}, {"Mill"}),
        ({"Mill": {"Count": 25, "Miller": 75}}, set()),
        # Half of what is half the Count's is his: it would be a quarter if shares were multiplied
        ({"Mill": {"Count": 50}, "Bakery": {"Mill": 50}}, {"Mill", "Bakery"}),
        # A share through a company that is not blocked counts for nothing
        ({"Mill": {"Count": 49}, "Bakery": {"Mill": 100}}, set()),
        ({"Mill": {"Count": 49}, "Bakery": {"Mill": 49, "Count": 49}}, set()),
        ({"Mill": {"Count": 50}, "Barn": {"Baron": 60}, "Shop": {"Mill": 25, "Barn": 25}}, {"Mill", "Barn", "Shop"}),
        # In whatever order the rows come, and in circles
        ({"Shop": {"Bakery": 50}, "Bakery": {"Mill": 50}, "Mill": {"Count": 50}}, {"Mill", "Bakery", "Shop"}),
        ({"Mill": {"Bakery": 60}, "Bakery": {"Mill": 60}}, set()),
        ({"Mill": {"Bakery": 30, "Count": 50}, "Bakery": {"Mill": 60}}, {"Mill", "Bakery"}),
        ({"Mill": {"Count": 16.7, "Baron": 33.3}}, {"Mill"}),
        ({}, set()),
    ],
)
def test_shares_of_blocked_owners_add_up(shares: dict[str, dict[str, float]], blocked: set[str]) -> None:
    assert set(blocked_by_ownership(shares, {"Count", "Baron"})) == blocked


NAMES = st.sampled_from(["Count", "Mill", "Bakery", "Barn", "Shop"])


@given(
    shares=st.dictionaries(NAMES, st.dictionaries(NAMES, st.floats(min_value=1, max_value=60), max_size=3)),
    blocked=st.sets(NAMES),
    another=NAMES,
)
def test_whoever_else_is_listed_nobody_is_released(
    shares: dict[str, dict[str, float]], blocked: set[str], another: str
) -> None:
    before = {*blocked, *blocked_by_ownership(shares, blocked)}
    after = {*blocked, another, *blocked_by_ownership(shares, {*blocked, another})}
    assert before <= after
    assert all(sum(held.values()) >= 50 for held in blocked_by_ownership(shares, blocked).values())


LISTED = (
    ListedParty(
        entity_id="7",
        kind=PartyKind.PERSON,
        names=(
            ListedName(name="VARKOSKY, Dmitrun"),
            ListedName(name="The Accountant", strength=NameStrength.WEAK),
        ),
    ),
)


def outcome(rows: str, name: str) -> str:
    sources = [SourcedParty(list_name="own", import_id=1, party=party) for party in LISTED]
    sources += [
        SourcedParty(list_name="shares", import_id=2, party=party) for party in parse_ownership((HEAD + rows).encode())
    ]
    return screen(NameIndex(sources, version=1), Subject(name=name)).outcome


@pytest.mark.parametrize("owner", ["Dmitrun Varkosky", "VARKOSKY Dmitrun", "Дмитрун Варкоски", "7", "own/7"])
def test_what_a_listed_party_owns_is_found_however_its_owner_is_named(owner: str) -> None:
    assert outcome(f"{owner},Quandrix Mills GmbH,50\n", "Quandrix Mills") == "block"


@pytest.mark.parametrize(
    "rows",
    [
        "Dmitrun Varkosky,Quandrix Mills GmbH,49.9\n",
        "Somebody Else,Quandrix Mills GmbH,100\n",
        "The Accountant,Quandrix Mills GmbH,100\n",
    ],
)
def test_what_listed_parties_own_too_little_of_is_not_found(rows: str) -> None:
    assert outcome(rows, "Quandrix Mills GmbH") == "clear"


def test_a_hit_says_who_owns_what_was_found() -> None:
    rows = HEAD + "7,Quandrix Mills,30\nQuandrix Barns,Quandrix Mills,25\nDmitrun Varkosky,Quandrix Barns,80\n"
    sources = [
        SourcedParty(list_name="own", import_id=1, party=party) for party in (*LISTED, *parse_ownership(rows.encode()))
    ]
    (hit,) = screen(NameIndex(sources, version=1), Subject(name="Quandrix Mills")).hits
    assert hit.reasons[-1] == "owned by listed parties: 7 30 %, Quandrix Barns 25 %"
    assert hit.listed.remarks == "Listed by ownership: 7 30 %, Quandrix Barns 25 %, 55 % together"


@pytest.mark.parametrize(
    ("rows", "place", "fault"),
    [
        ("a,b,half\n", "line 2, percent", "'half'"),
        ("a,b,0\n", "line 2, percent", "'0'"),
        ("a,b,101\n", "line 2, percent", "'101'"),
        ("a,b,nan\n", "line 2, percent", "'nan'"),
        ("a,b,60\nc,b,60\n", "line 3, percent", "more than 100 %"),
        ("a,b,50\na,b,50\n", "line 3, owner", "twice"),
        ("a,a,50\n", "line 2, owned", "own itself"),
        (",b,50\n", "line 2, owner", "empty"),
        ("a,b\n", "line 2", "cut short"),
        ("", "the whole file", "no entry"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(rows: str, place: str, fault: str) -> None:
    with pytest.raises(ListFault) as refused:
        parse_ownership((HEAD + rows).encode())
    assert place in str(refused.value)
    assert fault in str(refused.value)
