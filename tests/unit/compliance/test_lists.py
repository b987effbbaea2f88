"""Importers: what is in a list comes out of it, and a broken file is refused with the place that is broken."""

import pytest

from services.compliance.lists.birth import BirthEvidence, BirthSpan, compare_births, parse_birth
from services.compliance.lists.countries import country_code, country_name
from services.compliance.lists.identifiers import identifier_of, identifiers_of
from services.compliance.lists.listed import NAME_LENGTH_MAX, ListFault, NameStrength, PartyKind
from services.compliance.lists.ofac import parse_ofac
from services.compliance.lists.own import parse_own
from services.compliance.lists.shipped import shipped_parties
from services.compliance.lists.un import parse_un, split_names

UN = """<?xml version="1.0" encoding="UTF-8"?>
<CONSOLIDATED_LIST dateGenerated="2026-02-27T00:00:09.554Z">
  <INDIVIDUALS>
    <INDIVIDUAL>
      <DATAID>1</DATAID>
      <FIRST_NAME>ZUBAYRAN</FIRST_NAME><SECOND_NAME>AL-QANDARUSI</SECOND_NAME>
      <UN_LIST_TYPE>Fiction</UN_LIST_TYPE>
      <REFERENCE_NUMBER>FIi.001</REFERENCE_NUMBER>
      <COMMENTS1>Invented.</COMMENTS1>
      <NATIONALITY><VALUE>Syrian Arab Republic</VALUE></NATIONALITY>
      <INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Zubair Qandarusi; Z. Qandarusi</ALIAS_NAME>
      </INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Abu Fadlan</ALIAS_NAME></INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ALIAS><QUALITY/><ALIAS_NAME/></INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ADDRESS><COUNTRY>Iraq</COUNTRY></INDIVIDUAL_ADDRESS>
      <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1974-11-02</DATE></INDIVIDUAL_DATE_OF_BIRTH>
      <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1975</YEAR></INDIVIDUAL_DATE_OF_BIRTH>
      <INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE>
        <FROM_YEAR>1970</FROM_YEAR><TO_YEAR>1980</TO_YEAR></INDIVIDUAL_DATE_OF_BIRTH>
      <NAME_ORIGINAL_SCRIPT>زبيران القندروسي</NAME_ORIGINAL_SCRIPT>
    </INDIVIDUAL>
  </INDIVIDUALS>
  <ENTITIES>
    <ENTITY>
      <DATAID>2</DATAID><FIRST_NAME>NINTH LANTERN BRIGADE (NLB)</FIRST_NAME>
      <REFERENCE_NUMBER>FIe.001</REFERENCE_NUMBER>
      <ENTITY_ALIAS><QUALITY>a.k.a.</QUALITY><ALIAS_NAME>Brigades of the Ninth Lantern</ALIAS_NAME></ENTITY_ALIAS>
      <ENTITY_ADDRESS><COUNTRY>Lebanon</COUNTRY></ENTITY_ADDRESS>
    </ENTITY>
  </ENTITIES>
</CONSOLIDATED_LIST>
"""
SHIP = '8,"VOLNAGRAD STAR","vessel","FICTION",-0- ,-0- ,-0- ,-0- ,-0- ,"Panama",-0- ,-0- \r\n\x1a'
REMARKS = (
    "DOB 14 Mar 1968; alt. DOB 1969; DOB circa 1970; POB Smolensk, Russia; nationality Cyprus; a.k.a. 'THE ACCOUNTANT'."
)
OFAC = {
    "sdn.csv": '7,"VARKOSKY, Dmitrun","individual","FICTION] [ARMS","Mr.",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    f'"{REMARKS}"\r\n{SHIP}',
    "alt.csv": '7,1,"aka","VARKOSKIY, Dmitri",-0- \r\n',
    "add.csv": '7,1,"1 Harbour Street","Limassol","Cyprus",-0- \r\n8,2,-0- ,-0- ,-0- ,-0- \r\n',
}
OWN = """entity_id,kind,name,aliases,weak_aliases,birth_dates,countries,programme,remarks
1,person,"VARKOSKY, Dmitrun",Dmitri Varkosky|Дмитрун Варкоский,Dima,1968-03-14|1970/1972,RU|CY,OWN,Invented
2,vessel,VOLNAGRAD STAR,,,,,,
"""


def ofac(**changes: str) -> dict[str, bytes]:
    return {name: changes.get(name.removesuffix(".csv"), content).encode() for name, content in OFAC.items()}


def test_the_uns_list_is_read_with_names_births_and_countries() -> None:
    person, brigade = parse_un(UN.encode())
    assert (person.entity_id, person.kind, person.programme) == ("FIi.001", PartyKind.PERSON, "UN Fiction")
    assert [(name.name, name.strength) for name in person.names] == [
        ("ZUBAYRAN AL-QANDARUSI", NameStrength.PRIMARY),
        ("زبيران القندروسي", NameStrength.STRONG),
        ("Zubair Qandarusi", NameStrength.STRONG),
        ("Z. Qandarusi", NameStrength.STRONG),
        ("Abu Fadlan", NameStrength.WEAK),
    ]
    assert [str(born) for born in person.births] == ["1974-11-02", "1973–1977", "1970–1980"]
    assert person.countries == ("SY", "IQ")
    assert [(name.name, name.strength) for name in brigade.names] == [
        ("NINTH LANTERN BRIGADE", NameStrength.PRIMARY),
        ("NLB", NameStrength.WEAK),
        ("Brigades of the Ninth Lantern", NameStrength.STRONG),
    ]


def test_ofacs_three_files_are_read_together() -> None:
    person, ship = parse_ofac(ofac())
    assert (person.entity_id, person.kind, person.programme) == ("7", PartyKind.PERSON, "OFAC FICTION ARMS")
    assert [(name.name, name.strength) for name in person.names] == [
        ("VARKOSKY, Dmitrun", NameStrength.PRIMARY),
        ("VARKOSKIY, Dmitri", NameStrength.STRONG),
        ("THE ACCOUNTANT", NameStrength.WEAK),
    ]
    assert [str(born) for born in person.births] == ["1968-03-14", "1969", "1968–1972"]
    assert person.countries == ("CY", "RU")
    assert (ship.kind, ship.countries) == (PartyKind.VESSEL, ("PA",))


def test_a_list_of_ones_own_is_read() -> None:
    person, ship = parse_own(OWN.encode())
    assert [name.name for name in person.names] == [
        "VARKOSKY, Dmitrun",
        "Dmitri Varkosky",
        "Дмитрун Варкоский",
        "Dima",
    ]
    assert [str(born) for born in person.births] == ["1968-03-14", "1970–1972"]
    assert person.countries == ("RU", "CY")
    assert ship.names[0].name == "VOLNAGRAD STAR"


def test_the_list_that_ships_with_weir_has_sixty_invented_parties_in_several_scripts() -> None:
    parties = shipped_parties()
    assert len(parties) >= 60
    assert {party.kind for party in parties} == set(PartyKind)
    assert sum(bool(party.births) for party in parties) >= 30
    text = "".join(name.name for party in parties for name in party.names)
    assert all(any(low <= letter <= high for letter in text) for low, high in ("АЯ", "ءي", "一龥"))


@pytest.mark.parametrize(
    ("broken", "place", "fault"),
    [
        (UN[:700], "line 14", "cut short"),
        (UN.replace("</ENTITIES>", "</ENTITY>"), "line 30", "not well-formed"),
        (UN.replace("CONSOLIDATED_LIST", "WISH_LIST"), "line 2", "expected CONSOLIDATED_LIST"),
        (
            UN.replace("<FIRST_NAME>NINTH LANTERN BRIGADE (NLB)</FIRST_NAME>", "<FIRST_NAME/>"),
            "line 24, FIRST_NAME",
            "no name",
        ),
        (UN.replace("FIe.001", "FIi.001"), "the whole file", "FIi.001 is there twice"),
        (UN.replace("1974-11-02", "in winter"), "line 16", "no date"),
        (UN.replace("Abu Fadlan", "A" * (NAME_LENGTH_MAX + 1)), "line 4", "characters"),
        ('<CONSOLIDATED_LIST dateGenerated="2026-02-27"/>', "the whole file", "no entry"),
        ("", "line 1", "not well-formed"),
    ],
)
def test_a_broken_un_file_is_refused_with_its_place(broken: str, place: str, fault: str) -> None:
    with pytest.raises(ListFault) as refused:
        parse_un(broken.encode())
    assert place in str(refused.value)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>',
        '<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://example.org/evil.dtd">',
    ],
)
def test_an_xml_file_that_attacks_is_refused(head: str) -> None:
    with pytest.raises(ListFault, match="not allowed in a list"):
        parse_un(UN.replace("<CONSOLIDATED_LIST", f"{head}<CONSOLIDATED_LIST", 1).encode())


@pytest.mark.parametrize(
    ("changes", "place", "fault"),
    [
        ({"sdn": OFAC["sdn.csv"][:150]}, "sdn.csv line 1", "cut short"),
        ({"sdn": OFAC["sdn.csv"].replace('"vessel",', "")}, "sdn.csv line 2", "11 fields where there should be 12"),
        ({"sdn": OFAC["sdn.csv"].replace('"vessel"', '"balloon"')}, "sdn.csv line 2, field 3", "unknown type"),
        ({"sdn": OFAC["sdn.csv"].replace('"VOLNAGRAD STAR"', "-0- ")}, "sdn.csv line 2, field 2", "no name"),
        ({"sdn": OFAC["sdn.csv"].replace("8,", "eight,", 1)}, "sdn.csv line 2, field 1", "number"),
        ({"sdn": OFAC["sdn.csv"].replace("8,", "7,", 1), "add": ""}, "sdn.csv", "7 is there twice"),
        ({"alt": '9,1,"aka","SOMEONE",-0- \r\n'}, "alt.csv line 1, field 1", "sdn.csv has no entry 9"),
        ({"add": "7,1,-0- \r\n"}, "add.csv line 1", "3 fields where there should be 6"),
        ({"sdn": "", "alt": "", "add": ""}, "sdn.csv", "no entry"),
    ],
)
def test_a_broken_ofac_file_is_refused_with_its_place(changes: dict[str, str], place: str, fault: str) -> None:
    with pytest.raises(ListFault) as refused:
        parse_ofac(ofac(**changes))
    assert place in str(refused.value)
    assert fault in str(refused.value)


def test_a_missing_ofac_file_is_named() -> None:
    with pytest.raises(ListFault, match=r"alt\.csv: the file is missing"):
        parse_ofac({"sdn.csv": b"", "add.csv": b""})


@pytest.mark.parametrize(
    ("broken", "place", "fault"),
    [
        (OWN.replace("kind,", "", 1), "line 1", "lacks kind"),
        (OWN.replace("remarks", "remarks,colour", 1), "line 1", "unknown fields: colour"),
        (OWN.replace("2,vessel", "2,balloon"), "line 3, kind", "balloon"),
        (OWN.replace("2,vessel", ",vessel"), "line 3, entity_id", "empty"),
        (OWN.replace("2,vessel,VOLNAGRAD STAR", "2,vessel,"), "line 3, name", "no name"),
        (OWN.replace("1968-03-14", "14 March"), "line 2, birth_dates", "14 March"),
        (OWN.replace("RU|CY", "Russia"), "line 2, countries", "Russia"),
        (OWN.replace("2,vessel,VOLNAGRAD STAR,,,,,,", "2,vessel,VOLN"), "line 3", "cut short"),
        (OWN + '3,person,"Half a na', "line 4", "cut short"),
        (OWN.splitlines()[0], "the whole file", "no entry"),
    ],
)
def test_a_broken_list_of_ones_own_is_refused_with_its_place(broken: str, place: str, fault: str) -> None:
    with pytest.raises(ListFault) as refused:
        parse_own(broken.encode())
    assert place in str(refused.value)
    assert fault in str(refused.value)


def test_a_list_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(ListFault, match="line 2: not UTF-8"):
        parse_own(OWN.splitlines()[0].encode() + b"\n\xff\xfe")


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("Azim Adhajani; Azim Agha-Jani", ["Azim Adhajani", "Azim Agha-Jani"]),
        ("a) First Name b) Second Name", ["First Name", "Second Name"]),
        ("BANK OF FICTION (BOF)", ["BANK OF FICTION", "BOF"]),
        ("Jin Tiesan (金铁三)", ["Jin Tiesan", "金铁三"]),
        ("Someone, (born 1 Jan. 1953 in Oman, passport 123, issued in 2014)", ["Someone"]),
        ("“The Butcher”", ["The Butcher"]),
        ("  ", []),
    ],
)
def test_a_field_with_several_names_is_divided(written: str, names: list[str]) -> None:
    assert split_names(written) == names


@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("1962", BirthSpan(year_from=1962, year_to=1962)),
        ("1962-03", BirthSpan(year_from=1962, year_to=1962, month=3)),
        ("1962-03-05", BirthSpan(year_from=1962, year_to=1962, month=3, day=5)),
        ("1960/1964", BirthSpan(year_from=1960, year_to=1964)),
        *((text, None) for text in ("", "1962-13", "1962-03-32", "1500", "3000", "5 March 1962", "1964/1960", "62")),
    ],
)
def test_dates_of_birth_are_read_as_exactly_as_they_are_known(text: str, born: BirthSpan | None) -> None:
    assert parse_birth(text) == born


@pytest.mark.parametrize(
    ("asked", "listed", "evidence"),
    [
        (None, ["1962"], BirthEvidence.UNKNOWN),
        ("1962", [], BirthEvidence.UNKNOWN),
        ("1962-03-05", ["1962-03-05"], BirthEvidence.SAME_DAY),
        ("1962-03-05", ["1950", "1962-03-05"], BirthEvidence.SAME_DAY),
        ("1962-03-05", ["1962"], BirthEvidence.COMPATIBLE),
        ("1962", ["1960/1964"], BirthEvidence.COMPATIBLE),
        ("1962-03-05", ["1962-05-03"], BirthEvidence.SWAPPED),
        ("1962-03-05", ["1962-07-09"], BirthEvidence.NEAR),
        ("1962-03-05", ["1963"], BirthEvidence.NEAR),
        ("1962-03-05", ["1970"], BirthEvidence.DIFFERENT),
        ("1959", ["1962/1964"], BirthEvidence.DIFFERENT),
    ],
)
def test_two_dates_of_birth_are_compared_as_far_as_they_are_known(
    asked: str | None, listed: list[str], evidence: BirthEvidence
) -> None:
    births = tuple(born for text in listed if (born := parse_birth(text)))
    assert compare_births(parse_birth(asked) if asked else None, births) is evidence


@pytest.mark.parametrize(
    ("name", "code"),
    [("Korea, North", "KP"), ("Democratic People's Republic of Korea", "KP"), ("Türkiye", "TR"), ("Atlantis", None)],
)
def test_countries_are_known_by_the_names_that_lists_give_them(name: str, code: str | None) -> None:
    assert country_code(name) == code
    assert country_name("KP") == "North Korea"


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("ab-123 456", "AB123456"),
        ("IMO 1234567", "1234567"),
        ("Nº 00-65 772/X", "N0065772X"),
        ("Ｋ ７７１１ ٠٠٤٢", "K77110042"),
        ("АА 123456", "AA123456"),
        *((text, None) for text in ("", "12345", "ABCDEF", "AB12CD", "1" * 31)),
    ],
)
def test_official_numbers_are_compared_by_their_letters_and_figures(text: str, identifier: str | None) -> None:
    assert identifier_of(text) == identifier


@pytest.mark.parametrize(
    ("text", "identifiers"),
    [
        ("Passport no. D 00004262", ("D00004262",)),
        ("1-78-09-44621-80", ("178094462180",)),
        ("A0012345 (Fictionland); 99887766", ("A0012345", "99887766")),
        ("K 7711 0042", ("K77110042",)),
        ("96 03 464086", ("9603464086", "464086")),
        ("B/011641", ("B011641",)),
        ("ab1234567", ("AB1234567",)),
        ("АА 123456", ("AA123456", "123456")),
        ("Libya 428720", ("428720",)),
        ("No. 14006467155", ("14006467155",)),
        ("issued in 2014", ()),
    ],
)
def test_official_numbers_are_found_in_what_lists_say_of_them(text: str, identifiers: tuple[str, ...]) -> None:
    assert identifiers_of([text]) == identifiers


def test_ofacs_remarks_hold_official_numbers() -> None:
    remarks = "Passport A0012345 (Fictionland); Phone Number 12345678; Vessel Registration Identification IMO 1234567."
    person, _ = parse_ofac(ofac(sdn=OFAC["sdn.csv"].replace("DOB", f"{remarks} DOB", 1)))
    assert person.identifiers == ("A0012345", "1234567")


def test_a_country_is_known_by_its_code_too() -> None:
    assert (country_code("kp"), country_code("KP"), country_code("xx")) == ("KP", "KP", None)
