"""`python -m services.payments api worker relay`, and what else its operators may ask for."""

from pathlib import Path

from libs.common import cli
from libs.common.service import Service
from services.payments import api, metrics, store, uploads
from services.payments.handlers import handlers, pruning
from services.payments.settings import PaymentsSettings

SERVICE = Service(
    name="payments",
    title="Weir payments",
    description="Orders to pay, alone or by the file, and their whole journey.",
    folder=Path(__file__).parent,
    settings=PaymentsSettings,
    handlers=handlers,
    routes=api.routes,
    find_due=store.find_due,
    prunes=pruning,
    looks=metrics.looks,
    observer=metrics.observer,
    large_bodies=lambda settings: {uploads.PATH: settings.batch_bytes_max},
)

if __name__ == "__main__":
    cli.main(SERVICE)
