"""`python -m services.accounts api worker relay`, and what else its operators may ask for."""

import gc

if __name__ == "__main__":
    # Next to nothing of what is loaded is garbage, and to look for it takes a seventh of the time.
    gc.disable()

from pathlib import Path

from libs.common import cli
from libs.common.service import Service
from services.accounts import api, commands, erasing_store, metrics, requests, rights, store
from services.accounts.handlers import handlers
from services.accounts.scopes import SCOPES
from services.accounts.settings import AccountsSettings

SERVICE = Service(
    name="accounts",
    title="Weir accounts",
    description="Customers, their accounts, and a double-entry ledger with holds.",
    folder=Path(__file__).parent,
    settings=AccountsSettings,
    handlers=handlers,
    rights=rights.RIGHTS,
    routes=api.routes,
    scopes=SCOPES,
    large_bodies=lambda _: dict.fromkeys(requests.BATCH_PATHS, requests.BATCH_BYTES_MAX),
    find_due=store.find_expired_holds,
    looks=metrics.looks,
    eraser=erasing_store.ERASER,
)

if __name__ == "__main__":
    cli.main(SERVICE, commands.extend)
