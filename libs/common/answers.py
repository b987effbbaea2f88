"""What routes answer alike: a command carried out or refused, something found or not."""

from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from libs.common.batch import Refusal
from libs.common.edge import Respond
from libs.common.http import answer_json, answer_problem
from libs.common.idempotency import Answer
from libs.common.problems import Problem

OK, CREATED, NOT_FOUND = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NOT_FOUND
PAGE_LENGTH_MAX = 500

T = TypeVar("T")


def answer_one(
    status: HTTPStatus,
    view: Callable[[Any], dict[str, Any]],
    *,
    unknown: Collection[str] = (),
    in_path: str | None = None,
) -> Respond:
    """The answer to a single command: what it led to, or why it was refused.

    `unknown` are the reasons that say there is no such thing, `in_path` is the field that the path names: if there is
    none with that id, it is not found. What a body names and isn't there is in the way like any other state.
    """

    def answer(state: Any, refusals: Sequence[Refusal | None]) -> Answer:
        (refusal,) = refusals
        if refusal is None:
            return answer_json(status, view(state))
        is_not_found = refusal.reason in unknown and refusal.field == in_path
        refused = NOT_FOUND if is_not_found else HTTPStatus.CONFLICT
        return answer_problem(Problem(refused, refusal.reason, refusal.detail, field=refusal.field))

    return answer


def refused_view(refusal: Refusal) -> dict[str, Any]:
    """One of several commands that was refused."""
    return {"status": "refused", "reason": refusal.reason, "detail": refusal.detail, "field": refusal.field}


def found(result: T | None, field: str) -> T:
    """What was asked about. Raises Problem if there is none."""
    if result is None:
        raise Problem(NOT_FOUND, "not_found", "there is none with this id", field=field)
    return result
