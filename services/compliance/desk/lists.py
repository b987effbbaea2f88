"""Lists at the desk: their versions, what changed between two, imports by upload, and an end to a list."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Form, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from libs.common.batch import Refusal
from libs.common.card_numbers import without_card_numbers
from libs.common.fields import Id
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import list_changes, list_queries, rescreening
from services.compliance.defaults.countries import ListingsFault
from services.compliance.desk import guard, render
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.people import Permission
from services.compliance.domain.rule_change import OF_LISTS, ChangeKind, ChangeRefusal, ChangeStatus, RuleChange
from services.compliance.importing import (
    ListFormat,
    import_countries,
    import_list,
    parse_list,
    read_countries,
)
from services.compliance.lists.listed import ListFault
from services.compliance.lists.ofac import ADD_FILE, ALT_FILE, SDN_FILE
from services.compliance.matching.scoring import BLOCK_NAME_SCORE, PAIR_SCORE, REVIEW_SCORE
from services.compliance.settings import ComplianceSettings
from services.compliance.store import audit, rule_changes

PATH = f"{guard.PATH}/lists"
IMPORT_PATHS = (f"{PATH}/imports", f"{guard.PATH}/api/lists/imports")
"""Where lists are sent to: here a body may be larger than elsewhere."""
BODY_BYTES_MAX = 64 * 1024 * 1024
"""Three times the largest real list; more is for the command line."""
FILES_MAX = 3
FILE_NAME_LENGTH_MAX = 200

VersionNumber = Annotated[int, Query(ge=1, le=2**63 - 1)]
CsrfToken = Annotated[str | None, Header()]


class Target(StrEnum):
    """What a file is to become."""

    LIST = "list"
    COUNTRIES = "countries"
    """The FATF's lists of countries."""


class ChangeVerb(StrEnum):
    """What can be done with a change that was proposed."""

    CONFIRM = "confirm"
    TURN_DOWN = "turn-down"


class Lists:
    """Imports and retires lists, each in one transaction with its entry in the audit log. Raises Problem and Outage."""

    def __init__(self, runtime: Runtime) -> None:
        assert isinstance(runtime.settings, ComplianceSettings)
        self._runtime = runtime
        self._shrink_max = runtime.settings.shrink_max

    async def take_in(self, request: Request, form: FormData, by: DeskSession) -> str:
        """Import what was uploaded; return what that came to, in words."""
        files = {
            name_of(part): await part.read()
            for part in form.getlist("file")
            if isinstance(part, UploadFile) and part.filename
        }
        return await run_in_threadpool(self._import, files, form, by)

    def _import(self, files: Mapping[str, bytes], form: FormData, by: DeskSession) -> str:
        if not files:
            raise _unfit("choose a file", "file")
        try:
            if form.get("target") == Target.COUNTRIES:
                return self._import_countries(files, by)
            return self._import_list(files, form, by)
        except (ListFault, ListingsFault) as fault:
            name = str(form.get("name") or "the list")[:40]
            happening = by.happening(AuditVerb.REFUSED, ObjectKind.LIST, name, f"import: {fault}")
            self._runtime.unit.administer(lambda tx: audit.append(tx, happening))
            raise _unfit(f"{name} stays as it was: {fault}", "file") from fault

    def _import_list(self, files: Mapping[str, bytes], form: FormData, by: DeskSession) -> str:
        name = str(form.get("name") or "").strip().lower()
        file = parse_list(files, _format(form))
        review, block = _score(form, "review"), _score(form, "block")
        imported = self._runtime.unit.administer(
            lambda tx: import_list(
                tx,
                name,
                file,
                by=by.signed,
                shrink_max=self._shrink_max,
                review=review,
                block=block,
                is_forced=form.get("force") == "yes",
            )
        )
        return f"{imported}."

    def _import_countries(self, files: Mapping[str, bytes], by: DeskSession) -> str:
        if len(files) != 1:
            raise _unfit("the lists of countries are one file", "file")
        ((name, content),) = files.items()
        imported = read_countries(name, content, by=by.signed)
        done = str(self._runtime.unit.administer(lambda tx: import_countries(tx, imported, by=by.signed)))
        return f"{done[:1].upper()}{done[1:]}."

    def retire(self, name: str, by: DeskSession) -> str:
        """Propose that a list is searched no more; return that in words."""
        change = self._runtime.unit.administer(lambda tx: list_changes.propose_retirement(tx, name, by=by.signed))
        if change is None:
            raise Problem(HTTPStatus.NOT_FOUND, "list_unknown", f"there is no list {name}", field="name")
        return f"{name} is searched until another person confirms that it is to be retired."

    def rescreen(self, by: DeskSession) -> str:
        """Have everybody looked up again; return that in words."""
        count = self._runtime.unit.administer(lambda tx: rescreening.rescreen(tx, by=by.signed))
        return f"{rescreening.in_words(count)}."

    def decide(self, verb: ChangeVerb, change_id: str, by: DeskSession) -> str:
        """Confirm what another has proposed, or turn it down; return what that came to, in words."""
        change = decide_change(self._runtime, verb, change_id, by)
        if verb is ChangeVerb.TURN_DOWN:
            return f"{change.about} stays as it is."
        if change.status is ChangeStatus.PROPOSED:
            return f"{change.about} stays as it is: this is proposed in your name now, and another person confirms it."
        if change.kind is ChangeKind.IMPORT_COUNTRIES:
            return "The lists of countries are in force as was proposed."
        is_import = change.kind is ChangeKind.IMPORT_LIST
        return f"{change.about} is {'live as was proposed' if is_import else 'searched no more'}."


def decide_change(
    runtime: Runtime,
    verb: ChangeVerb,
    change_id: str,
    by: DeskSession,
    *,
    kinds: frozenset[ChangeKind] = OF_LISTS,
    of: ObjectKind = ObjectKind.LIST,
) -> RuleChange:
    """Confirm what another has proposed, or turn it down. Raises Problem, and has that on record, where it is refused.

    `kinds`: those that are decided there; `of`: what they are about, in the audit log.
    """
    decided = list_changes.confirm if verb is ChangeVerb.CONFIRM else list_changes.turn_down
    change = runtime.unit.administer(lambda tx: decided(tx, change_id, by=by.signed, kinds=kinds))
    if not isinstance(change, Refusal):
        return change
    happening = by.happening(AuditVerb.REFUSED, of, change_id, f"{verb.value}: {change.reason}")
    runtime.unit.administer(lambda tx: audit.append(tx, happening))
    is_unknown = change.reason == ChangeRefusal.CHANGE_UNKNOWN
    raise Problem(HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.CONFLICT, change.reason, change.detail)


def name_of(part: UploadFile) -> str:
    """The name of a file that was sent, as it may be kept: without what is no sign, or the number of a card."""
    signs = "".join(sign for sign in part.filename or "" if sign.isprintable())
    return without_card_numbers(signs)[:FILE_NAME_LENGTH_MAX]


def _format(form: FormData) -> ListFormat | None:
    given = form.get("format")
    if not given:
        return None
    if given not in set(ListFormat):
        raise _unfit("there is no such format", "format")
    return ListFormat(str(given))


def _score(form: FormData, name: str) -> float | None:
    """A threshold as the form gives it; None if it doesn't. Raises Problem for one that is none."""
    given = str(form.get(name) or "").strip()
    if not given:
        return None
    try:
        score = float(given)
    except ValueError:
        score = -1.0
    if not PAIR_SCORE <= score <= 1:
        raise _unfit(f"a score from {PAIR_SCORE} to 1", name)
    return score


def _unfit(detail: str, field: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "list_unfit", detail, field=field)


def routes(runtime: Runtime, sessions: DeskSessions) -> list[APIRouter]:
    """/desk/lists and /desk/api/lists."""
    return [_pages(runtime, sessions), _programs(runtime, sessions)]


def _pages(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    router = APIRouter(prefix=PATH, route_class=guard.PageRoute, include_in_schema=False)
    lists, manages = Lists(runtime), guard.allow(sessions, Permission.MANAGE_LISTS)
    sees = guard.allow(sessions, Permission.SEE_LISTS, ObjectKind.LISTS)

    def shown(
        person: DeskSession, *, status: HTTPStatus = HTTPStatus.OK, notice: str = "", fault: str = ""
    ) -> Response:
        return render.page(
            "lists.html",
            status=status,
            person=person,
            versions=list_queries.list_versions(runtime.engine),
            countries=list_queries.list_country_versions(runtime.engine),
            formats=list(ListFormat),
            ofac_files=(SDN_FILE, ALT_FILE, ADD_FILE),
            scores=(PAIR_SCORE, REVIEW_SCORE, BLOCK_NAME_SCORE),
            changes=rule_changes.list_waiting(runtime.engine, OF_LISTS),
            notice=notice,
            fault=fault,
        )

    async def done(person: DeskSession, work: Callable[[], Any]) -> Response:
        try:
            notice = await work()
        except Problem as problem:
            return await run_in_threadpool(shown, person, status=problem.status, fault=problem.detail)
        return await run_in_threadpool(shown, person, notice=notice)

    @router.get("")
    def show(person: DeskSession = sees) -> Response:
        """Every version that is kept of every list."""
        return shown(person)

    @router.get("/changes")
    def show_changes(before: VersionNumber, after: VersionNumber, person: DeskSession = sees) -> Response:
        """What one version has that another has not."""
        found = list_queries.find_changes(runtime.engine, before, after)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "version_unknown", "These are not two versions of one list.")
        old, new, changes = found
        return render.page(
            "list_changes.html",
            person=person,
            old=old,
            new=new,
            changes=changes,
            shown_max=list_queries.CHANGES_SHOWN_MAX,
        )

    # The form is read by hand, when it is known whose it is: nobody else has a large body taken in.
    @router.post("/imports")
    async def take_in(request: Request, person: DeskSession = manages) -> Response:
        """Import a list."""
        async with request.form(max_files=FILES_MAX, max_fields=20) as form:
            guard.require_csrf_token(person, _word(form, "csrf_token"))
            return await done(person, lambda: lists.take_in(request, form, person))

    @router.post("/rescreen")
    async def rescreen(csrf_token: Annotated[str, Form()] = "", person: DeskSession = manages) -> Response:
        """Have everybody looked up again, though no list has changed."""
        guard.require_csrf_token(person, csrf_token)
        return await done(person, lambda: run_in_threadpool(lists.rescreen, person))

    @router.post("/{name}/retire")
    async def retire(name: str, csrf_token: Annotated[str, Form()] = "", person: DeskSession = manages) -> Response:
        """Propose that a list is searched no more."""
        guard.require_csrf_token(person, csrf_token)
        return await done(person, lambda: run_in_threadpool(lists.retire, name, person))

    def add(verb: ChangeVerb) -> None:
        @router.post(f"/rule-changes/{{change_id}}/{verb}")
        async def decide(
            change_id: Id, csrf_token: Annotated[str, Form()] = "", person: DeskSession = manages
        ) -> Response:
            """Confirm what another has proposed, or turn it down."""
            guard.require_csrf_token(person, csrf_token)
            return await done(person, lambda: run_in_threadpool(lists.decide, verb, change_id, person))

    for verb in ChangeVerb:
        add(verb)
    return router


def _programs(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    router = guard.programs(f"{guard.PATH}/api/lists")
    lists, manages = Lists(runtime), guard.allow(sessions, Permission.MANAGE_LISTS)
    sees = guard.allow(sessions, Permission.SEE_LISTS, ObjectKind.LISTS)

    @router.get("")
    def list_versions(person: DeskSession = sees) -> Mapping[str, Any]:
        """Every version that is kept of every list, and which of them are live."""
        return {
            "versions": msgspec.to_builtins(list_queries.list_versions(runtime.engine)),
            "countries": msgspec.to_builtins(list_queries.list_country_versions(runtime.engine)),
        }

    @router.get("/changes")
    def list_changes(before: VersionNumber, after: VersionNumber, person: DeskSession = sees) -> Mapping[str, Any]:
        """What one version of a list has that another has not: how much, and the first of each kind."""
        found = list_queries.find_changes(runtime.engine, before, after)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "version_unknown", "these are not two versions of one list")
        shown: Mapping[str, Any] = msgspec.to_builtins(found[2])
        return shown

    @router.post("/imports", status_code=HTTPStatus.CREATED)
    async def take_in(
        request: Request, person: DeskSession = manages, x_csrf_token: CsrfToken = None
    ) -> Mapping[str, str]:
        """Import a list, or with target=countries the FATF's, as multipart/form-data: name, file (up to three)."""
        guard.require_csrf_token(person, x_csrf_token)
        async with request.form(max_files=FILES_MAX, max_fields=20) as form:
            return {"detail": await lists.take_in(request, form, person)}

    @router.post("/rescreen")
    def rescreen(person: DeskSession = manages, x_csrf_token: CsrfToken = None) -> Mapping[str, str]:
        """Have everybody looked up again, though no list has changed."""
        guard.require_csrf_token(person, x_csrf_token)
        return {"detail": lists.rescreen(person)}

    @router.post("/{name}/retire")
    def retire(name: str, person: DeskSession = manages, x_csrf_token: CsrfToken = None) -> Mapping[str, str]:
        """Propose that a list is searched no more."""
        guard.require_csrf_token(person, x_csrf_token)
        return {"detail": lists.retire(name, person)}

    @router.get("/rule-changes")
    def list_waiting(person: DeskSession = sees) -> Mapping[str, Any]:
        """Changes of lists that wait for a second person."""
        return {"changes": msgspec.to_builtins(rule_changes.list_waiting(runtime.engine, OF_LISTS))}

    def add(verb: ChangeVerb) -> None:
        @router.post(f"/rule-changes/{{change_id}}/{verb}")
        def decide(change_id: Id, person: DeskSession = manages, x_csrf_token: CsrfToken = None) -> Mapping[str, str]:
            """Confirm what another has proposed, or turn it down."""
            guard.require_csrf_token(person, x_csrf_token)
            return {"detail": lists.decide(verb, change_id, person)}

    for verb in ChangeVerb:
        add(verb)
    return router


def _word(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) else None
