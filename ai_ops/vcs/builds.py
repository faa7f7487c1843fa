"""Which deployed builds hold a commit, and what takes a commit back.

What an application calls its release comes from outside: a commit's id, a beginning of one, a tag with or
without its ``v``, or any other word. Only whole words of a plain form are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.vcs.history import find_commit
from ai_ops.vcs.mirror import Mirror

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,99}")
_DIFF = ("diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


async def holds(mirror: Mirror, release: str, sha: str) -> bool | None:
    """Return whether the build of a release contains a commit; None where that cannot be told."""
    build = await _commit_of(mirror, release)
    if build is None or not await _have(mirror, sha):
        return None
    command = ["merge-base", "--is-ancestor", sha, build]
    return (await mirror.git("look up", *command, accept=(0, 1))).exit_code == 0


async def reversal(mirror: Mirror, sha: str) -> tuple[int, str]:
    """Return how many parents a commit has, and the patch from it back to the first of them.

    The first commit of a repository has none, and no patch.
    """
    await mirror.require(sha)
    shown = await mirror.git("look up", "rev-list", "--no-commit-header", "--max-count=1", "--format=%P", sha)
    parents = shown.text.split()
    if not parents:
        return 0, ""
    patch = await mirror.git("diff", *_DIFF, sha, parents[0])
    return len(parents), patch.text


async def _commit_of(mirror: Mirror, release: str) -> str | None:
    """Return the commit that a release names: by its id, which may be pushed since, or by a tag."""
    if _COMMIT.fullmatch(release):
        if found := await find_commit(mirror, release):
            return found
        await mirror.fetch()
        if found := await find_commit(mirror, release):
            return found
    for tag in _tags(release):
        if found := await _tagged(mirror, tag):
            return found
    return None


def _tags(release: str) -> Iterator[str]:
    """Yield the tags that a release may mean: of ``1.4.2`` that and ``v1.4.2``, and so of ``shop@1.4.2``."""
    for word in dict.fromkeys((release, release.rpartition("@")[2])):
        if _TAG.fullmatch(word) and ".." not in word and not word.endswith((".", "/", ".lock")):
            yield from (word, f"v{word}")


async def _tagged(mirror: Mirror, tag: str) -> str | None:
    """Return the commit of a tag of the remote, and have it here."""
    ref = f"refs/tags/{tag}"
    listing = await mirror.remote("ls-remote", "ls-remote", "--", mirror.address.url, ref, f"{ref}^{{}}")
    rows = (line.partition("\t") for line in listing.text.splitlines())
    found = {name: sha for sha, _, name in rows}
    sha = found.get(f"{ref}^{{}}") or found.get(ref)  # of a tag with words the commit that it stands on
    if sha is None:
        return None
    if not await _have(mirror, sha):
        kept = f"+{ref}:refs/ai-ops/tags/{tag}"  # its commit may be on no branch any more
        command = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
        await mirror.remote("fetch", *command, "--", mirror.address.url, kept)
    return sha if await _is_here(mirror, sha) else None


async def _have(mirror: Mirror, sha: str) -> bool:
    """Have a commit here if a branch of the remote holds it."""
    if await _is_here(mirror, sha):
        return True
    await mirror.fetch()
    return await _is_here(mirror, sha)


async def _is_here(mirror: Mirror, sha: str) -> bool:
    return await find_commit(mirror, sha) == sha
