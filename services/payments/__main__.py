"""`python -m services.payments api worker relay`, and what else its operators may ask for."""

from pathlib import Path

from libs.common import cli
from libs.common.figures import Figure
from libs.common.service import Service
from services.payments import api, store, uploads
from services.payments.handlers import handlers
from services.payments.settings import PaymentsSettings


def figures(settings: PaymentsSettings) -> list[Figure]:
    """What Prometheus is to see of payments' tables."""
    return [
        Figure(
            name="payments_past_deadline",
            meaning="Payments that are in a state for longer than it may take",
            count=lambda tx, now: store.count_past_deadline(tx, now, settings.policy),
        )
    ]


SERVICE = Service(
    name="payments",
    title="Weir payments",
    description="Orders to pay, alone or by the file, and their whole journey.",
    folder=Path(__file__).parent,
    settings=PaymentsSettings,
    handlers=handlers,
    routes=api.routes,
    find_due=store.find_due_payments,
    figures=figures,
    large_bodies=lambda settings: {uploads.PATH: settings.batch_bytes_max},
)

if __name__ == "__main__":
    cli.main(SERVICE)
