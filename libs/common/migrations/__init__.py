"""Brings a service's database to the tables its code expects: messaging's first, then its own."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from libs.common.errors import Outage

_HERE = Path(__file__).parent


def upgrade(engine: Engine, service_folder: Path | None) -> None:
    """Run every migration that has not run yet: messaging's alone where there is no service. Repeatable.

    Raises Outage while the database is away.
    """
    try:
        with engine.connect() as connection:
            command.upgrade(_config(connection, service_folder), "heads")
            connection.commit()
    except OperationalError as error:
        raise Outage(f"the database: {error}") from error


def _config(connection: Connection, service_folder: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    folders = [_HERE / "versions", *([service_folder / "migrations"] if service_folder else [])]
    config.set_main_option("version_locations", "\n".join(map(str, folders)))
    config.attributes["connection"] = connection
    return config
