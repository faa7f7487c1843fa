"""Repairs by language: right ones, that the guard has to let pass, and wrong ones, that it has to withhold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Fix:
    """A change of one file, the logged error, and for a wrong one the rule that has to block it.

    ``old`` and ``new`` are whole files. ``others`` are files beside it: what they were, and what they become.
    """

    old: str
    new: str
    error: str = ""
    message: str = ""
    rule: str = ""
    path: str = ""
    reproduction: str = ""
    others: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def swap(file: str, *pairs: tuple[str, str], **more) -> Fix:
    """Return a change of a file by replacing texts that have to be in it."""
    new = file
    for old, instead in pairs:
        assert old in new, old
        new = new.replace(old, instead, 1)
    return Fix(file, new, **more)


DATA = Path(__file__).parents[2] / "data" / "repairs"


def records(name: str) -> dict[str, Fix]:
    """Return the small repairs of a text file by their titles.

    A record is ``=== title | path | error | message``, then ``--- before`` and ``--- after`` with the code.
    """
    found = {}
    text = (DATA / f"{name}.txt").read_text("utf-8")
    for record in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, code = record.partition("\n--- before\n")
        title, path, error, message = (part.strip() for part in head.split(" | ", 3))
        old, _, new = code.partition("--- after\n")
        found[title] = Fix(old, new, error, message, path=path)
    return found
