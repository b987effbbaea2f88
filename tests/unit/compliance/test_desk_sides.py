"""A party beside a listed entry: what is marked, what is told, who owns what; and that names stay text."""

import pytest

from schemas.compliance.events import ScreeningOutcome
from services.compliance.desk.render import page_part
from services.compliance.desk.sides import sides
from services.compliance.lists.birth import parse_birth
from services.compliance.lists.listed import Holding, ListedName, ListedParty, PartyKind
from services.compliance.matching.marking import How, Parts, marked_names
from services.compliance.matching.owned import Ownership, Share
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject

BIRTH = parse_birth("1957-09-09")
assert BIRTH is not None


def entry(name: str = "STOJADIVIC, Vlastimor", **known: object) -> ListedParty:
    return ListedParty(entity_id="F-7", kind=PartyKind.PERSON, names=(ListedName(name=name),), **known)  # type: ignore[arg-type]


def hit(listed: ListedParty) -> Hit:
    return Hit(
        list_name="fictional",
        import_id=1,
        listed_name=listed.primary_name,
        score=0.9,
        outcome=ScreeningOutcome.REVIEW,
        reasons=(),
        listed=listed,
    )


def told(parts: Parts) -> str:
    signs = {How.NOT: "{}", How.SAME: "[{}]", How.NEAR: "<{}>"}
    return "".join(signs[how].format(text) for text, how in parts)


@pytest.mark.parametrize(
    ("name", "listed", "own_marked", "listed_marked"),
    [
        ("Vlastimor Stojadivich", "STOJADIVIC, Vlastimor", "[Vlastimor] <Stojadivich>", "<STOJADIVIC>, [Vlastimor]"),
        ("Ann Miller", "STOJADIVIC, Vlastimor", "Ann Miller", "STOJADIVIC, Vlastimor"),
        ("Zubayran al-Qandarusi", "زبيران القندروسي", "<Zubayran> al-<Qandarusi>", "<زبيران> <القندروسي>"),
        ("Alqaida", "al Qaida", "<Alqaida>", "<al> <Qaida>"),
        ("Abd al-Rahman Yusuf", "Abdulrahman Yusuf", "[Abd al-Rahman] [Yusuf]", "[Abdulrahman] [Yusuf]"),
        ("J. Miller", "John Miller", "<J.> [Miller]", "<John> [Miller]"),
        ("", "John", "", "John"),
        ("🙂 <b>", "John", "🙂 <b>", "John"),
    ],
)
def test_what_two_names_have_in_common_is_marked_as_they_are_written(
    name: str, listed: str, own_marked: str, listed_marked: str
) -> None:
    own, other = marked_names(name, listed)
    assert (told(own), told(other)) == (own_marked, listed_marked)
    assert ("".join(text for text, _ in own), "".join(text for text, _ in other)) == (name, listed)


def test_what_is_known_of_both_stands_side_by_side_and_what_is_equal_is_marked() -> None:
    listed = entry(births=(BIRTH,), countries=("RS", "BA"), identifiers=("P1234567", "1509957"))
    subject = Subject(name="Vlastimor Stojadivich", birth_date="1957-09-09", country="RS")
    found = {side.label: (told(side.own), told(side.listed)) for side in sides(hit(listed), subject, ["P 123 4567"])}
    assert found["Born"] == ("[1957-09-09]", "[1957-09-09]")
    assert found["Country"] == ("[Serbia (RS)]", "[Serbia (RS)], Bosnia and Herzegovina (BA)")
    assert found["Numbers"] == ("[P 123 4567]", "[P1234567], 1509957")
    assert found["Kind"] == ("", "person")


def test_what_differs_is_not_marked_and_what_nobody_knows_is_left_out() -> None:
    listed = entry(births=(BIRTH,), countries=("RS",))
    subject = Subject(name="Vlastimor Stojadivich", birth_date="1999-01-01", country="DE")
    found = {side.label: (told(side.own), told(side.listed)) for side in sides(hit(listed), subject)}
    assert found["Born"] == ("1999-01-01", "1957-09-09")
    assert found["Country"] == ("Germany (DE)", "Serbia (RS)")
    assert "Numbers" not in found
    assert [told(side.own) for side in sides(hit(listed), None)] == ["", "", "", ""]


def test_a_hostile_name_is_marked_and_still_only_text() -> None:
    listed = entry("<script>alert(1)</script> Stojadivic\u202e")
    subject = Subject(name="<img src=x onerror=fetch(2)> Stojadivic")
    shown = page_part("sides.html", "marked", sides(hit(listed), subject)[0].own)
    shown += page_part("sides.html", "marked", sides(hit(listed), subject)[0].listed)
    assert shown.count('<mark class="same">') == 2
    assert "<img" not in shown and "<script" not in shown and "\u202e" not in shown


def test_what_a_listed_owner_owns_is_found_by_its_names_and_its_numbers() -> None:
    def company(name: str, **owners: float) -> ListedParty:
        held = tuple(Holding(owner=owner.replace("_", " "), percent=percent) for owner, percent in owners.items())
        return ListedParty(entity_id=name, kind=PartyKind.ORGANISATION, names=(ListedName(name=name),), owners=held)

    by_number = company("Third Ltd", **{"fictional/F-7": 12.5})
    ownership = Ownership((company("First Ltd", Vlastimor_Stojadivic=60), company("Second Ltd", Ann=100), by_number))
    assert ownership.owned_by("fictional", entry()) == (
        Share(company="First Ltd", percent=60),
        Share(company="Third Ltd", percent=12.5),
    )
    assert Ownership().owned_by("fictional", entry()) == ()
