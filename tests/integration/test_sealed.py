"""Personal data through services that have a key store: sealed where they come in, opened where they are needed."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import pytest

from libs.common import database, ids
from libs.common.database import transaction
from libs.common.keys import DataKey, KeyStore, MasterKeys
from libs.common.personal_data import READABLE
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.accounts.events import CustomerRegistered, EncryptedPersonalData
from schemas.compliance.events import ComplianceScreened, CustomerVerified, ScreeningOutcome, UnscreenableReason
from schemas.fraud.events import FraudAssessed
from schemas.payments.events import EncryptedPersonalData as EncryptedPayment
from schemas.payments.events import Institution, Party, PaymentDataSupplied, PaymentInitiated, PaymentPersonalData
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.compliance.__main__ import SERVICE as COMPLIANCE
from services.compliance.domain.looking_back import LookBack
from services.compliance.domain.screenings import opened
from services.compliance.monitoring.outsiders import outsiders_of
from services.fraud.__main__ import SERVICE as FRAUD
from services.payments.__main__ import SERVICE as PAYMENTS
from tests.integration.payments.scene import assessed, held, know_accounts, order, screened
from tests.parts import Parts
from tests.serving import Api, message_of, rows, serving, tell, told

ERASED_AT_ONCE = 0.001
"""Seconds that a destroyed key may still work here."""
NOWHERE = "postgresql+psycopg://keys@127.0.0.1:1/keys"
_LOCKED = """
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.mode = 'RowShareLock' AND c.relname IN ('payments', 'quotas', 'batches')
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
"""What somebody reads with a lock on its rows."""
MISSING = ("debtor.birth_place",)


@pytest.fixture(scope="module")
def keys(parts: Parts) -> Iterator[dict[str, Any]]:
    """The settings that lead to a key store."""
    with parts.database("keys") as address:
        master = base64.b64encode(b"m" * 32).decode()
        yield {"keys_url": address, "master_keys": f"m1:{master}", "keys_cache_seconds": ERASED_AT_ONCE}


@pytest.fixture(scope="module")
def payments(parts: Parts, keys: dict[str, Any]) -> Iterator[Api]:
    with parts.runtime(PAYMENTS, **keys) as runtime, serving(runtime) as api:
        know_accounts(runtime)
        yield api


@pytest.fixture(scope="module")
def compliance(parts: Parts, keys: dict[str, Any]) -> Iterator[Runtime]:
    with parts.runtime(COMPLIANCE, **keys) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def fraud(parts: Parts, keys: dict[str, Any]) -> Iterator[Runtime]:
    with parts.runtime(FRAUD, **keys) as runtime:
        yield runtime


def initiated(payments: Api, **more: Any) -> PaymentInitiated:
    """What payments tells of a new order."""
    answer = payments.post("/v1/payments", order(**more))
    found = [event for event in told(payments.runtime) if isinstance(event, PaymentInitiated)]
    (event,) = [event for event in found if event.payment_id == answer.json()["payment_id"]]
    return event


def store_of(runtime: Runtime) -> KeyStore:
    assert runtime.vault.store is not None
    return runtime.vault.store


def about(runtime: Runtime, payment_id: str, kind: type[Any]) -> Any:
    """What a service says about a payment."""
    (event,) = [e for e in told(runtime) if isinstance(e, kind) and e.payment_id == payment_id]
    return event


def test_an_order_is_sealed_on_its_topic_and_in_its_table(payments: Api) -> None:
    event = initiated(payments)
    owners = (event.order.debtor_customer_id, event.order.creditor_customer_id)
    assert isinstance(event.order.personal, EncryptedPayment)
    assert event.order.personal.key_ids == [f"{owner}.1" for owner in owners]
    stored = rows(payments.runtime, "SELECT value, headers FROM outbox") + rows(
        payments.runtime, "SELECT body FROM payments"
    )
    assert stored and "Ann Miller" not in str(stored)


def test_while_the_key_store_is_away_only_who_needs_a_key_waits(payments: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body = order()
    answered = payments.post("/v1/payments", body, key="answered")
    path = f"/v1/payments/{answered.json()['payment_id']}"
    away = KeyStore(database.create(NOWHERE, pool_size=1), MasterKeys({"m1": b"m" * 32}))
    with ThreadPoolExecutor() as pool:
        with monkeypatch.context() as patch:
            patch.setattr(payments.runtime.vault, "store", away)
            waiting = pool.submit(payments.post, "/v1/payments", order())
            assert payments.post("/v1/payments", body, key="answered").json() == answered.json()
            assert payments.post(f"{path}/cancel").status_code == HTTPStatus.ACCEPTED
            assert not waiting.done()
        assert waiting.result().status_code == HTTPStatus.ACCEPTED


def test_nothing_that_others_need_is_locked_while_the_key_store_is_asked(
    payments: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, locked = initiated(payments), list[Any]()
    find = KeyStore.find

    def watched(store: KeyStore, **asked: Any) -> list[DataKey]:
        locked.append(rows(payments.runtime, _LOCKED))
        return find(store, **asked)

    monkeypatch.setattr(KeyStore, "find", watched)
    initiated(payments)
    payments.post(f"/v1/payments/{event.payment_id}/party-data", {"debtor": {"birth_place": "Ghent"}})
    assert locked == [[], []]


def test_nothing_is_locked_while_keys_are_asked_for_to_look_back(
    payments: Api, compliance: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, locked = initiated(payments), list[Any]()
    tell(compliance, event)
    find = KeyStore.find

    def watched(store: KeyStore, **asked: Any) -> list[DataKey]:
        locked.append(rows(compliance, _LOCKED))
        return find(store, **asked)

    monkeypatch.setattr(KeyStore, "find", watched)
    tell(compliance, LookBack(payment_id=event.payment_id))
    assert locked and not any(locked)


def test_whoever_must_read_an_order_reads_it(payments: Api, compliance: Runtime, fraud: Runtime) -> None:
    event = initiated(payments)
    assert isinstance(event.order.personal, EncryptedPayment)
    tell(compliance, event)
    tell(fraud, event)
    screening = about(compliance, event.payment_id, ComplianceScreened)
    assert (screening.outcome, screening.unscreenable) == (ScreeningOutcome.CLEAR, ())
    assert about(fraud, event.payment_id, FraudAssessed)
    ((body,),) = rows(compliance, "SELECT ordered FROM screenings WHERE payment_id = %s", (event.payment_id,))
    assert event.order.personal.key_id in body and "Ann Miller" not in body


def test_an_order_that_is_looked_back_at_is_read_again(payments: Api, compliance: Runtime) -> None:
    event = initiated(payments)
    tell(compliance, event)
    with transaction(compliance.engine) as tx:
        work = compliance.handlers.load(tx, [message_of(LookBack(payment_id=event.payment_id))])
    order = opened(work.screenings[event.payment_id], work.keys)
    assert order is not None and not isinstance(order.personal, EncryptedPayment)
    assert order.personal.debtor.name == "Ann Miller"
    tell(compliance, LookBack(payment_id=event.payment_id))


def test_who_is_elsewhere_is_known_again_by_a_pseudonym_under_a_key_of_its_own(
    payments: Api, compliance: Runtime
) -> None:
    event = initiated(payments)
    elsewhere = replace(event.order, creditor_institution=Institution(name="Autre Banque", country="CH"))
    one, other = (
        PaymentInitiated(payment_id=ids.new(), order=elsewhere, initiated_at=event.initiated_at) for _ in range(2)
    )
    readable = PaymentPersonalData(debtor=Party(name="Ann Miller"), creditor=Party(name="Ben Baker"))
    for each in (one, other):
        tell(compliance, replace(each, order=replace(elsewhere, personal=readable)))
    found = rows(
        compliance,
        "SELECT outsiders::json #>> '{creditor,party_id}' FROM screenings WHERE payment_id = ANY(%s::uuid[])",
        ([one.payment_id, other.payment_id],),
    )
    ((pseudonym,),) = set(found)
    unkeyed = outsiders_of("p", replace(elsewhere, personal=readable), READABLE).creditor
    assert unkeyed is not None and ids.is_pseudonym(pseudonym) and pseudonym != unkeyed.party_id


def test_what_a_client_tells_later_is_added_to_what_was_sealed_and_sealed_again(
    payments: Api, compliance: Runtime
) -> None:
    event = initiated(payments)
    answer = replace(screened(event.payment_id, ScreeningOutcome.INCOMPLETE), hits=(), missing=MISSING)
    tell(payments.runtime, assessed(event.payment_id), answer, held(event.payment_id))
    path = f"/v1/payments/{event.payment_id}"
    assert payments.get(path).json()["missing"] == list(MISSING)
    told_later = payments.post(f"{path}/party-data", {"debtor": {"birth_place": "Ghent"}})
    assert (told_later.status_code, told_later.json()["missing"]) == (202, [])
    supplied = about(payments.runtime, event.payment_id, PaymentDataSupplied)
    assert isinstance(supplied.order.personal, EncryptedPayment)
    (opened,) = compliance.vault.opener([PaymentDataSupplied])([message_of(supplied)])
    assert (opened.body.order.personal.debtor.name, opened.body.order.personal.debtor.birth_place) == (
        "Ann Miller",
        "Ghent",
    )


def test_an_order_whose_party_was_erased_is_for_people_and_no_dead_letter(
    payments: Api, compliance: Runtime, fraud: Runtime
) -> None:
    event = initiated(payments)
    store_of(compliance).destroy(event.order.creditor_customer_id, actor="operator", reason="asked for")
    tell(compliance, event)
    tell(fraud, event)
    screening = about(compliance, event.payment_id, ComplianceScreened)
    assert screening.outcome is ScreeningOutcome.REVIEW
    assert screening.unscreenable == (UnscreenableReason.ENCRYPTED,)
    assert about(fraud, event.payment_id, FraudAssessed)


def test_a_ciphertext_that_was_moved_to_another_payment_is_a_dead_letter(payments: Api, compliance: Runtime) -> None:
    event, other = initiated(payments), initiated(payments)
    moved = replace(event, order=replace(event.order, personal=other.order.personal))
    with pytest.raises(AssertionError, match="not what was sealed"):
        tell(compliance, moved)


def test_a_customer_is_sealed_when_registered_read_over_http_screened_and_nameless_once_erased(
    parts: Parts, keys: dict[str, Any], compliance: Runtime
) -> None:
    person = {"kind": "person", "name": "Ida Sparsam", "birth_date": "1981-06-18", "currencies": ["EUR"]}
    with parts.runtime(ACCOUNTS, **keys) as runtime, serving(runtime) as api:
        customer_id = api.post("/v1/customers", person, by="staff").json()["customer_id"]
        (event,) = [event for event in told(runtime) if isinstance(event, CustomerRegistered)]
        assert isinstance(event.personal, EncryptedPersonalData)
        assert "Ida" not in str(rows(runtime, "SELECT * FROM customers") + rows(runtime, "SELECT value FROM outbox"))
        path = f"/v1/customers/{customer_id}"
        assert api.get(path, by="staff").json()["name"] == "Ida Sparsam"
        tell(compliance, event)
        verified = [e.customer_id for e in told(compliance) if isinstance(e, CustomerVerified)]
        assert customer_id in verified
        store_of(runtime).destroy(customer_id, actor="operator", reason="asked for")
        seen = api.get(path, by="staff").json()
        assert (seen["name"], seen["birth_date"], seen["status"]) == (None, None, "registered")
