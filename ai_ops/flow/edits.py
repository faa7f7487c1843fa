"""Edits: what a fixer's answer asks to change, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EditOp(StrEnum):
    """What to do with one file."""

    EDIT = "edit"
    WRITE = "write"
    DELETE = "delete"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replace the one place where ``search`` stands."""

    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One ``<code_block>`` of an answer, as parsed; paths are still as the model wrote them."""

    path: str
    op: EditOp
    content: str = ""
    replacements: tuple[Replacement, ...] = ()
    to: str = ""
    final_newline: bool = True


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new bytes of one file, or None to delete it. ``path`` is relative, checked, with slashes."""

    path: str
    content: bytes | None
    mode: int | None = None
