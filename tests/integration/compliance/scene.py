"""What compliance's tests on real parts share: events to tell it, roles to run, looks into its database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from libs.common import ids
from libs.common.database import execute, fetch, transaction
from libs.common.record import replace
from libs.common.service import Runtime
from schemas.accounts.events import CustomerKind, CustomerPersonalData, CustomerRegistered
from schemas.payments.events import (
    Channel,
    Finding,
    Institution,
    InternalReason,
    Party,
    PaymentBlocked,
    PaymentEvidence,
    PaymentInitiated,
    PaymentOrder,
    PaymentPersonalData,
    PaymentSettled,
    PaymentSuspended,
)
from services.compliance.desk import passwords
from services.compliance.domain.audit import Signature
from services.compliance.domain.cases import payment_case_id
from services.compliance.domain.people import Role
from services.compliance.importing import import_list, parse_list
from services.compliance.store import people

NOW = datetime.now(UTC)
PASSWORD = "correct horse battery"
LISTED = "Zubayran Fadl Al-Qandarusi"
ALIKE = "Vlastimor Stojadivich"
"""With the letters of a listed name, but for one."""
ALIKE_BORN = "1958-02-11"
"""A year after whoever is listed."""


def order(
    debtor: str = "Ann Miller",
    creditor: str = "Ben Baker",
    *,
    debtor_born: str | None = None,
    creditor_born: str | None = None,
    country: str | None = None,
    reference: str | None = None,
    minor: int = 125_000,
) -> PaymentOrder:
    return PaymentOrder(
        client_id="shop",
        debtor_account_id=ids.new(),
        creditor_account_id=ids.new(),
        debtor_customer_id=ids.new(),
        creditor_customer_id=ids.new(),
        amount_minor=minor,
        currency="EUR",
        channel=Channel.MOBILE,
        ip_country="DE",
        instructed_at=NOW,
        personal=PaymentPersonalData(
            debtor=Party(name=debtor, birth_date=debtor_born, country="DE"),
            creditor=Party(name=creditor, birth_date=creditor_born, country=country),
            reference=reference,
        ),
    )


def to_another_bank(**of: Any) -> PaymentOrder:
    """A payment about which the travel rule asks."""
    return replace(order(**of), creditor_institution=Institution(name="Autre Banque", country="CH"))


def initiated(ordered: PaymentOrder | None = None, payment_id: str | None = None) -> PaymentInitiated:
    return PaymentInitiated(payment_id=payment_id or ids.new(), order=ordered or order(), initiated_at=NOW)


def suspended(
    of: PaymentInitiated, outcome: str = "review", *, at: datetime = NOW, findings: Sequence[Finding] = ()
) -> PaymentSuspended:
    return PaymentSuspended(
        payment_id=of.payment_id,
        order=of.order,
        reasons=(InternalReason.COMPLIANCE_REVIEW, InternalReason.FRAUD_REVIEW),
        evidence=PaymentEvidence(
            fraud_outcome="review",
            fraud_score=0.62,
            fraud_findings=tuple(findings),
            compliance_outcome=outcome,
            funds_outcome="held",
        ),
        decide_by=at + timedelta(days=5),
        suspended_at=at,
    )


def registered(name: str, *, birth_date: str | None = None, customer_id: str | None = None) -> CustomerRegistered:
    return CustomerRegistered(
        customer_id=customer_id or ids.new(),
        kind=CustomerKind.PERSON,
        personal=CustomerPersonalData(name=name, birth_date=birth_date),
        registered_at=NOW,
    )


def blocked(payment_id: str | None = None, *, minor: int = 125_000, at: datetime = NOW) -> PaymentBlocked:
    return PaymentBlocked(
        payment_id=payment_id or ids.new(),
        debtor_account_id=ids.new(),
        amount_minor=minor,
        currency="EUR",
        transfer_id=ids.new(),
        blocked_at=at,
    )


def settlement(dollars: int, *, debtor: str, creditor: str, at: datetime, is_cash: bool = False) -> PaymentSettled:
    """Money that went from one customer to another."""
    return PaymentSettled(
        payment_id=ids.new(at_seconds=at.timestamp()),
        debtor_account_id=ids.derive(debtor, "account"),
        creditor_account_id=ids.derive(creditor, "account"),
        debtor_customer_id=debtor,
        creditor_customer_id=creditor,
        amount_minor=dollars * 100,
        currency="USD",
        is_cash=is_cash,
        instructed_at=at,
        transfer_id=ids.new(),
        settled_at=at,
    )


def case_of(event: PaymentInitiated) -> str:
    return payment_case_id(event.payment_id)


def interventions(runtime: Runtime) -> list[str]:
    """What operators did, the newest first."""
    return [command for (command,) in rows(runtime, "SELECT command FROM interventions ORDER BY intervention_id DESC")]


def rows(runtime: Runtime, query: str, *values: Any) -> list[Any]:
    with transaction(runtime.engine) as tx:
        return fetch(tx, query, values)


PEOPLE = {"analyst1": Role.SUPERVISOR, "analyst2": Role.SUPERVISOR} | {role.value: role for role in Role}
"""The two that seed-users lets in, and one of each role."""


def add_person(runtime: Runtime, username: str, role: Role) -> None:
    """Let one more person in."""
    password_hash = passwords.hash_password(PASSWORD)
    runtime.unit.administer(lambda tx: people.save_user(tx, username, password_hash, role))


def add_people(runtime: Runtime) -> None:
    """Let PEOPLE in, as if nobody else had ever been."""
    password_hash = passwords.hash_password(PASSWORD)

    def add(tx: Connection) -> None:
        execute(tx, "DELETE FROM desk_users")
        for username, role in PEOPLE.items():
            people.save_user(tx, username, password_hash, role)

    runtime.unit.administer(add)


def take_in(runtime: Runtime, content: str) -> int:
    """Have a list of one's own live, and return the number of its import."""
    file, by = parse_list({"own.csv": content.encode()}), Signature(actor="root", role="operator")
    imported = runtime.unit.administer(lambda tx: import_list(tx, "own", file, by=by, shrink_max=1.0))
    assert imported.import_id is not None
    return imported.import_id
