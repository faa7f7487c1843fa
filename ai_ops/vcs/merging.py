"""Make commits in a mirror, without a work tree: a patch on a base, or two heads together.

Author and date are fixed by the input, so that a step that runs twice makes the same commit. A signature may
differ each time: a signed commit is kept under the id of the same commit without one, and found there again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai_ops.core.commit_rules import AUTHOR_EMAIL, AUTHOR_NAME
from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.vcs.checkout import patch_failure
from ai_ops.vcs.environment import GitRunner, Place
from ai_ops.vcs.mirror import Mirror, skeleton
from ai_ops.vcs.names import check_sha
from ai_ops.vcs.signing import Signer, unsigned

_SIGNED = "refs/ai-ops/signed"  # a fetch leaves what is not below refs/heads alone


@dataclass(frozen=True, slots=True)
class Author:
    """Who stands as author and committer, and signs where there is a key."""

    name: str = AUTHOR_NAME
    email: str = AUTHOR_EMAIL
    signer: Signer | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge commit; ``new`` when it is not on the remote yet."""

    sha: str
    new: bool


async def commit_patch(
    mirror: Mirror, base: str, patch: str, message: str, author: Author, parents: Sequence[str] = ()
) -> str:
    """Commit ``base + patch``, dated one second after what it follows: ``parents``, or else ``base``.

    Raises:
        PermanentError: ``nothing_to_commit``, ``patch_does_not_apply``.
    """
    followed = [await _time_and_tree(mirror, sha) for sha in parents or (base,)]
    tree = (await _time_and_tree(mirror, base))[1]
    if patch.strip():
        with tempfile.TemporaryDirectory(prefix="ai-ops-git-") as folder:
            staged = replace(mirror, place=replace(mirror.place, index=Path(folder) / "index"))
            await staged.git("commit", "read-tree", base)
            try:
                command = ("apply", "--cached", "--whitespace=nowarn", "-")
                await staged.git("apply", *command, stdin=patch.encode())
            except AiOpsError as failure:
                raise patch_failure(failure) from None
            tree = (await staged.git("commit", "write-tree")).text.strip()
    if len(followed) == 1 and tree == followed[0][1]:
        raise failed("nothing_to_commit")
    time = max(time for time, _ in followed) + 1
    return await _commit_tree(mirror, tree, list(parents or (base,)), time, message, author)


async def merge_texts(runner: GitRunner, base: str, kept: str, changed: str) -> str:
    """Merge two later states of one text by lines, without a repository; ``kept`` wins where they meet.

    Line ends are those of Unix afterwards: what people type into a host's page comes with others.
    """
    with tempfile.TemporaryDirectory(prefix="ai-ops-git-") as folder:
        git_dir = Path(folder)
        skeleton(git_dir)
        names = ("kept", "base", "changed")
        for name, text in zip(names, (kept, base, changed), strict=True):
            lines = text.replace("\r\n", "\n").rstrip("\n").replace("\0", "")  # a NUL is no text to git
            (git_dir / name).write_bytes(f"{lines}\n".encode("utf-8", "surrogatepass"))
        files = [str(git_dir / name) for name in names]
        merged = await runner.run("merge", ["merge-file", "-p", "--ours", "--", *files], Place(git_dir))
    return merged.stdout.decode("utf-8", "replace").rstrip("\n")


async def merge_heads(mirror: Mirror, base: str, head: str, message: str, author: Author) -> Merged:
    """Merge ``head`` into ``base``. When it is in there already, return the commit that brought it.

    Raises:
        PermanentError: ``merge_conflict``, ``unrelated_history``.
    """
    contained = await mirror.git("merge", "merge-base", "--is-ancestor", head, base, accept=(0, 1))
    if contained.exit_code == 0:
        span = ("--ancestry-path", "--merges", "--reverse", f"{head}..{base}")
        merges = (await mirror.git("merge", "rev-list", *span)).text.split()
        return Merged(merges[0] if merges else base, new=False)
    tree = await merged_tree(mirror, base, head)
    times = [(await _time_and_tree(mirror, sha))[0] for sha in (base, head)]
    return Merged(await _commit_tree(mirror, tree, [base, head], max(times) + 1, message, author), new=True)


async def merged_tree(mirror: Mirror, base: str, head: str) -> str:
    """Return the tree that git makes of two heads.

    Raises:
        PermanentError: ``merge_conflict``, ``unrelated_history``.
    """
    done = await mirror.git("merge", "merge-tree", "--write-tree", "--name-only", base, head, accept=(0, 1))
    lines = done.text.splitlines()
    if done.exit_code:
        paths = ", ".join(line for line in lines[1 : lines.index("")] if line) if "" in lines else ""
        raise failed("merge_conflict", f"both sides changed {paths[:300]}")
    return check_sha(lines[0])


async def _time_and_tree(mirror: Mirror, sha: str) -> tuple[int, str]:
    shown = await mirror.git(
        "look up", "rev-list", "--no-commit-header", "--max-count=1", "--format=%ct %T", sha
    )
    time, tree = shown.text.split()
    return int(time), tree


async def _commit_tree(
    mirror: Mirror, tree: str, parents: list[str], time: int, message: str, author: Author
) -> str:
    by: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        by |= {
            f"GIT_{role}_NAME": author.name,
            f"GIT_{role}_EMAIL": author.email,
            f"GIT_{role}_DATE": f"@{time} +0000",
        }
    words = message.replace("\0", "").strip().encode("utf-8", "replace") + b"\n"
    arguments = [*(option for parent in parents for option in ("-p", parent)), tree]
    done = await mirror.git("commit", "commit-tree", *arguments, stdin=words, extra=by)
    plain = check_sha(done.text.strip())
    return (
        plain if author.signer is None else await _signed(mirror, plain, author.signer, arguments, words, by)
    )


async def _signed(
    mirror: Mirror, plain: str, signer: Signer, arguments: list[str], words: bytes, by: dict[str, str]
) -> str:
    """Return the signed twin of a commit: the one that was made before, or a new one."""
    ref = f"{_SIGNED}/{plain}"
    known = await mirror.git(
        "look up", "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", accept=(0, 1)
    )
    if known.text.strip():
        return check_sha(known.text.strip())
    command = ["commit-tree", "-S", *arguments]
    async with signer.ready() as ready:
        extra = {**by, **ready.environment}
        try:
            done = await mirror.runner.run(
                "sign", command, mirror.place, stdin=words, extra=extra, config=ready.config
            )
        except AiOpsError as failure:
            # All else was there a moment ago, so what git complains of is the key.
            raise unsigned(failure.message) if failure.code == "git_failed" else failure from None
    sha = check_sha(done.text.strip())
    await mirror.git("commit", "update-ref", ref, sha)
    return sha
