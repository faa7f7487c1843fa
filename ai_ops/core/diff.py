"""Read a git patch into values that the guard can judge.

Made for what our own git writes: ``git diff --binary --full-index --no-renames``. Paths are taken
from the ``diff --git`` line, because the ``---`` and ``+++`` lines are missing for binary, empty and
mode-only changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchedFile, PatchSet

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError

_SYMLINK = 0o120000
_SUBMODULE = 0o160000
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r",
    b'"': b'"', b"\\": b"\\",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hunk:
    """A place of a change: its first line in the old file, the heading git found for it, and its lines.

    Each line begins with its sign, a space where it stays, and has no white space at its end.
    """

    start: int
    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One changed file.

    Lines are ``(number, text)``, 1-based, without the line feed: added lines count in the new file,
    removed ones in the old. Modes are git's (0o100644, 0o100755, 0o120000), None where the patch does
    not name them. A renamed file is one that is deleted and one that is new.
    """

    path: str
    added_lines: tuple[tuple[int, str], ...] = ()
    removed_lines: tuple[tuple[int, str], ...] = ()
    is_new: bool = False
    is_deleted: bool = False
    mode: int | None = None
    old_mode: int | None = None
    is_binary: bool = False
    hunks: tuple[Hunk, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_symlink(self) -> bool:
        """Whether either side is a symbolic link."""
        return _SYMLINK in (self.mode, self.old_mode)

    @property
    def is_submodule(self) -> bool:
        """Whether either side is a gitlink."""
        return _SUBMODULE in (self.mode, self.old_mode)

    @property
    def mode_changed(self) -> bool:
        """Whether a file that stays has another mode."""
        return None not in (self.mode, self.old_mode) and self.mode != self.old_mode


def _bad(why: str) -> AiOpsError:
    return failed("bad_patch", f"the patch cannot be read: {why}")


def _unquote(token: str) -> str:
    """Undo git's C-style quoting of a path."""
    if not token.startswith('"'):
        return token
    raw = token[1:-1].encode("utf-8", "surrogateescape")

    def plain(found: re.Match[bytes]) -> bytes:
        body = found.group(1)
        return _ESCAPED[body] if body in _ESCAPED else bytes([int(body, 8) & 0xFF])

    return _ESCAPE.sub(plain, raw).decode("utf-8", "surrogateescape")


def _end_of_quoted(text: str) -> int:
    """Return the index after the quoted token that ``text`` begins with."""
    at = 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _header_path(header: str) -> str:
    """Return the path of a ``diff --git`` line."""
    rest = header.removeprefix("diff --git ").rstrip("\n")
    if rest.startswith('"'):
        cut = _end_of_quoted(rest)
    elif rest.endswith('"'):
        cut = rest.find(' "')
    else:
        cut = (len(rest) - 1) // 2  # without renames both names are the same, so they are as long
    old, new = _unquote(rest[:cut]), _unquote(rest[cut + 1 :])
    if rest[cut : cut + 1] != " " or not old.startswith("a/") or new != "b/" + old[2:]:
        raise _bad("a file header does not name one path twice")
    return new[2:]


def _file(patched: PatchedFile) -> FileDiff:
    if not patched.patch_info or not patched.patch_info[0].startswith("diff --git "):
        raise _bad("a file has no git header")
    path = _header_path(patched.patch_info[0])
    lines = [line for hunk in patched for line in hunk]

    def text(value: str) -> str:
        return value.removesuffix("\n")

    def mode(value: str | None) -> int | None:
        return int(value, 8) if value else None

    return FileDiff(
        path=path,
        added_lines=tuple((line.target_line_no or 0, text(line.value)) for line in lines if line.is_added),
        removed_lines=tuple(
            (line.source_line_no or 0, text(line.value)) for line in lines if line.is_removed
        ),
        is_new=patched.source_file == "/dev/null",
        is_deleted=patched.target_file == "/dev/null",
        mode=mode(patched.target_mode),
        old_mode=mode(patched.source_mode),
        is_binary=bool(patched.is_binary_file),
        hunks=tuple(
            Hunk(
                hunk.source_start,
                hunk.section_header.strip(),
                tuple(line.line_type + line.value.rstrip() for line in hunk if line.line_type in " +-"),
            )
            for hunk in patched
        ),
    )


def parse(patch: str) -> tuple[FileDiff, ...]:
    """Return the changed files of a git patch, in its order; an empty patch has none.

    Raises:
        PermanentError: ``bad_patch``.
    """
    if not patch.strip():
        return ()
    try:
        files = PatchSet(patch)
    except (UnidiffParseError, ValueError, IndexError) as error:
        raise _bad(str(error)) from error
    if not files:
        raise _bad("it names no file")
    return tuple(_file(each) for each in files)
