"""Words: the spellings of one name meet, those of two don't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.matching.folding import fold, skeleton
from services.compliance.matching.similarity import (
    OTHER_VOWELS,
    SAME_SOUNDS,
    SIMILARITY_MIN,
    VOWELS_MISSING,
    similarities,
    similarity,
    spelling_of,
)
from services.compliance.matching.text import NAME_LENGTH_MAX, WORDS_MAX, kind_of, words_of
from services.compliance.matching.words import WordKind


def alike(one: str, other: str) -> float:
    return similarity(spelling_of(one), spelling_of(other))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AL-ZARQĀWĪ, Abū Muṣ‘ab", "abu musab al zarqawi"),
        ("ООО «Волна»", "ooo volna"),
        ("Jean-François O'Brien", "jean francois obrien"),
        ("Straße & Søn GmbH", "strasse son gmbh"),
        ("A.B.C. Company", "abc company"),
        ("J.R. Smith", "j r smith"),
        ("VOLNA S.A. DE C.V.", "volna sa"),
        ("Limited Liability Company Volna", "llc volna"),
        ("Limitd Liabilty Company Volna", "llc volna"),
        ("金正恩", "jin zheng en"),
        ("صدام حسين التكريتي", "sdm hsin tkriti"),
        ("John\u200b \u202eSmith", "john smith"),
        ("BIN LADEN, Usama", "usama bin laden"),
        ("Volna Trading, Import, Export", "volna trading import export"),
        ("!!! ???", ""),
        ("", ""),
    ],
)
def test_a_name_becomes_words_in_latin_letters(name: str, words: str) -> None:
    assert " ".join(words_of(name)) == words


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Abdurrahman",
            "Abdul Rahman",
            "Abdulrahman",
            "Abd al-Rahman",
            "Abd-al-Rahman",
            "Abdel Rahman",
            "ABDUL-RAHMAN",
        ),
        *("Rahman Abdul", "Abdlu Rahman", "Adbul Rahman"),
    ],
)
def test_servants_of_the_merciful_meet_however_they_are_written(name: str) -> None:
    assert words_of(name) == ("abdrahman",)


@pytest.mark.parametrize("name", ["Adel Youssef", "Abel Santos", "Abdou Diallo", "Abigail Lopez"])
def test_names_that_only_look_like_servants_stay_as_they_are(name: str) -> None:
    assert words_of(name) == tuple(name.lower().split())


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("smith", WordKind.NAME),
        ("a", WordKind.INITIAL),
        ("7", WordKind.NAME),
        ("corp", WordKind.LEGAL_FORM),
        ("ooo", WordKind.LEGAL_FORM),
        ("sheikh", WordKind.TITLE),
        ("bin", WordKind.PARTICLE),
        ("trading", WordKind.COMMON),
    ],
)
def test_words_that_say_little_are_known(word: str, kind: WordKind) -> None:
    assert kind_of(word) is kind


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("smith", "smith", 1.0),
        ("jon", "john", SAME_SOUNDS),
        ("youssef", "yousef", SAME_SOUNDS),
        ("tchaikovsky", "chaikovskii", SAME_SOUNDS),
        ("qaddafi", "kaddafi", SAME_SOUNDS),
        ("zhirinovsky", "jirinovsky", SAME_SOUNDS),
        ("ig0r", "igor", SAME_SOUNDS),
        ("industries", "industry", SAME_SOUNDS),
        ("khalid", "khaled", OTHER_VOWELS),
        ("muhammad", "mohammad", OTHER_VOWELS),
        ("hsin", "hussein", VOWELS_MISSING),
        ("tkriti", "tikriti", VOWELS_MISSING),
        ("bush", "habash", 0.0),
        ("george", "john", 0.0),
        ("12", "13", 0.0),
        ("7", "7", 1.0),
    ],
)
def test_words_are_alike_as_far_as_they_are_one_name(one: str, other: str, likeness: float) -> None:
    assert alike(one, other) == likeness
    assert alike(other, one) == likeness


def test_one_slip_counts_less_the_longer_the_word_is() -> None:
    assert (
        0
        < alike("khan", "kahn")
        < alike("zarqawi", "zarqaw")
        < alike("vneshneekonom", "vneshneekonon")
        < OTHER_VOWELS + 0.04
    )


def test_a_word_that_is_a_name_itself_is_hardly_a_slip() -> None:
    chan, chen = spelling_of("chang"), spelling_of("cheng")
    ((unknown,), (known,)) = (similarities(chan, [chen]), similarities(chan, [chen], is_known=True))
    assert known < unknown


@given(st.text(max_size=400))
def test_any_text_becomes_a_bounded_number_of_plain_words(text: str) -> None:
    words = words_of(text)
    assert len(words) <= WORDS_MAX
    assert all(word and word.isascii() and word.isalnum() and word == word.lower() for word in words)
    assert sum(map(len, words)) <= NAME_LENGTH_MAX * 12


@given(st.from_regex("[a-z0-9]{1,12}", fullmatch=True), st.from_regex("[a-z0-9]{1,12}", fullmatch=True))
def test_likeness_is_symmetric_and_between_nothing_and_the_same(one: str, other: str) -> None:
    likeness = alike(one, other)
    assert likeness == alike(other, one)
    assert likeness == 0 or SIMILARITY_MIN <= likeness <= 1
    assert (likeness == 1) == (one == other)
    assert fold(one)
    assert skeleton(fold(one)).isascii()
