"""Lists, scenarios and silences at the desk, on real parts: seen, changed, and put into the audit log."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Connection
from typer.testing import CliRunner

from libs.common import ids
from libs.common.service import Runtime
from services.compliance import commands, list_queries, queries, rescreening
from services.compliance.__main__ import SERVICE
from services.compliance.catalogue import live_entries
from services.compliance.domain.people import Role
from services.compliance.store import lists
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots, at_desk
from tests.integration.compliance.scene import add_person, initiated, order, registered, rows, take_in
from tests.integration.compliance.test_desk import signed_in
from tests.integration.compliance.test_monitoring import settled

HEADER = "entity_id,kind,name,aliases,weak_aliases,birth_dates,countries,programme,remarks\n"
SAME = "2,person,Malvana Sproot,,,,,,\n5,person,Quenby Harthwaite,,,,,,\n"
FIRST = HEADER + "1,person,Tortov Grimbel,,,,,,\n" + SAME + "3,person,Ogdun Fenwrick,,,,,,\n"
SECOND = HEADER + "1,person,Tortov Grimbel,Tort Grim,,1961,,,\n" + SAME + "4,person,Una Wex,,,,,,\n"


@pytest.fixture(autouse=True)
def without_own_list(compliance: Runtime) -> None:
    def retire(tx: Connection) -> None:
        live_entries(tx)
        lists.lock_catalogue(tx)
        lists.retire(tx, "own")

    compliance.unit.administer(retire)


def entries(runtime: Runtime, kind: str) -> list[tuple[str, str, str]]:
    query = "SELECT verb, actor, role FROM audit_entries WHERE object_kind = %s AND verb <> 'looked' ORDER BY number"
    return [(verb, actor, role) for verb, actor, role in rows(runtime, query, kind)]


def test_two_versions_of_a_list_are_held_against_each_other(compliance: Runtime) -> None:
    before, after = take_in(compliance, FIRST), take_in(compliance, SECOND)
    found = list_queries.find_changes(compliance.engine, before, after)
    assert found is not None
    changes = found[2]
    assert (changes.added_count, changes.removed_count, changes.changed_count) == (1, 1, 1)
    assert [change.name for change in changes.added] == ["Una Wex"]
    assert [change.entity_id for change in changes.removed] == ["3"]
    (changed,) = changes.changed
    assert changed.what == ("names added: Tort Grim", "born added: 1961")
    newest = list_queries.list_versions(compliance.engine)
    assert [(one.version, one.previous, one.is_live) for one in newest if one.version == after] == [
        (after, before, True)
    ]
    (fictional,) = (found["version"] for found in queries.list_lists(compliance.engine) if found["list_name"] != "own")
    assert list_queries.find_changes(compliance.engine, fictional, after) is None
    assert list_queries.find_changes(compliance.engine, before, 2**62) is None


def test_what_is_imported_set_and_silenced_by_whatever_way_is_in_the_audit_log(
    compliance: Runtime, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)
    customer_id = ids.new()
    decide(compliance, registered("Ann Miller", customer_id=customer_id))

    def run(*words: str) -> None:
        result = CliRunner().invoke(commands.app(SERVICE), words)
        assert result.exit_code == 0, result.output

    own, fatf = tmp_path / "own.csv", tmp_path / "fatf.csv"
    own.write_text(FIRST)
    fatf.write_bytes((Path(commands.__file__).parent / "defaults" / "fatf.csv").read_bytes())
    run("import-list", "own", str(own))
    run("retire-list", "own")
    run("monitoring", "import-countries", str(fatf))
    run("monitoring", "set", "fan_in", "payers=6", "--reason", "too many", "--actor", "olga")
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat(timespec="seconds")[:19]
    why = ("--until", until, "--reason", "the till", "--actor", "ann")
    run("monitoring", "suppress", customer_id, "fan_in", *why)
    run("monitoring", "end-silence", customer_id, "fan_in", "--reason", "moved", "--actor", "ann")
    found = rows(compliance, "SELECT verb, role, details FROM audit_entries WHERE role = 'operator' ORDER BY number")
    assert [verb for verb, _, _ in found] == [
        *("list_imported", "change_proposed", "countries_imported"),
        *("change_proposed", "silenced", "silence_ended"),
    ]
    assert "payers=6" in found[3][2]
    assert "the till" in found[4][2]
    run("verify-audit")


def test_administrators_have_everybody_looked_up_again(compliance: Runtime, address: str) -> None:
    decide(compliance, registered("Ann Miller"))
    with signed_in(address, "administrator") as ada:
        page = ada.http.post("/desk/lists/rescreen", data={"csrf_token": ada.csrf_token})
    assert rescreening.in_words(1) in page.text
    compliance.figures.run_once(datetime.now(UTC))
    assert compliance.metrics.get_sample_value("compliance_customers_outdated") == 1
    assert ("rescreening_ordered", "administrator", "administrator") in entries(compliance, "lists")


@pytest.fixture
def root(compliance: Runtime, address: str, browser: Browser) -> Iterator[Desk]:
    with at_desk(browser, address, "administrator") as desk:
        yield desk


@pytest.fixture
def olga(compliance: Runtime, address: str, browser: Browser) -> Iterator[Desk]:
    with at_desk(browser, address, "officer") as desk:
        yield desk


def upload(desk: Desk, name: str, content: str, *files: str) -> None:
    page = desk.page
    page.goto("/desk/lists")
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    given = [{"name": file, "mimeType": "text/csv", "buffer": content.encode()} for file in files or ("own.csv",)]
    page.get_by_label("File, or OFAC’s").set_input_files(given)  # type: ignore[arg-type]
    page.get_by_role("region", name="Import a list").get_by_role("button", name="Import").click()


def test_an_administrator_imports_a_list_and_sees_what_changed_and_two_retire_it(
    root: Desk, compliance: Runtime, browser: Browser, address: str, shots: Shots
) -> None:
    page = root.page
    upload(root, "own", FIRST)
    expect(page.get_by_role("status")).to_contain_text("4 entries, 4 names")
    event = initiated(order(creditor="Malvana Sproot"))
    decide(compliance, event)
    assert rows(compliance, "SELECT outcome FROM screenings") != [("clear",)]
    upload(root, "own", SECOND)
    expect(page.get_by_role("status")).to_contain_text("own is live as version")
    shots.take(page, "lists")
    page.get_by_role("link", name="What changed").first.click()
    expect(page.get_by_role("region", name="Added 1")).to_contain_text("Una Wex")
    expect(page.get_by_role("region", name="Removed 1")).to_contain_text("Ogdun Fenwrick")
    expect(page.get_by_role("region", name="Changed 1")).to_contain_text("names added: Tort Grim")
    shots.take(page, "list-changes")
    page.goto("/desk/lists")
    row = page.get_by_role("row").filter(has_text="own").filter(has_text="Live")
    row.get_by_text("Retire").first.click()
    row.get_by_role("button", name="Retire own").click()
    expect(page.get_by_role("status")).to_contain_text("own is searched until another person confirms")
    waiting = page.get_by_role("region", name="Waiting for a second person")
    expect(waiting.get_by_role("button", name="Confirm")).to_have_count(0)
    shots.take(page, "list-retiring")
    # Another administrator: the same pages, somebody else.
    add_person(compliance, "adam", Role.ADMINISTRATOR)
    with at_desk(browser, address, "adam") as adam:
        adam.page.goto("/desk/lists")
        shots.take(adam.page, "list-confirm")
        adam.page.get_by_role("button", name="Confirm: retire list own").click()
        expect(adam.page.get_by_role("status")).to_have_text("own is searched no more.")
        expect(adam.page.get_by_role("region", name="Waiting for a second person")).to_have_count(0)
        assert adam.complaints == []
    assert [(verb, actor) for verb, actor, _ in entries(compliance, "list")] == [
        *(("list_imported", "administrator"), ("list_imported", "administrator")),
        *(("change_proposed", "administrator"), ("list_retired", "adam")),
    ]
    assert entries(compliance, "list")[0][1:] == ("administrator", "administrator")
    assert root.complaints == []


@pytest.mark.parametrize(
    ("name", "content", "files", "fault"),
    [
        ("own", HEADER + "1,person,,,,,,,\n", ("own.csv",), "line 2"),
        ("own", "nonsense", ("own.csv",), "no list that is known here"),
        ("Own List!", FIRST, ("own.csv",), "the name of the list"),
        ("own", FIRST, ("a.csv", "b.csv"), "one file, or OFAC's with sdn.csv among them"),
    ],
)
def test_a_file_that_is_broken_leaves_everything_as_it_was_and_the_place_is_told(
    compliance: Runtime, address: str, name: str, content: str, files: tuple[str, ...], fault: str
) -> None:
    with signed_in(address, "administrator") as root:
        sent = [("file", (file, content.encode())) for file in files]
        headers = {"X-CSRF-Token": root.csrf_token}
        answer = root.http.post("/desk/api/lists/imports", data={"name": name}, files=sent, headers=headers)
        assert answer.status_code == 422
        assert fault in answer.json()["detail"]
        page = root.http.post("/desk/lists/imports", data={"name": name, "csrf_token": root.csrf_token}, files=sent)
        assert page.status_code == 422
        assert "Nothing was changed" in page.text
        without_token = root.http.post("/desk/lists/imports", data={"name": name}, files=sent)
        assert without_token.status_code == 403
    assert {found["list_name"] for found in queries.list_lists(compliance.engine)} == {"fictional"}
    assert {verb for verb, _, _ in entries(compliance, "list")} == {"refused"}


def test_nobody_who_may_not_import_has_a_large_body_read(compliance: Runtime, address: str) -> None:
    with signed_in(address, "analyst") as analyst:
        big = [("file", ("own.csv", b"x" * 5_000_000))]
        answer = analyst.http.post("/desk/lists/imports", data={"name": "own"}, files=big)
        assert answer.status_code == 403


def test_two_officers_set_what_a_scenario_looks_for(
    olga: Desk, compliance: Runtime, browser: Browser, address: str, shots: Shots
) -> None:
    ann, till = ids.new(), ids.new()
    decide(compliance, registered("Ann Miller", customer_id=ann))
    decide(compliance, settled(11_000, debtor=till, creditor=ann, is_cash=True))
    page = olga.page
    page.goto("/desk/scenarios")
    card = page.get_by_role("region", name="Cash to be reported")
    expect(card).to_contain_text("$10,000")
    shots.take(page, "scenarios")
    card.get_by_text("Propose parameters").click()
    card.get_by_label("Above, in cents").fill("9_000_00")
    card.get_by_label("Why").fill("A committee decided so.")
    shots.take(page, "scenario-set", is_whole=False)
    card.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("status")).to_contain_text("the new parameters wait for another person")
    expect(page.get_by_role("region", name="Cash to be reported")).to_contain_text("$10,000")
    expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    add_person(compliance, "oscar", Role.OFFICER)
    with at_desk(browser, address, "oscar") as oscar:
        oscar.page.goto("/desk/scenarios")
        shots.take(oscar.page, "scenario-confirm")
        oscar.page.get_by_role("button", name="Confirm: set parameters cash_report").click()
        expect(oscar.page.get_by_role("status")).to_have_text("The new parameters are on record.")
        assert oscar.complaints == []
    page.goto("/desk/scenarios")
    expect(page.get_by_role("region", name="Cash to be reported")).to_contain_text("$9,000")
    assert entries(compliance, "scenario") == [
        ("change_proposed", "officer", "officer"),
        ("parameters_set", "oscar", "officer"),
    ]
    card = page.get_by_role("region", name="Cash to be reported")
    card.get_by_text("Propose parameters").click()
    card.get_by_label("Above, in cents").fill("many")
    card.get_by_label("Why").fill("?")
    card.get_by_role("button", name="Propose").click()
    expect(page.get_by_role("alert")).to_contain_text("above_cents")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/desk/scenarios")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shots.take(page, "scenarios-phone")


def test_a_supervisor_leaves_a_customer_alone_and_no_more(ann: Desk, compliance: Runtime, shots: Shots) -> None:
    customer_id = ids.new()
    decide(compliance, registered("Branch Till, Main Street", customer_id=customer_id))
    page = ann.page
    page.goto(f"/desk/silences?customer_id={customer_id}")
    expect(page.get_by_role("heading", name="Nobody is left alone")).to_be_visible()
    form = page.get_by_role("region", name="Leave a customer alone")
    form.get_by_label("By").select_option("cash_report")
    form.get_by_label("Until (UTC)").fill((datetime.now(UTC) + timedelta(days=800)).strftime("%Y-%m-%dT%H:%M"))
    form.get_by_label("Why").fill("The till of the branch.")
    form.get_by_role("button", name="Leave alone").click()
    expect(page.get_by_role("alert")).to_contain_text("within 366 days")
    form.get_by_label("By").select_option("cash_report")
    form.get_by_label("Until (UTC)").fill((datetime.now(UTC) + timedelta(days=80)).strftime("%Y-%m-%dT%H:%M"))
    form.get_by_label("Why").fill("The till of the branch.")
    form.get_by_role("button", name="Leave alone").click()
    expect(page.get_by_role("status")).to_contain_text("left alone")
    row = page.get_by_role("row").filter(has_text="Branch Till, Main Street")
    expect(row).to_contain_text("Cash to be reported")
    shots.take(page, "silences")
    row.get_by_text("End", exact=True).click()
    row.get_by_label("Why").fill("The branch is closed.")
    row.get_by_role("button", name="End it").click()
    expect(page.get_by_role("status")).to_have_text("Alerts are seen again.")
    expect(page.get_by_role("heading", name="Nobody is left alone")).to_be_visible()
    page.goto(f"/desk/silences?customer_id={customer_id}")
    expect(page.get_by_role("region", name="What was said about")).to_contain_text("The branch is closed.")
    verbs = [verb for verb, _, _ in entries(compliance, "silence")]
    assert verbs == ["refused", "silenced", "silence_ended"]
    assert ann.complaints == [
        "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
    ]
