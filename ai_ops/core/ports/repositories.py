"""Real git, and the folders of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.suspects import SuspectCommit


class Git(Protocol):
    """Real git on a mirror per repository. Never runs hooks, filters, fsmonitor or submodules.

    Codes: ``git_auth_failed``, ``git_not_found``, ``git_unreachable`` (temporary), ``git_empty_repository``,
    ``git_timeout`` (temporary), ``git_failed``, ``unrelated_history``, ``push_refused``,
    ``push_protected_branch``, ``push_secret_detected``, ``branch_taken``, ``merge_conflict``,
    ``nothing_to_commit``, ``patch_does_not_apply``, ``git_commit_missing``, ``git_damaged``, ``git_missing``,
    ``checkout_damaged``, ``checkout_missing``, ``target_not_empty``, ``diff_too_large``,
    ``base_moved`` and ``disk_full`` (temporary), ``bad_repository_url``, ``bad_branch_name``,
    ``bad_commit_id``, ``commit_signing_failed``.
    """

    async def refresh(self, repository: Repository, branch: str = "") -> Base:
        """Clone or fetch the mirror and return the head of ``branch``, or of the default branch."""
        ...

    async def export(self, repository: Repository, sha: str, target: Path) -> None:
        """Make ``target`` a self-contained checkout: its own ``.git``, one base commit, no remote."""
        ...

    async def note_overlay(self, tree: Path, checkout: Path) -> None:
        """Note that a checkout shows the very files of an exported ``tree``: a diff is quicker then."""
        ...

    async def diff(self, checkout: Path) -> str:
        """Return everything that differs from the base commit, new files too, as a git patch."""
        ...

    async def apply(self, checkout: Path, patch: str) -> None:
        """Apply a patch made by ``diff`` to a checkout at the same base."""
        ...

    async def changes(self, repository: Repository, base_sha: str, sha: str) -> str:
        """Return all that ``sha`` has over ``base_sha``, as a git patch that applies to the latter."""
        ...

    async def commit(
        self,
        repository: Repository,
        base_sha: str,
        patch: str,
        message: str,
        *,
        parents: Sequence[str] = (),
    ) -> str:
        """Commit ``base + patch`` in the mirror with a fixed author and date: same input, same SHA.

        It follows ``parents``, which are the base alone when none are given.
        """
        ...

    async def merge_texts(self, base: str, kept: str, changed: str) -> str:
        """Bring together two later states of one text; where both changed it, ``kept`` stands."""
        ...

    async def push(self, repository: Repository, sha: str, branch: str, *, onto: str = "") -> bool:
        """Push a commit to a branch. True when it was there already; a foreign commit is never overwritten.

        A branch that exists moves only forward: one that holds a commit which ``sha`` does not contain
        is ``branch_taken``. With ``onto`` a branch that is not at that commit is ``branch_taken`` too.
        ``git_commit_missing`` when the mirror lost ``sha``: commit it again.
        """
        ...

    async def remote_branch(self, repository: Repository, branch: str) -> str | None:
        """Return the remote head of a branch, or None."""
        ...

    async def read_file(self, repository: Repository, sha: str, path: str) -> bytes | None:
        """Return a file at a commit, or None."""
        ...

    async def list_files(self, repository: Repository, sha: str) -> Sequence[str]:
        """Return the paths at a commit."""
        ...

    async def merged(self, repository: Repository, head: str, base_sha: str) -> str:
        """Return what a branch changes once a newer base is merged in, as a patch on that base.

        Nothing is committed. ``merge_conflict`` when git cannot bring the two together.
        """
        ...

    async def merge(self, repository: Repository, branch: str, into: str, message: str, *, head: str) -> str:
        """Merge a branch on the remote, if it is at ``head``, and return the merge commit."""
        ...


class History(Protocol):
    """What a repository's commits say, read from its mirror: the remote is not asked. Codes as ``Git``."""

    async def find_commit(self, repository: Repository, name: str) -> str | None:
        """Return the full id of a commit named by its id or a beginning of seven letters or more, or None."""
        ...

    async def blame(
        self, repository: Repository, sha: str, path: str, lines: Sequence[int]
    ) -> Mapping[int, SuspectCommit]:
        """Return the commit that touched each line of a file last, for the lines that are there."""
        ...

    async def between(
        self, repository: Repository, before: str, after: str, paths: Sequence[str], limit: int
    ) -> tuple[int, Sequence[SuspectCommit]] | None:
        """Return how many commits ``after`` has over ``before``, and at most ``limit`` of them, newest first.

        Those that touch ``paths``, or of all where none does; None when ``before`` is not in ``after``.
        """
        ...

    async def recent(
        self, repository: Repository, sha: str, limit: int, paths: Sequence[str] = ()
    ) -> Sequence[SuspectCommit]:
        """Return at most ``limit`` commits up to ``sha`` that touch ``paths`` (none: any), newest first.

        Merges are passed over. The same for the same commit: a mirror that lost it fetches it again.
        """
        ...

    async def email_of(self, repository: Repository, sha: str) -> str:
        """Return the address that a commit's author gave git, as it stands there; empty for no commit."""
        ...


class Workspaces(Protocol):
    """The folders of a run."""

    async def ensure(self, run_id: str, name: str, repository: Repository, sha: str, patch: str = "") -> Path:
        """Return a fresh checkout at ``sha`` with ``patch`` applied, in the run's own folder."""
        ...

    async def scratch(self, run_id: str, name: str) -> Path:
        """Return an empty folder of the run."""
        ...

    async def discard(self, run_id: str) -> None:
        """Remove everything of a run."""
        ...
