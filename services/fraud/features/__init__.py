"""The features worker: advisory risk snapshots from the stream of labels, by Faust."""

from schemas.fraud.events import CreditorRiskUpdated, PaymentLabelled

READS = (PaymentLabelled,)
WRITES = (CreditorRiskUpdated,)
