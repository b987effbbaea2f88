"""A listed party with where it comes from: what an index of several lists is made of. Pure."""

from libs.common.record import Record
from services.compliance.lists.listed import ListedParty
from services.compliance.matching.scoring import USUAL, Thresholds


class SourcedParty(Record):
    """A listed party, and the list it stands on."""

    list_name: str
    import_id: int
    party: ListedParty
    thresholds: Thresholds = USUAL
