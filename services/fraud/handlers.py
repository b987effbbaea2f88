"""What fraud does: it says of every payment whether it is suspicious, and learns what payments turned out to be."""

from collections.abc import Sequence
from functools import partial

from libs.common.batch import Handlers
from libs.common.sweep import Prune
from schemas.compliance.events import CaseResolved
from schemas.fraud.events import (
    DebtorPaymentLabelled,
    FraudAssessed,
    ListEntryAdded,
    ListEntryRemoved,
    PartyRiskUpdated,
    PaymentLabelled,
    VersionAdded,
    VersionMoved,
)
from schemas.payments.events import PaymentAnswerOverdue, PaymentInitiated
from services.fraud import store
from services.fraud.domain import assessing, labelling, lists, versions
from services.fraud.settings import FraudSettings
from services.fraud.store import assessments
from services.fraud.store.versions import Panels


def pruning(settings: FraudSettings) -> Sequence[Prune]:
    """What is not kept for good: an assessment is, what shadows thought of it is for comparisons."""
    return [lambda tx, most: assessments.prune_shadows(tx, days=settings.shadow_days, rows_max=most)]


def handlers(_: FraudSettings) -> Handlers:
    """The table of contents: each event and command, and what is decided on it."""
    return Handlers(
        service="fraud",
        load=partial(store.load_knowledge, panels=Panels()),
        save=store.save_knowledge,
        decisions={
            # Is it suspicious?
            PaymentInitiated: assessing.assess,
            PaymentAnswerOverdue: assessing.assess_again,
            assessing.AssessPayment: assessing.assess_ahead,
            # What it turned out to be
            labelling.LabelPayment: labelling.label,
            CaseResolved: labelling.learn_from_case,
            PartyRiskUpdated: labelling.take_snapshot,
            # What judges
            versions.AddVersion: versions.add,
            versions.MoveVersion: versions.move,
            lists.AddListEntry: lists.add_entry,
            lists.RemoveListEntry: lists.remove_entry,
        },
        opens=(PaymentInitiated, PaymentAnswerOverdue),
        # The snapshots are the features worker's; it too is fraud.
        writes=(
            FraudAssessed,
            PaymentLabelled,
            DebtorPaymentLabelled,
            PartyRiskUpdated,
            VersionAdded,
            VersionMoved,
            ListEntryAdded,
            ListEntryRemoved,
        ),
    )
