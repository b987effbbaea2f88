"""Numbers of two words as figures: "Forty-Four" is 44. Pure. Those of one word are in other_names.txt."""

from collections.abc import Sequence

_UNITS = {
    word: number
    for words in (
        "one two three four five six seven eight nine",
        "first second third fourth fifth sixth seventh eighth ninth",
        "1 2 3 4 5 6 7 8 9",
    )
    for number, word in enumerate(words.split(), start=1)
}
_TENS = {
    word: 10 * number
    for number, words in enumerate(
        ("twenty", "thirty", "forty fourty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
    for word in words.split()
}


def with_figures(words: Sequence[str]) -> list[str]:
    """The words, tens with what follows them as one figure."""
    found: list[str] = []
    tens = 0
    for word in words:
        unit = _UNITS.get(word)
        if tens and unit is not None:
            found[-1] = str(tens + unit)
        else:
            found.append(word)
        tens = _TENS.get(word, 0)
    return found
