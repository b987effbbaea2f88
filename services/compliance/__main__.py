"""`python -m services.compliance api worker relay`, and what else its operators may ask for."""

import gc

if __name__ == "__main__":
    # Next to nothing of what is loaded is garbage, and to look for it takes a seventh of the time.
    gc.disable()

from pathlib import Path

from libs.common import cli
from libs.common.service import Service
from services.compliance import api, checking, commands, desk, metrics, rights
from services.compliance.handlers import handlers, pruning
from services.compliance.scopes import SCOPES
from services.compliance.settings import ComplianceSettings
from services.compliance.store import erasing, work

SERVICE = Service(
    name="compliance",
    title="Weir compliance",
    description="Screening against sanctions lists, monitoring of what moved, and the desk where people decide.",
    folder=Path(__file__).parent,
    settings=ComplianceSettings,
    handlers=handlers,
    rights=rights.RIGHTS,
    retention_rights=rights.RETENTION,
    routes=lambda runtime: [*api.routes(runtime), *desk.routes(runtime)],
    scopes=SCOPES,
    find_due=work.find_due,
    prunes=pruning,
    looks=metrics.looks,
    observer=metrics.observer,
    loops=checking.loops,
    large_bodies=lambda _: desk.LARGE_BODIES,
    eraser=erasing.ERASER,
)

if __name__ == "__main__":
    cli.main(SERVICE, commands.extend)
