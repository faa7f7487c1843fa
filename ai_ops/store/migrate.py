"""Bring a database's schema up to date; the steps lie in ``migrations`` and travel with the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

_FOLDER = Path(__file__).with_name("migrations")


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction: all of them, or none."""
    # Not above: ten megabytes that a process which only writes can do without.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def knows(revision: str) -> bool:
    """Whether this version of the code can bring a schema of that revision up to date."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_FOLDER))
    return any(each.revision == revision for each in script.walk_revisions())
