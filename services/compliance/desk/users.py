"""Who may sign in at the desk: administrators see and change it, on a page and as JSON."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from libs.common.fields import Body
from libs.common.problems import Problem
from libs.common.service import Runtime
from services.compliance import queries
from services.compliance.desk import guard, passwords, render
from services.compliance.desk.sessions import DeskSession, DeskSessions
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.people import PERMISSIONS, Permission, Role, UserRefusal, is_username
from services.compliance.store import audit, people

_IN_WORDS = {
    UserRefusal.USERNAME_INVALID: "a user name begins with a lower-case letter, and has letters, digits and _.- after",
    UserRefusal.USER_EXISTS: "there is a user of that name already",
    UserRefusal.USER_UNKNOWN: "there is no user of that name",
    UserRefusal.ROLE_BY_PROVIDER: "the OpenID provider says what they are, at each sign-in: change it there",
    UserRefusal.OWN_ACCOUNT: "another administrator must change your account",
}
_STATUS = {
    UserRefusal.USERNAME_INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    UserRefusal.USER_EXISTS: HTTPStatus.CONFLICT,
    UserRefusal.USER_UNKNOWN: HTTPStatus.NOT_FOUND,
    UserRefusal.ROLE_BY_PROVIDER: HTTPStatus.CONFLICT,
    UserRefusal.OWN_ACCOUNT: HTTPStatus.CONFLICT,
}


class UserBody(Body):
    """Somebody new. Their password is made up."""

    username: str
    role: Role


class RoleBody(Body):
    role: Role


class Users:
    """What an administrator does about users: each in one transaction. Raises Problem, and Outage."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def add(self, by: DeskSession, username: str, role: Role) -> str:
        """Let somebody new in, and return their password, which nobody can see again."""
        if not is_username(username):
            raise _problem(UserRefusal.USERNAME_INVALID)

        def add(tx: Connection, password_hash: str) -> None:
            if people.find_role(tx, username) is not None:
                raise _problem(UserRefusal.USER_EXISTS)
            people.save_user(tx, username, password_hash, role)
            _audit(tx, by, AuditVerb.USER_ADDED, username, role.value)

        return self._with_password(add)

    def readmit(self, by: DeskSession, username: str) -> str:
        """Give somebody a new password, and let them in again if they were not any more; return it."""

        def readmit(tx: Connection, password_hash: str) -> None:
            role = _others_role(tx, by, username)
            people.save_user(tx, username, password_hash, role)
            _audit(tx, by, AuditVerb.USER_READMITTED, username, role.value)

        return self._with_password(readmit)

    def change_role(self, by: DeskSession, username: str, role: Role) -> None:
        """Make somebody something else."""

        def change(tx: Connection) -> None:
            before = _others_role(tx, by, username)
            if people.is_vouched(tx, username):
                raise _problem(UserRefusal.ROLE_BY_PROVIDER)
            people.save_role(tx, username, role)
            _audit(tx, by, AuditVerb.ROLE_CHANGED, username, f"{role.value}, was {before.value}")

        self._runtime.unit.administer(change)

    def disable(self, by: DeskSession, username: str) -> None:
        """Let somebody in no more. What they have done stays under their name, which nobody else gets."""

        def disable(tx: Connection) -> None:
            _others_role(tx, by, username)
            people.disable(tx, username)
            _audit(tx, by, AuditVerb.USER_DISABLED, username)

        self._runtime.unit.administer(disable)

    def _with_password(self, work: Callable[[Connection, str], None]) -> str:
        password = passwords.make_up()
        password_hash = passwords.hash_password(password)
        self._runtime.unit.administer(lambda tx: work(tx, password_hash))
        return password


def _audit(tx: Connection, by: DeskSession, verb: AuditVerb, username: str, details: str = "") -> None:
    audit.append(tx, by.happening(verb, ObjectKind.USER, username, details))


def _others_role(tx: Connection, by: DeskSession, username: str) -> Role:
    if username == by.username:
        raise _problem(UserRefusal.OWN_ACCOUNT)
    role = people.find_role(tx, username)
    if role is None:
        raise _problem(UserRefusal.USER_UNKNOWN)
    return role


def _problem(refusal: UserRefusal) -> Problem:
    return Problem(_STATUS[refusal], refusal.value, _IN_WORDS[refusal], field="username")


def page_routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """/desk/users."""
    router = APIRouter(prefix=f"{guard.PATH}/users", route_class=guard.PageRoute, include_in_schema=False)
    users, manages = Users(runtime), guard.allow(sessions, Permission.MANAGE_USERS)

    def shown(
        person: DeskSession, *, status: HTTPStatus = HTTPStatus.OK, notice: str = "", fault: str = "", secret: str = ""
    ) -> Response:
        return render.page(
            "users.html",
            status=status,
            person=person,
            users=queries.list_users(runtime.engine),
            permissions={role: sorted(found - {Permission.BE_SIGNED_IN}) for role, found in PERMISSIONS.items()},
            notice=notice,
            fault=fault,
            secret=secret,
        )

    async def done(person: DeskSession, csrf_token: str, work: Callable[[], str | None], notice: str) -> Response:
        guard.require_csrf_token(person, csrf_token)
        try:
            secret = await run_in_threadpool(work)
        except Problem as problem:
            return await run_in_threadpool(shown, person, status=problem.status, fault=problem.detail)
        return await run_in_threadpool(shown, person, notice=notice, secret=secret or "")

    @router.get("")
    def show_users(person: DeskSession = guard.allow(sessions, Permission.SEE_USERS, ObjectKind.USERS)) -> Response:
        """Everybody who may sign in, or might once."""
        return shown(person)

    @router.post("")
    async def add(
        username: Annotated[str, Form(max_length=40)],
        role: Annotated[Role, Form()],
        csrf_token: Annotated[str, Form()] = "",
        person: DeskSession = manages,
    ) -> Response:
        """Let somebody new in."""
        name = username.strip().lower()
        return await done(person, csrf_token, lambda: users.add(person, name, role), f"{name} may sign in.")

    @router.post("/{username}/role")
    async def change_role(
        username: str,
        role: Annotated[Role, Form()],
        csrf_token: Annotated[str, Form()] = "",
        person: DeskSession = manages,
    ) -> Response:
        """Make somebody something else."""
        change = f"{username} is {role.value} now."
        return await done(person, csrf_token, lambda: users.change_role(person, username, role), change)

    @router.post("/{username}/disable")
    async def disable(
        username: str, csrf_token: Annotated[str, Form()] = "", person: DeskSession = manages
    ) -> Response:
        """Let somebody in no more."""
        return await done(
            person, csrf_token, lambda: users.disable(person, username), f"{username} may not sign in any more."
        )

    @router.post("/{username}/readmit")
    async def readmit(
        username: str, csrf_token: Annotated[str, Form()] = "", person: DeskSession = manages
    ) -> Response:
        """Give somebody a new password."""
        return await done(
            person, csrf_token, lambda: users.readmit(person, username), f"{username} has a new password."
        )

    return router


def program_routes(runtime: Runtime, sessions: DeskSessions) -> APIRouter:
    """/desk/api/users."""
    router = guard.programs(f"{guard.PATH}/api/users")
    users, manages = Users(runtime), guard.allow(sessions, Permission.MANAGE_USERS)

    @router.get("")
    def list_users(
        person: DeskSession = guard.allow(sessions, Permission.SEE_USERS, ObjectKind.USERS),
    ) -> Mapping[str, Any]:
        """Everybody who may sign in, or might once."""
        return {"users": queries.list_users(runtime.engine)}

    @router.post("", status_code=HTTPStatus.CREATED)
    def add(
        body: UserBody, person: DeskSession = manages, x_csrf_token: Annotated[str | None, Header()] = None
    ) -> Mapping[str, str]:
        """Let somebody new in. The answer holds the password, which is not told again."""
        guard.require_csrf_token(person, x_csrf_token)
        return {"username": body.username, "password": users.add(person, body.username, body.role)}

    @router.post("/{username}/role")
    def change_role(
        username: str,
        body: RoleBody,
        person: DeskSession = manages,
        x_csrf_token: Annotated[str | None, Header()] = None,
    ) -> Mapping[str, str]:
        """Make somebody something else: they sign in anew."""
        guard.require_csrf_token(person, x_csrf_token)
        users.change_role(person, username, body.role)
        return {"username": username, "role": body.role.value}

    @router.post("/{username}/disable")
    def disable(
        username: str, person: DeskSession = manages, x_csrf_token: Annotated[str | None, Header()] = None
    ) -> Mapping[str, str]:
        """Let somebody in no more, and end their sessions."""
        guard.require_csrf_token(person, x_csrf_token)
        users.disable(person, username)
        return {"username": username}

    @router.post("/{username}/readmit")
    def readmit(
        username: str, person: DeskSession = manages, x_csrf_token: Annotated[str | None, Header()] = None
    ) -> Mapping[str, str]:
        """Give somebody a new password, and let them in again if they were disabled."""
        guard.require_csrf_token(person, x_csrf_token)
        return {"username": username, "password": users.readmit(person, username)}

    return router
