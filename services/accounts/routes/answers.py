"""What the routes answer alike: one command carried out or refused, something found or not."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from sqlalchemy import Engine

from libs.common import answers
from libs.common.answers import OK, found, refused_view
from libs.common.batch import Refusal
from libs.common.edge import Respond
from libs.common.http import Caller, answer_json
from libs.common.idempotency import Answer
from libs.common.service import Runtime
from libs.common.tenants import may_touch
from services.accounts import queries
from services.accounts.domain.chart import house_accounts
from services.accounts.domain.ledger import Ledger
from services.accounts.domain.limits import LimitTable
from services.accounts.domain.refusals import UNKNOWN
from services.accounts.settings import AccountsSettings


def answer_one(status: HTTPStatus, view: Callable[[Ledger], dict[str, Any]], *, in_path: str | None = None) -> Respond:
    """The answer to a single command: what it led to, or why it was refused; `in_path` as `answers.answer_one` says."""
    return answers.answer_one(status, view, unknown=UNKNOWN, in_path=in_path)


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
    def view(ledger: Ledger) -> dict[str, Any]:
        account = ledger.accounts[account_id]
        return queries.account_view(account, ledger.limits_of(account), ledger.recorded_at.date())

    return answer_one(status, view, in_path=in_path)


def limits_of(runtime: Runtime) -> LimitTable:
    """What each tier may pay."""
    assert isinstance(runtime.settings, AccountsSettings)
    return runtime.settings.limits


def is_visible(engine: Engine, account_id: str, who: Caller) -> bool:
    """Whether an account is there for who asks: of its own customers, or of the house's. Staff sees all."""
    if who.client.is_staff:
        return True
    owner = None if account_id in house_accounts() else queries.find_owner(engine, account_id)
    return owner is not None and may_touch(owner[0], who.client.tenant_id)


def require_visible(engine: Engine, account_id: str, who: Caller, *, field: str = "account_id") -> None:
    """Raises Problem if an account is not there for who asks; `field` is what was asked for."""
    found(is_visible(engine, account_id, who) or None, field)
