"""Asks whoever checks documents about those that were handed in, and has the answers taken in like everything else.

No transaction waits for the provider: what is due is read, asked about, and then decided. Two workers may ask about the
same document; the second answer changes nothing.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Event as Flag

from libs.common import ids
from libs.common.batch import UnitOfWork
from libs.common.errors import Outage
from libs.common.message import Message, Trace
from libs.common.service import Runtime
from libs.common.sweep import NoClaim
from services.compliance.diligence.documents import Checked, DocumentChecks, Unavailable
from services.compliance.diligence.providers import provider_of
from services.compliance.domain.business_days import day_of
from services.compliance.domain.diligence import RecordCheck
from services.compliance.domain.work import Customer
from services.compliance.settings import ComplianceSettings
from services.compliance.store import customers

REST_SECONDS = 1.0
ASKED_MAX = 20
"""Documents asked about before it is looked up which are due."""

log = logging.getLogger(__name__)


class DocumentChecking:
    """Runs beside the sweep of every worker."""

    def __init__(self, unit: UnitOfWork, provider: DocumentChecks) -> None:
        self._unit = unit
        self._provider = provider

    def run(self, stop: Flag) -> None:
        while not stop.is_set():
            try:
                is_busy = self.run_once(stop) == ASKED_MAX
            except Outage as outage:
                log.warning("documents wait for an outage to end", extra={"error": str(outage)})
                is_busy = False
            if not is_busy:
                stop.wait(REST_SECONDS)

    def run_once(self, stop: Flag | None = None) -> int:
        """Ask about what is due, and return about how many documents."""
        now = datetime.now(UTC)
        due = self._unit.administer(lambda tx: customers.find_to_check(tx, now, ASKED_MAX))
        for customer in due:
            if stop is not None and stop.is_set():
                break
            self._ask(customer, now)
        return len(due)

    def _ask(self, customer: Customer, now: datetime) -> None:
        handed = customer.document
        assert handed is not None
        checked: Checked | None = None
        subject = customer.subject
        try:
            # Of an encrypted customer nobody can say whether the document is theirs.
            if subject is not None:
                checked = self._provider.check(
                    handed.document, subject.name, subject.birth_date, on=day_of(now), asked=handed.asked
                )
        except Unavailable as reason:
            log.warning(
                "a document could not be checked", extra={"customer_id": customer.customer_id, "error": str(reason)}
            )
        command = RecordCheck(customer_id=customer.customer_id, document_id=handed.document_id, checked=checked)
        message = Message(
            message_id=ids.derive(handed.document_id, "check", handed.asked),
            body=command,
            received_at=datetime.now(UTC),
            trace=Trace(correlation_id=customer.customer_id, traceparent=""),
        )
        self._unit.run([message], NoClaim())


def loops(runtime: Runtime) -> Mapping[str, Callable[[Flag], None]]:
    """What a worker of compliance runs besides the usual."""
    settings = runtime.settings
    assert isinstance(settings, ComplianceSettings)
    provider = provider_of(settings.document_provider, settings.document_delay_seconds)
    return {"documents": DocumentChecking(runtime.unit, provider).run}
