"""The features worker: advisory snapshots of payers' and payees' risk from the streams of labels, by Faust."""

from schemas.fraud.events import DebtorPaymentLabelled, PartyRiskUpdated, PaymentLabelled

READS = (PaymentLabelled, DebtorPaymentLabelled)
"""The same labels twice: by who was paid, and by who paid. So each party's come in order, from one partition."""
WRITES = (PartyRiskUpdated,)
TOPICS = tuple(event.contract.topic.name for event in READS)
