"""A spool whose database fails for a while, as on a disk that does."""

from __future__ import annotations

from ai_ops.agent.spool import Spool


def break_spool(spool: Spool) -> None:
    """Let SQLite end each statement with an ``OperationalError``."""
    spool._database.set_progress_handler(lambda: True, 1)


def mend_spool(spool: Spool) -> None:
    """Let the database work again."""
    spool._database.set_progress_handler(None, 1)
