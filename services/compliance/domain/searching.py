"""What cases and customers are found by: the words of names, as they are written and as they sound, and ids. Pure."""

from functools import lru_cache

from libs.common import ids
from schemas.payments.events import EncryptedPersonalData
from services.compliance.domain.case import Case
from services.compliance.domain.work import Customer
from services.compliance.matching.folding import fold
from services.compliance.matching.text import words_of

QUERY_LENGTH_MAX = 100
QUERY_WORDS_MAX = 6
PREFIX_LENGTH_MIN = 2


def search_words(case: Case) -> frozenset[str]:
    """Everything that finds a case. Encrypted names find nothing."""
    found = {case.case_id, *(other.payment_id for other in case.linked)}
    if case.payment is not None and case.payment_id is not None:
        order = case.payment.order
        found |= {case.payment_id, order.debtor_account_id, order.creditor_account_id}
        found |= {id_ for id_ in (order.debtor_customer_id, order.creditor_customer_id) if id_}
        if not isinstance(order.personal, EncryptedPersonalData):
            found |= _words(order.personal.debtor.name) | _words(order.personal.creditor.name)
    if case.customer is not None and case.customer_id is not None:
        found.add(case.customer_id)
        if case.customer.subject is not None:
            found |= _words(case.customer.subject.name)
    return frozenset(found)


def gained_words(before: Case | None, after: Case) -> frozenset[str]:
    """Everything that finds a case now and did not before."""
    return search_words(after) - (search_words(before) if before is not None else frozenset())


def customer_words(customer: Customer) -> frozenset[str]:
    """Everything besides its id that finds a customer. An encrypted or erased name finds nothing."""
    return _words(customer.subject.name) if customer.subject is not None else frozenset()


def id_in(query: str) -> str | None:
    """The id that is searched for, if it is one."""
    text = query.strip().lower()
    return text if ids.is_id(text) else None


def query_words(query: str) -> tuple[tuple[str, str], ...]:
    """What a search asks for: of each word how it may begin, and how it may sound; empty if that is nothing."""
    if (id_ := id_in(query)) is not None:
        return ((id_, id_),)
    words = [word for word in words_of(query.strip().lower()[:QUERY_LENGTH_MAX]) if len(word) >= PREFIX_LENGTH_MIN]
    return tuple((word, fold(word)) for word in words[:QUERY_WORDS_MAX])


@lru_cache(maxsize=16_384)
def _words(name: str) -> frozenset[str]:
    # Kept for a while: a case is saved several times on its payment's way, with what it was before and is now.
    words = words_of(name)
    return frozenset((*words, *map(fold, words)))
