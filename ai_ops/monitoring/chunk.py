"""Some whole lines of a file, and where in it they are."""

from __future__ import annotations

from typing import NamedTuple

from ai_ops.monitoring.checkpoint import tail_of
from ai_ops.monitoring.encoding import Encoding


class Chunk(NamedTuple):
    """Whole lines of a file: ``text``, which begins with ``raw`` at ``position`` in the file.

    ``tail`` is the bytes before that, as many as tell the file.
    """

    text: bytes
    raw: bytes
    position: int
    tail: bytes
    encoding: Encoding

    def offset(self, place: int) -> int:
        """Return where in the file ``text[place]`` is."""
        return self.position + self.encoding.raw_offset(self.text, place)

    def tail_at(self, place: int) -> bytes:
        """Return the bytes before ``text[place]`` that tell the file."""
        return tail_of(self.tail, self.raw, self.encoding.raw_offset(self.text, place))
