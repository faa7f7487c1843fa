"""Issues as the last transaction left them, for a connection that does nothing but take events in.

To look an issue up costs as much as to store three events. What a transaction has written is what the next
one would read, unless somebody else wrote in between; SQLite says whether that happened. PostgreSQL does not,
and there nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from ai_ops.store.open_issue import Key, OpenIssue

_MOST = 5000


class IssueMemory:
    """What is known of issues. It is true as long as each transaction that recalls is committed.

    Several fingerprints may lead to one issue, and a transaction may have met only some of them; so an issue
    is known once, by its id.
    """

    def __init__(self) -> None:
        self._issues: dict[str, OpenIssue] = {}
        self._known: dict[Key, tuple[str, str]] = {}  # the issue's id, and the fingerprint that led to it
        self._version: int | None = None
        self._kept = True

    def recall(
        self, connection: Connection, keys: Iterable[Key]
    ) -> tuple[dict[Key, OpenIssue], dict[Key, str]]:
        """Return the issues that are remembered of these, and through which fingerprint each got there.

        Must be called inside the writing transaction; then ``keep`` is wanted.
        """
        version = _version(connection)
        if not self._kept or version is None or version != self._version:
            self._forget()
        self._version, self._kept = version, False
        issues, through = {}, {}
        for key in keys:
            issue_id, came_through = self._known.get(key, ("", ""))
            if (issue := self._issues.get(issue_id)) is not None:
                issues[key], through[key] = issue, came_through
        return issues, through

    def keep(self, issues: Mapping[Key, OpenIssue], through: Mapping[Key, str]) -> None:
        """Remember the issues that the transaction has met, where that can be, and nothing else of them."""
        self._kept = True
        if self._version is None:
            return
        if len(self._known) + len(issues) > _MOST:
            self._forget()
        for issue in {id(issue): issue for issue in issues.values()}.values():
            issue_id = issue.row["id"]
            if issue.settle():
                self._issues[issue_id] = issue
            else:
                self._issues.pop(issue_id, None)
        self._known |= {key: (issue.row["id"], through[key]) for key, issue in issues.items()}

    def _forget(self) -> None:
        self._issues.clear()
        self._known.clear()


def _version(connection: Connection) -> int | None:
    """Return a number that another one takes the place of when somebody else has written."""
    if connection.dialect.name != "sqlite":
        return None
    version: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return version
