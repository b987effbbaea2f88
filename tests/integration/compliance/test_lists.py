"""Importing lists on real parts: all at once or not at all, and every customer looked at again."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from libs.common.batch import Refusal
from libs.common.database import fetch
from libs.common.record import replace
from libs.common.service import Runtime
from libs.common.writes import writing
from schemas.accounts.events import CustomerClosed
from schemas.compliance.events import CaseOpened, ComplianceScreened, CustomerRestricted, CustomerVerified
from services.compliance import commands, list_changes, queries, rescreening
from services.compliance.__main__ import SERVICE
from services.compliance.domain.audit import Signature
from services.compliance.domain.rule_change import OF_LISTS, RuleChange
from services.compliance.matching.screening import MATCHER_VERSION
from services.compliance.store import customers, lists, rule_changes
from tests.deciding import decide
from tests.integration.compliance.scene import (
    ALIKE,
    NOW,
    case_of,
    initiated,
    interventions,
    order,
    registered,
    rows,
    suspended,
)
from tests.serving import told

Run = Callable[..., Result]
MARK = 1
"""Once a version: that payments are looked back at up to the last."""

HEADER = "entity_id,kind,name,aliases,weak_aliases,birth_dates,countries,programme,remarks\n"
FIRST = HEADER + "1,person,Tortov Grimbel,,,,,,\n2,person,Malvana Sproot,,,,,,\n3,person,Ogdun Fenwrick,,,,,,\n"


@pytest.fixture
def run(compliance: Runtime, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The service's command line, on the database of these tests."""
    monkeypatch.setenv("WEIR_DATABASE_URL", compliance.settings.database_dsn)

    def run(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(commands.app(SERVICE), words, input=given)

    def retire_own(tx: Connection) -> None:
        lists.lock_catalogue(tx)
        lists.retire(tx, "own")

    compliance.unit.administer(retire_own)
    return run


def write(folder: Path, content: str) -> str:
    path = folder / "own.csv"
    path.write_text(content)
    return str(path)


def live(runtime: Runtime) -> dict[str, int]:
    return {found["list_name"]: found["parties"] for found in queries.list_lists(runtime.engine)}


def outcomes(runtime: Runtime, names: Sequence[str]) -> list[str]:
    events = [initiated(order(creditor=name)) for name in names]
    decide(runtime, *events)
    found = dict(rows(runtime, "SELECT payment_id, outcome FROM screenings"))
    return [found[event.payment_id] for event in events]


def test_an_imported_list_is_searched_at_once_and_a_retired_one_no_more(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    assert outcomes(compliance, ["Tortov Grimbel"]) == ["clear"]
    result = run("import-list", "own", write(tmp_path, FIRST))
    assert result.exit_code == 0, result.output
    assert "3 entries" in result.output
    assert outcomes(compliance, ["Tortov Grimbel"]) == ["block"]
    assert "own: version" in run("lists").output
    assert "until another person confirms" in run("retire-list", "own").output
    assert interventions(compliance)[:2] == ["retire-list", "import-list"]
    assert outcomes(compliance, ["Tortov Grimbel"]) == ["block"]
    confirm(compliance)
    assert outcomes(compliance, ["Tortov Grimbel"]) == ["clear"]
    assert run("retire-list", "own").exit_code == 1


def test_everybody_is_looked_up_again_on_demand(compliance: Runtime, run: Run) -> None:
    served, closed = registered("Ann Miller"), registered("Ben Baker")
    decide(compliance, served, closed, CustomerClosed(customer_id=closed.customer_id, closed_at=NOW))
    version = "SELECT catalogue_version FROM customers WHERE customer_id = %s"
    before = rows(compliance, version, served.customer_id)
    told = run("rescreen")
    assert (told.exit_code, "1 customer will be looked up again" in told.output) == (0, True), told.output
    compliance.figures.run_once(NOW)
    assert compliance.metrics.get_sample_value("compliance_customers_outdated") == 1
    compliance.sweep.run_once()
    compliance.figures.run_once(NOW)
    assert compliance.metrics.get_sample_value("compliance_customers_outdated") == 0
    assert rows(compliance, version, served.customer_id) > before
    log = "SELECT role, object_kind, details FROM audit_entries WHERE verb = 'rescreening_ordered'"
    assert rows(compliance, log) == [("operator", "lists", rescreening.in_words(1))]


def confirm(runtime: Runtime) -> None:
    """Agree, as another person, to all that waits for one."""
    for name in ("eve", "adam"):
        # What came from the command line is eve's, once she has made it hers.
        by = Signature(actor=name, role="administrator")
        for change in rule_changes.list_waiting(runtime.engine, OF_LISTS):
            decided = runtime.unit.administer(partial(list_changes.confirm, change_id=change.change_id, by=by))
            assert isinstance(decided, RuleChange), decided
    assert rule_changes.list_waiting(runtime.engine, OF_LISTS) == []


def test_who_has_proposed_a_change_of_a_list_does_not_confirm_it(compliance: Runtime, run: Run, tmp_path: Path) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    root, adam = (Signature(actor=name, role="administrator") for name in ("root", "adam"))

    def decide_on(by: Signature, change: RuleChange) -> str:
        found = compliance.unit.administer(lambda tx: list_changes.confirm(tx, change.change_id, by=by))
        return found.reason if isinstance(found, Refusal) else found.status

    proposals = [
        compliance.unit.administer(lambda tx: list_changes.propose_retirement(tx, "own", by=root)) for _ in range(2)
    ]
    first, second = (change for change in proposals if change is not None)
    assert decide_on(root, first) == "own_proposal"
    assert live(compliance)["own"] == 3
    assert decide_on(adam, first) == "confirmed"
    assert decide_on(adam, first) == "wrong_status"
    assert decide_on(adam, second) == "overtaken"
    assert "own" not in live(compliance)
    turned = compliance.unit.administer(lambda tx: list_changes.turn_down(tx, second.change_id, by=root))
    assert isinstance(turned, RuleChange)
    found = rows(compliance, "SELECT verb, actor FROM audit_entries WHERE object_id = 'own' ORDER BY number")
    assert found[-4:] == [
        *(("change_proposed", "root"), ("change_proposed", "root")),
        *(("list_retired", "adam"), ("change_turned_down", "root")),
    ]


def test_a_new_version_keeps_what_a_name_must_reach_and_both_are_named(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    given = run("import-list", "own", write(tmp_path, FIRST), "--review", "0.9", "--block", "0.97")
    assert "review from 0.9 on, block from 0.97 on" in given.output
    kept = run("import-list", "own", write(tmp_path, FIRST + "4,person,Quenby Harthwaite,,,,,,\n"))
    assert "4 entries, 4 names, review from 0.9 on, block from 0.97 on" in kept.output
    assert (
        "has not changed"
        in run("import-list", "own", write(tmp_path, FIRST + "4,person,Quenby Harthwaite,,,,,,\n")).output
    )
    ((checked_at,),) = rows(compliance, "SELECT checked_at FROM list_imports WHERE list_name = 'own' AND is_live")
    assert checked_at is not None and f"the same at {checked_at}" in run("lists").output
    checked = "SELECT count(*) FROM audit_entries WHERE verb = 'list_checked' AND object_id = 'own'"
    assert rows(compliance, checked) == [(1,)]
    lower = run("import-list", "own", write(tmp_path, FIRST), "--block", "0.85")
    assert (lower.exit_code, "a review from 0.9 on, at most what may block: 0.85" in lower.output) == (1, True)
    other = run("import-list", "own", write(tmp_path, FIRST), "--review", "0.8")
    assert "review from 0.8 on, block from 0.97 on" in other.output
    stored = "SELECT review_score, block_score FROM list_imports WHERE list_name = 'own' AND is_live"
    assert rows(compliance, stored) == [(0.8, 0.97)]
    entries = rows(
        compliance,
        "SELECT details FROM audit_entries WHERE verb = 'list_imported' AND object_id = 'own' "
        "ORDER BY number DESC LIMIT 2",
    )
    assert [details.partition(", review ")[2] for (details,) in entries] == [
        "from 0.8 on, block from 0.97 on, was review from 0.9 on, block from 0.97 on",
        "from 0.9 on, block from 0.97 on",
    ]


def test_a_list_imported_while_the_lists_are_loaded_is_searched_from_then_on(
    compliance: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    imported: list[Result] = []

    def fetch_and_import(tx: Connection, statement: str, *parameters: Any) -> list[Any]:
        found = fetch(tx, statement, *parameters)
        if "JOIN listed_parties" in statement and not imported:
            imported.append(run("import-list", "own", write(tmp_path, FIRST + "4,person,Quenby Harthwaite,,,,,,\n")))
        return found

    monkeypatch.setattr("services.compliance.store.lists.fetch", fetch_and_import)
    assert outcomes(compliance, ["Tortov Grimbel"]) == ["block"]
    assert "4 entries" in imported[0].output
    assert outcomes(compliance, ["Quenby Harthwaite"]) == ["block"]


def test_a_broken_file_leaves_the_old_version_live_and_names_the_place(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    before = rows(compliance, "SELECT import_id FROM list_imports ORDER BY 1"), live(compliance)
    result = run("import-list", "own", write(tmp_path, FIRST[:-20]))
    assert result.exit_code == 1
    assert "stays as it was: line 4" in result.output
    assert (rows(compliance, "SELECT import_id FROM list_imports ORDER BY 1"), live(compliance)) == before


def test_a_list_that_has_lost_most_of_its_entries_is_not_believed_unless_forced(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    shrunk = write(tmp_path, "\n".join(FIRST.splitlines()[:2]) + "\n")
    result = run("import-list", "own", shrunk)
    assert result.exit_code == 1
    assert "1 entries where the live version has 3" in result.output
    assert "until another person confirms" in run("import-list", "own", shrunk, "--force").output
    assert live(compliance)["own"] == 3
    confirm(compliance)
    assert live(compliance)["own"] == 1
    assert rows(compliance, "SELECT count(*) FROM rule_change_contents") == [(0,)]


def entries(*numbers: int) -> str:
    return HEADER + "".join(f"{number},person,Tortov Grimbel{number},,,,,,\n" for number in numbers)


def test_many_small_steps_and_entries_in_place_of_others_are_held_against_what_was(
    compliance: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "KEPT_VERSIONS", 1)
    versions = [(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), (3, 4, 5, 6, 7, 8, 9, 10), (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)]
    for version in versions:
        assert run("import-list", "own", write(tmp_path, entries(*version))).exit_code == 0
    result = run("import-list", "own", write(tmp_path, entries(5, 6, 7, 8, 9, 10, 11, 12, 13)))
    assert (result.exit_code, "6 entries where version" in result.output) == (1, True)
    shrunk = write(tmp_path, entries(5, 6, 7, 8, 9, 10, 11, 12, 13))
    assert "until another person confirms" in run("import-list", "own", shrunk, "--force").output
    confirm(compliance)
    # From what two have agreed to it is counted anew.
    assert run("import-list", "own", write(tmp_path, entries(7, 8, 9, 10, 11, 12, 13))).exit_code == 0
    compliance.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE list_imports SET replaced_at = replaced_at - interval '91 days'")
    )
    assert run("import-list", "own", write(tmp_path, entries(9, 10, 11, 12, 13))).exit_code == 0


def test_a_list_that_has_lost_most_of_its_other_names_is_not_believed_either(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    run("import-list", "own", write(tmp_path, HEADER + "1,person,Tortov Grimbel,Tortov the Tall|Grimbelov,,,,,\n"))
    result = run("import-list", "own", write(tmp_path, HEADER + "1,person,Tortov Grimbel,,,,,,\n"))
    assert result.exit_code == 1
    assert "1 names where the live version has 3" in result.output


def test_the_same_file_is_read_anew_only_if_forced(compliance: Runtime, run: Run, tmp_path: Path) -> None:
    """A newer Weir may read more out of it."""
    run("import-list", "own", write(tmp_path, FIRST))
    ((version,),) = rows(compliance, "SELECT version FROM catalogue")
    assert "is live as version" in run("import-list", "own", write(tmp_path, FIRST), "--force").output
    assert rows(compliance, "SELECT version FROM catalogue") > [(version,)]


def test_the_same_file_again_changes_nothing(compliance: Runtime, run: Run, tmp_path: Path) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    ((version,),) = rows(compliance, "SELECT version FROM catalogue")
    done = interventions(compliance)
    assert "has not changed" in run("import-list", "own", write(tmp_path, FIRST)).output
    assert interventions(compliance) == done
    assert rows(compliance, "SELECT version FROM catalogue") == [(version,)]


def test_a_list_that_asks_for_more_is_searched_again_by_what_it_asks(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    assert outcomes(compliance, ["Tortof Grimbell"]) == ["review"]
    assert (
        "until another person confirms"
        in run("import-list", "own", write(tmp_path, FIRST), "--review", "0.99", "--block", "0.99").output
    )
    assert outcomes(compliance, ["Tortof Grimbell"]) == ["review"]
    confirm(compliance)
    assert outcomes(compliance, ["Tortof Grimbell"]) == ["clear"]
    assert (
        "has not changed"
        in run("import-list", "own", write(tmp_path, FIRST), "--review", "0.99", "--block", "0.99").output
    )


def test_what_listed_parties_own_is_searched_while_they_are_listed(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "owners.csv").write_text("owner,owned,percent\nTortov Grimbel,Quandrix Mills GmbH,50\n")
    run("import-list", "own", write(tmp_path, FIRST))
    run("import-list", "owners", str(tmp_path / "owners.csv"))
    assert outcomes(compliance, ["Quandrix Mills GmbH"]) == ["block"]
    run("retire-list", "own")
    confirm(compliance)
    assert outcomes(compliance, ["Quandrix Mills GmbH"]) == ["clear"]
    run("retire-list", "owners")
    confirm(compliance)


def test_a_file_of_names_is_screened_against_the_imported_lists(run: Run, tmp_path: Path) -> None:
    run("import-list", "own", write(tmp_path, FIRST))
    (tmp_path / "names.csv").write_text("name\nTortov Grimbel\nJane Plainwoman\n")
    result = run("screen", "--names", str(tmp_path / "names.csv"), "--output", str(tmp_path / "out.csv"))
    assert "2 screened: 1 clear, 0 review, 1 block" in result.output


def test_a_missing_file_and_a_bad_name_are_told(run: Run, tmp_path: Path) -> None:
    assert run("import-list", "own", str(tmp_path / "nothing.csv")).exit_code == 1
    assert "lower-case" in run("import-list", "Own List", write(tmp_path, FIRST)).output


def test_when_a_list_changes_every_customer_is_looked_at_again(compliance: Runtime, run: Run, tmp_path: Path) -> None:
    ann, tortov, alike = registered("Ann Miller"), registered("Tortov Grimbel"), registered("Malvana Sprut")
    gone = registered("Tortov Grimbel")
    decide(compliance, ann, tortov, alike, gone)
    assert [type(event) for event in told(compliance)] == [CustomerVerified] * 4
    decide(compliance, CustomerClosed(customer_id=gone.customer_id, closed_at=datetime.now(UTC)))
    run("import-list", "own", write(tmp_path, FIRST))
    assert compliance.sweep.run_once() == 3 + MARK, "all but the one that is closed"
    news = told(compliance)[4:]
    assert {event.customer_id for event in news if isinstance(event, CustomerRestricted)} == {
        tortov.customer_id,
        alike.customer_id,
    }
    assert {event.customer_id for event in news if isinstance(event, CaseOpened)} == {
        tortov.customer_id,
        alike.customer_id,
    }
    assert compliance.sweep.run_once() == 0


def test_a_payment_that_waits_for_people_is_looked_at_again_when_a_list_changes(
    compliance: Runtime, run: Run, tmp_path: Path
) -> None:
    event = initiated(order(creditor="Tortov Grimbel"))
    decide(compliance, suspended(event, "clear"), registered("Ann Miller"))
    assert compliance.sweep.run_once() == MARK
    assert compliance.sweep.run_once() == 0
    decide(compliance, event, initiated())
    assert compliance.sweep.run_once() == 1
    assert compliance.sweep.run_once() == 0
    run("import-list", "own", write(tmp_path, FIRST))
    looked_back_at = 2
    assert compliance.sweep.run_once() == 2 + looked_back_at + MARK
    answers = [found for found in told(compliance) if isinstance(found, ComplianceScreened)]
    assert [found.outcome for found in answers if found.payment_id == event.payment_id] == ["clear", "block"]
    screening, case = (
        queries.find_screening(compliance.engine, event.payment_id),
        queries.find_case(compliance.engine, case_of(event)),
    )
    assert screening is not None and case is not None
    assert [role.verdict.hits[0].listed_name for role in screening.roles] == ["Tortov Grimbel"]
    assert case.is_about_listed_party
    assert [act.kind for act in queries.list_acts(compliance.engine, case.case_id)] == ["opened", "evidence_changed"]
    assert compliance.sweep.run_once() == 0


def test_when_the_matcher_changes_every_customer_is_looked_at_again(compliance: Runtime) -> None:
    ann, alike = registered("Ann Miller"), registered(ALIKE)
    decide(compliance, ann, alike)
    assert compliance.sweep.run_once() == MARK

    def age(tx: Connection) -> None:
        found = customers.lock_customers(tx, {ann.customer_id, alike.customer_id})
        older = [replace(customer, matcher_version=MATCHER_VERSION - 1) for customer in found.values()]
        with writing(tx) as writes:
            writes.update(customers.CUSTOMERS, map(customers.customer_row, older))

    compliance.unit.administer(age)
    assert compliance.sweep.run_once() == 2
    assert rows(compliance, "SELECT DISTINCT matcher_version FROM customers") == [(MATCHER_VERSION,)]
    assert compliance.sweep.run_once() == 0


def test_only_the_newest_versions_of_a_list_are_kept(
    compliance: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "KEPT_VERSIONS", 2)
    for number in range(4):
        run("import-list", "own", write(tmp_path, f"{FIRST}{number + 9},person,New Entry{number},,,,,,\n"))
    # And the first, which new ones are held against.
    assert rows(compliance, "SELECT count(*) FROM list_imports WHERE list_name = 'own'") == [(3,)]
    parties = """SELECT count(DISTINCT import_id) FROM listed_parties JOIN list_imports USING (import_id)
                  WHERE list_name = 'own'"""
    assert rows(compliance, parties) == [(3,)]


def test_users_are_let_in_and_out_from_the_command_line(
    compliance: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_DESK_PASSWORD_ANALYST1", "from the environment")
    seeded = run("seed-users").output
    assert "analyst1: the password given" in seeded
    assert len(seeded.split("analyst2: ")[1].strip()) >= 16
    assert run("add-user", "carol", "--password-stdin", given="short\n").exit_code == 1
    assert run("add-user", "carol", "--password-stdin", given="").exit_code == 1
    chosen = run("add-user", "carol", "--password-stdin", given="of her own choice\n")
    assert chosen.output == "carol: the password given\n"
    assert run("add-user", "Carol!").exit_code == 1
    assert run("add-user", "carol").exit_code == 0
    assert run("disable-user", "carol").exit_code == 0
    assert run("disable-user", "nobody").exit_code == 1
    users = rows(compliance, "SELECT username, disabled_at IS NULL FROM desk_users ORDER BY 1")
    assert users == [("analyst1", True), ("analyst2", True), ("carol", False)]
    assert interventions(compliance)[:5] == ["disable-user", *4 * ["add-user"]]
