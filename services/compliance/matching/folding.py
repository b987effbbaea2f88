"""Shorter forms of a word, in which its usual spellings meet. Pure.

`fold` undoes what differs between ways of writing the same sounds (Mohammed, Mohamed; Yousef,
Yussef; Tchaikovsky, Chaikovskii). `blur` takes i for e and u for o as well (Muhammad, Mohammed), but
keeps what tells names apart (Hassan, Hussein). `skeleton` drops the vowels: it finds candidates, it
never judges them.
"""

import re
from functools import lru_cache

from services.compliance.matching.words import SAME

_LEET = str.maketrans("013457", "oieast")

_SOUNDS = tuple(
    (re.compile(pattern), spelling)
    for pattern, spelling in (
        ("ck|q|c(?=[aoukl rtn])|c$", "k"),
        ("c(?=[eiy])", "s"),
        ("shch|tsch|tch|tsh|ch", "c"),
        ("sch|sh|^x", "s"),
        ("^ts", "c"),
        ("dzh|dj|zh|gi(?=[aou])", "j"),
        ("kh|gh", "h"),
        ("ph", "f"),
        ("th", "t"),
        ("dh", "d"),
        ("x", "ks"),
        ("w", "v"),
        ("ae|ai|ay|ei|ey|ej(?![aeiou])", "e"),
        ("ye|ee|ii|iy|yi|ij|y|j$", "i"),
        ("i+", "i"),
        ("ou|oo|eu|uo", "u"),
        ("(?<=[aeiou])h(?=n)|(?<=[a-z])h$", ""),
        (r"([a-z])\1+", r"\1"),
    )
)
"""Ways of writing a sound, in the order in which they are undone."""

CONSONANTS_MIN = 3
"""Fewer are shared by too many words to find any by."""

_BLUR = str.maketrans("eo", "iu")
_VOWELS = re.compile("[aeiouy]+")
_DOUBLED = re.compile(r"([a-z])\1+")
_HARD = str.maketrans("gpbzd", "kbbst")


@lru_cache(maxsize=262_144)
def fold(word: str) -> str:
    """A word in the spelling in which its usual variants meet. Never empty."""
    word = folded = SAME.get(word, word)
    if not word.isalpha():
        # "Ig0r Sech1n": figures among letters are letters in disguise; a number stays a number.
        if word.isdigit() or sum(map(str.isdigit, word)) * 2 > len(word):
            return word
        folded = word.translate(_LEET)
    for pattern, spelling in _SOUNDS:
        folded = pattern.sub(spelling, folded)
    return folded or word


def blur(folded: str) -> str:
    """A folded word with its vowels brought to three."""
    return folded.translate(_BLUR)


@lru_cache(maxsize=262_144)
def skeleton(folded: str) -> str:
    """A folded word without its vowels, hard and soft consonants alike; "" if too little is left to find it by."""
    # Consonants meet where a vowel is gone: Fernando, in Arabic frnndu.
    consonants = _DOUBLED.sub(r"\1", _VOWELS.sub("", folded).translate(_HARD))
    return consonants if len(consonants) >= CONSONANTS_MIN else ""
