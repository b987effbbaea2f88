"""What fraud does: it says of every payment whether it is suspicious, and learns what payments turned out to be."""

from functools import partial

from libs.common.batch import Handlers
from schemas.fraud.events import CreditorRiskUpdated, FraudAssessed, PaymentLabelled
from schemas.payments.events import PaymentAnswerOverdue, PaymentInitiated
from services.fraud import store
from services.fraud.domain import assessing, labelling
from services.fraud.settings import FraudSettings


def handlers(settings: FraudSettings) -> Handlers:
    """The table of contents: each event and command, and what is decided on it."""
    return Handlers(
        service="fraud",
        load=partial(store.load_knowledge, rule_set=settings.rule_set),
        save=store.save_knowledge,
        decisions={
            # Is it suspicious?
            PaymentInitiated: assessing.assess,
            PaymentAnswerOverdue: assessing.assess_again,
            # What it turned out to be
            labelling.LabelPayment: labelling.label,
            CreditorRiskUpdated: labelling.take_snapshot,
        },
        # The snapshots are the features worker's; it too is fraud.
        writes=(FraudAssessed, PaymentLabelled, CreditorRiskUpdated),
    )
