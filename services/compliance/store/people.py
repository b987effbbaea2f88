"""Who may work at the desk, their sessions, and failed attempts to become them."""

from datetime import datetime

from sqlalchemy import Connection

from libs.common.database import execute, fetch
from libs.common.record import Record
from services.compliance.domain.people import Role

FORGOTTEN_MAX = 1_000


class DeskUser(Record):
    """A person who may work at the desk."""

    username: str
    password_hash: str
    role: Role


class StoredSession(Record):
    """A session, and when it was last used."""

    username: str
    role: Role
    seen_at: datetime
    expires_at: datetime


def save_user(tx: Connection, username: str, password_hash: str, role: Role) -> None:
    """Let a person in with this password, in place of any they had; whoever is signed in as them is not any more."""
    execute(
        tx,
        """INSERT INTO desk_users (username, password_hash, role) VALUES (%s, %s, %s)
           ON CONFLICT (username) DO UPDATE
             SET password_hash = excluded.password_hash, role = excluded.role, disabled_at = NULL""",
        (username, password_hash, role.value),
    )
    end_sessions(tx, username)


def find_role(tx: Connection, username: str) -> Role | None:
    """What a person is, whether let in or not; None if there is none of that name."""
    rows = fetch(tx, "SELECT role FROM desk_users WHERE username = %s FOR UPDATE", (username,))
    return Role(rows[0][0]) if rows else None


def save_role(tx: Connection, username: str, role: Role) -> None:
    """Make a person something else; they sign in anew."""
    execute(tx, "UPDATE desk_users SET role = %s WHERE username = %s", (role.value, username))
    end_sessions(tx, username)


def disable(tx: Connection, username: str) -> bool:
    """Let a person in no more; False if there is none of that name."""
    end_sessions(tx, username)
    return execute(tx, "UPDATE desk_users SET disabled_at = now() WHERE username = %s", (username,)) == 1


def find_workers(tx: Connection, usernames: set[str]) -> dict[str, Role]:
    """Those of some people who are let in, with their roles."""
    if not usernames:
        return {}
    rows = fetch(
        tx,
        "SELECT username, role FROM desk_users WHERE username = ANY(%s) AND disabled_at IS NULL",
        (sorted(usernames),),
    )
    return {username: Role(role) for username, role in rows}


def find_user(tx: Connection, username: str) -> DeskUser | None:
    """A person who is let in with a password."""
    rows = fetch(
        tx,
        """SELECT username, password_hash, role FROM desk_users
            WHERE username = %s AND disabled_at IS NULL AND oidc_subject IS NULL""",
        (username,),
    )
    return DeskUser(username=rows[0][0], password_hash=rows[0][1], role=Role(rows[0][2])) if rows else None


class KnownUser(Record):
    """A person as an administrator or a provider made them."""

    role: Role
    oidc_subject: str | None
    is_disabled: bool


def lock_user(tx: Connection, username: str) -> KnownUser | None:
    """A person, whether let in or not; None if there is none of that name."""
    rows = fetch(
        tx,
        "SELECT role, oidc_subject, disabled_at IS NOT NULL FROM desk_users WHERE username = %s FOR UPDATE",
        (username,),
    )
    return KnownUser(role=Role(rows[0][0]), oidc_subject=rows[0][1], is_disabled=rows[0][2]) if rows else None


def find_vouched(tx: Connection, oidc_subject: str) -> str | None:
    """The user name of a person by the provider's own name for them, whether let in or not; None if there is none."""
    rows = fetch(tx, "SELECT username FROM desk_users WHERE oidc_subject = %s", (oidc_subject,))
    return rows[0][0] if rows else None


def is_vouched(tx: Connection, username: str) -> bool:
    """Whether a provider vouches for a person, and says what they are."""
    return bool(fetch(tx, "SELECT 1 FROM desk_users WHERE username = %s AND oidc_subject IS NOT NULL", (username,)))


def save_oidc_user(tx: Connection, username: str, oidc_subject: str, role: Role) -> None:
    """Let a person in whom a provider vouches for. No password is theirs."""
    execute(
        tx,
        "INSERT INTO desk_users (username, password_hash, role, oidc_subject) VALUES (%s, '!', %s, %s)",
        (username, role.value, oidc_subject),
    )


def lock_failures(tx: Connection) -> None:
    """Let one attempt at a time be counted."""
    execute(tx, "LOCK TABLE desk_failures IN SHARE ROW EXCLUSIVE MODE")


def count_failures(tx: Connection, username: str, address: str, since: datetime) -> tuple[int, int]:
    """How often someone has failed to sign in lately: as this user, and from this address."""
    ((by_user, by_address),) = fetch(
        tx,
        """SELECT (SELECT count(*) FROM desk_failures WHERE username = %s AND failed_at > %s),
                  (SELECT count(*) FROM desk_failures WHERE address = %s AND failed_at > %s)""",
        (username, since, address, since),
    )
    return int(by_user), int(by_address)


def save_failure(tx: Connection, username: str, address: str, now: datetime, forget_before: datetime) -> None:
    execute(
        tx, "INSERT INTO desk_failures (username, address, failed_at) VALUES (%s, %s, %s)", (username, address, now)
    )
    execute(tx, "DELETE FROM desk_failures WHERE failed_at < %s", (forget_before,))


def save_session(tx: Connection, token_hash: bytes, username: str, now: datetime, expires_at: datetime) -> None:
    """Begin a session; forget those that are over, and the user's failures."""
    execute(
        tx,
        """INSERT INTO desk_sessions (token_hash, username, created_at, seen_at, expires_at)
           VALUES (%s, %s, %s, %s, %s)""",
        (token_hash, username, now, now, expires_at),
    )
    execute(
        tx,
        """DELETE FROM desk_sessions WHERE token_hash IN (
             SELECT token_hash FROM desk_sessions WHERE expires_at < %s LIMIT %s)""",
        (now, FORGOTTEN_MAX),
    )
    execute(tx, "DELETE FROM desk_failures WHERE username = %s", (username,))


def find_session(tx: Connection, token_hash: bytes) -> StoredSession | None:
    rows = fetch(
        tx,
        """SELECT s.username, u.role, s.seen_at, s.expires_at
             FROM desk_sessions s JOIN desk_users u USING (username)
            WHERE s.token_hash = %s AND u.disabled_at IS NULL""",
        (token_hash,),
    )
    if not rows:
        return None
    username, role, seen_at, expires_at = rows[0]
    return StoredSession(username=username, role=Role(role), seen_at=seen_at, expires_at=expires_at)


def touch_session(tx: Connection, token_hash: bytes, now: datetime) -> None:
    execute(tx, "UPDATE desk_sessions SET seen_at = %s WHERE token_hash = %s", (now, token_hash))


def end_session(tx: Connection, token_hash: bytes) -> None:
    execute(tx, "DELETE FROM desk_sessions WHERE token_hash = %s", (token_hash,))


def end_sessions(tx: Connection, username: str) -> None:
    """Whoever is signed in as this person is not any more."""
    execute(tx, "DELETE FROM desk_sessions WHERE username = %s", (username,))
