"""The consolidated list of the United Nations Security Council, as XML. Pure: bytes in, parties out.

The file is taken apart by a parser that refuses document types and entities, for a list comes from
outside like everything else.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from services.compliance.lists.birth import BirthSpan, circa, parse_birth
from services.compliance.lists.countries import country_codes
from services.compliance.lists.identifiers import identifiers_of
from services.compliance.lists.listed import (
    ListedName,
    ListedParty,
    ListFault,
    NameStrength,
    PartyKind,
    require_names,
    require_parties,
)

COMMENT_WORDS_MIN = 9
"""A bracket with so many words explains something; a shorter one is a name."""

_LINE = "line"
_NAME_PARTS = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_KINDS = {"INDIVIDUAL": PartyKind.PERSON, "ENTITY": PartyKind.ORGANISATION}
_WEAK = "Low"
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ENUMERATION = re.compile(r"(?:^|(?<=\s))[a-z]\)\s*")


def parse_un(content: bytes) -> tuple[ListedParty, ...]:
    """The parties of the list. Raises ListFault, naming line and field."""
    root = _parse(content)
    if root.tag != "CONSOLIDATED_LIST":
        raise ListFault(_place(root), f"expected CONSOLIDATED_LIST, found {root.tag}")
    entries = (entry for tag in _KINDS for entry in root.iter(tag))
    return require_parties((_party(entry) for entry in entries), "the whole file")


def _parse(content: bytes) -> Element:
    lines = _LineNumbers()
    parser = DefusedXMLParser(target=lines, forbid_dtd=True)
    lines.source = parser.parser
    try:
        parser.feed(content)
        return parser.close()
    except ParseError as error:
        line, column = error.position
        raise ListFault(f"line {line}, column {column}", f"not well-formed XML, or cut short: {error.msg}") from error
    except DefusedXmlException as error:
        raise ListFault("the head of the file", f"not allowed in a list: {type(error).__name__}") from error


class _LineNumbers(TreeBuilder):
    """Notes at each element the line it begins on, so that a fault can be found."""

    source: object = None

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        element = super().start(tag, attrs)
        element.set(_LINE, str(getattr(self.source, "CurrentLineNumber", 0)))
        return element


def _party(entry: Element) -> ListedParty:
    entity_id = _text(entry, "REFERENCE_NUMBER") or _text(entry, "DATAID")
    if not entity_id:
        raise ListFault(_place(entry), "REFERENCE_NUMBER and DATAID are both empty")
    return ListedParty(
        entity_id=entity_id,
        kind=_KINDS[entry.tag],
        names=require_names(_names(entry), f"{_place(entry)}, FIRST_NAME of {entity_id}"),
        births=tuple(dict.fromkeys(_births(entry))),
        countries=country_codes(_countries(entry)),
        identifiers=identifiers_of(_text(document, "NUMBER") for document in entry.iter("INDIVIDUAL_DOCUMENT")),
        programme=f"UN {_text(entry, 'UN_LIST_TYPE')}".strip(),
        remarks=" ".join(_text(entry, "COMMENTS1").split())[:1_000],
    )


def _names(entry: Element) -> Iterator[ListedName]:
    written = " ".join(filter(None, (_text(entry, part) for part in _NAME_PARTS)))
    primary, *others = split_names(written) or [""]
    yield ListedName(name=primary)
    yield from (ListedName(name=name, strength=_strength_of_bracket(name)) for name in others)
    for name in split_names(_text(entry, "NAME_ORIGINAL_SCRIPT")):
        yield ListedName(name=name, strength=NameStrength.STRONG)
    for alias in entry.iter(f"{entry.tag}_ALIAS"):
        is_weak = _text(alias, "QUALITY") == _WEAK
        for name in split_names(_text(alias, "ALIAS_NAME")):
            yield ListedName(name=name, strength=NameStrength.WEAK if is_weak else _strength_of_bracket(name))


def split_names(written: str) -> list[str]:
    """The names in a field that may hold several: divided by semicolons, numbered, or added in brackets."""
    outside = _BRACKETS.sub(" ; ", written)
    inside = [bracket for bracket in _BRACKETS.findall(written) if not _is_comment(bracket)]
    parts = [part for text in (outside, *inside) for part in _ENUMERATION.sub(" ; ", text).split(";")]
    names = (" ".join(part.strip(" “”\"'‘’,").split()) for part in parts)
    return [name for name in dict.fromkeys(names) if name and not _is_comment(name)]


def _is_comment(text: str) -> bool:
    has_digits = any(character.isdigit() for character in text)
    return (len(text.split()) >= COMMENT_WORDS_MIN and ";" not in text and has_digits) or text == "original script"


def _strength_of_bracket(name: str) -> NameStrength:
    """An abbreviation is shared by too many to be a strong name."""
    return NameStrength.WEAK if " " not in name and len(name) <= 6 and name.isupper() else NameStrength.STRONG


def _births(entry: Element) -> Iterator[BirthSpan]:
    for date in entry.iter("INDIVIDUAL_DATE_OF_BIRTH"):
        exact = _text(date, "DATE")[:10] or _text(date, "YEAR")
        span = f"{_text(date, 'FROM_YEAR')}/{_text(date, 'TO_YEAR')}"
        born = parse_birth(exact) if exact else parse_birth(span) if len(span) > 1 else None
        if exact and born is None:
            raise ListFault(_place(date), f"INDIVIDUAL_DATE_OF_BIRTH is no date: {exact!r}")
        if born is not None:
            is_guess = _text(date, "TYPE_OF_DATE") == "APPROXIMATELY" and not born.is_exact
            yield circa(born.year_from) if is_guess else born


def _countries(entry: Element) -> Iterator[str]:
    yield from (value.text or "" for value in entry.findall("NATIONALITY/VALUE"))
    for tag in ("INDIVIDUAL_ADDRESS", "ENTITY_ADDRESS", "INDIVIDUAL_PLACE_OF_BIRTH"):
        yield from (_text(place, "COUNTRY") for place in entry.iter(tag))


def _text(element: Element, tag: str) -> str:
    return " ".join((element.findtext(tag) or "").split())


def _place(element: Element) -> str:
    return f"line {element.get(_LINE)}"
