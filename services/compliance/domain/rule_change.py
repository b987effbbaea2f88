"""Changes of rules by which less may be found take two people: one proposes, another confirms. Pure.

    proposed ─┬─► adopted ─► confirmed, and so done
              └─► turned down, or withdrawn by who proposed it

They are: a list is searched no more; a version of a list has lost many entries, or asks more of a name than the one
before; countries leave the lists of the FATF, or do so sooner; pairs of a file are to be whitelisted; a scenario looks
for something else. Both people have signed in at the desk: what is said on the command line or by a program proves
nobody's person. What was proposed so is first adopted by somebody at the desk, who then is who proposed it.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.record import Record, replace
from services.compliance.domain.audit import Signature
from services.compliance.domain.people import Role


class ChangeKind(StrEnum):
    """What is to be changed."""

    IMPORT_LIST = "import_list"
    RETIRE_LIST = "retire_list"
    IMPORT_COUNTRIES = "import_countries"
    IMPORT_WHITELIST = "import_whitelist"
    SET_PARAMETERS = "set_parameters"


OF_LISTS = frozenset({ChangeKind.IMPORT_LIST, ChangeKind.RETIRE_LIST, ChangeKind.IMPORT_COUNTRIES})
OF_WHITELIST = frozenset({ChangeKind.IMPORT_WHITELIST})


_DESK_ROLES = frozenset(role.value for role in Role)


class ChangeStatus(StrEnum):
    """How far people have come with it."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    TURNED_DOWN = "turned_down"


class ChangeRefusal(StrEnum):
    """Why it is refused, in order of precedence."""

    CHANGE_UNKNOWN = "change_unknown"
    WRONG_STATUS = "wrong_status"
    OWN_PROPOSAL = "own_proposal"
    OVERTAKEN = "overtaken"


_IN_WORDS = {
    ChangeRefusal.CHANGE_UNKNOWN: "there is no such change",
    ChangeRefusal.WRONG_STATUS: "the change does not wait for that any more",
    ChangeRefusal.OWN_PROPOSAL: "another person must confirm what you have proposed",
    ChangeRefusal.OVERTAKEN: "the rules have changed since it was proposed: propose it anew",
}


class RuleChange(Record, omit_defaults=True):
    """A change that waits for a second person, or waited for one."""

    change_id: str
    kind: ChangeKind
    about: str
    """The name of the list, or the scenario."""
    said: str
    """What exactly would change, in words."""
    reason: str = ""
    live_import_id: int | None = None
    """The version of the list that was live when it was proposed; of countries 0 for those that ship."""
    content_hash: str | None = None
    """Of the pairs that are to be whitelisted: the same are not proposed twice at once."""
    based_on: str | None = None
    """The version of the parameters that it would take the place of, as it was when it was proposed."""
    values: Mapping[str, bool | int | str] | None = None
    """Of a scenario's parameters."""
    effective_from: datetime | None = None
    """Of parameters; None: from when it is confirmed."""
    proposed_by: str
    proposer_role: str = ""
    adopted_from: str | None = None
    """What was said to propose it outside the desk, before somebody there made it theirs."""
    proposed_at: datetime
    status: ChangeStatus = ChangeStatus.PROPOSED
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def is_of_desk(self) -> bool:
        """Whether who proposed it had signed in at the desk: of others nobody knows who they are."""
        return self.proposer_role in _DESK_ROLES


def confirmed(change: RuleChange | None, by: Signature, at: datetime) -> RuleChange | Refusal:
    """The change as somebody at the desk has confirmed it; proposed by them, if it came from outside the desk."""
    if change is None:
        return refusal(ChangeRefusal.CHANGE_UNKNOWN)
    if change.status is not ChangeStatus.PROPOSED:
        return refusal(ChangeRefusal.WRONG_STATUS)
    if change.is_of_desk and change.proposed_by == by.actor:
        return refusal(ChangeRefusal.OWN_PROPOSAL)
    if change.effective_from is not None and change.effective_from < at:
        return refusal(ChangeRefusal.OVERTAKEN, "the moment from which it was to hold has passed: propose it anew")
    if not change.is_of_desk:
        return replace(change, proposed_by=by.actor, proposer_role=by.role, adopted_from=change.proposed_by)
    return replace(change, status=ChangeStatus.CONFIRMED, decided_by=by.actor, decided_at=at)


def turned_down(change: RuleChange | None, by: Signature, at: datetime) -> RuleChange | Refusal:
    """The change as somebody has turned it down, or as who proposed it has withdrawn it."""
    if change is None:
        return refusal(ChangeRefusal.CHANGE_UNKNOWN)
    if change.status is not ChangeStatus.PROPOSED:
        return refusal(ChangeRefusal.WRONG_STATUS)
    return replace(change, status=ChangeStatus.TURNED_DOWN, decided_by=by.actor, decided_at=at)


def refusal(reason: ChangeRefusal, detail: str | None = None) -> Refusal:
    return Refusal(reason=reason, detail=detail or _IN_WORDS[reason])
