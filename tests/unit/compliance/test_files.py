"""By the file: names are screened and pairs compared, row by row; what is wrong with a file is said with its place."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from libs.common import cli
from services.compliance import commands
from services.compliance.__main__ import SERVICE
from services.compliance.files import screen as screening
from services.compliance.files.compare import compare_file
from services.compliance.files.rows import FileFault
from services.compliance.files.screen import Screened, screen_file
from services.compliance.importing import ListFormat, recognise
from services.compliance.lists.listed import ListFault
from services.compliance.lists.own import parse_own
from services.compliance.matching.sourced import SourcedParty

OWN = """entity_id,kind,name,weak_aliases,birth_dates,countries,identifiers
1,person,"VARKOSKY, Dmitrun",The Accountant,1968-03-14,RU,AB 123456
2,vessel,VOLNAGRAD STAR,,,PA,IMO 1234567
"""
OWNERS = "owner,owned,percent\nDmitrun Varkosky,Quandrix Mills GmbH,50\n"
SOURCES = [SourcedParty(list_name="own", import_id=1, party=party) for party in parse_own(OWN.encode())]

Rows = list[dict[str, str]]


def told(done: int, total: int) -> None:
    assert 0 < done <= total


def screened(folder: Path, content: str, *, processes: int = 1, hits: int = 5) -> tuple[Screened, Rows]:
    names, output = folder / "names.csv", folder / "out.csv"
    names.write_text(content, encoding="utf-8")
    done = screen_file(names, output, SOURCES, hits_max=hits, processes=processes, told=told)
    return done, rows_of(output)


def compared(folder: Path, content: str) -> Rows:
    pairs, output = folder / "pairs.csv", folder / "out.csv"
    pairs.write_text(content, encoding="utf-8")
    compare_file(pairs, output, told)
    return rows_of(output)


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_answered_with_its_hits_and_what_it_said_itself(tmp_path: Path) -> None:
    content = (
        "id,Name,Date of birth,country,type,note\n"
        "c-1,Dmitrun Varkoskiy,1968-03-14,Russia,person,x\nc-2,Jane Plainwoman,,,,y\n"
    )
    done, (hit, clear) = screened(tmp_path, content)
    assert done.outcomes == {"clear": 1, "review": 0, "block": 1}
    assert hit == {
        "id": "c-1",
        "Name": "Dmitrun Varkoskiy",
        "Date of birth": "1968-03-14",
        "country": "Russia",
        "type": "person",
        "note": "x",
        "outcome": "block",
        "rank": "1",
        "list": "own",
        "entity_id": "1",
        "listed_name": "VARKOSKY, Dmitrun",
        "score": "0.990",
        "explanation": "name alike: dmitrun, varkoskiy ~ varkosky (0.97); "
        "date of birth the same: 1968-03-14, listed 1968-03-14; the same country: RU",
    }
    assert (clear["id"], clear["outcome"], clear["rank"], clear["score"]) == ("c-2", "clear", "", "")


def test_an_official_number_finds_a_party_under_another_name(tmp_path: Path) -> None:
    _, (person, ship) = screened(tmp_path, "name,identifier\nPetrun Somebody,ab-123456\nGOLDEN SEA,1234567\n")
    assert (person["outcome"], person["entity_id"], person["score"]) == ("review", "1", "0.950")
    assert "the same official number: AB123456" in person["explanation"]
    assert ship["entity_id"] == "2"


def test_what_a_cell_says_that_is_not_understood_is_passed_over_and_told(tmp_path: Path) -> None:
    content = "name,dob,nationality,type\nDmitrun Varkosky,31/02/1980,Atlantis,balloon\n"
    done, (row,) = screened(tmp_path, content)
    assert row["entity_id"] == "1"
    assert done.remarks == (
        "row 2, birth_date: '31/02/1980' is not understood, and passed over",
        "row 2, country: 'Atlantis' is not understood, and passed over",
        "row 2, kind: 'balloon' is not understood, and passed over",
    )


def test_many_remarks_are_counted(tmp_path: Path) -> None:
    done, _ = screened(tmp_path, "name,dob\n" + "Jane,x\n" * 40)
    assert (len(done.remarks), done.remarks[-1]) == (6, "and 35 more")


@pytest.mark.parametrize("name", ["", "???", "\u202e\u200b", '"""', "Jane " * 70 + "Plain", "x" * 301])
def test_a_name_that_can_not_be_read_to_its_end_is_for_somebody_to_look_at(tmp_path: Path, name: str) -> None:
    quoted = name.replace('"', '""')
    _, (row,) = screened(tmp_path, f'id,name\n1,"{quoted}"\n')
    assert (row["outcome"], row["rank"]) == ("review", "")
    assert "somebody must look at it" in row["explanation"]


def test_ten_megabytes_of_name_are_a_bad_name_and_no_bad_file(tmp_path: Path) -> None:
    long = "Dmitrun " * 1_310_720
    _, (first, second) = screened(tmp_path, f"name\n{long}\nDmitrun Varkosky\n")
    assert (first["outcome"], second["outcome"]) == ("review", "block")


@pytest.mark.parametrize(
    "name",
    [
        "Dmitrun\u200b Var\u200dkosky",  # zero width
        "\u202eDmitrun Varkosky\u202c",  # right to left
        "Dmіtrun Vаrkоsky",  # Cyrillic letters among Latin ones
        "Ｄｍｉｔｒｕｎ Ｖａｒｋｏｓｋｙ",  # full width
        "Dm1trun Vark0sky",
    ],
)
def test_a_disguised_name_is_found(tmp_path: Path, name: str) -> None:
    _, (row,) = screened(tmp_path, f"name\n{name}\n")
    assert row["entity_id"] == "1"


def test_several_processes_answer_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "ROWS_PER_PROCESS_MIN", 10)
    content = "name\n" + "Dmitrun Varkosky\nJane Plainwoman\nVolnagrad Star\n" * 100
    _, alone = screened(tmp_path, content)
    done, together = screened(tmp_path, content, processes=2)
    assert together == alone
    assert done.parties == len(alone) == 300


def test_ones_own_columns_give_way_to_those_that_come(tmp_path: Path) -> None:
    _, (row,) = screened(tmp_path, "name,score\nDmitrun Varkosky,17\n")
    assert (row["score"], row["found_score"]) == ("17", "1.000")


def test_pairs_get_a_score_and_its_reasons(tmp_path: Path) -> None:
    content = (
        "query_name,candidate_name,schema,query_extra,candidate_extra\n"
        'Jon Smith,John Smith,Person,"{""dob"": ""1960-06-15"", ""nat"": ""us""}",'
        '"{""dob"": ""1960"", ""nat"": ""us""}"\n'
        "Acme Corp,Volnagrad Corp,Company,,\n,Somebody,,,\n"
    )
    same, other, none = compared(tmp_path, content)
    assert (float(same["score"]) > 0.95, float(other["score"]) < 0.2, none["score"]) == (True, True, "0.0000")
    assert "date of birth fits: 1960-06-15, listed 1960; the same country: US" in same["explanation"]
    assert none["explanation"] == "a name without letters or figures"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "names.csv is empty"),
        (b"nom,dob\nJane,\n", "names.csv row 1: there is no column 'name'; there are: nom, dob"),
        (b"name,name\na,b\n", "names.csv row 1: the column 'name' is there twice"),
        (b"name,dob\nJane\n", "names.csv row 2: 1 cells where the header has 2"),
        (b'name\n"Jane\n', "names.csv line 2: not CSV, or cut short"),
        (b"name\nJane\n\xff\xfe\n", "names.csv line 3: not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_nothing_is_written(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    names, output = tmp_path / "names.csv", tmp_path / "out.csv"
    names.write_bytes(content)
    with pytest.raises(FileFault) as refused:
        screen_file(names, output, SOURCES, hits_max=1, processes=1, told=told)
    assert fault in str(refused.value)
    assert not output.exists()


@pytest.mark.parametrize("extra", ["{", "[1]", "1962"])
def test_extras_that_are_no_object_are_refused_with_their_row(tmp_path: Path, extra: str) -> None:
    with pytest.raises(FileFault, match=r"pairs\.csv row 2, query_extra: "):
        compared(tmp_path, f'query_name,candidate_name,query_extra\na,b,"{extra}"\n')
    assert not (tmp_path / "out.csv").exists()


# The commands


def run(*words: object) -> tuple[int, str]:
    found = CliRunner().invoke(cli.app(SERVICE, commands.extend), [str(word) for word in words])
    return found.exit_code, found.output


def test_screen_takes_lists_and_ownership_as_files(tmp_path: Path) -> None:
    for name, content in (("own.csv", OWN), ("owners.csv", OWNERS), ("names.csv", "name\nQuandrix Mills\nBo Li\n")):
        (tmp_path / name).write_text(content)
    status, output = run(
        *("screen", "--names", tmp_path / "names.csv", "--output", tmp_path / "out.csv"),
        *("--list", tmp_path / "own.csv", "--ownership", tmp_path / "owners.csv"),
    )
    assert (status, "2 screened: 1 clear, 0 review, 1 block" in output) == (0, True)
    assert [row["list"] for row in rows_of(tmp_path / "out.csv")] == ["owners", ""]


def test_a_list_may_ask_for_more_before_it_has_a_hit(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(OWN)
    (tmp_path / "names.csv").write_text("name\nDmitrum Varkoskiy\n")
    given = "screen", "--names", tmp_path / "names.csv", "--output", tmp_path / "o.csv", "--list", tmp_path / "own.csv"
    assert "1 review" in run(*given)[1]
    assert "1 clear" in run(*given, "--review", "0.97")[1]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("gone.csv", None, "there is no list"),
        ("odd.csv", "colour,shape\nred,round\n", "no list that is known here"),
        ("own.csv", OWN.replace("person", "balloon"), "line 2, kind"),
        ("un.xml", "<WISH_LIST/>", "expected CONSOLIDATED_LIST"),
    ],
)
def test_a_list_that_is_none_is_told_in_one_line(tmp_path: Path, name: str, content: str | None, fault: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    (tmp_path / "names.csv").write_text("name\nBo Li\n")
    status, output = run(
        *("screen", "--names", tmp_path / "names.csv", "--output", tmp_path / "out.csv", "--list", tmp_path / name)
    )
    assert status == 1
    assert fault in " ".join(output.replace("│", " ").split())


def test_compare_needs_no_list(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("query_name,candidate_name\nJon Smith,John Smith\n")
    status, output = run("compare", "--pairs", tmp_path / "pairs.csv", "--output", tmp_path / "out.csv")
    assert (status, "1 pairs compared" in output) == (0, True)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("list.txt", "<?xml version='1.0'?><CONSOLIDATED_LIST/>", ListFormat.UN),
        ("list.csv", OWN, ListFormat.CSV),
        ("list.csv", OWNERS, ListFormat.OWNERSHIP),
        ("sdn.csv", "7,x", ListFormat.OFAC),
    ],
)
def test_a_list_is_known_by_its_first_lines(tmp_path: Path, name: str, content: str, expected: ListFormat) -> None:
    (tmp_path / name).write_text(content)
    assert recognise(tmp_path / name) is expected


def test_a_folder_is_ofacs_list_and_anything_else_is_none(tmp_path: Path) -> None:
    assert recognise(tmp_path) is ListFormat.OFAC
    (tmp_path / "x.csv").write_text("1,2,3\n")
    with pytest.raises(ListFault, match=r"x\.csv line 1"):
        recognise(tmp_path / "x.csv")
