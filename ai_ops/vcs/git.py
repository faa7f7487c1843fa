"""The ports of git on its command line: mirrors, checkouts, commits, pushes, history and builds.

This is the thin composition; the rules are in ``names`` and ``failures``, the mirror in ``mirror``,
the untrusted work tree in ``checkout``, merging in ``merging``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.suspects import SuspectCommit
from ai_ops.vcs import builds, history, reading
from ai_ops.vcs import checkout as checkouts
from ai_ops.vcs.credentials import Credential, askpass_program
from ai_ops.vcs.environment import GitRunner
from ai_ops.vcs.merging import Author, commit_patch, merge_heads, merge_texts, merged_tree
from ai_ops.vcs.mirror import Mirror, Mirrors
from ai_ops.vcs.names import address_of, check_branch, check_sha
from ai_ops.vcs.pinning import LookUp, Pinning, look_up

_MERGE_TRIES = 3


class GitClient:
    """Real git, one bare mirror per repository.

    Args:
        mirrors_dir: folder of the mirrors; made 0700 when it is not there.
        credentials: gives the credential for a repository, or None. It must give one only for the
            host the token belongs to.
        allow_file: whether ``file://`` addresses and absolute paths may be used (``CODE_HOST=local``).
        http_hosts: ``host[:port]`` of configured code hosts that are reached by plain http.
        is_named: whether the configuration spells out a ``host[:port]``; any other must be public.
        look_up: how the others' names are looked up.
        author: who commits.
        timeout_seconds: the longest that one git command may run.
    """

    def __init__(
        self,
        mirrors_dir: Path,
        credentials: Callable[[Repository], Credential | None],
        *,
        allow_file: bool = False,
        http_hosts: Collection[str] = (),
        is_named: Callable[[str], bool] = lambda _: False,
        look_up: LookUp = look_up,
        author: Author | None = None,
        timeout_seconds: float = 600.0,
    ) -> None:
        mirrors_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._runner = GitRunner(askpass_program(mirrors_dir), timeout_seconds)
        plain = frozenset(http_hosts)
        pinning = Pinning(lambda netloc: netloc in plain or is_named(netloc), look_up)
        self._mirrors = Mirrors(mirrors_dir, self._runner, pinning)
        self._credentials = credentials
        self._allow_file = allow_file
        self._http_hosts = plain
        self._author = author or Author()

    async def forget_unused(self, before: float) -> int:
        """Remove the mirrors that nobody used since ``before``, in seconds since 1970; return how many."""
        return await self._mirrors.forget_unused(before)

    @asynccontextmanager
    async def _mirror(self, repository: Repository) -> AsyncIterator[Mirror]:
        address = address_of(repository, allow_file=self._allow_file, http_hosts=self._http_hosts)
        credential = None
        if address.protocol != "file":  # the host of an App is asked for one
            credential = await asyncio.to_thread(self._credentials, repository)
        async with self._mirrors.held(repository, address, credential) as mirror:
            yield mirror

    async def refresh(self, repository: Repository, branch: str = "") -> Base:
        """Clone or fetch the mirror and return the head of ``branch``, or of the default branch."""
        if branch:
            check_branch(branch)
        async with self._mirror(repository) as mirror:
            return await self._mirrors.healed(mirror, lambda: mirror.refresh(branch))

    async def export(self, repository: Repository, sha: str, target: Path) -> None:
        """Make ``target`` (absent or empty) a self-contained checkout of one commit.

        Files are what the commit holds byte for byte: no filter and no line-end conversion applies.
        The commit is the real one, its history cut off; HEAD is detached at it.
        """
        check_sha(sha)
        async with self._mirror(repository) as mirror:

            async def work() -> None:
                await mirror.require(sha)
                await checkouts.export(mirror, sha, target)

            await self._mirrors.healed(mirror, work)

    async def note_overlay(self, tree: Path, checkout: Path) -> None:
        """Note that a checkout shows the very files of an exported ``tree``: a diff is quicker then."""
        await asyncio.to_thread(checkouts.note_overlay, tree, checkout)

    async def diff(self, checkout: Path) -> str:
        """Return everything that differs from the base commit, new files too, as a git patch."""
        return await checkouts.diff(self._runner, checkout)

    async def apply(self, checkout: Path, patch: str) -> None:
        """Apply a patch made by ``diff`` to a checkout at the same base."""
        await checkouts.apply(self._runner, checkout, patch)

    async def changes(self, repository: Repository, base_sha: str, sha: str) -> str:
        """Return all that ``sha`` has over ``base_sha``, as a git patch that applies to the latter."""
        check_sha(base_sha)
        check_sha(sha)
        async with self._mirror(repository) as mirror:

            async def work() -> str:
                await mirror.require(base_sha)
                await mirror.require(sha)
                return await checkouts.changes(mirror, base_sha, sha)

            return await self._mirrors.healed(mirror, work)

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

        Raises:
            PermanentError: ``nothing_to_commit``, ``patch_does_not_apply``.
        """
        for sha in (base_sha, *parents):
            check_sha(sha)
        async with self._mirror(repository) as mirror:

            async def work() -> str:
                for sha in (base_sha, *parents):
                    await mirror.require(sha)
                return await commit_patch(mirror, base_sha, patch, message, self._author, parents)

            return await self._mirrors.healed(mirror, work)

    async def merge_texts(self, base: str, kept: str, changed: str) -> str:
        """Bring together two later states of one text, by lines; where both changed it, ``kept`` stands."""
        return await merge_texts(self._runner, base, kept, changed)

    async def push(self, repository: Repository, sha: str, branch: str, *, onto: str = "") -> bool:
        """Push a commit to a branch. True when it was there already; nobody else's work is overwritten.

        A branch that exists moves forward, to a commit that contains its head. Commits that we alone
        made are replaced: an earlier run pushed them and came no further. With ``onto`` nothing is
        replaced, and the branch has to be there with that commit.

        Raises:
            PermanentError: ``branch_taken``; ``git_commit_missing`` when the mirror lost the commit
                (make it again: ``commit`` gives the same one).
        """
        check_sha(sha)
        check_branch(branch)
        async with self._mirror(repository) as mirror:
            if not await mirror.has_commit(sha):
                raise failed(
                    "git_commit_missing",
                    f"the commit {sha} is not in the mirror",
                    next_step="Commit it again.",
                )
            if onto:
                return await _push(mirror, sha, branch, expected=check_sha(onto))
            return await _push(mirror, sha, branch, replaceable=self._author)

    async def remote_branch(self, repository: Repository, branch: str) -> str | None:
        """Return the remote head of a branch, or None."""
        check_branch(branch)
        async with self._mirror(repository) as mirror:
            return (await mirror.remote_heads(branch)).heads.get(branch)

    async def read_file(self, repository: Repository, sha: str, path: str) -> bytes | None:
        """Return a regular file at a commit, or None when there is none of at most 10 MB."""
        return await self._read(repository, sha, lambda git_dir: reading.read_file(git_dir, sha, path))

    async def list_files(self, repository: Repository, sha: str) -> Sequence[str]:
        """Return the paths of files and links at a commit, sorted."""
        return await self._read(repository, sha, lambda git_dir: reading.list_files(git_dir, sha))

    async def find_commit(self, repository: Repository, name: str) -> str | None:
        """Return the full id of a commit of the mirror that a (shortened) id names, or None."""
        async with self._mirror(repository) as mirror:
            return await history.find_commit(mirror, name)

    async def blame(
        self, repository: Repository, sha: str, path: str, lines: Sequence[int]
    ) -> Mapping[int, SuspectCommit]:
        """Return the commit that touched each line of a file last, for the lines that are there."""
        check_sha(sha)
        async with self._mirror(repository) as mirror:
            return await history.blame(mirror, sha, path, lines)

    async def between(
        self, repository: Repository, before: str, after: str, paths: Sequence[str], limit: int
    ) -> tuple[int, Sequence[SuspectCommit]] | None:
        """Return how many commits lie between two, and the newest that touch the paths, or else of all."""
        check_sha(before)
        check_sha(after)
        async with self._mirror(repository) as mirror:
            return await history.between(mirror, before, after, paths, limit)

    async def recent(
        self, repository: Repository, sha: str, limit: int, paths: Sequence[str] = ()
    ) -> Sequence[SuspectCommit]:
        """Return the newest commits up to one, without merges, that touch the paths (none: all)."""
        check_sha(sha)
        async with self._mirror(repository) as mirror:

            async def work() -> Sequence[SuspectCommit]:
                await mirror.require(sha)
                return await history.recent(mirror, sha, limit, paths)

            return await self._mirrors.healed(mirror, work)

    async def email_of(self, repository: Repository, sha: str) -> str:
        """Return the address that a commit's author gave git; empty for no commit."""
        check_sha(sha)
        async with self._mirror(repository) as mirror:
            return await history.email_of(mirror, sha)

    async def holds(self, repository: Repository, release: str, sha: str) -> bool | None:
        """Whether the build of a release, a commit or a tag, contains a commit; None where nobody knows."""
        check_sha(sha)
        async with self._mirror(repository) as mirror:
            return await self._mirrors.healed(mirror, lambda: builds.holds(mirror, release, sha))

    async def reversal(self, repository: Repository, sha: str) -> tuple[int, str]:
        """Return how many parents a commit has, and the patch that takes back what it brought.

        Raises:
            PermanentError: ``git_commit_missing``.
        """
        check_sha(sha)
        async with self._mirror(repository) as mirror:
            return await self._mirrors.healed(mirror, lambda: builds.reversal(mirror, sha))

    async def _read(self, repository: Repository, sha: str, read: Callable[[Path], reading.T]) -> reading.T:
        check_sha(sha)
        async with self._mirror(repository) as mirror:

            async def work() -> reading.T:
                await mirror.require(sha)
                return await asyncio.to_thread(read, mirror.place.git_dir)

            return await self._mirrors.healed(mirror, work)

    async def merged(self, repository: Repository, head: str, base_sha: str) -> str:
        """Return what is left of a branch's change once a newer base is merged in, as a patch on that base.

        Git decides what becomes of the two; nothing is committed.

        Raises:
            PermanentError: ``merge_conflict``, ``unrelated_history``, ``git_commit_missing``.
        """
        check_sha(head)
        check_sha(base_sha)
        async with self._mirror(repository) as mirror:

            async def work() -> str:
                await mirror.require(head)
                await mirror.require(base_sha)
                tree = await merged_tree(mirror, base_sha, head)
                return await checkouts.changes(mirror, base_sha, tree)

            return await self._mirrors.healed(mirror, work)

    async def merge(self, repository: Repository, branch: str, into: str, message: str, *, head: str) -> str:
        """Merge a branch on the remote and return the merge commit; merged already, return that.

        ``head`` is the commit that was reviewed: a branch that holds another one is not merged.

        Raises:
            PermanentError: ``merge_conflict``, ``unrelated_history``, ``git_not_found``, ``branch_moved``.
            TemporaryError: ``base_moved`` when others keep pushing meanwhile.
        """
        check_branch(branch)
        check_branch(into)
        async with self._mirror(repository) as mirror:
            for _ in range(_MERGE_TRIES):
                base = await self._mirrors.healed(mirror, lambda: mirror.refresh(into))
                found = await self._mirrors.healed(mirror, lambda: mirror.refresh(branch))
                if found.sha != head:
                    raise failed(
                        "branch_moved",
                        f"the branch {branch} holds commits that were not there when it was reviewed",
                        next_step="Look at them, then merge by hand.",
                    )
                merged = await merge_heads(mirror, base.sha, head, message, self._author)
                if not merged.new:
                    return merged.sha
                try:
                    await _push(mirror, merged.sha, into)
                except PermanentError as failure:
                    if failure.code != "branch_taken":
                        raise
                    continue
                return merged.sha
        raise failed("base_moved", f"{into} keeps moving; the merge is tried again")


async def _push(
    mirror: Mirror, sha: str, branch: str, *, replaceable: Author | None = None, expected: str = ""
) -> bool:
    """Push, expecting on the remote exactly what was seen there; a lost answer is looked up.

    Commits that only ``replaceable`` made may be replaced: they are of an earlier run of ours. With
    ``expected`` the branch has to be at that commit.
    """
    there = (await mirror.remote_heads(branch)).heads.get(branch)
    if there == sha:
        return True
    if expected and there != expected:
        raise _taken(branch)
    foreign = there is not None and not await _contains(mirror, sha, there)
    if foreign and not await _only_by(mirror, branch, sha, replaceable):
        raise _taken(branch)
    ref = f"refs/heads/{branch}"
    command = ["push", "--quiet", "--no-verify", f"--force-with-lease={ref}:{there or ''}"]
    try:
        await mirror.remote("push", *command, "--", mirror.address.url, f"{sha}:{ref}")
    except AiOpsError as failure:
        now = await _look_again(mirror, branch, failure)
        if now == sha:
            return False
        if now != there:
            raise _taken(branch) from None
        raise
    return False


async def _look_again(mirror: Mirror, branch: str, failure: AiOpsError) -> str | None:
    try:
        return (await mirror.remote_heads(branch)).heads.get(branch)
    except AiOpsError:
        raise failure from None


async def _contains(mirror: Mirror, sha: str, ancestor: str) -> bool:
    if not await mirror.has_commit(ancestor):
        return False
    answer = await mirror.git("look up", "merge-base", "--is-ancestor", ancestor, sha, accept=(0, 1))
    return answer.exit_code == 0


async def _only_by(mirror: Mirror, branch: str, sha: str, author: Author | None) -> bool:
    """Whether a run of ours wrote and committed every commit of the remote branch that ``sha`` lacks.

    The address alone does not say so: an operator may have given us that of a person.
    """
    if author is None:
        return False
    there = (await mirror.refresh(branch)).sha
    form = "--format=%ae%x00%ce%x00%(trailers:key=AI-Ops-Run,valueonly,separator=%x20)"
    log = await mirror.git("look up", "log", form, "--end-of-options", f"{sha}..{there}")
    commits = [line.split("\0") for line in log.text.splitlines() if line]
    return bool(commits) and all(c[:2] == [author.email] * 2 and any(c[2:]) for c in commits)


def _taken(branch: str) -> AiOpsError:
    return failed(
        "branch_taken",
        f"the branch {branch} holds other commits",
        next_step="They are someone else's and are not overwritten. Continue there by hand.",
    )
