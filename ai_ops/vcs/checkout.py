"""The work tree of a run, seen from outside it.

After the sandbox has run in it, everything in a checkout is hostile: its ``.git/config`` may name an
fsmonitor, its hooks may be anything. So ``diff`` and ``apply`` never let git read that ``.git``: they
use a private, temporary ``GIT_DIR`` and index outside, and borrow nothing from the checkout but its
objects, which are only data.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.vcs.environment import NEUTRAL_ATTRIBUTES, GitRunner, Place
from ai_ops.vcs.mirror import Mirror, skeleton
from ai_ops.vcs.names import check_sha

PATCH_LIMIT = 20_000_000  # bytes of changed files; a repair is far below it
_BASE_REF = "refs/ai-ops/base"
_SETTLED_SECONDS = 2.0  # git compares times by the second

# Left out of a diff on top of the repository's own .gitignore: what running the tests leaves behind.
_IGNORED = "__pycache__/\n*.pyc\n.pytest_cache/\nnode_modules/\n"

_CHECKOUT_CONFIG = """[core]
\trepositoryformatversion = 0
\tbare = false
\tlogAllRefUpdates = false
\thooksPath = /dev/null
[user]
\tname = AI-Ops
\temail = ai-ops@users.noreply.invalid
[gc]
\tauto = 0
"""
_DIFF = ("--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
_PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=histogram")


async def export(mirror: Mirror, sha: str, target: Path) -> None:
    """Make ``target`` a checkout of ``sha`` that stands alone: one commit, detached, no remote.

    Raises:
        PermanentError: ``target_not_empty``; ``git_damaged`` when the mirror lacks objects.
    """
    await asyncio.to_thread(_prepare, target, sha)
    git_dir = target / ".git"
    parents = (await mirror.git("export", "rev-list", "--parents", "--max-count=1", sha)).text.split()[1:]
    if parents:
        (git_dir / "shallow").write_text(f"{sha}\n")
    # The one commit, its trees and its files, as one pack; nothing is shared with the mirror.
    await mirror.git(
        "export",
        "pack-objects",
        "--quiet",
        "--revs",
        "--threads=2",
        str(git_dir / "objects" / "pack" / "pack"),
        stdin=f"--shallow {sha}\n{sha}\n".encode(),
    )
    place = Place(git_dir, work_tree=target)
    await mirror.runner.run("export", ["read-tree", "--reset", "-u", sha], place)


def _prepare(target: Path, sha: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise failed("target_not_empty", f"{target.name} is not an empty folder")
    files = {
        "HEAD": f"{sha}\n",
        "config": _CHECKOUT_CONFIG,
        "info/attributes": NEUTRAL_ATTRIBUTES,
        "info/exclude": _IGNORED,
    }
    git_dir = target / ".git"
    skeleton(git_dir, files)
    (git_dir / _BASE_REF).parent.mkdir()
    (git_dir / _BASE_REF).write_text(f"{sha}\n")


def note_overlay(tree: Path, checkout: Path) -> None:
    """Note that a checkout shows the very files of an exported ``tree``; ``diff`` reads what changed alone.

    git takes a file for unchanged by its inode, its size and its times. Only the kernel sets when an inode
    changed, so whatever runs in the checkout cannot hide what it did, unless it is of the second in which the
    tree was made: a tree that is younger is not noted, and all of its files are read.
    """
    note = _note(checkout, check_sha((tree / ".git" / "HEAD").read_text().strip()))
    note.unlink(missing_ok=True)
    index = tree / ".git" / "index"
    with contextlib.suppress(OSError):  # without it a diff takes longer, no more: some disks link nothing
        if time.time() - index.stat().st_mtime >= _SETTLED_SECONDS:
            note.hardlink_to(index)


def _note(checkout: Path, base: str) -> Path:
    """Return where the index of the tree beneath a checkout is noted: beside it, where no sandbox reaches."""
    return checkout.with_name(f"{checkout.name}.{base}.index")


async def diff(runner: GitRunner, checkout: Path) -> str:
    """Return all that differs from the base commit, new files too, as a git patch.

    Left out: what the repository's ``.gitignore`` names, test leftovers, nested repositories, and
    whatever is neither file nor link. The patch is UTF-8; files that are not come as binary.

    Raises:
        PermanentError: ``checkout_damaged``; ``diff_too_large``.
    """
    async with _outside(checkout) as (place, base):
        run = runner.run
        if not await asyncio.to_thread(_take_noted, _note(checkout, base), place.git_dir / "index"):
            await run("diff", ["read-tree", base], place)
        listed = await run("diff", ["ls-files", "-z", "-o", "-m", "-d", "--exclude-standard"], place)
        changes = await asyncio.to_thread(_sort, checkout, listed.stdout)
        if changes.gone:
            removal = b"".join(b"0 " + b"0" * 40 + b"\t" + path + b"\0" for path in changes.gone)
            await run("diff", ["update-index", "-z", "--index-info"], place, stdin=removal)
        if changes.present:
            update = ["update-index", "-z", "--add", "--replace", "--stdin"]
            await run("diff", update, place, stdin=b"".join(p + b"\0" for p in changes.present))
        return await _patch(runner, place, base)


def _take_noted(note: Path, index: Path) -> bool:
    try:
        shutil.copyfile(note, index)
    except OSError:  # there is none; or no room for it, which git says in its own words
        index.unlink(missing_ok=True)
        return False
    return True


async def changes(mirror: Mirror, base: str, sha: str) -> str:
    """Return all that one commit of a mirror has and another has not, as a git patch like ``diff``'s."""
    with tempfile.TemporaryDirectory(prefix="ai-ops-git-") as folder:
        git_dir = Path(folder)
        await asyncio.to_thread(skeleton, git_dir)
        place = Place(git_dir, index=git_dir / "index", borrowed_objects=mirror.place.git_dir / "objects")
        await mirror.runner.run("diff", ["read-tree", sha], place)
        return await _patch(mirror.runner, place, base)


async def apply(runner: GitRunner, checkout: Path, patch: str) -> None:
    """Apply a patch to the files of a checkout.

    Raises:
        PermanentError: ``patch_does_not_apply``.
    """
    if not patch.strip():
        return
    async with _outside(checkout) as (place, _):
        try:
            await runner.run("apply", ["apply", "--whitespace=nowarn", "-"], place, stdin=patch.encode())
        except AiOpsError as failure:
            raise patch_failure(failure) from None


def patch_failure(failure: AiOpsError) -> AiOpsError:
    """Return what a failed ``git apply`` means: git's own verdict on the patch keeps its words."""
    if failure.code in ("git_timeout", "disk_full", "git_missing", "checkout_missing"):
        return failure
    return failed(
        "patch_does_not_apply",
        failure.message,
        next_step="The patch was made for another commit, or names paths that git refuses.",
    )


@asynccontextmanager
async def _outside(checkout: Path) -> AsyncIterator[tuple[Place, str]]:
    """Yield a private repository over the checkout's files, and the base commit."""
    base = await asyncio.to_thread(_base_of, checkout)
    with tempfile.TemporaryDirectory(prefix="ai-ops-git-") as folder:
        git_dir = Path(folder)
        skeleton(git_dir)
        (git_dir / "info" / "exclude").write_text(_IGNORED)
        yield Place(git_dir, checkout, git_dir / "index", checkout / ".git" / "objects"), base


def _base_of(checkout: Path) -> str:
    """Return the base commit, having seen that the object folders are plain and lead nowhere else."""
    git_dir = checkout / ".git"
    ref, objects = git_dir / _BASE_REF, git_dir / "objects"
    plain = all(_is_plain(folder, stat.S_ISDIR) for folder in (git_dir, objects, *ref.parents[:2]))
    if not (plain and _is_plain(ref, stat.S_ISREG) and ref.stat().st_size == 41 and _self_contained(objects)):
        raise failed(
            "checkout_damaged", "the checkout's own repository was tampered with", next_step="Make it anew."
        )
    return check_sha(ref.read_text().strip())


def _self_contained(objects: Path) -> bool:
    for folder, folders, files in os.walk(objects):
        at = Path(folder)
        if not all(_is_plain(at / name, stat.S_ISDIR) for name in folders):
            return False
        if not all(_is_plain(at / name, stat.S_ISREG) for name in files):
            return False
    return not (objects / "info" / "alternates").exists()


def _is_plain(path: Path, kind: object) -> bool:
    try:
        return bool(kind(path.lstat().st_mode))  # type: ignore[operator]
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Changes:
    present: Sequence[bytes]
    gone: Sequence[bytes]


def _sort(checkout: Path, listing: bytes) -> _Changes:
    """Part the listed paths into files and links to take as they are, and those that are none any more."""
    present: list[bytes] = []
    gone: list[bytes] = []
    size = 0
    root = os.path.realpath(os.fsencode(checkout))
    for path in dict.fromkeys(listing.split(b"\0")):
        if not path or path.endswith(b"/"):  # a nested repository
            continue
        status = _status(root, path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            kept = status is not None and (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode))
            (present if kept else gone).append(path)
            size += status.st_size if status is not None and kept else 0
        elif not os.path.lexists(os.path.join(root, path, b".git")):  # noqa: PTH118 - bytes
            gone.append(path)
    if size > PATCH_LIMIT:
        raise failed("diff_too_large", f"the changed files hold {size} bytes, more than {PATCH_LIMIT}")
    return _Changes(present, gone)


def _status(root: bytes, path: bytes) -> os.stat_result | None:
    """Return what is at a path, following no link on the way; None when nothing is."""
    at = os.path.join(root, path)  # noqa: PTH118 - paths are bytes, since names need not be UTF-8
    if os.path.realpath(os.path.dirname(at)) != os.path.dirname(at):  # noqa: PTH120
        return None
    try:
        return os.lstat(at)
    except (FileNotFoundError, NotADirectoryError):
        return None


async def _patch(runner: GitRunner, place: Place, base: str) -> str:
    """Return the patch; files whose text is not UTF-8 are put in as binary, so that nothing is lost."""
    command = ["diff-index", "--cached", "-p", *_DIFF, *_PREFIXES, base, "--"]
    raw = (await runner.run("diff", command, place)).stdout
    odd = [n for n, section in enumerate(_sections(raw)) if not _is_text(section)]
    if not odd:
        return raw.decode()
    names = await runner.run("diff", ["diff-index", "--cached", "--name-only", "-z", base, "--"], place)
    paths = names.stdout.split(b"\0")
    with (place.git_dir / "info" / "attributes").open("ab") as attributes:
        attributes.writelines(_binary_attribute(paths[n]) for n in odd)
    quoted = await runner.run("diff", command, place, config={"core.quotePath": "true"})
    return quoted.stdout.decode()


def _sections(patch: bytes) -> list[bytes]:
    """Part a patch by file. No line of content begins like a header: each has a mark before it."""
    return patch.removeprefix(b"diff --git ").split(b"\ndiff --git ") if patch else []


def _is_text(section: bytes) -> bool:
    try:
        return "\0" not in section.decode()
    except UnicodeDecodeError:
        return False


def _binary_attribute(path: bytes) -> bytes:
    """Return the attributes line that makes exactly this path binary."""
    literal = b"".join(b"\\" + bytes([c]) if c in b"\\*?[]" else bytes([c]) for c in path)
    octal = b"".join(b"\\%03o" % c if c < 32 or c > 126 or c in b'"\\' else bytes([c]) for c in literal)
    return b'"/' + octal + b'" -diff\n'
