"""Find the repository file that an answer means, or refuse.

Models write paths as they saw them: with a diff's prefix, from the root of the machine in the log,
with backslashes. Those lead to the right file. What leaves the repository, reaches ``.git`` under any
of its names, passes a link, or differs from another name only by case, refuses the whole answer.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ai_ops.core.code_blocks.problems import Problem

SYMLINK = 0o120000
SUBMODULE = 0o160000
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
_GIT_SHORT = re.compile(r"git~[0-9]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_PREFIXES = ("a", "b", "repo", "workspace")
_SYSTEM = ("etc", "proc", "sys", "dev", "boot")  # no repository stands there
_MAX_PATH = 1024
_MAX_NAME = 255


@dataclass(frozen=True)
class Tree:
    """What a checkout holds: path to git mode (0o100644, 0o100755, 0o120000 link, 0o160000 submodule)."""

    modes: Mapping[str, int]

    @classmethod
    def of(cls, paths: Iterable[str]) -> Tree:
        """Return a tree of ordinary files."""
        return cls(dict.fromkeys(paths, 0o100644))

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The ordinary files, sorted."""
        return tuple(sorted(path for path in self.modes if self.is_file(path)))

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds something."""
        return frozenset(parent for path in self.modes for parent in parents(path))

    @cached_property
    def by_folded(self) -> Mapping[str, str]:
        """Each name of a file or folder by its form without case and composition."""
        return {fold(path): path for path in (*self.modes, *self.folders)}

    def is_file(self, path: str) -> bool:
        """Whether an ordinary file stands there."""
        return self.modes.get(path) not in (None, SYMLINK, SUBMODULE)

    def permissions(self, path: str) -> int:
        """Return the permission bits that git keeps: 0o644 or 0o755."""
        return 0o755 if self.modes.get(path, 0) & stat.S_IXUSR else 0o644


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path beneath the root. ``note`` tells people how it was found, empty when as written."""

    path: str
    note: str = ""


def fold(path: str) -> str:
    """Return the form in which two names clash on a file system that ignores case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def parents(path: str) -> Iterator[str]:
    """Yield the folders above a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def is_git_name(name: str) -> bool:
    """Whether a path component is ``.git`` to git, NTFS or HFS+.

    That is in any case, as ``git~1``, with dots or spaces behind it, with a stream name, or with
    characters that HFS+ ignores.
    """
    plain = "".join(
        char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf"
    )
    plain = plain.partition(":")[0].rstrip(". ").casefold()
    return plain == ".git" or _GIT_SHORT.fullmatch(plain) is not None


def _refuse(rule: str, path: str, text: str) -> Problem:
    return Problem(rule, path, text, final=True)


def _illegal(raw: str, parts: Sequence[str]) -> Problem | None:
    """Return why a path is refused whatever the repository holds."""
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in raw):
        return _refuse("bad_path", ascii(raw), "control characters in a path")
    if not parts or len(raw) > _MAX_PATH or any(len(part.encode()) > _MAX_NAME for part in parts):
        return _refuse("bad_path", raw[:80], "the path is empty or too long")
    if ".." in parts:
        return _refuse("path_traversal", raw, "a path may not contain ..")
    if any(is_git_name(part) for part in parts):
        return _refuse("git_path", raw, "git's own files are not for editing")
    return None


def _unportable(path: str) -> bool:
    """Whether a new name would be another one, or none, on another file system."""
    return any(
        part != part.strip()
        or part.endswith(".")
        or part.startswith("~")
        or any(char in '<>:"|?*' or unicodedata.category(char) == "Cf" for char in part)
        or _RESERVED.fullmatch(part)
        for part in path.split("/")
    )


def _in_workspace(parts: Sequence[str]) -> Sequence[str]:
    """Return what follows ``workspaces/…/repo``, or nothing."""
    if "workspaces" not in parts:
        return ()
    after = parts[parts.index("workspaces") + 1 :]
    return after[after.index("repo") + 1 :] if "repo" in after else ()


def _place(parts: Sequence[str], tree: Tree) -> str:
    """Return the place of a relative path: as it stands, or without the prefix of a diff or a folder."""
    if tree.is_file("/".join(parts)):
        return "/".join(parts)
    if inside := _in_workspace(parts):
        return "/".join(inside)
    rest = parts
    while len(rest) > 1 and rest[0] in _PREFIXES:
        rest = rest[1:]
        if tree.is_file("/".join(rest)):
            return "/".join(rest)
    rest = parts  # it is a new file: a folder that exists is believed before a prefix
    while len(rest) > 1 and rest[0] in _PREFIXES and rest[0] not in tree.folders:
        rest = rest[1:]
    return "/".join(rest)


def _place_absolute(parts: Sequence[str], tree: Tree, roots: Sequence[str]) -> str | None:
    """Return the place of an absolute path, or None when it is outside.

    Without a known root it is the longest end of the path that is a file, or whose folder is there;
    never a shorter one, which would be another file of the same name.
    """
    whole = "/" + "/".join(parts)
    for root in roots:
        if whole.startswith(root.rstrip("/") + "/"):
            return whole[len(root.rstrip("/")) + 1 :]
    if inside := _in_workspace(parts):
        return "/".join(inside)
    ours = parts[0] in ("workspace", "repo") and len(parts) > 1
    rest = parts[1:] if ours else parts
    for cut in range(len(rest) if rest[0] not in _SYSTEM else 0):
        end = "/".join(rest[cut:])
        if tree.is_file(end) or end.rpartition("/")[0] in tree.folders:
            return end
    return "/".join(rest) if ours else None


def _obstacle(path: str, raw: str, tree: Tree) -> Problem | None:
    """Return what in the repository stands in the way of ``path``."""
    for place in (path, *parents(path)):
        mode = tree.modes.get(place)
        if mode == SYMLINK:
            return _refuse("symlink", raw, f"{place} is a symbolic link")
        if mode == SUBMODULE:
            return _refuse("submodule", raw, f"{place} is a submodule")
        if mode is not None and place != path:
            return Problem("not_a_folder", raw, f"{place} is a file")
        existing = tree.by_folded.get(fold(place))
        there = mode is not None or place in tree.folders
        if existing is not None and not there:
            return _refuse("case_clash", raw, f"it differs from {existing} only by case or composition")
    if path in tree.folders:
        return Problem("is_a_folder", raw, f"{path} is a folder")
    if path not in tree.modes and _unportable(path):
        return _refuse("bad_path", raw, "the name of a new file must be portable")
    return None


def resolve(raw: str, tree: Tree, roots: Sequence[str] = ()) -> Resolved | Problem:
    """Return the path beneath the root that ``raw`` means; it may not exist yet.

    Args:
        raw: the path as the answer has it.
        tree: what the repository holds.
        roots: absolute folders in which the repository is known to stand elsewhere, such as
            ``/srv/app`` in a traceback.

    Problems: ``bad_path``, ``path_traversal``, ``git_path``, ``path_outside_root``, ``symlink``,
    ``submodule``, ``case_clash`` (all final), ``not_a_folder``, ``is_a_folder``.
    """
    plain = raw if tree.is_file(raw) else raw.replace("\\", "/")
    drive = _DRIVE.match(raw)
    absolute = plain.startswith("/") or drive is not None
    parts = [part for part in plain[drive.end() if drive else 0 :].split("/") if part not in ("", ".")]
    if problem := _illegal(raw, [*parts, *raw.replace("\\", "/").split("/")] if parts else []):
        return problem
    path = _place_absolute(parts, tree, roots) if absolute else _place(parts, tree)
    if not path:
        return _refuse("path_outside_root", raw, "the path leads out of the repository")
    if problem := _obstacle(path, raw, tree):
        return problem
    return Resolved(path, "" if path == raw else f"{raw} was read as {path}")
