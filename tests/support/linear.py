"""How processor time grows with the size of a log of one shape; a program that takes the shapes as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from ai_ops.core.describe import describe
from ai_ops.core.stacktrace import Follower, may_begin

SMALL, LARGE = 16 << 10, 64 << 10
MOST = 8.0
"""How much longer four times as much may take; a quadratic one takes sixteen times as long."""
_FLOOR_SECONDS = 0.03
"""Less than this is not told from nothing."""


class Shape(NamedTuple):
    """``unit`` over and over, behind ``before`` and before ``end``."""

    unit: str
    before: str = ""
    end: str = ""

    def text(self, size: int) -> str:
        """Return so many characters of it."""
        return self.before + self.unit * (size // len(self.unit)) + self.end


def follow(text: str) -> None:
    """Ask about each line as the joiner does."""
    first, *rest = text.encode("latin-1", "replace").split(b"\n")
    may_begin(first)
    follower = Follower(first)
    for line in rest:
        follower.accept(line)


def dumped(shapes: list[Shape]) -> str:
    """Return the shapes as the program takes them."""
    return json.dumps(shapes)


def _seconds(work: Callable[[str], object], text: str) -> float:
    # The lesser of two: other programs can only add to it.
    return min(_once(work, text) for _ in range(2))


def _once(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


def main() -> None:
    """Print, for each shape and for each way of reading, how much longer the large text takes."""
    for shape in map(Shape._make, json.load(sys.stdin)):
        for work in (describe, follow):
            small = max(_seconds(work, shape.text(SMALL)), _FLOOR_SECONDS)
            print(_seconds(work, shape.text(LARGE)) / small)


if __name__ == "__main__":
    main()
