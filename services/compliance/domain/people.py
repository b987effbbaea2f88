"""Who works at the desk, as what, and what each role may do. Pure.

    role           may
    analyst        see cases and work on them: take, propose, note, put off, escalate
    supervisor     … and confirm or return a proposal, assign a case to another, reopen one that has ended, silence
                   a scenario about a customer
    officer        … and write and approve filings, and see them and the audit log, and say what
                   scenarios look for: the compliance officer
    auditor        see everything, and change nothing
    administrator  say who may sign in, as what, and which lists are searched; sees no case, decides nothing

A role says what a person may ask for. That a second *person* decides is the cases' own rule (`acts.confirm`): it goes
by who someone is, so that no change of role lets anybody confirm what they have proposed themselves.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

SYSTEM = "weir"
"""Who acted when no person did."""
USERNAME = re.compile(r"[a-z][a-z0-9_.-]{1,39}")


class Role(StrEnum):
    """What someone is at the desk."""

    ANALYST = "analyst"
    SUPERVISOR = "supervisor"
    OFFICER = "officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a route of the desk takes."""

    BE_SIGNED_IN = "be_signed_in"
    SEE_CASES = "see_cases"
    WORK_CASES = "work_cases"
    CONFIRM = "confirm"
    ASSIGN = "assign"
    REOPEN = "reopen"
    SEE_FILINGS = "see_filings"
    FILE = "file"
    """Write, approve, hand in and withdraw reports to the authorities."""
    SEE_AUDIT = "see_audit"
    SEE_USERS = "see_users"
    MANAGE_USERS = "manage_users"
    EXPORT = "export"
    """Take a whole case out of the desk, for an examiner."""
    SEE_OVERVIEW = "see_overview"
    """What waits for how long, and what is decided in time."""
    SEE_LISTS = "see_lists"
    MANAGE_LISTS = "manage_lists"
    SILENCE = "silence"
    """Leave a customer alone by a scenario for a time."""
    SET_PARAMETERS = "set_parameters"
    """Say what scenarios look for."""


_ANALYST = frozenset({Permission.BE_SIGNED_IN, Permission.SEE_CASES, Permission.WORK_CASES, Permission.SEE_LISTS})
_SUPERVISOR = _ANALYST | {
    Permission.CONFIRM,
    Permission.ASSIGN,
    Permission.REOPEN,
    Permission.SILENCE,
    Permission.SEE_OVERVIEW,
    Permission.EXPORT,
}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ANALYST: _ANALYST,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.OFFICER: _SUPERVISOR
    | {Permission.SEE_FILINGS, Permission.FILE, Permission.SEE_AUDIT, Permission.SET_PARAMETERS},
    Role.AUDITOR: frozenset(
        {
            Permission.BE_SIGNED_IN,
            Permission.SEE_CASES,
            Permission.SEE_FILINGS,
            Permission.SEE_AUDIT,
            Permission.SEE_USERS,
            Permission.SEE_LISTS,
            Permission.SEE_OVERVIEW,
            Permission.EXPORT,
        }
    ),
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.BE_SIGNED_IN,
            Permission.SEE_USERS,
            Permission.MANAGE_USERS,
            Permission.SEE_LISTS,
            Permission.MANAGE_LISTS,
        }
    ),
}


def may(role: Role, permission: Permission) -> bool:
    """Whether someone in this role may ask for this."""
    return permission in PERMISSIONS[role]


_RANKS = {Role.ANALYST: 1, Role.SUPERVISOR: 2, Role.OFFICER: 3}
"""Of those who work on cases, who a case is passed up to."""


def is_up_to(role: Role, escalated_to: Role | None) -> bool:
    """Whether someone in this role may have a case that was passed up so far."""
    return rank_of(role) >= (1 if escalated_to is None else rank_of(escalated_to))


def rank_of(role: Role) -> int:
    """The higher, the more may be passed up to it; 0 for those who have no cases."""
    return _RANKS.get(role, 0)


def is_username(text: str) -> bool:
    """Whether a person may be called so. What is done without anybody is signed with a name that nobody may have."""
    return USERNAME.fullmatch(text) is not None and text != SYSTEM


class UserRefusal(StrEnum):
    """Why something is not done about a user."""

    USERNAME_INVALID = "username_invalid"
    USER_EXISTS = "user_exists"
    USER_UNKNOWN = "user_unknown"
    ROLE_BY_PROVIDER = "role_by_provider"
    """Of whom the OpenID provider vouches for it says the role, at each sign-in: what was set here would not last."""
    OWN_ACCOUNT = "own_account"
    """Nobody gives themselves rights, or locks the last administrator out."""
