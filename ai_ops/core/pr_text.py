"""The text of a pull request that people have edited and a revision brings up to date. Pure.

Two states are merged by lines, and a person's stand where both changed one, or one beside it. What was proved
must not hang on that: the verdict of an earlier revision may never stand as that of this one. Nor may half a
block of one revision and half of another let a quoted log out of its fence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FOLD = "\x1e"
_FENCE = re.compile("`{3,}")

MOST = 65_536
"""Characters that every host takes."""


def folded(text: str) -> str:
    """Return a text in which each fenced block is one line, so that a merge takes it whole or not at all."""
    lines: list[str] = []
    block: list[str] = []
    fence = ""
    for line in text.replace("\r\n", "\n").replace(_FOLD, "").split("\n"):
        if fence:
            block.append(line)
            if line.strip().startswith(fence) and not line.strip(" `"):
                lines.append(_FOLD.join(block))
                block, fence = [], ""
        elif opened := _FENCE.match(line):
            block, fence = [line], opened[0]
        else:
            lines.append(line)
    return "\n".join([*lines, *block])


def unfolded(text: str) -> str:
    """Return a text with its blocks as they were before they were folded."""
    return text.replace(_FOLD, "\n")


def settled(merged: str, shown: str, before: str, now: str, head: Sequence[str]) -> str:
    """Return the text as it is to stand.

    Args:
        merged: what people made of our text, brought together with ``now``.
        shown: what people made of it, as it stands; it is kept where there is no room for what is new.
        before: our text of the last revision.
        now: our text of this one.
        head: the lines of ``now`` that say what is proved, and warn.
    """
    for text in (merged, shown):
        told = _headed(text.replace("\r\n", "\n"), before.split("\n"), now.split("\n"), head)
        if len(told) <= MOST:
            return told
    return shown


def _headed(text: str, before: Sequence[str], now: Sequence[str], head: Sequence[str]) -> str:
    """Return a text that begins with what a merge left out of the head, without what that takes the place of.

    Only what is new in a head counts: the rest people may have taken out. Lines are counted, since a log that
    is quoted further down may say the same.
    """
    lines = text.split("\n")
    left_out = [line for line in head if max(before.count(line), lines.count(line)) < now.count(line)]
    if not left_out:
        return text
    outdated = {line for line in before if line.startswith(("**", "> **"))}.difference(now)
    rest = "\n".join(line for line in lines if line not in outdated).strip("\n")
    return "\n\n".join(filter(None, (*left_out, rest)))
