"""Pairs: two names side by side are one party's or they aren't, and it is said why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.labelled import Scored, area_under_curve, quality
from services.compliance.lists.birth import parse_birth
from services.compliance.lists.listed import ListedName, ListedParty, NameStrength, PartyKind
from services.compliance.matching.pairs import Likeness, compare_parties
from services.compliance.matching.scoring import PAIR_SCORE
from services.compliance.matching.subject import Subject

PERSON, ORGANISATION, VESSEL = PartyKind.PERSON, PartyKind.ORGANISATION, PartyKind.VESSEL


def party(name: str, kind: PartyKind = PERSON, **known: object) -> ListedParty:
    return ListedParty(entity_id="1", kind=kind, names=(ListedName(name=name),), **known)  # type: ignore[arg-type]


def compared(asked: str, other: str, kind: PartyKind = PERSON) -> Likeness:
    return compare_parties(Subject(name=asked), party(other, kind))


@pytest.mark.parametrize(
    ("asked", "other", "kind"),
    [
        # Spelling, order, initials, middle names
        ("Jon Smith", "John Smith", PERSON),
        ("VARKOSKY, Dmitrun", "Dmitrun Varkoskiy", PERSON),
        ("D. Varkosky", "Dmitrun Varkosky", PERSON),
        ("J.-O. Mbelango", "Jean-Odilon Mbelango", PERSON),
        ("JC Mbelango", "Jean-Claude Mbelango", PERSON),
        ("Dmitrun Varkosky", "Dmitrun Olegast Varkosky", PERSON),
        ("Nikolun Plat Ono Vich Varkosky", "Nikolun Platonovich Varkosky", PERSON),
        # Other names of one person, other scripts
        ("Ted Quandrix", "Theodore Quandrix", PERSON),
        ("Yusuf Quandrix", "Joseph Quandrix", PERSON),
        ("Дмитрун Варкоский", "Dmitrun Varkosky", PERSON),
        ("فرناندو بيريز", "Fernando Pérez", PERSON),
        ("김성호", "Kim Song Ho", PERSON),
        ("Αλέξανδρος Τζουμερκίδης", "Alexander Tzoumerkidis", PERSON),
        # Companies
        ("Volna Aktiengeselschaft", "Volna AG", ORGANISATION),
        ("OAO Volnagrad", "Open Joint Stock Company Volnagrad", ORGANISATION),
        ("Societatea cu Răspundere Limitată VOLNAGRAD", "SRL Volnagrad", ORGANISATION),
        ("volnagrad", "VOLNAGRAD EUROPE Sp. z o.o.", ORGANISATION),
        ("1st Int'l Quandrix Bank", "First International Quandrix Bank", ORGANISATION),
        ("Brigade Forty-Four", "Brigade 44", ORGANISATION),
        ("NLB", "Ninth Lantern Brigade", ORGANISATION),
        ("vanderquandt corp", "van der quandt corp", ORGANISATION),
        # Ships
        ("Volnagrad Spirit", "MV Volnagrad Spirit", VESSEL),
    ],
)
def test_what_is_one_partys_name_is_taken_for_it(asked: str, other: str, kind: PartyKind) -> None:
    assert compared(asked, other, kind).score >= PAIR_SCORE
    assert compared(other, asked, kind).score >= PAIR_SCORE


@pytest.mark.parametrize(
    ("asked", "other", "kind"),
    [
        ("George Bush", "George Habash", PERSON),
        ("William G. Frostun", "William W. Frostun", PERSON),
        ("Hans O. Quandrix", "Hans Joachim Quandrix", PERSON),
        ("Barbara Quandrix", "Michelle Quandrix", PERSON),
        ("Acme Corp", "Volna Corp", ORGANISATION),
        ("CORP", "Volnagrad Corp", ORGANISATION),
        ("Volna International Trading", "Quandrix International Trading", ORGANISATION),
        ("Management Company", "Volnagrad Management Company", ORGANISATION),
        ("Brigade 44", "Brigade 45", ORGANISATION),
        ("Hormuz 12", "Hormuz 13", VESSEL),
        ("Lady Leilun", "Lady Raniax", VESSEL),
    ],
)
def test_what_are_two_partys_names_are_not_taken_for_one(asked: str, other: str, kind: PartyKind) -> None:
    assert compared(asked, other, kind).score < PAIR_SCORE
    assert compared(other, asked, kind).score < PAIR_SCORE


def test_jon_smith_against_john_smith_is_more_than_a_half() -> None:
    assert compared("Jon Smith", "John Smith").score > 0.95


def test_george_bush_hardly_resembles_george_habash() -> None:
    assert compared("George Bush", "George Habash").score < 0.6


def test_a_company_whose_only_common_word_is_corp_scores_next_to_nothing() -> None:
    assert compared("Acme Corp", "Volnagrad Corp", ORGANISATION).score < 0.2


def test_unrelated_names_do_not_gather_at_the_top() -> None:
    names = ["Jane Plainwoman", "Volnagrad LLC", "Kim Song Ho", "Ali Hassan", "Corp Trading", "Maria Garcia", "Bo Li"]
    scores = [compared(one, other).score for one in names for other in names if one != other]
    assert max(scores) < PAIR_SCORE


def test_a_score_is_explained_part_by_part() -> None:
    other = party("VARKOSKY, Dmitrun O.", births=(parse_birth("1968"),), countries=("RU",), identifiers=("AB123456",))
    found = compare_parties(
        Subject(
            name="Varkoskiy Dmitrum Olegast Petrun",
            birth_date="1968-03-14",
            country="CY",
            kind=VESSEL,
            identifier="AB123456",
        ),
        other,
    )
    assert found.reasons == (
        "name alike: varkoskiy ~ varkosky (0.97), dmitrum ~ dmitrun (0.93), olegast ~ o (0.80)",
        "the words in another order",
        "only in the name asked about: petrun",
        "the same official number: AB123456",
        "date of birth fits: 1968-03-14, listed 1968",
        "another country: CY, listed RU",
        "another kind: vessel, listed as person",
    )


def test_a_name_that_has_only_common_words_in_common_is_said_to() -> None:
    assert "no rare word in common" in compared("John Smith", "John Albert Smith").reasons


def test_the_best_of_several_names_counts_and_a_weak_one_is_called_weak() -> None:
    names = (
        ListedName(name="Dmitrun Varkosky"),
        ListedName(name="Zubayran Qandarusi", strength=NameStrength.WEAK),
    )
    found = compare_parties(Subject(name="Zubayran Qandarusi"), ListedParty(entity_id="1", kind=PERSON, names=names))
    assert found.reasons == ("the same name", "the list itself calls this name weak")


def test_a_date_of_birth_and_a_number_raise_and_lower_a_score() -> None:
    other = party("Dmitrun Varkosky", births=(parse_birth("1968-03-14"),), identifiers=("AB123456",))

    def score(name: str, **known: str) -> float:
        return compare_parties(Subject(name=name, **known), other).score  # type: ignore[arg-type]

    slipped = "Dmitrum Varkoskiy"
    assert score(slipped, birth_date="1990-01-01") < score(slipped) < score(slipped, birth_date="1968-03-14") < 1
    assert score("Somebody Else") < 0.3 < 0.9 < score("Somebody Else", identifier="AB123456")


@pytest.mark.parametrize("name", ["", "   ", "???", "\u202e\u200b", "—", "😀"])
def test_a_name_without_letters_is_like_none(name: str) -> None:
    assert compared(name, "Dmitrun Varkosky").score == compared("Dmitrun Varkosky", name).score == 0.0


@given(asked=st.text(max_size=60), other=st.text(min_size=1, max_size=60), kind=st.sampled_from(PartyKind))
def test_no_pair_of_names_breaks_the_matcher(asked: str, other: str, kind: PartyKind) -> None:
    assert 0 <= compared(asked, other, kind).score <= 1


@given(
    words=st.lists(st.sampled_from(["dmitrun", "varkosky", "olegast", "quandrix", "zubayran"]), min_size=1, unique=True)
)
def test_a_name_is_itself_in_whatever_order(words: list[str]) -> None:
    assert compared(" ".join(words), " ".join(reversed(words))).score == 1.0


def test_the_quality_of_a_threshold_is_precision_and_recall_in_one() -> None:
    def scored(score: float, is_match: bool) -> Scored:
        return Scored(source="s", is_match=is_match, is_sure=False, is_chosen_on=True, score=score)

    pairs = [scored(0.9, True), scored(0.8, True), scored(0.2, True), scored(0.9, False), scored(0.1, False)]
    found = quality(pairs)
    assert (found.precision, found.recall, found.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert area_under_curve(pairs) == pytest.approx((1 / 2 + 1 + 0 + 1 + 0 + 1) / 6)
    assert area_under_curve(pairs[:3]) is None
