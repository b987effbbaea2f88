"""Files of pairs on real parts: proposed on the command line, agreed to by two people, in force, and written again."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner, Result

from libs.common import ids
from libs.common.erasing import Whom
from libs.common.service import Runtime
from schemas.compliance.events import ComplianceScreened
from services.compliance import commands
from services.compliance.__main__ import SERVICE
from services.compliance.desk.whitelist import BODY_BYTES_MAX
from services.compliance.store.erasing import ERASER
from tests.deciding import decide
from tests.integration.compliance.browsing import Desk, Shots
from tests.integration.compliance.scene import ALIKE, ALIKE_BORN, initiated, interventions, order, registered, rows
from tests.integration.compliance.test_desk import Analyst, signed_in
from tests.integration.compliance.test_lists import Run
from tests.serving import told

TODAY = datetime.now(UTC).date()
UNTIL, LATER = (TODAY + timedelta(days=60)).isoformat(), (TODAY + timedelta(days=90)).isoformat()
HEADER = "list,entity_id,name,birth_date,until,reason\n"
PAIR = f"fictional,F-007,{ALIKE},{ALIKE_BORN},{UNTIL},another passport\n"


@pytest.fixture
def run(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The service's command line, on the database of these tests."""
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)

    def run(*words: str) -> Result:
        return CliRunner().invoke(commands.app(SERVICE), words)

    return run


def write(folder: Path, *lines: str) -> str:
    path = folder / "pairs.csv"
    path.write_text(HEADER + "".join(lines))
    return str(path)


def outcome(compliance: Runtime) -> str:
    event = initiated(order(creditor=ALIKE, creditor_born=ALIKE_BORN))
    decide(compliance, event)
    (found,) = (
        one for one in told(compliance) if isinstance(one, ComplianceScreened) and one.payment_id == event.payment_id
    )
    return found.outcome.value


def waiting(person: Analyst) -> list[str]:
    return [change["change_id"] for change in person.http.get("/desk/api/whitelist/rule-changes").json()["changes"]]


def answer(person: Analyst, change_id: str, verb: str = "confirm") -> tuple[int, str]:
    path = f"/desk/api/whitelist/rule-changes/{change_id}/{verb}"
    given = person.http.post(path, headers={"X-CSRF-Token": person.csrf_token})
    return given.status_code, given.json().get("reason") or given.json()["detail"]


def test_a_file_is_proposed_agreed_to_by_two_people_and_comes_out_the_same(
    compliance: Runtime, address: str, run: Run, tmp_path: Path
) -> None:
    path = write(tmp_path, PAIR)
    assert outcome(compliance) == "review"
    first = run("import-whitelist", path, "--reason", "from the old system")
    assert (first.exit_code, "1 of 1 pairs are new" in first.output) == (0, True), first.output
    assert "waits already" in run("import-whitelist", path).output
    assert interventions(compliance)[0] == "import-whitelist"
    with (
        signed_in(address, "analyst") as analyst,
        signed_in(address, "supervisor") as supervisor,
        signed_in(address, "officer") as officer,
    ):
        (change_id,) = waiting(analyst)
        shown = analyst.http.get(f"/desk/api/whitelist/rule-changes/{change_id}/pairs").text
        assert f"fictional,F-007,{ALIKE},{ALIKE_BORN},,,,{UNTIL},another passport" in shown
        assert answer(analyst, change_id) == (403, "forbidden")
        # Of who works on the command line nobody knows who it is: it is the supervisor's, once they say so.
        assert answer(supervisor, change_id)[1].startswith("These pairs are proposed in your name")
        assert answer(supervisor, change_id) == (409, "own_proposal")
        assert outcome(compliance) == "review"
        assert answer(officer, change_id) == (200, "The pairs of the file are in force.")
        assert outcome(compliance) == "clear"
        assert answer(officer, change_id) == (409, "wrong_status")
        (pair,) = analyst.http.get("/desk/api/whitelist").json()["pairs"]
        assert (pair["proposed_by"], pair["confirmed_by"]) == ("supervisor", "officer")
        assert "nothing is to be done" in run("import-whitelist", path).output
        assert waiting(analyst) == []
    exported = tmp_path / "exported.csv"
    assert run("export-whitelist", str(exported)).exit_code == 0
    assert "nothing is to be done" in run("import-whitelist", str(exported)).output
    log = "SELECT verb, actor FROM audit_entries WHERE object_kind = 'whitelist' AND verb <> 'looked' ORDER BY number"
    verbs = [verb for verb, _ in rows(compliance, log)]
    decided = ["change_adopted", "refused", "pair_confirmed", "whitelist_imported", "refused"]
    assert verbs == ["change_proposed", *decided]
    assert rows(compliance, "SELECT count(*) FROM rule_change_contents") == [(0,)]


def test_nobody_is_erased_whom_a_pair_of_a_file_names(compliance: Runtime, address: str) -> None:
    with signed_in(address, "supervisor") as supervisor, signed_in(address, "officer") as officer:
        send(supervisor, PAIR)
        assert answer(officer, *waiting(officer))[0] == HTTPStatus.OK
        customer = registered(ALIKE, birth_date=ALIKE_BORN)
        decide(compliance, customer)
        kept = "records of compliance are kept: 1 (31 CFR 1010.430(d), 501.601; see `forget-records`)"
        assert obstacles(compliance, customer.customer_id) == [kept]
        send(supervisor, PAIR.replace(UNTIL, LATER))
        named = "files for the whitelist that name the customer wait: 1 (decide on them)"
        assert obstacles(compliance, customer.customer_id) == [kept, named]
        assert obstacles(compliance, ids.new()) == []
        (change_id,) = waiting(officer)
        answer(officer, change_id, "turn-down")
        assert obstacles(compliance, customer.customer_id) == [kept]


def send(person: Analyst, pairs: str) -> None:
    sent = {"file": ("pairs.csv", (HEADER + pairs).encode())}
    given = person.http.post("/desk/api/whitelist/imports", files=sent, headers={"X-CSRF-Token": person.csrf_token})
    assert given.status_code == HTTPStatus.CREATED, given.text


def obstacles(compliance: Runtime, customer_id: str) -> list[str]:
    whom = Whom(customer_id=customer_id)
    return compliance.unit.administer(lambda tx: ERASER.obstacles(tx, whom, datetime.now(UTC)))


def test_a_file_is_sent_to_the_desk_by_one_and_agreed_to_by_another(
    ben: Desk, compliance: Runtime, address: str, tmp_path: Path, shots: Shots
) -> None:
    path, page = write(tmp_path, PAIR), ben.page
    page.goto("/desk/whitelist?queue=proposed")
    page.get_by_label("CSV:").set_input_files(path)
    page.get_by_role("button", name="Propose the file").click()
    expect(page.get_by_role("status")).to_contain_text("1 of 1 pairs are new or changed")
    expect(page.get_by_role("region", name="Waiting for a second person")).to_contain_text("pairs.csv, SHA-256")
    shots.take(page, "whitelist-file-proposed")
    expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    page.get_by_label("CSV:").set_input_files(write(tmp_path, f"fictional,F-007,{ALIKE},,{UNTIL},by name\n"))
    page.get_by_role("button", name="Propose the file").click()
    expect(page.get_by_role("alert")).to_contain_text("line 2, birth_date")
    with signed_in(address, "officer") as officer:
        (change_id,) = waiting(officer)
        assert answer(officer, change_id) == (200, "The pairs of the file are in force.")
    assert outcome(compliance) == "clear"
    log = "SELECT verb, actor FROM audit_entries WHERE object_kind = 'whitelist' AND verb <> 'looked' ORDER BY number"
    assert rows(compliance, log)[:2] == [("change_proposed", "analyst2"), ("refused", "analyst2")]
    (complaint,) = ben.complaints
    assert "422" in complaint, "of the file with a fault"


def test_programs_send_files_too_and_nobody_who_may_not_has_one_read(compliance: Runtime, address: str) -> None:
    path, sent = "/desk/api/whitelist/imports", {"file": ("pairs.csv", (HEADER + PAIR).encode())}
    with signed_in(address, "supervisor") as supervisor, signed_in(address, "analyst") as analyst:
        token = {"X-CSRF-Token": supervisor.csrf_token}
        done = supervisor.http.post(path, files=sent, headers=token)
        assert (done.status_code, "waits for another person" in done.json()["detail"]) == (201, True)
        again = supervisor.http.post(path, files=sent, headers=token)
        assert (again.status_code, "waits already" in again.json()["detail"]) == (201, True)
        assert supervisor.http.post(path, headers=token).json()["field"] == "file"
        assert supervisor.http.post(path, files=sent).status_code == 403
        big = {"file": ("pairs.csv", b"x" * (BODY_BYTES_MAX - 1_000))}
        assert analyst.http.post(path, files=big).status_code == 403
        assert supervisor.http.post(path, files=big, headers=token).status_code == 422
        larger = {"file": ("pairs.csv", b"x" * (BODY_BYTES_MAX + 1))}
        assert supervisor.http.post(path, files=larger, headers=token).status_code == 413
    assert rows(compliance, "SELECT count(*) FROM rule_changes") == [(1,)]


def test_what_must_not_be_kept_of_a_file_is_kept_nowhere(compliance: Runtime, address: str) -> None:
    card = "4111111111111111"
    named = f"a\u202eb {card}.csv"
    with signed_in(address, "supervisor") as supervisor:
        token = {"csrf_token": supervisor.csrf_token}
        bad = {"file": (named, (HEADER + f"fictional,F-007,{ALIKE},{card},{UNTIL},why\n").encode())}
        refused = supervisor.http.post("/desk/whitelist/imports", data=token, files=bad)
        assert (refused.status_code, card in refused.text) == (422, False)
        assert "birth_date: must not hold a card number" in refused.text
        good = {"file": (named, (HEADER + PAIR).encode())}
        assert supervisor.http.post("/desk/whitelist/imports", data=token, files=good).status_code == 200
    kept = str(rows(compliance, "SELECT details FROM audit_entries")) + str(
        rows(compliance, "SELECT * FROM rule_changes")
    )
    assert "ab ************1111.csv" in kept
    assert card not in kept


def test_nothing_of_a_file_with_a_fault_is_taken(compliance: Runtime, run: Run, tmp_path: Path) -> None:
    for bad, words in (
        (f"fictional,F-007,{ALIKE},,{UNTIL},by name\n", "line 3, birth_date"),
        (f"fictional,F-999,{ALIKE},{ALIKE_BORN},{UNTIL},why\n", "line 3, entity_id: no list that is searched"),
        (f"fictional,F-007,Ann Miller,1990-01-01,{UNTIL},why\n", "line 3, name: nothing to rule out"),
        (PAIR, "line 3, entity_id: the same party and entry as in line 2"),
    ):
        result = run("import-whitelist", write(tmp_path, PAIR, bad))
        assert (result.exit_code, words in result.output) == (1, True), result.output
    assert run("import-whitelist", str(tmp_path / "none.csv")).exit_code == 1
    assert rows(compliance, "SELECT count(*) FROM rule_changes") == [(0,)]


def test_what_has_changed_since_it_was_proposed_is_proposed_anew_and_a_file_is_turned_down(
    compliance: Runtime, address: str, run: Run, tmp_path: Path
) -> None:
    run("import-whitelist", write(tmp_path, PAIR))
    run("import-whitelist", write(tmp_path, PAIR.replace(UNTIL, LATER)))
    with signed_in(address, "supervisor") as supervisor, signed_in(address, "officer") as officer:
        first, second = waiting(supervisor)
        for change_id in (first, second):
            assert answer(supervisor, change_id)[0] == 200
        assert answer(officer, second)[0] == 200
        assert answer(officer, first) == (409, "overtaken")
        assert answer(officer, first, "turn-down") == (200, "Nothing of the file is whitelisted.")
        assert waiting(officer) == []
        (pair,) = officer.http.get("/desk/api/whitelist").json()["pairs"]
        assert pair["until"][:10] == (TODAY + timedelta(days=91)).isoformat()
        # Who decides on lists decides on none of the whitelist.
        run("import-whitelist", write(tmp_path, PAIR))
        (third,) = waiting(officer)
    with signed_in(address, "administrator") as root:
        path = f"/desk/api/lists/rule-changes/{third}/confirm"
        assert root.http.post(path, headers={"X-CSRF-Token": root.csrf_token}).status_code == 404


def test_a_file_is_made_ones_own_on_the_page_and_can_be_read_before(
    ben: Desk, compliance: Runtime, run: Run, tmp_path: Path, shots: Shots
) -> None:
    run("import-whitelist", write(tmp_path, PAIR))
    ben.page.goto("/desk/whitelist?queue=proposed")
    shots.take(ben.page, "whitelist-file")
    with ben.page.expect_download() as download:
        ben.page.get_by_role("link", name="Its pairs, as CSV").click()
    assert ALIKE in Path(download.value.path()).read_text()
    ben.page.get_by_role("button", name="Propose as mine").click()
    assert "proposed in your name now" in ben.page.get_by_role("status").inner_text()
    ben.page.goto("/desk/whitelist?queue=proposed")
    assert ben.page.get_by_role("button", name="Withdraw").count() == 1
    assert ben.page.get_by_role("button", name="Confirm").count() == 0
    assert ben.complaints == []
