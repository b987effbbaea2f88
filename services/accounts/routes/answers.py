"""What the routes answer alike: one command carried out or refused, something found or not."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from libs.common.batch import Refusal
from libs.common.edge import Respond
from libs.common.http import Caller, Problem, answer_json, answer_problem
from libs.common.idempotency import Answer
from services.accounts import queries
from services.accounts.domain.chart import house_accounts
from services.accounts.domain.ledger import Ledger
from services.accounts.domain.refusals import UNKNOWN

OK, CREATED, NOT_FOUND = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NOT_FOUND
PAGE_LENGTH_MAX = 500

T = TypeVar("T")


def answer_one(status: HTTPStatus, view: Callable[[Ledger], dict[str, Any]], *, in_path: str | None = None) -> Respond:
    """The answer to a single command: what it led to, or why it was refused.

    `in_path` is the field that the path names: if there is none with that id, it is not found. What a body names and
    isn't there is in the way like any other state of the books.
    """

    def answer(ledger: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is None:
            return answer_json(status, view(ledger))
        is_not_found = refusal.reason in UNKNOWN and refusal.field == in_path
        refused = NOT_FOUND if is_not_found else HTTPStatus.CONFLICT
        return answer_problem(Problem(refused, refusal.reason, refusal.detail, field=refusal.field))

    return answer


def answer_each(name: str, views: Sequence[Callable[[Ledger], dict[str, Any]]]) -> Respond:
    """The answer to several commands, in their order: what each led to, or why it was refused."""

    def answer(ledger: Ledger, refusals: Sequence[Refusal | None]) -> Answer:
        results = [
            view(ledger) if refusal is None else refused_view(refusal)
            for view, refusal in zip(views, refusals, strict=True)
        ]
        return answer_json(OK, {name: results})

    return answer


def answer_account(status: HTTPStatus, account_id: str, *, in_path: str | None = None) -> Respond:
    return answer_one(status, lambda ledger: queries.account_view(ledger.accounts[account_id]), in_path=in_path)


def refused_view(refusal: Refusal) -> dict[str, Any]:
    return {"status": "refused", "reason": refusal.reason, "detail": refusal.detail, "field": refusal.field}


def found(result: T | None, field: str) -> T:
    """What was asked about. Raises Problem if there is none."""
    if result is None:
        raise Problem(NOT_FOUND, "not_found", "there is none with this id", field=field)
    return result


def require_visible(account_id: str, who: Caller) -> None:
    """An account of the house is there for staff alone. Raises Problem."""
    if account_id in house_accounts() and not who.client.is_staff:
        found(None, "account_id")
