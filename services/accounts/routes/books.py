"""What can be asked about the books: statements, the trial balance, whether all of it is sound."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from libs.common import ids
from libs.common.answers import NOT_FOUND, OK, PAGE_LENGTH_MAX, found
from libs.common.fields import Filters, Id, Instant
from libs.common.http import Caller, Who
from libs.common.openapi import Responses, answering, reading
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.accounts import queries
from services.accounts.camt import CannotBeStated, statement_camt
from services.accounts.queries import reconciliation, statements, verification
from services.accounts.queries.statements import Period, Statement
from services.accounts.routes.answers import require_visible
from services.accounts.views import BooksView, StatementView, TrialBalanceView, VerificationView

VERIFIED_ENTRIES_MAX = 100_000
"""Of an account that is verified while somebody waits; larger ones are for the command."""


def add(router: APIRouter, runtime: Runtime) -> None:
    """Add the routes."""
    ask = BookRoutes(runtime)
    read = reading(NOT_FOUND)
    tags: list[Any] = ["statements"]
    path = "/accounts/{account_id}"
    router.get(f"{path}/statement", tags=tags, responses=read | answering(OK, StatementView))(ask.get_statement)
    for suffix, media_type, get in (
        ("csv", "text/csv", ask.get_statement_csv),
        ("xml", "application/xml", ask.get_statement_xml),
    ):
        document: Responses = {OK: {"content": {media_type: {}}, "description": "The whole period."}}
        router.get(f"{path}/statement.{suffix}", tags=tags, responses=read | document, response_class=Response)(get)
    tags = ["books"]
    router.get(f"{path}/verification", tags=tags, responses=read | answering(OK, VerificationView))(ask.verify)
    router.get("/trial-balance", tags=tags, responses=reading() | answering(OK, TrialBalanceView))(
        ask.get_trial_balance
    )
    router.get("/books", tags=tags, responses=reading() | answering(OK, BooksView))(ask.get_books)


class PeriodFilters(Filters):
    """Which entries of an account: those recorded from an instant until before another."""

    start: Instant | None = Field(None, alias="from", description="recorded at this instant or later")
    before: Instant | None = Field(None, description="recorded before this instant")
    lane: int = Field(0, ge=0, lt=2**15, description="of an account of the house, whose entries stand in several lanes")

    @property
    def period(self) -> Period:
        return Period(lane=self.lane, start=self.start, end=self.before)


class StatementFilters(PeriodFilters):
    """Which page of them."""

    after: int = Field(0, ge=0, lt=2**62, description="`next_after` of the page before")
    limit: int = Field(100, ge=1, le=PAGE_LENGTH_MAX)


class BookRoutes:
    def __init__(self, runtime: Runtime) -> None:
        self._engine = runtime.engine

    def get_statement(self, account_id: Id, who: Who, filters: Annotated[StatementFilters, Query()]) -> dict[str, Any]:
        """An account's entries over a period in order, with the balance after each, before all and after all."""
        require_visible(self._engine, account_id, who)
        page = statements.statement(self._engine, account_id, filters.period, after=filters.after, limit=filters.limit)
        return statements.statement_view(found(page, "account_id"))

    def get_statement_csv(self, account_id: Id, who: Who, filters: Annotated[PeriodFilters, Query()]) -> Response:
        """The same as CSV, whole: a period of at most ten thousand entries."""
        text = statements.statement_csv(self._whole(account_id, filters.period, who))
        return Response(text, media_type="text/csv")

    def get_statement_xml(self, account_id: Id, who: Who, filters: Annotated[PeriodFilters, Query()]) -> Response:
        """The same as ISO 20022 camt.053.001.08, whole: a period of at most ten thousand entries."""
        statement = self._whole(account_id, filters.period, who)
        try:
            document = statement_camt(statement, message_id=ids.new().replace("-", ""), created_at=datetime.now(UTC))
        except CannotBeStated as error:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "cannot_be_stated", str(error), field="account_id"
            ) from error
        return Response(document, media_type="application/xml")

    def verify(self, account_id: Id, who: Who) -> dict[str, Any]:
        """Compute every hash of an account's entries anew, and name the first entry that does not fit."""
        found(queries.find_owner(self._engine, account_id), "account_id")
        verified = verification.verify_account(self._engine, account_id, entries_max=VERIFIED_ENTRIES_MAX)
        if verified is None:
            words = f"it has more than {VERIFIED_ENTRIES_MAX} entries: use the command verify-journal"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "too_many_entries", words, field="account_id")
        return verification.verified_view(verified)

    def get_trial_balance(self, who: Who) -> dict[str, Any]:
        """Every line of the chart of accounts with its balance, by currency: each adds up to zero."""
        return queries.trial_balance(self._engine)

    def get_books(self, who: Who) -> dict[str, Any]:
        """Whether the books balance: everything recomputed from the transfers and entries."""
        return reconciliation.check_books(self._engine)

    def _whole(self, account_id: str, period: Period, who: Caller) -> Statement:
        require_visible(self._engine, account_id, who)
        try:
            return found(statements.whole_statement(self._engine, account_id, period), "account_id")
        except statements.TooLong as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "period_too_long", str(error), field="from") from error
