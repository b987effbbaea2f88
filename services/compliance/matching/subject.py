"""Who is asked about: a party to be compared with listed ones, as far as it is known. Pure."""

from libs.common.record import Record, replace
from services.compliance.lists.birth import BirthSpan, parse_birth
from services.compliance.lists.identifiers import identifier_of
from services.compliance.lists.listed import PartyKind


class Subject(Record, omit_defaults=True):
    """A party to be screened, as far as it is known."""

    name: str
    birth_date: str | None = None
    country: str | None = None
    kind: PartyKind | None = None
    identifier: str | None = None
    """An official number, as `lists/identifiers.py` compares them."""

    @property
    def born(self) -> BirthSpan | None:
        """The date of birth, if it is one."""
        return parse_birth(self.birth_date) if self.birth_date else None

    def with_number(self, number: str) -> "Subject":
        """The same party with an official number as it was told: without one, if that could be anybody's."""
        return replace(self, identifier=identifier_of(number))
