"""The records of fix watches, and which builds hold a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ai_ops.core.fix_watch import Facts
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task


class FixWatches(Protocol):
    """The watches over merged pull requests.

    ``before`` is a watch as it was read: if it is another one by now, somebody else looked meanwhile, and
    nothing is done.
    """

    async def begin(self) -> int:
        """Make the watches that are missing: each issue whose present episode has a merged fix has one."""
        ...

    async def due(self) -> Sequence[FixWatch]:
        """Return those that are active, and resolved ones whose error was logged again."""
        ...

    async def facts(self, watch: FixWatch) -> Facts:
        """Return what is on record since the last look."""
        ...

    async def builds(self, watch: FixWatch) -> Mapping[str, bool | None]:
        """Return which releases hold the merge commit, where that need not be asked again."""
        ...

    async def remember(self, watch: FixWatch, release: str, holds: bool | None) -> None:
        """Keep what git said of a release; that it knows none is asked again after an hour."""
        ...

    async def keep(self, before: FixWatch, after: FixWatch) -> bool:
        """Record a look that leads to nothing else."""
        ...

    async def resolve(self, before: FixWatch, after: FixWatch, mail: Notification | None) -> bool:
        """Record that a fix holds, resolve its issue and put the mail into the outbox, in one commit.

        An issue that is resolved already stays as it is, and nobody is told.
        """
        ...

    async def recur(
        self, before: FixWatch, after: FixWatch, mail: Notification | None
    ) -> tuple[Task, ...] | None:
        """Record that an error came back, open its next episode and put the mail into the outbox, at once.

        Returns the new repairs, to be enqueued; None when nothing was done: its repair is still in hand.
        """
        ...

    async def unproposed(self) -> Sequence[FixWatch]:
        """Return those whose error came back and whose revert was not proposed yet."""
        ...

    async def proposed(self, watch: FixWatch, revert_url: str) -> None:
        """Record that the revert was proposed."""
        ...

    async def of_pull_request(self, pull_request_id: str) -> Sequence[FixWatch]:
        """Return the watches of a pull request, one for each issue that it was to mend."""
        ...

    async def of_issue(self, issue_id: str) -> Sequence[FixWatch]:
        """Return the watches of an issue, the oldest first."""
        ...

    async def failed(self, issue_id: str, episode: int) -> Sequence[PullRequest]:
        """Return the merged pull requests of earlier episodes that did not mend an issue, oldest first."""
        ...


class Builds(Protocol):
    """What git knows of deployed builds. Codes as ``Git``."""

    async def holds(self, repository: Repository, release: str, sha: str) -> bool | None:
        """Whether the build of a release contains a commit.

        ``release`` is a commit's id, a beginning of it, or a tag. None where the repository knows no such
        build, or not that commit.
        """
        ...

    async def reversal(self, repository: Repository, sha: str) -> tuple[int, str]:
        """Return how many parents a commit has, and the patch that takes back what it brought."""
        ...
