"""What the bytes of a log say as text.

Nearly everything that logs are written in (UTF-8, Latin-1, GBK, Shift-JIS) keeps ASCII as it is, so that
words and line ends are found in the raw bytes. UTF-16 does not, and is read as if it were UTF-8.
"""

from __future__ import annotations

import codecs
import re

# Colours and other orders to a terminal, and what names its window.
_TERMINAL = re.compile(rb"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[@-Z\\^_])")
_SAMPLE_BYTES = 32
# The signs and common characters of Chinese text; other languages in other encodings hit few of them.
_COMMON_CHINESE = re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]")
_ASCII = bytes(range(128))
# What keys, tokens, addresses and numbers are made of.
_OF_WORDS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+/=%@:$-"


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
    """UTF-16, as the first bytes of the file say."""

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
    """Tell the encoding from the first bytes of a file: a byte order mark, or every other byte NUL."""
    if beginning.startswith(codecs.BOM_UTF16_LE):
        return Utf16("utf-16-le")
    if beginning.startswith(codecs.BOM_UTF16_BE):
        return Utf16("utf-16-be")
    even, odd = beginning[0:_SAMPLE_BYTES:2], beginning[1:_SAMPLE_BYTES:2]
    if len(odd) == _SAMPLE_BYTES // 2:
        if not any(odd) and all(even):
            return Utf16("utf-16-le")
        if not any(even) and all(odd):
            return Utf16("utf-16-be")
    return Encoding()


def cleaned(line: bytes) -> bytes:
    """Return a line without what is not text: its carriage return, marks, NUL bytes before it, colours."""
    line = line.removesuffix(b"\r")
    if line[:1] in (b"\0", b"\xef"):
        line = line.lstrip(b"\0").removeprefix(codecs.BOM_UTF8)
    return _TERMINAL.sub(b"", line) if b"\x1b" in line else line


def shortened(line: bytes, limit: int) -> bytes:
    """Return at most ``limit`` bytes of a line, and no word that they cut: half a secret looks like none."""
    return line if len(line) <= limit else line[:limit].rstrip(_OF_WORDS)


def decode(raw: bytes) -> str:
    """Return text: UTF-8, else line by line GBK where it plainly is that; what is neither is replaced."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in raw.split(b"\n"))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        foreign = len(line.translate(None, _ASCII))
        if 2 * len(_COMMON_CHINESE.findall(line)) >= 0.75 * foreign:
            return line.decode("gb18030", "replace")
        return line.decode("utf-8", "replace")
