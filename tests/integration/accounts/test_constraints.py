"""The ledger's invariants hold even against psql: each is violated by hand, as the service's own role, and refused."""

from typing import Any

import psycopg
import pytest

from libs.common import ids
from libs.common.service import Runtime
from schemas.payments.events import RefundRequested
from services.accounts.domain.chart import AccountKind, house_account_id
from tests.integration.accounts.scene import NOW, Payment, money, opened, require_balanced
from tests.serving import Api, rows, tell


class Books:
    """Ann has 100.00, of which 30.00 are held for Ben and 10.00 have been paid to him."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ann, self.ben, self.dollars = opened(api, "100"), opened(api), opened(api, currency="USD")
        held, posted, declined = (Payment(self.ann, self.ben, amount) for amount in ("30", "10", "500"))
        tell(api.runtime, held.initiated, posted.initiated, posted.approved, declined.initiated)
        self.held, self.posted, self.declined = held.payment_id, posted.payment_id, declined.payment_id
        self.external = house_account_id(AccountKind.EXTERNAL, "EUR")
        self.new, self.next = ids.new(), ids.new()

    @property
    def runtime(self) -> Runtime:
        return self.api.runtime

    def run(self, statement: str) -> None:
        """Run statements in one transaction, as the service's own role. `:name` stands for an attribute's value."""
        for name in ("ann", "ben", "dollars", "held", "posted", "declined", "external", "new", "next"):
            statement = statement.replace(f":{name}", f"'{getattr(self, name)}'")
        with psycopg.connect(self.runtime.settings.database_dsn) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def books(api: Api) -> Books:
    return Books(api)


TRANSFER = """
INSERT INTO transfers (transfer_id, kind, debit_account_id, credit_account_id, amount_minor, currency, effective_at,
                       recorded_at) VALUES (:new, 'funding', :external, :ann, 500, '{currency}', now(), now());
"""


HASH = "decode(repeat('ab', 32), 'hex')"


def in_turn(*legs: str, currency: str = "EUR", moved: str = "") -> str:
    """A funding of Ann's of 5.00 by hand: what becomes of the balances, and its entries."""
    return TRANSFER.format(currency=currency) + moved + entries(*legs)


def entries(*legs: str) -> str:
    columns = "account_id, number, transfer_id, amount_minor, balance_minor, effective_at, recorded_at, hash"
    values = ", ".join(f"({leg}, now(), now(), {HASH})" for leg in legs)
    return f"INSERT INTO entries ({columns}) VALUES {values};"


def transfer(*legs: str, currency: str = "EUR", moved: str = "") -> str:
    """The same as one statement, as the service writes: triggers look when all of it is done."""
    return at_once(in_turn(*legs, currency=currency, moved=moved))


NEWEST = f"entry_hash = {HASH}, recorded_at = now()"
DEBIT, CREDIT = ":external, 2, :new, -500, -10500", ":ann, 3, :new, 500, 9500"
MOVED = f"""
UPDATE accounts SET posted_minor = posted_minor - 500, entry_count = entry_count + 1, {NEWEST}
 WHERE account_id = :external AND lane = 0;
UPDATE accounts SET posted_minor = posted_minor + 500, entry_count = entry_count + 1, {NEWEST}
 WHERE account_id = :ann;
"""


def at_once(statements: str) -> str:
    *others, last = [statement for statement in map(str.strip, statements.split(";")) if statement]
    return f"WITH {', '.join(f'w{n} AS ({other})' for n, other in enumerate(others))} {last}"


def test_what_is_done_right_by_hand_is_taken(books: Books) -> None:
    """Else what follows would prove nothing."""
    books.run(transfer(DEBIT, CREDIT, moved=MOVED))
    assert money(books.api, books.ann) == ("95.00", "30.00", "65.00")
    require_balanced(books.runtime)


BEYOND_FLOOR = "UPDATE accounts SET held_minor = posted_minor + 1 WHERE account_id = :ann"
VIOLATIONS = {
    "a hold of more than is available": BEYOND_FLOOR,
    "a balance below its floor": "UPDATE accounts SET floor_minor = 9000 WHERE account_id = :ann",
    "less than nothing held": "UPDATE accounts SET held_minor = -1 WHERE account_id = :ann",
    "a closed account with money": "UPDATE accounts SET status = 'closed' WHERE account_id = :ann",
    "a state that does not exist": "UPDATE accounts SET status = 'lost' WHERE account_id = :ann",
    "a kind that does not exist": "UPDATE accounts SET kind = 'petty cash' WHERE account_id = :external",
    "a balance above its ceiling": "UPDATE accounts SET ceiling_minor = 8999 WHERE account_id = :ann",
    "an account of the house with a floor": "UPDATE accounts SET floor_minor = -99999 WHERE account_id = :external",
    "a customer's account in lanes": "UPDATE accounts SET lane = 1 WHERE account_id = :ben",
    "less spent in a month than on its day": (
        "UPDATE accounts SET spent_month_minor = spent_day_minor - 1 WHERE account_id = :ann"
    ),
    "an account given to another customer": """
        UPDATE accounts SET customer_id = (SELECT customer_id FROM accounts WHERE account_id = :ben)
         WHERE account_id = :ann
        """,
    "an account of the house given to a customer": """
        UPDATE accounts SET kind = 'customer', tier = 3, floor_minor = 0,
               customer_id = (SELECT customer_id FROM accounts WHERE account_id = :ben)
         WHERE account_id = :external AND lane = 1
        """,
    "an account in another currency": "UPDATE accounts SET currency = 'BTC' WHERE account_id = :ben",
    "a customer's account without a floor": "UPDATE accounts SET floor_minor = NULL WHERE account_id = :ann",
    "a customer's account without limits": "UPDATE accounts SET tier = NULL WHERE account_id = :ann",
    "an account deleted": "DELETE FROM accounts WHERE account_id = :dollars",
    "the accounts emptied": "TRUNCATE accounts",
    "a hold deleted": "DELETE FROM holds WHERE hold_id = :held",
    "a hold of another amount": "UPDATE holds SET amount_minor = amount_minor + 1 WHERE hold_id = :held",
    "a hold for somebody else": "UPDATE holds SET creditor_account_id = :dollars WHERE hold_id = :held",
    "the refunds emptied": "TRUNCATE refunds",
    "a transfer without entries": TRANSFER.format(currency="EUR"),
    "a transfer entered twice": (
        transfer(DEBIT, CREDIT, moved=MOVED)
        + ";"
        + at_once(MOVED + entries(":external, 3, :new, -500, -11000", ":ann, 4, :new, 500, 10000"))
    ),
    "the hash of the newest entry changed": f"UPDATE accounts SET entry_hash = {HASH} WHERE account_id = :ann",
    "a customer's account without a customer": "UPDATE accounts SET customer_id = NULL WHERE account_id = :ann",
    "a customer that does not exist": "UPDATE accounts SET customer_id = :new WHERE account_id = :ann",
    "a balance changed without an entry": "UPDATE accounts SET posted_minor = posted_minor + 1 WHERE account_id = :ann",
    "entries counted that do not exist": "UPDATE accounts SET entry_count = entry_count + 1 WHERE account_id = :ann",
    "a balance set back to an earlier one": (
        "UPDATE accounts SET entry_count = 1, posted_minor = 10000 WHERE account_id = :ann"
    ),
    "an account opened with money from nowhere": """
        INSERT INTO accounts (account_id, customer_id, kind, currency, status, posted_minor, held_minor, entry_count,
                              entry_hash, spent_day_minor, spent_month_minor, sequence)
        SELECT :new, customer_id, kind, 'CHF', status, 500, 0, 1, '', 0, 0, 1 FROM accounts WHERE account_id = :ann
        """,
    "an entry changed": "UPDATE entries SET amount_minor = 1 WHERE account_id = :ann",
    "an entry deleted": "DELETE FROM entries WHERE account_id = :ann",
    "the entries emptied": "TRUNCATE entries",
    "a transfer changed": "UPDATE transfers SET amount_minor = 1",
    "a transfer deleted": "DELETE FROM transfers",
    "the transfers emptied": "TRUNCATE transfers",
    "an entry without a transfer": f"""
        INSERT INTO entries (account_id, number, transfer_id, amount_minor, balance_minor, effective_at, recorded_at,
                             hash)
        VALUES (:ann, 3, :new, 500, 9500, now(), now(), {HASH})
        """,
    "an entry recorded before the one it follows": transfer(DEBIT, CREDIT, moved=MOVED).replace(
        "now()", "timestamptz '2020-01-01'"
    ),
    "an entry of another time than its transfer's": transfer(DEBIT, CREDIT, moved=MOVED).replace(
        "500, 9500, now()", "500, 9500, now() - interval '1 day'"
    ),
    "an entry without a hash": transfer(DEBIT, CREDIT, moved=MOVED).replace(HASH, "''"),
    "an account that has another hash than its newest entry": transfer(
        DEBIT, CREDIT, moved=MOVED.replace("'ab'", "'cd'")
    ),
    "one leg": transfer(CREDIT, moved=MOVED),
    "two legs that do not balance": transfer(DEBIT, ":ann, 3, :new, 501, 9501", moved=MOVED),
    "a transfer of which the balances are written first, and then the entries": in_turn(DEBIT, CREDIT, moved=MOVED),
    "balances without entries": at_once(MOVED),
    "the same leg twice": transfer(CREDIT, ":ann, 4, :new, 500, 10000", moved=MOVED),
    "legs on other accounts than the transfer's": transfer(DEBIT, ":ben, 2, :new, 500, 1500", moved=MOVED),
    "an entry whose balance is not the one before and its amount": transfer(
        DEBIT, ":ann, 3, :new, 500, 9999", moved=MOVED
    ),
    "an entry that leaves a number out": transfer(DEBIT, ":ann, 4, :new, 500, 9500", moved=MOVED),
    "entries of one statement that leave a number out between them": at_once(
        TRANSFER.format(currency="EUR").replace(":new", ":next")
        + in_turn(
            DEBIT,
            ":external, 3, :next, -500, -11000",
            ":ann, 3, :new, 500, 9500",
            ":ann, 5, :next, 500, 10000",
            moved=f"""
UPDATE accounts SET posted_minor = posted_minor - 1000, entry_count = entry_count + 2, {NEWEST}
 WHERE account_id = :external AND lane = 0;
UPDATE accounts SET posted_minor = posted_minor + 1000, entry_count = entry_count + 3, {NEWEST}
 WHERE account_id = :ann;
""",
        )
    ),
    "an entry with a number that is taken": transfer(DEBIT, ":ann, 2, :new, 500, 9500", moved=MOVED),
    "entries without the balances they lead to": transfer(DEBIT, CREDIT),
    "money in a currency that the accounts don't hold": transfer(DEBIT, CREDIT, currency="USD", moved=MOVED),
    "a transfer of nothing": TRANSFER.format(currency="EUR").replace("500", "0"),
    "a transfer to itself": TRANSFER.format(currency="EUR").replace(":external", ":ann"),
    "a payment moved without its id": TRANSFER.format(currency="EUR").replace("funding", "payment"),
    "a hold without end": "UPDATE holds SET expires_at = NULL WHERE hold_id = :held",
    "a hold of nothing": "UPDATE holds SET amount_minor = 0 WHERE hold_id = :held",
    "a hold of less than nothing": "UPDATE holds SET amount_minor = -1 WHERE hold_id = :declined",
    "money posted without a transfer": ("UPDATE holds SET status = 'posted', expires_at = NULL WHERE hold_id = :held"),
    "money declined without a reason": "UPDATE holds SET decline_reason = NULL WHERE hold_id = :declined",
    "more posted than was held": "UPDATE holds SET posted_minor = amount_minor + 1 WHERE hold_id = :posted",
    "more of a fee posted than was held": "UPDATE holds SET posted_fee_minor = fee_minor + 1 WHERE hold_id = :posted",
    "money posted of which nothing has moved": "UPDATE holds SET posted_minor = 0 WHERE hold_id = :posted",
    "more refunded than was posted": "UPDATE holds SET refunded_minor = posted_minor + 1 WHERE hold_id = :posted",
    "a refund moved without a transfer": (
        "INSERT INTO refunds (refund_id, payment_id, amount_minor, status, sequence)"
        " VALUES (:new, :posted, 5, 'posted', 1)"
    ),
    "a reversal of nothing": TRANSFER.format(currency="EUR").replace("funding", "reversal"),
    "a capture of no hold": TRANSFER.format(currency="EUR").replace("funding", "capture"),
    "a second hold for one payment": "INSERT INTO holds SELECT * FROM holds WHERE hold_id = :held",
    "money said to be posted that has not moved": "UPDATE holds SET posted_minor = 1 WHERE hold_id = :held",
    "a payment said to be posted that has not moved": """
        UPDATE holds SET status = 'posted', posted_minor = amount_minor, transfer_id = :new, expires_at = NULL
         WHERE hold_id = :held
        """,
    "money said to be blocked that has not moved": """
        UPDATE holds SET status = 'blocked', transfer_id = :new, expires_at = NULL WHERE hold_id = :held
        """,
    "money said to be refunded that has not moved": "UPDATE holds SET refunded_minor = 1 WHERE hold_id = :posted",
    "a hold that has ended opened again": """
        UPDATE holds SET status = 'held', expires_at = now() + interval '1 day' WHERE hold_id = :posted
        """,
    "a hold added as posted that has not moved": """
        INSERT INTO holds (hold_id, kind, debtor_account_id, creditor_account_id, amount_minor, fee_minor, currency,
                           status, posted_minor, posted_fee_minor, refunded_minor, transfer_id, sequence)
        SELECT :new, kind, debtor_account_id, creditor_account_id, amount_minor, fee_minor, currency, status,
               posted_minor, posted_fee_minor, refunded_minor, transfer_id, 1 FROM holds WHERE hold_id = :posted
        """,
    "a refund by a transfer that does not exist": """
        INSERT INTO refunds (refund_id, payment_id, amount_minor, status, transfer_id, sequence)
        VALUES (:new, :posted, 5, 'posted', :next, 1)
        """,
    "a refund by a payment's own transfer": """
        INSERT INTO refunds (refund_id, payment_id, amount_minor, status, transfer_id, sequence)
        SELECT :new, hold_id, posted_minor, 'posted', transfer_id, 1 FROM holds WHERE hold_id = :posted
        """,
}


@pytest.mark.parametrize("statement", VIOLATIONS.values(), ids=VIOLATIONS)
def test_the_database_refuses(books: Books, statement: str) -> None:
    before = contents(books)
    with pytest.raises(psycopg.IntegrityError) as refused:
        books.run(statement)
    assert (refused.value.sqlstate or "").startswith("23"), "poison, by the words of libs/common/errors.py"
    assert contents(books) == before
    require_balanced(books.runtime)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holds SET refunded_minor = 0 WHERE hold_id = :posted",
        "UPDATE holds SET refunded_minor = refunded_minor - 1 WHERE hold_id = :posted",
        "UPDATE holds SET refunded_minor = refunded_minor + 1 WHERE hold_id = :posted",
        "UPDATE refunds SET amount_minor = 1",
        """INSERT INTO refunds (refund_id, payment_id, amount_minor, status, transfer_id, sequence)
           SELECT :new, payment_id, amount_minor + 1, status, transfer_id, 1 FROM refunds""",
    ],
)
def test_what_was_given_back_is_given_back_once_whatever_is_tried_by_hand(books: Books, statement: str) -> None:
    first, second = (refund_of(books, amount_minor) for amount_minor in (8_00, 3_00))
    tell(books.runtime, first)
    before = contents(books)
    with pytest.raises(psycopg.IntegrityError):
        books.run(statement)
    assert contents(books) == before
    tell(books.runtime, second)
    assert money(books.api, books.ben)[0] == "2.00", "of ten eight are back, and three more there are not"
    require_balanced(books.runtime)


def refund_of(books: Books, amount_minor: int) -> RefundRequested:
    return RefundRequested(
        refund_id=ids.new(),
        payment_id=books.posted,
        debtor_account_id=books.ann,
        creditor_account_id=books.ben,
        amount_minor=amount_minor,
        currency="EUR",
        requested_at=NOW,
    )


def contents(books: Books) -> list[Any]:
    return [
        rows(books.runtime, f"SELECT count(*), md5(string_agg(t::text, ';' ORDER BY t::text)) FROM {table} t")
        for table in ("accounts", "holds", "refunds", "transfers", "entries")
    ]


def test_what_constraints_cant_see_the_check_of_the_books_names(books: Books) -> None:
    """That what is held is the sum of the holds is not for the database to say: the check finds it."""
    books.run("UPDATE accounts SET held_minor = held_minor - 1 WHERE account_id = :ann")
    found = books.api.get("/v1/books", by="staff").json()
    assert not found["is_balanced"]
    assert found["balances_differing_from_holds"] == [
        {"account_id": books.ann, "kept_minor": 2999, "computed_minor": 3000}
    ]
