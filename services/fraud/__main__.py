"""`python -m services.fraud api worker relay`, `… features`, and what else its operators may ask for."""

from pathlib import Path

from libs.common import cli
from libs.common.service import Service
from services.fraud import api, commands
from services.fraud.handlers import handlers
from services.fraud.settings import FraudSettings

SERVICE = Service(
    name="fraud",
    title="Weir fraud",
    description="Whether payments are suspicious, and what they turned out to be.",
    folder=Path(__file__).parent,
    settings=FraudSettings,
    handlers=handlers,
    routes=api.routes,
    large_bodies=lambda _: {api.LABELS_PATH: api.LABELS_BYTES_MAX},
)

if __name__ == "__main__":
    cli.main(SERVICE, commands.extend)
