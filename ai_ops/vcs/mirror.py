"""The bare mirror of one repository: made, brought up to date, and made anew when it is damaged.

All network traffic of git starts here. One lock per mirror; whoever works on a mirror holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.repository import Base, Repository
from ai_ops.process import Completed
from ai_ops.vcs.credentials import Credential
from ai_ops.vcs.environment import NEUTRAL_ATTRIBUTES, GitRunner, Place
from ai_ops.vcs.failures import named
from ai_ops.vcs.names import Address, check_branch, check_sha
from ai_ops.vcs.pinning import Pinning

T = TypeVar("T")

_SKELETON = {
    "HEAD": "ref: refs/heads/none\n",
    "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    "info/attributes": NEUTRAL_ATTRIBUTES,
}


@dataclass(frozen=True, slots=True)
class RemoteHeads:
    """The branches of a remote: name → commit, and the default one (empty when it says none)."""

    default: str
    heads: Mapping[str, str]


def skeleton(git_dir: Path, files: Mapping[str, str] = _SKELETON) -> None:
    """Write an empty bare repository; what is there already stays."""
    for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
        (git_dir / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        (git_dir / name).write_text(text)


def parse_heads(listing: str) -> RemoteHeads:
    """Read the output of ``ls-remote --symref``."""
    default, heads = "", {}
    for line in listing.splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            default = value.removeprefix("ref: refs/heads/")
        elif name.startswith("refs/heads/"):
            heads[name.removeprefix("refs/heads/")] = value
    return RemoteHeads(default, heads)


def choose_branch(remote: RemoteHeads, wanted: str) -> str:
    """Return the branch to start from: the wanted, the default, or the only plausible one."""
    if not remote.heads:
        raise failed("git_empty_repository")
    if wanted and wanted not in remote.heads:
        raise failed(
            "git_not_found", f"the repository has no branch {wanted!r}", next_step="Check the branch's name."
        )
    names = [wanted, remote.default, "main", "master", *(remote.heads if len(remote.heads) == 1 else ())]
    for name in names:
        if name in remote.heads:
            return check_branch(name)
    raise failed(
        "git_not_found",
        "the repository names no default branch that exists",
        next_step="Set a default branch on the host.",
    )


@dataclass(frozen=True, slots=True)
class Mirror:
    """One repository's mirror: its folder, its remote, and how git runs on it."""

    repository: Repository
    address: Address
    place: Place
    runner: GitRunner
    credential: Credential | None
    pinning: Pinning

    async def git(
        self,
        action: str,
        *arguments: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (0,),
    ) -> Completed:
        """Run a local command on the mirror; no transport is open to it."""
        return await self.runner.run(action, arguments, self.place, stdin=stdin, extra=extra, accept=accept)

    async def remote(self, action: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> Completed:
        """Run a command that talks to the remote.

        Raises:
            TemporaryError, PermanentError: as ``GitRunner.run`` and ``Pinning.config``.
        """
        by_name = self.address.protocol != "file"
        return await self.runner.run(
            action,
            arguments,
            self.place,
            protocol=self.address.protocol,
            credential=self.credential,
            config=await self.pinning.config(self.address.url) if by_name else None,
            accept=accept,
        )

    async def remote_heads(self, branch: str = "") -> RemoteHeads:
        """Ask the remote for its default branch and its heads, or for one head only."""
        wanted = ["HEAD", f"refs/heads/{branch}" if branch else "refs/heads/*"]
        listing = await self.remote("ls-remote", "ls-remote", "--symref", "--", self.address.url, *wanted)
        return parse_heads(listing.text)

    async def fetch(self) -> None:
        """Make the mirror's heads those of the remote."""
        await self.remote(
            "fetch",
            "fetch",
            "--quiet",
            "--force",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--",
            self.address.url,
            "+refs/heads/*:refs/heads/*",
        )
        with contextlib.suppress(AiOpsError):  # housekeeping, when git finds it worth while
            config = {"gc.auto": "6700", "gc.autoDetach": "false"}
            await self.runner.run("gc", ["gc", "--auto", "--quiet"], self.place, config=config)

    async def has_commit(self, sha: str) -> bool:
        """Say whether a commit is here, with its tree. Damage is not absence and raises ``git_damaged``."""
        tree = f"{check_sha(sha)}^{{tree}}"
        found = await self.git("look up", "cat-file", "-e", tree, accept=(0, 1, 128))
        if found.exit_code and "not a valid object name" not in found.complaint.lower():
            raise named(found.complaint, "look up")
        return found.exit_code == 0

    async def require(self, sha: str) -> None:
        """Have a commit here, fetching when it is not.

        Raises:
            PermanentError: ``git_commit_missing``.
        """
        if await self.has_commit(sha):
            return
        await self.fetch()
        if not await self.has_commit(sha):
            raise failed(
                "git_commit_missing",
                f"the commit {sha} is on no branch of the repository",
                next_step="It was removed by a force push, or never pushed; start from the branch's head.",
            )

    async def head(self, branch: str) -> str | None:
        """Return the mirrored head of a branch."""
        ref = f"refs/heads/{check_branch(branch)}"
        found = await self.git("look up", "rev-parse", "--verify", "--quiet", ref, accept=(0, 1))
        return found.text.strip() or None

    async def refresh(self, branch: str) -> Base:
        """Bring the mirror up to date with a branch of the remote (the default one when empty)."""
        remote = await self.remote_heads()
        name = choose_branch(remote, branch)
        if await self.head(name) != remote.heads[name] or not await self.has_commit(remote.heads[name]):
            await self.fetch()
        sha = await self.head(name)
        if sha is None:
            raise failed("git_not_found", f"the branch {name!r} went away")
        if not await self.has_commit(sha):
            raise failed("git_damaged", "the mirror lacks its own head")
        return Base(sha, name)


@dataclass(slots=True)
class Mirrors:
    """All mirrors below one folder (0700); made on first use."""

    folder: Path
    runner: GitRunner
    pinning: Pinning
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _swept: set[str] = field(default_factory=set)

    def git_dir(self, repository: Repository) -> Path:
        """Return where a repository's mirror is."""
        return self.folder / f"{hashlib.sha256(repository.key.encode()).hexdigest()[:16]}.git"

    @asynccontextmanager
    async def held(
        self, repository: Repository, address: Address, credential: Credential | None
    ) -> AsyncIterator[Mirror]:
        """Yield the mirror under its lock; an empty one is made when there is none."""
        git_dir = self.git_dir(repository)
        async with self._locks.setdefault(git_dir.name, asyncio.Lock()):
            if git_dir.name not in self._swept:
                await asyncio.to_thread(_sweep, git_dir)
                self._swept.add(git_dir.name)
            if not (git_dir / "HEAD").is_file():
                await asyncio.to_thread(skeleton, git_dir)
            await asyncio.to_thread(os.utime, git_dir / "HEAD")  # used last
            try:
                yield Mirror(repository, address, Place(git_dir), self.runner, credential, self.pinning)
            except BaseException:
                self._swept.discard(git_dir.name)  # a git that was killed may have left locks
                raise

    async def forget_unused(self, before: float) -> int:
        """Remove the mirrors that nobody used since ``before``, in seconds since 1970; return how many."""
        removed = 0
        for git_dir in await asyncio.to_thread(lambda: sorted(self.folder.glob("*.git"))):
            async with self._locks.setdefault(git_dir.name, asyncio.Lock()):
                removed += await asyncio.to_thread(_remove_unused, git_dir, before)
        return removed

    async def healed(self, mirror: Mirror, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work``; when the mirror proves damaged, clone it anew and do it once more."""
        try:
            return await work()
        except AiOpsError as failure:
            if failure.code != "git_damaged":
                raise
        await asyncio.to_thread(_empty, mirror.place.git_dir)
        await mirror.fetch()
        return await work()


def _empty(git_dir: Path) -> None:
    shutil.rmtree(git_dir, ignore_errors=True)
    skeleton(git_dir)


def _remove_unused(git_dir: Path, before: float) -> bool:
    """Remove a mirror unless it was used since; it loses its name first, so no half of one is ever used."""
    try:
        if (git_dir / "HEAD").stat().st_mtime >= before:
            return False
    except FileNotFoundError:
        return False
    gone = git_dir.with_name(f".gone-{git_dir.name}")
    shutil.rmtree(gone, ignore_errors=True)
    git_dir.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _sweep(git_dir: Path) -> None:
    """Remove what a killed git left: locks and half packs. Nobody else works on our mirrors."""
    leftovers = [
        *git_dir.glob("*.lock"),
        *git_dir.glob("refs/**/*.lock"),
        *git_dir.glob("objects/pack/tmp_*"),
        *git_dir.glob("objects/tmp_*"),
    ]
    for path in leftovers:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
