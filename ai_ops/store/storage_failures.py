"""What the driver, the pool and the disk raise, as our two families of failure."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ai_ops.core.failures import failed

_RETRY_SECONDS = 5.0
_LOCAL_STEP = "Check free space, the disk, and whether another process holds the file."
_REMOTE_STEP = "Is the database of DATABASE_URL running, reachable, and has it free space?"
_PASSING = (
    "locked",
    "busy",
    "disk is full",
    "disk i/o error",
    "unable to open database",
    "readonly database",
    "malformed",
    "not a database",
)


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Turn what the driver, the pool and the disk raise into ours.

    Raises:
        TemporaryError: ``storage_unavailable``: it may pass, because it is locked, full or unreachable.
        PermanentError: ``storage_failed``.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if _may_pass(error):
            raise failed(
                "storage_unavailable",
                "The database cannot be written or read now.",
                next_step=_LOCAL_STEP if _is_local(error) else _REMOTE_STEP,
                delay=_RETRY_SECONDS,
            ) from error
        raise failed("storage_failed", f"The database refused: {_reason(error)}") from error


def _is_local(error: Exception) -> bool:
    inner = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(inner, OSError | sqlite3.Error)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, OSError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error.orig, OSError):
            return True
        if not isinstance(error.orig, sqlite3.Error):
            # PostgreSQL's classes: 08 connection, 53 resources (disk full too), 57 operator, 40 and 55 locks.
            state = getattr(error.orig, "sqlstate", None)
            return state is None or state[:2] in ("08", "40", "53", "55", "57", "58")
        error = error.orig
    return isinstance(error, sqlite3.Error) and any(word in str(error).lower() for word in _PASSING)


def _reason(error: Exception) -> str:
    inner = error.orig if isinstance(error, DBAPIError) else error
    return type(inner).__name__
