"""Who is signed in: sessions in the database, of which only a hash of their token is kept.

The token lives in a cookie that scripts can't read and other sites can't send. What a form or a
program sends along with every change (its CSRF token) is derived from it.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from libs.common.database import transaction
from libs.common.record import Record
from libs.common.service import Runtime
from services.compliance.desk import passwords
from services.compliance.desk.oidc import OidcFault, Person
from services.compliance.domain.audit import AuditVerb, Happening, ObjectKind, Signature
from services.compliance.domain.people import Permission, Role, may
from services.compliance.settings import ComplianceSettings
from services.compliance.store import audit, people

FAILURES_MINUTES = 15
FAILURES_OF_USER_MAX = 10
FAILURES_FROM_ADDRESS_MAX = 30
TOUCH_SECONDS = 60
"""Between two notes that a session is in use."""
TOKEN_LENGTH_MAX = 100
_NOBODY = ""
"""As whom a failure is counted before anybody has been named."""
_VOUCHED = "by the OpenID provider"


class SignInRefusal(StrEnum):
    """Why someone was not let in."""

    WRONG_PASSWORD = "wrong_password"
    TOO_MANY_FAILURES = "too_many_failures"


class DeskSession(Record):
    """A person at the desk."""

    username: str
    role: Role
    csrf_token: str
    token: str

    def happening(self, verb: AuditVerb, kind: ObjectKind, object_id: str = "", details: str = "") -> Happening:
        """What this person does now, for the audit log."""
        return self.signed.happening(datetime.now(UTC), verb, kind, object_id, details)

    @property
    def signed(self) -> Signature:
        """Who this is, for what is written down with it."""
        return Signature(actor=self.username, role=self.role.value)

    @property
    def signature(self) -> dict[str, Any]:
        """The fields of a command that say who wants it."""
        return {"actor": self.username, "role": self.role}

    def may(self, permission: Permission) -> bool:
        return may(self.role, permission)

    @property
    def home(self) -> str:
        """The page that this person's day begins with."""
        return "/desk" if self.may(Permission.SEE_CASES) else "/desk/users"


class DeskSessions:
    """Lets people in, knows them, and lets them out."""

    def __init__(self, runtime: Runtime, settings: ComplianceSettings) -> None:
        self._runtime = runtime
        self._lifetime = timedelta(hours=settings.desk_session_hours)
        self._idle = timedelta(minutes=settings.desk_idle_minutes)

    @property
    def lifetime_seconds(self) -> int:
        return int(self._lifetime.total_seconds())

    def sign_in(self, username: str, password: str, address: str) -> DeskSession | SignInRefusal:
        """Begin a session of this person's. Raises Outage."""
        now = datetime.now(UTC)
        if not self._runtime.unit.administer(lambda tx: _may_try(tx, username, address, now)):
            return SignInRefusal.TOO_MANY_FAILURES
        with transaction(self._runtime.engine) as tx:
            user = people.find_user(tx, username)
        # Outside any transaction: it takes long on purpose.
        if not passwords.is_password(password, user.password_hash if user else None) or user is None:
            self._failed(username, address, now)
            return SignInRefusal.WRONG_PASSWORD
        token = secrets.token_urlsafe(32)
        expires_at = now + self._lifetime
        session = _session(user.username, user.role, token)

        def begin(tx: Connection) -> None:
            people.save_session(tx, _hash(token), username, now, expires_at)
            audit.append(tx, session.happening(AuditVerb.SIGNED_IN, ObjectKind.DESK, details=f"from {address}"))

        self._runtime.unit.administer(begin)
        return session

    def sign_in_vouched(self, person: Person, address: str) -> DeskSession:
        """Begin a session of somebody whom a provider vouches for, in the role that it names. Raises OidcFault, Outage.

        A name is the first one's who came with it: nobody else gets it, whatever the provider calls them later. And
        whoever came with a name keeps it: under another they would be a second person, who confirms what the first
        proposed.
        """
        now, token = datetime.now(UTC), secrets.token_urlsafe(32)
        session = _session(person.username, person.role, token)

        def begin(tx: Connection) -> None:
            vouched = people.find_vouched(tx, person.subject)
            if vouched is not None and vouched != person.username:
                raise OidcFault(f"you are {vouched} at the desk, and the provider calls you {person.username} now")
            known = people.lock_user(tx, person.username)
            if known is None:
                people.save_oidc_user(tx, person.username, person.subject, person.role)
                audit.append(tx, session.happening(AuditVerb.USER_ADDED, ObjectKind.USER, person.username, _VOUCHED))
            elif known.oidc_subject != person.subject:
                raise OidcFault(f"the name {person.username} is somebody else's at the desk")
            elif known.is_disabled:
                raise OidcFault(f"{person.username} may not sign in any more")
            elif known.role is not person.role:
                people.save_role(tx, person.username, person.role)
                said = f"{person.role.value}, was {known.role.value}, {_VOUCHED}"
                audit.append(tx, session.happening(AuditVerb.ROLE_CHANGED, ObjectKind.USER, person.username, said))
            people.save_session(tx, _hash(token), person.username, now, now + self._lifetime)
            said = f"from {address}, {_VOUCHED}"
            audit.append(tx, session.happening(AuditVerb.SIGNED_IN, ObjectKind.DESK, details=said))

        self._runtime.unit.administer(begin)
        return session

    def may_be_vouched(self, address: str) -> bool:
        """Whether not too many have failed to sign in from an address, by whatever way. Raises Outage."""
        now = datetime.now(UTC)
        with transaction(self._runtime.engine) as tx:
            return _failures_from(tx, address, now) < FAILURES_FROM_ADDRESS_MAX

    def not_vouched(self, address: str, why: str) -> None:
        """Count it, and put it down, that somebody is not let in by the provider; no more than may fail. Raises Outage.

        Nobody needs to be anybody for that: unbounded, it would fill the audit log.
        """
        now = datetime.now(UTC)
        details = f"from {address}, by the provider: {why}"
        happening = Signature(actor="", role="").happening(
            now, AuditVerb.SIGN_IN_FAILED, ObjectKind.DESK, details=details
        )

        def fail(tx: Connection) -> None:
            people.lock_failures(tx)
            if _failures_from(tx, address, now) < FAILURES_FROM_ADDRESS_MAX:
                people.save_failure(tx, _NOBODY, address, now, now - timedelta(minutes=FAILURES_MINUTES))
                audit.append(tx, happening)

        self._runtime.unit.administer(fail)

    def _failed(self, username: str, address: str, now: datetime) -> None:
        happening = Happening(
            at=now,
            actor=username,
            role="",
            verb=AuditVerb.SIGN_IN_FAILED.value,
            object_kind=ObjectKind.DESK,
            details=f"from {address}",
        )
        self.put_down(happening)

    def put_down(self, happening: Happening) -> None:
        """Put something in the audit log that is not part of any other change. Raises Outage."""
        self._runtime.unit.administer(lambda tx: audit.append(tx, happening))

    def find(self, token: str, *, is_persons_doing: bool = True) -> DeskSession | None:
        """Whose session a token is, if it still lasts; what a page asks by itself doesn't prolong it. Raises Outage."""
        if len(token) > TOKEN_LENGTH_MAX:
            return None
        now, token_hash = datetime.now(UTC), _hash(token)
        with transaction(self._runtime.engine) as tx:
            stored = people.find_session(tx, token_hash)
        if stored is None or stored.expires_at <= now or stored.seen_at + self._idle <= now:
            return None
        if is_persons_doing and stored.seen_at + timedelta(seconds=TOUCH_SECONDS) <= now:
            self._runtime.unit.administer(lambda tx: people.touch_session(tx, token_hash, now))
        return _session(stored.username, stored.role, token)

    def sign_out(self, token: str) -> None:
        """End a session. Raises Outage."""

        session = self.find(token)

        def end(tx: Connection) -> None:
            people.end_session(tx, _hash(token))
            if session is not None:
                audit.append(tx, session.happening(AuditVerb.SIGNED_OUT, ObjectKind.DESK))

        self._runtime.unit.administer(end)


def _may_try(tx: Connection, username: str, address: str, now: datetime) -> bool:
    """Whether there were not too many failures; this attempt counts as one until it succeeds.

    Else as many attempts as come at once would all be let through before the first of them has failed.
    """
    since = now - timedelta(minutes=FAILURES_MINUTES)
    people.lock_failures(tx)
    of_user, from_address = people.count_failures(tx, username, address, since)
    if of_user >= FAILURES_OF_USER_MAX or from_address >= FAILURES_FROM_ADDRESS_MAX:
        return False
    people.save_failure(tx, username, address, now, since)
    return True


def _failures_from(tx: Connection, address: str, now: datetime) -> int:
    return people.count_failures(tx, _NOBODY, address, now - timedelta(minutes=FAILURES_MINUTES))[1]


def new_form_token() -> str:
    """What ties a sign-in form to the browser it was shown in, before there is a session."""
    return secrets.token_urlsafe(32)


def csrf_token_of(token: str) -> str:
    """What has to come along with every change that this token's owner asks for."""
    return hashlib.blake2b(b"csrf", key=token.encode()[:64], digest_size=32).hexdigest()


def is_csrf_token(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), csrf_token_of(token).encode())


def _session(username: str, role: Role, token: str) -> DeskSession:
    return DeskSession(username=username, role=role, csrf_token=csrf_token_of(token), token=token)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
