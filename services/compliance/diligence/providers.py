"""Those who check documents: one that is simulated, by rules that can be read here, and nobody.

| what the simulated one says | when |
|---|---|
| unavailable | the number begins with `DOWN` and figures: so many times |
| unreadable | there is no figure in the number |
| forged | the number begins with `FORGED` |
| expired | `expires_on` has passed |
| name differs | the words of one name are not all in the other |
| date of birth differs | both say one, and not the same |
| accepted | none of these |

Every answer takes `WEIR_DOCUMENT_DELAY_SECONDS`, twenty times that for a number that begins with `SLOW`.
"""

import re
import time
from datetime import date

from services.compliance.diligence.documents import Checked, Document, DocumentChecks, RefusedBecause, Unavailable

SLOW_TIMES = 20
_DOWN = re.compile(r"DOWN(\d{1,4})")


class SimulatedChecks:
    """Says what the rules above say, always the same."""

    def __init__(self, delay_seconds: float = 0) -> None:
        self._delay_seconds = delay_seconds

    def check(self, document: Document, customer_name: str, birth_date: str | None, *, on: date, asked: int) -> Checked:
        """As DocumentChecks."""
        number = document.number.upper()
        time.sleep(self._delay_seconds * (SLOW_TIMES if number.startswith("SLOW") else 1))
        down = _DOWN.match(number)
        if down is not None and asked < int(down[1]):
            raise Unavailable("the simulated provider is down")
        because = _refused_because(document, customer_name, birth_date, on)
        return Checked(refused_because=because, reference=f"simulated/{document.country}/{number}")


class NobodyChecks:
    """Where no provider is configured, nothing is proven by any document."""

    def check(self, document: Document, customer_name: str, birth_date: str | None, *, on: date, asked: int) -> Checked:
        """As DocumentChecks."""
        raise Unavailable("nobody checks documents here: WEIR_DOCUMENT_PROVIDER")


def provider_of(name: str, delay_seconds: float) -> DocumentChecks:
    """The one that settings name."""
    return SimulatedChecks(delay_seconds) if name == "simulated" else NobodyChecks()


def _refused_because(document: Document, customer_name: str, birth_date: str | None, on: date) -> RefusedBecause | None:
    if not any(map(str.isdigit, document.number)):
        return RefusedBecause.UNREADABLE
    if document.number.upper().startswith("FORGED"):
        return RefusedBecause.FORGED
    if document.expires_on is not None and document.expires_on < on:
        return RefusedBecause.EXPIRED
    one, other = _words(document.name), _words(customer_name)
    if not (one and other and (one <= other or other <= one)):
        return RefusedBecause.NAME_DIFFERS
    if document.birth_date and birth_date and not document.birth_date.startswith(birth_date):
        return RefusedBecause.BIRTH_DATE_DIFFERS
    return None


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", name.casefold()))
