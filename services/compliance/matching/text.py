"""From a name as someone wrote it to the words that are compared. Pure.

    "AL-ZARQĀWĪ, Abū Muṣ‘ab" ─► al zarqawi abu musab        "ООО «Волна»" ─► ooo volna

Every script becomes Latin letters, every accent goes, words joined or parted by punctuation are
brought to one spelling, and particles that belong to the next word are joined to it.
"""

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii
from rapidfuzz.distance import OSA

from services.compliance.matching.numbers import with_figures
from services.compliance.matching.words import KINDS, LEGAL_FORM_PHRASES, WordKind

NAME_LENGTH_MAX = 300
"""What is read of a name; the rest is cut off. Longer than any name that is listed."""
WORDS_MAX = 24

_ARABIC_ARTICLE = re.compile(r"(?<![\u0600-\u06ff])\u0627\u0644(?=[\u0600-\u06ff]{3})")
_ARABIC_SERVANT = re.compile(r"\u0639\u0628\u062f\s*\u0627\u0644")
_ARABIC_INITIAL_VOWEL = re.compile(r"(?<![\u0600-\u06ff])[\u0622\u0623\u0625\u0627\u0639\u0671](?=[\u0600-\u06ff])")
_ARABIC_LETTERS = str.maketrans({"\u0640": "", "\u0648": "u", "\u064a": "i", "\u06cc": "i", "\u0649": "a"})
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]+")
_EAST_ASIAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_JOINING = re.compile(r"['`\u2018\u2019\u02bc\u02bb\u02bf\u02be\u00b4]")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}(?:[a-z]\b)?")
_NOT_WORDS = re.compile(r"[^a-z0-9]+")
_SERVANT = re.compile(r"abd(?:u|[aeoiu]l|oul|oel|(?:ou|u|e)[rsztdn])?")
_SERVANT_OF = re.compile(r"abd(?:ou|oo|a|e|o|u|i)(?:l(?=[^l])|(?P<sun>[rsztdn])h?(?=(?P=sun)))(?P<rest>.{3,})")


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in their order, in lower-case Latin letters and digits. May be none."""
    latin = _latin(_family_last(name[:NAME_LENGTH_MAX]))
    latin = _DOTTED.sub(_joined_initials, latin)
    words = [word for word in _NOT_WORDS.split(latin) if word]
    return tuple(_join_servants(_legal_forms(with_figures(words))))[:WORDS_MAX]


def is_read_whole(name: str, *, words: int) -> bool:
    """Whether nothing of a name was cut off, of which there are so many words."""
    return len(name) <= NAME_LENGTH_MAX and words < WORDS_MAX


def kind_of(word: str) -> WordKind:
    """What a word says about its bearer."""
    if len(word) == 1 and word.isalpha():
        return WordKind.INITIAL
    return KINDS.get(word, WordKind.NAME)


def _family_last(name: str) -> str:
    """A name with what follows its one comma first: "SMITH, John" is John Smith."""
    family, comma, given = name.partition(",")
    return f"{given} {family}" if comma and "," not in given and given.strip() else name


@lru_cache(maxsize=65_536)
def _latin(name: str) -> str:
    if name.isascii():
        return _JOINING.sub("", name.lower())
    text = unicodedata.normalize("NFKC", name)
    # No marks of direction, and no signs: anyascii would spell them out, and "grinning" is nobody's name.
    text = "".join(character for character in text if unicodedata.category(character)[0] not in "CS")
    if _ARABIC.search(text):
        text = _arabic(text)
    # A syllable a character: each is a word, as in the Latin spelling of such names.
    text = _EAST_ASIAN.sub(lambda match: f" {match[0]} ", _JOINING.sub("", text))
    text = _HANGUL.sub(_korean, text)
    return _JOINING.sub("", anyascii(text).lower())


def _arabic(text: str) -> str:
    """Arabic script as its Latin spellings have it, short vowels apart: anyascii takes letter by letter."""
    text = _ARABIC_SERVANT.sub("abd ", text)
    # The article would become an "l" at the head of the word: Latin spelling parts it from the word, if it has it.
    text = _ARABIC_ARTICLE.sub("", text)
    return _ARABIC_INITIAL_VOWEL.sub("a", text).translate(_ARABIC_LETTERS)


def _korean(match: re.Match[str]) -> str:
    """Korean syllables as the names of Koreans are spelled: anyascii follows another romanisation."""
    first, *others = (_KOREAN_SOUND.sub(_korean_sound, anyascii(syllable).lower()) for syllable in match[0])
    return " ".join(("", "ri" if first == "i" and others else first, *others, ""))


def _korean_sound(match: re.Match[str]) -> str:
    return _KOREAN_SOUNDS[match[0]]


_KOREAN_SOUNDS = {"eo": "o", "eu": "u", "g": "k", "b": "p"}
_KOREAN_SOUND = re.compile("eo|eu|^g|(?<!n)g$|^b|b$")


def _joined_initials(match: re.Match[str]) -> str:
    """ "A.B.C." is one word; "J.R." are two initials; "S.A." is a legal form."""
    joined = match[0].replace(".", "")
    if len(joined) > 2 or KINDS.get(joined) is WordKind.LEGAL_FORM:
        return joined + " "
    return " ".join(joined) + " "


def _legal_forms(words: list[str]) -> list[str]:
    """The words, with legal forms of several words brought to one, whatever slip is in them."""
    spelled = [_PHRASE_WORDS.get(word) or _slipped_phrase_word(word) for word in words]
    words = [form if form in _LONG_FORMS else word for word, form in zip(words, spelled, strict=True)]
    found: list[str] = []
    position = 0
    while position < len(words):
        for length in range(min(_PHRASE_LENGTH_MAX, len(words) - position), 1, -1):
            short = LEGAL_FORM_PHRASES.get(" ".join(spelled[position : position + length]))
            if short is not None:
                found.append(short)
                position += length
                break
        else:
            found.append(words[position])
            position += 1
    return found


@lru_cache(maxsize=65_536)
def _slipped_phrase_word(word: str) -> str:
    """The word of a legal form that this one is but for one slip, or the word itself."""
    if len(word) < _SLIP_LENGTH_MIN:
        return word
    return next((known for form in _forms(word) if (known := _PHRASE_WORD_FORMS.get(form))), word)


def _forms(word: str) -> list[str]:
    return [word, *(word[:place] + word[place + 1 :] for place in range(len(word)))]


_SLIP_LENGTH_MIN = 5
_LONG_FORM_LENGTH_MIN = 9
_LONG_FORMS = frozenset(
    word for word, kind in KINDS.items() if kind is WordKind.LEGAL_FORM and len(word) >= _LONG_FORM_LENGTH_MIN
)
_PHRASE_WORDS = {word: word for phrase in LEGAL_FORM_PHRASES for word in phrase.split()} | {
    word: word for word in _LONG_FORMS
}
_PHRASE_WORD_FORMS = {form: word for word in _PHRASE_WORDS if len(word) >= _SLIP_LENGTH_MIN for form in _forms(word)}
_PHRASE_LENGTH_MAX = max(len(phrase.split()) for phrase in LEGAL_FORM_PHRASES)


def _join_servants(words: list[str]) -> list[str]:
    """ "Abd al-Rahman", "Abdul Rahman", "Abdurrahman" and "Abderrahmane" all begin with one word: abdrahman…"""
    if len(words) > 1 and _is_servant(words[-1]):
        # "Rahman Abdul": the family's name came first.
        words = [words[-1], *words[:-1]]
    found: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if _is_servant(word):
            end = position + 1
            while end < len(words) - 1 and words[end] in _ARTICLES:
                end += 1
            if end < len(words) and len(words[end]) >= 2:
                found.append(_servant_of("abd" + words[end]))
                position = end + 1
                continue
        found.append(_servant_of(word))
        position += 1
    return found


def _servant_of(word: str) -> str:
    """ "Abdurrahman" and "Abdelrahman", with a slip in the first half or without, as "abdrahman"; else the word."""
    match = _SERVANT_OF.fullmatch(word)
    if match:
        return f"abd{match['rest']}"
    if len(word) >= _SERVANT_OF_LENGTH_MIN and word[0] in "ab" and "l" in word[3:6]:
        end = word.index("l", 3) + 1
        end = end + 1 if word[end : end + 1] in "ue" and word[:end].endswith("dl") else end
        if _is_servant(word[:end]) and len(word) - end >= 3:
            return f"abd{word[end:]}"
    return word


def _is_servant(word: str) -> bool:
    """Whether it is "abd" or "abdul", however spelled and with one slip: by itself it is no name."""
    return _SERVANT.fullmatch(word) is not None or (
        4 <= len(word) <= 7
        and word not in _NAMES_LIKE_SERVANTS
        and any(OSA.distance(word, usual, score_cutoff=1) <= 1 for usual in _SERVANTS)
    )


_SERVANTS = ("abdul", "abdel", "abdoul")
_NAMES_LIKE_SERVANTS = frozenset(("adel", "abel", "abdou"))
_SERVANT_OF_LENGTH_MIN = 8
_ARTICLES = frozenset(
    ("al", "el", "ul", "ar", "er", "ur", "as", "es", "us", "az", "ad", "ed", "an", "en", "at", "il", "ol")
)
