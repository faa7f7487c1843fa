"""Bring a database's schema up to date; the steps lie in ``migrations`` and travel with the package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_FOLDER = Path(__file__).with_name("migrations")


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction: all of them, or none."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
