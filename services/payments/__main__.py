"""`python -m services.payments api worker relay`, and what else its operators may ask for."""

import gc

if __name__ == "__main__":
    # Next to nothing of what is loaded is garbage, and to look for it takes a seventh of the time.
    gc.disable()

from pathlib import Path

from libs.common import cli
from libs.common.service import Service
from services.payments import api, commands, erasing_store, metrics, rights, store, uploads
from services.payments.handlers import handlers, pruning
from services.payments.scopes import SCOPES
from services.payments.settings import PaymentsSettings

SERVICE = Service(
    name="payments",
    title="Weir payments",
    description="Orders to pay, alone or by the file, and their whole journey.",
    folder=Path(__file__).parent,
    settings=PaymentsSettings,
    handlers=handlers,
    rights=rights.RIGHTS,
    routes=api.routes,
    scopes=SCOPES,
    find_due=store.find_due,
    prunes=pruning,
    looks=metrics.looks,
    observer=metrics.observer,
    eraser=erasing_store.ERASER,
    large_bodies=lambda settings: {uploads.PATH: settings.batch_bytes_max},
)

if __name__ == "__main__":
    cli.main(SERVICE, commands.extend)
