"""Issues as the last transaction left them, for a connection that does nothing but take events in.

To look an issue up costs as much as to store three events. What a transaction has written is what the next
one would read, unless somebody else wrote in between; SQLite says whether that happened. PostgreSQL does not,
and there nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from ai_ops.store.open_issue import Key, OpenIssue

Known = Mapping[Key, tuple[OpenIssue, str]]
"""Issues by fingerprint, each with the fingerprint through which it got there."""

_MOST = 5000


class IssueMemory:
    """What is known of issues. It is true as long as each transaction that recalls is committed."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[OpenIssue, str]] = {}
        self._version: int | None = None
        self._kept = True

    def recall(self, connection: Connection, keys: Iterable[Key]) -> Known:
        """Return what is remembered of these, inside the writing transaction; then ``keep`` is wanted."""
        version = _version(connection)
        if not self._kept or version is None or version != self._version:
            self._known.clear()
        self._version, self._kept = version, False
        return {key: self._known[key] for key in keys if key in self._known}

    def keep(self, issues: Iterable[Key], known: Known) -> None:
        """Remember what is known of the issues that the transaction has met, and nothing else of them."""
        for key in issues:
            self._known.pop(key, None)
        if len(self._known) + len(known) > _MOST:
            self._known.clear()
        self._known |= known
        self._kept = True


def _version(connection: Connection) -> int | None:
    """Return a number that another one takes the place of when somebody else has written."""
    if connection.dialect.name != "sqlite":
        return None
    version: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return version
