"""The repositories that repairs are tried on: each with a fault, its real log, a good fix and bad ones.

One file holds one repository, in the txtar format: words about the fault, then parts that begin with
``-- name --``. The parts are ``case.toml``, ``log.txt``, the files of the repository as ``tree/…``, and
for each fix that is written for it the files that it touches, as ``right/src/cart.py``. Of a file that is
there a part holds only what changes: lines that begin with ``-``, ``+`` or a space, as in a patch without
numbers; ``@@`` alone on a line begins the next place, and a part without lines deletes the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "repositories"
_PART = re.compile(r"^-- (?P<name>\S+) --\n", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """What a fix does to one file: replacements of texts that stand there once, else the whole new text.

    With neither the file is deleted.
    """

    path: str
    replacements: tuple[tuple[str, str], ...] = ()
    whole: str | None = None


Change = tuple[Edit, ...]


@dataclass(frozen=True)
class Repository:
    """One repository. ``facts`` is its ``case.toml``; ``parts`` are the written fixes by their names.

    ``run`` in the facts is the command that wrote the log, ``breaks`` the test that ``breaks_another``
    breaks, and ``alone`` lists fixes that are made in place of the right one, where others of their kind
    are made beside it.
    """

    name: str
    language: str
    story: str
    facts: Mapping[str, Any]
    tree: Mapping[str, str]
    log: str
    parts: Mapping[str, Mapping[str, str]]

    def change(self, name: str) -> Change:
        """Return a written fix."""
        return tuple(self._edit(path, text) for path, text in self.parts[name].items())

    def new_files(self, name: str) -> dict[str, str]:
        """Return the files of a reproduction."""
        return dict(self.parts[name])

    def _edit(self, path: str, text: str) -> Edit:
        if path not in self.tree:
            return Edit(path, whole=text)
        return Edit(path, tuple(_replacements(text)))


def _replacements(text: str) -> Iterator[tuple[str, str]]:
    for place in re.split(r"^@@\n", text, flags=re.MULTILINE):
        lines = [line if line.strip() else " \n" for line in place.splitlines(keepends=True)]
        old = "".join(line[1:] for line in lines if line[0] in "- ")
        new = "".join(line[1:] for line in lines if line[0] in "+ ")
        assert all(line[0] in "-+ " for line in lines), place
        if lines:
            yield old, new


def merged(*changes: Change) -> Change:
    """Return one change that makes the edits of all, those of one file together."""
    edits: dict[str, Edit] = {}
    for edit in (each for change in changes for each in change):
        known = edits.get(edit.path)
        edits[edit.path] = (
            Edit(edit.path, known.replacements + edit.replacements, edit.whole) if known else edit
        )
    return tuple(edits.values())


def applied(tree: Mapping[str, str], edit: Edit) -> str | None:
    """Return a file's text after an edit, None when it is gone."""
    if not edit.replacements:
        return edit.whole
    text = tree[edit.path]
    for old, new in edit.replacements:
        assert text.count(old) == 1, f"{edit.path} holds {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    return text


def read(path: Path) -> Repository:
    """Read one repository."""
    story, *pieces = _PART.split(path.read_text(encoding="utf-8"))
    given = dict(zip(pieces[::2], pieces[1::2], strict=True))
    facts, log = tomllib.loads(given.pop("case.toml")), given.pop("log.txt", "")
    parts: dict[str, dict[str, str]] = {}
    for name, text in given.items():
        kind, _, file = name.partition("/")
        parts.setdefault(kind, {})[file] = text
    return Repository(path.stem, path.parent.name, story.strip(), facts, parts.pop("tree"), log, parts)


def repositories() -> dict[str, Repository]:
    """Return all repositories by their names."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*/*.txtar"))}
