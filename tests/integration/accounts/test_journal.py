"""What the journal says of any moment, and that nobody can change what it says without its being seen."""

import csv
import json
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise

import pytest

from libs.common import ids, tracing
from libs.common.database import execute, transaction
from libs.common.message import Message
from libs.common.sweep import NoClaim
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.transfers import Book, Booking
from services.accounts.queries import statements
from services.accounts.views import BalanceView, StatementView, TrialBalanceView, VerificationView
from tests.integration.accounts.scene import Payment, money, opened, require_balanced
from tests.integration.accounts.test_books import Run, run, spoil
from tests.serving import Api, problem, require, rows, tell
from tests.waiting import wait_until

__all__ = ["run"]

START = datetime.now(UTC) + timedelta(days=1)
"""Later than what the scene does before."""


class Diary:
    """Ann pays Ben 1.00, 2.00, 3.00 … at noon of one day after the other."""

    def __init__(self, api: Api, days: int = 5) -> None:
        self.api = api
        self.ann, self.ben = opened(api, "100"), opened(api)
        for day in range(days):
            self.pay(day + 1, START + timedelta(days=day))

    def pay(self, amount: int, at: datetime, *, effective_at: datetime | None = None) -> None:
        booking = Booking(
            transfer_id=ids.new(),
            debit_account_id=self.ann,
            credit_account_id=self.ben,
            amount_minor=amount * 100,
            currency="EUR",
            reference=f"=day {amount}",
            effective_at=effective_at,
        )
        message = Message(message_id=ids.new(), body=Book(bookings=(booking,)), received_at=at, trace=tracing.begin())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("services.accounts.store.read_clock", lambda _: at)
            (decided,) = self.api.runtime.unit.run([message], NoClaim())
        assert decided.refusal is None and decided.error is None

    def balance(self, at: datetime, by: str = "recorded") -> str:
        path, moment = f"/v1/accounts/{self.ben}/balance", {"at": at.isoformat(), "by": by}
        answer = self.api.request("GET", path, params=moment, headers=self.api.headers(by="shop"))
        require(BalanceView, answer)
        return str(answer.json()["posted"])


@pytest.fixture
def diary(api: Api) -> Diary:
    return Diary(api)


MOMENT = timedelta(microseconds=1)


def test_a_balance_is_known_of_any_instant(diary: Diary) -> None:
    days = [START + timedelta(days=day) for day in range(5)]
    assert [diary.balance(day) for day in days] == ["1.00", "3.00", "6.00", "10.00", "15.00"]
    assert [diary.balance(day - MOMENT) for day in days] == ["0.00", "1.00", "3.00", "6.00", "10.00"]
    assert diary.balance(days[-1] + timedelta(days=99)) == "15.00"
    assert problem(diary.api.get(f"/v1/accounts/{ids.new()}/balance"))[:2] == (404, "not_found")


def test_what_was_recorded_late_counts_from_its_own_time_on(diary: Diary) -> None:
    third = START + timedelta(days=2)
    diary.pay(50, START + timedelta(days=6), effective_at=third)
    assert (diary.balance(third), diary.balance(third, "effective")) == ("6.00", "56.00")
    assert diary.balance(third - MOMENT, "effective") == "3.00"
    diary.pay(7, START + timedelta(days=7), effective_at=START + timedelta(days=30))
    late = START + timedelta(days=8)
    assert (diary.balance(late), diary.balance(late, "effective")) == ("72.00", "65.00")
    assert diary.balance(START + timedelta(days=30), "effective") == "72.00"


def test_a_statement_of_a_period_opens_where_the_one_before_closed(diary: Diary) -> None:
    edges = [START + timedelta(days=day) for day in (0, 2, 3, 9)]
    closing = "0.00"
    for start, before in pairwise(edges):
        period = {"from": start.isoformat(), "before": before.isoformat()}
        answer = diary.api.get(f"/v1/accounts/{diary.ben}/statement", **period)
        require(StatementView, answer)
        found = answer.json()
        assert found["opening"] == closing
        moved = sum(int(entry["amount"].replace(".", "")) for entry in found["entries"])
        assert int(found["closing"].replace(".", "")) == int(found["opening"].replace(".", "")) + moved
        assert found["entry_count"] == len(found["entries"])
        closing = found["closing"]
    assert closing == "15.00"


def test_a_period_in_which_nothing_happened_has_a_statement_too(diary: Diary) -> None:
    period = {"from": (START + timedelta(hours=1)).isoformat(), "before": (START + timedelta(hours=2)).isoformat()}
    found = diary.api.get(f"/v1/accounts/{diary.ben}/statement", **period).json()
    assert (found["opening"], found["closing"], found["entries"]) == ("1.00", "1.00", [])
    backwards = {"from": period["before"], "before": period["from"]}
    found = diary.api.get(f"/v1/accounts/{diary.ben}/statement", **backwards).json()
    assert (found["entry_count"], found["entries"]) == (0, [])


def test_a_statement_is_read_page_by_page(diary: Diary) -> None:
    seen, after = [], 0
    while True:
        page = diary.api.get(f"/v1/accounts/{diary.ben}/statement", after=after, limit=2).json()
        seen += [entry["number"] for entry in page["entries"]]
        assert (page["opening"], page["closing"], page["entry_count"]) == ("0.00", "15.00", 5)
        if page["next_after"] is None:
            break
        after = page["next_after"]
    assert seen == [1, 2, 3, 4, 5]


def test_a_statement_as_csv_is_what_it_is_as_json_and_no_spreadsheet_runs_it(diary: Diary) -> None:
    answer = diary.api.get(f"/v1/accounts/{diary.ben}/statement.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(StringIO(answer.text)))
    entries = diary.api.get(f"/v1/accounts/{diary.ben}/statement").json()["entries"]
    assert [(line["number"], line["amount"], line["balance"]) for line in lines] == [
        (str(entry["number"]), entry["amount"], entry["balance"]) for entry in entries
    ]
    assert {line["counterparty_account_id"] for line in lines} == {diary.ann}
    assert all(line["reference"].startswith("'=day") for line in lines)


def test_a_statement_is_given_out_as_camt_053(diary: Diary) -> None:
    answer = diary.api.get(f"/v1/accounts/{diary.ben}/statement.xml", before=(START + timedelta(days=2)).isoformat())
    assert answer.headers["content-type"] == "application/xml"
    assert answer.text.count("<Ntry>") == 2
    bitcoins = opened(diary.api, currency="BTC")
    assert problem(diary.api.get(f"/v1/accounts/{bitcoins}/statement.xml"))[:2] == (422, "cannot_be_stated")


@pytest.mark.parametrize("suffix", ["csv", "xml"])
def test_a_period_too_long_for_a_document_is_refused_and_not_cut_short(
    diary: Diary, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "ENTRIES_MAX", 4)
    answer = diary.api.get(f"/v1/accounts/{diary.ben}/statement.{suffix}")
    assert problem(answer) == (422, "period_too_long", "from")


def test_time_never_runs_backwards_in_an_accounts_books(diary: Diary) -> None:
    """A machine whose clock is behind records after what is there, so that a moment goes on having one balance."""
    diary.pay(9, START)
    found = rows(
        diary.api.runtime, "SELECT recorded_at FROM entries WHERE account_id = %s ORDER BY number", (diary.ben,)
    )
    assert found == sorted(found)
    assert diary.balance(START) == "1.00"
    assert diary.balance(START + timedelta(days=4)) == "24.00"


def test_a_statement_ends_with_the_hash_of_all_that_was_entered_until_then(diary: Diary) -> None:
    whole = diary.api.get(f"/v1/accounts/{diary.ben}/statement").json()
    assert whole["closing_hash"] == whole["entries"][-1]["hash"]
    before = (START + timedelta(days=2)).isoformat()
    part = diary.api.get(f"/v1/accounts/{diary.ben}/statement", before=before).json()
    assert part["closing_hash"] == whole["entries"][1]["hash"]


def test_a_balance_without_an_instant_is_todays(api: Api) -> None:
    ann = opened(api, "100")
    assert api.get(f"/v1/accounts/{ann}/balance").json()["posted"] == "100.00"


def test_who_asks_of_a_moment_waits_for_what_is_being_recorded_at_it(api: Api) -> None:
    """A statement that was given out must not change afterwards."""
    ann, ben = opened(api, "100"), opened(api)
    answers: list[str] = []
    with transaction(api.runtime.engine) as tx:
        execute(tx, "SELECT 1 FROM accounts WHERE account_id = %s FOR NO KEY UPDATE", (ben,))
        asking = threading.Thread(
            target=lambda: answers.append(api.get(f"/v1/accounts/{ben}/statement").json()["closing"])
        )
        asking.start()
        wait_until(lambda: bool(rows(api.runtime, "SELECT 1 FROM pg_locks WHERE NOT granted")))
        assert not answers
    asking.join(20)
    assert answers == ["0.00"]
    assert money(api, ann)[0] == "100.00"


def test_the_trial_balance_adds_up(diary: Diary) -> None:
    dollars = opened(diary.api, "70", currency="USD")
    body = {
        "debit_account_id": diary.ann,
        "credit_account_id": dollars,
        "currency": "EUR",
        "amount": "10",
        "credited_currency": "USD",
        "rate": "1.5",
    }
    assert diary.api.post("/v1/conversions", body, by="staff").status_code == 201
    assert problem(diary.api.get("/v1/trial-balance"))[:2] == (403, "forbidden")
    answer = diary.api.get("/v1/trial-balance", by="staff")
    require(TrialBalanceView, answer)
    assert answer.json()["is_balanced"]
    shown = {
        (currency["currency"], line["kind"]): (line["debit"], line["credit"], line["accounts"])
        for currency in answer.json()["currencies"]
        for line in currency["lines"]
    }
    assert shown == {
        ("EUR", "external"): ("100.00", "0.00", 1),
        ("EUR", "liquidity"): ("0.00", "10.00", 1),
        ("EUR", "customer"): ("0.00", "90.00", 2),
        ("USD", "external"): ("70.00", "0.00", 1),
        ("USD", "liquidity"): ("15.00", "0.00", 1),
        ("USD", "customer"): ("0.00", "85.00", 1),
    }


# The chain of hashes


def verified(api: Api, account_id: str) -> tuple[bool, list[tuple[str, int]]]:
    answer = api.get(f"/v1/accounts/{account_id}/verification", by="staff")
    require(VerificationView, answer)
    found = answer.json()
    return found["is_intact"], [(fault["what"], fault["number"]) for fault in found["faults"]]


def test_a_journal_that_nobody_touched_is_intact(diary: Diary, run: Run) -> None:
    payment = Payment(diary.ann, diary.ben, "30")
    tell(diary.api.runtime, payment.initiated, payment.approved)
    for account in (diary.ann, diary.ben, house_account_id(AccountKind.EXTERNAL, "EUR")):
        assert verified(diary.api, account) == (True, [])
    result = run("verify-journal")
    assert (result.exit_code, result.output) == (0, "the journal is what was written: 14 entries\n")
    assert run("verify-journal", diary.ben).output == "the journal is what was written: 6 entries\n"
    assert run("verify-journal", ids.new()).exit_code == 2
    told = json.loads(run("verify-journal", "--json").output)
    assert told == {"is_what_was_written": True, "entries": 14, "faults": []}


OTHER = "is not what was written, or its transfer is not"
TAMPERED = {
    "an amount": ("UPDATE entries SET amount_minor = 1 WHERE account_id = %s AND number = 3", OTHER, 3),
    "a balance": ("UPDATE entries SET balance_minor = 1 WHERE account_id = %s AND number = 3", OTHER, 3),
    "a hash": ("UPDATE entries SET hash = sha256('x') WHERE account_id = %s AND number = 3", OTHER, 3),
    "a time": ("UPDATE entries SET effective_at = now() WHERE account_id = %s AND number = 3", OTHER, 3),
    "its transfer": (
        "UPDATE entries SET transfer_id = '0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061' WHERE account_id = %s AND number = 3",
        "has no transfer",
        3,
    ),
    "an entry less": ("DELETE FROM entries WHERE account_id = %s AND number = 3", "is missing", 3),
    "the last entry less": ("DELETE FROM entries WHERE account_id = %s AND number = 5", "is missing at the end", 5),
    "a reference": (
        "UPDATE transfers t SET reference = 'other' FROM entries e WHERE e.account_id = %s AND e.number = 3"
        " AND e.transfer_id = t.transfer_id",
        OTHER,
        3,
    ),
    "who was paid": (
        "UPDATE transfers t SET debit_account_id = '0199a2b4-5c6d-7e8f-9a0b-1c2d3e4f5061' FROM entries e"
        " WHERE e.account_id = %s AND e.number = 3 AND e.transfer_id = t.transfer_id",
        OTHER,
        3,
    ),
    "a transfer less": (
        "DELETE FROM transfers USING entries e WHERE e.account_id = %s AND e.number = 3"
        " AND e.transfer_id = transfers.transfer_id",
        "has no transfer",
        3,
    ),
}


@pytest.mark.parametrize(("statement", "what", "number"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_changed_behind_everybodys_back_is_named_by_its_first_entry(
    diary: Diary, run: Run, statement: str, what: str, number: int
) -> None:
    spoil(diary.api.runtime, statement, diary.ben)
    assert verified(diary.api, diary.ben) == (False, [(what, number)])
    result = run("verify-journal", diary.ben)
    assert result.exit_code == 1
    assert result.stderr == f"account {diary.ben}, lane 0: entry {number} {what}\n"


def test_verifying_a_long_account_is_for_the_command(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.accounts.routes.books.VERIFIED_ENTRIES_MAX", 4)
    answer = diary.api.get(f"/v1/accounts/{diary.ben}/verification", by="staff")
    assert problem(answer) == (422, "too_many_entries", "account_id")


# Lanes


def test_who_moves_money_on_an_account_of_the_house_waits_for_nobody(api: Api) -> None:
    opened(api, "1")
    external = house_account_id(AccountKind.EXTERNAL, "EUR")
    with transaction(api.runtime.engine) as another:
        # A batch has the first two lanes, and is not done yet.
        lock = "SELECT 1 FROM accounts WHERE account_id = %s AND lane < 2 FOR UPDATE"
        assert execute(another, lock, (external,)) == 2
        ann = opened(api, "5")
    found = rows(
        api.runtime,
        "SELECT lane, posted_minor FROM accounts WHERE account_id = %s AND entry_count > 0 ORDER BY lane",
        (external,),
    )
    assert found == [(0, -100), (2, -500)]
    assert money(api, external)[0] == "-6.00"
    assert api.get(f"/v1/accounts/{external}", by="staff").json()["lanes"] == 4
    for hidden in ("", "/balance", "/statement", "/statement.csv", "/statement.xml"):
        assert problem(api.get(f"/v1/accounts/{external}{hidden}"))[:2] == (404, "not_found"), "it is for staff"
    assert {account["kind"] for account in api.get("/v1/accounts").json()["accounts"]} == {"customer"}
    assert "external" in {account["kind"] for account in api.get("/v1/accounts", by="staff").json()["accounts"]}
    for lane, entries in ((0, 1), (1, 0), (2, 1)):
        statement = api.get(f"/v1/accounts/{external}/statement", by="staff", lane=lane).json()
        assert len(statement["entries"]) == entries
    assert problem(api.get(f"/v1/accounts/{external}/statement", by="staff", lane=4))[0] == 404
    assert problem(api.get(f"/v1/accounts/{ann}/statement", lane=1))[0] == 404
    assert verified(api, external) == (True, [])
    require_balanced(api.runtime)
