"""UTF-16 logs, read as if they were UTF-8.

Everything else that logs are written in (UTF-8, Latin-1, GBK, Shift-JIS) keeps ASCII as it is, so that words
and line ends are found in the raw bytes. UTF-16 does not, and says so in its first two bytes.
"""

from __future__ import annotations

import codecs


class Encoding:
    """Bytes that hold ASCII as ASCII: nothing to do. ``unit`` is the width of one character in bytes."""

    unit = 1
    name = "ascii"

    def to_text(self, raw: bytes) -> bytes:
        """Return bytes in which words and line ends can be searched."""
        return raw

    def raw_offset(self, text: bytes, position: int) -> int:
        """Return how many bytes of the file stand for ``text[:position]``."""
        return position


class Utf16(Encoding):
    """UTF-16 with a byte order mark at the beginning of the file."""

    unit = 2

    def __init__(self, name: str) -> None:
        self.name = name

    def to_text(self, raw: bytes) -> bytes:
        """Return the text as UTF-8; what is not valid is replaced, half a character is left out."""
        return raw[: len(raw) & ~1].decode(self.name, "replace").encode("utf-8", "replace")

    def raw_offset(self, text: bytes, position: int) -> int:
        """Return how many bytes of the file stand for ``text[:position]``."""
        return len(text[:position].decode("utf-8").encode(self.name))


def encoding_of(beginning: bytes) -> Encoding:
    """Tell the encoding from the first bytes of a file."""
    if beginning.startswith(codecs.BOM_UTF16_LE):
        return Utf16("utf-16-le")
    if beginning.startswith(codecs.BOM_UTF16_BE):
        return Utf16("utf-16-be")
    return Encoding()
