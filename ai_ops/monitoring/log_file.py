"""The bytes of a log, whether it lies there plain or was packed by rotation.

A rotated log is often gzipped before an agent that was down has read its rest. So that nothing else needs to
know, a packed file is read through the same few calls, with positions that count inflated bytes. Reading
goes forward in bounded memory; only a step far back inflates again from the beginning.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import zlib
from pathlib import Path

PACKED = ".gz"
MOVED = (errno.ENOENT, errno.ESTALE)
# Kept of what was inflated before the last read: for the lines before an error, and to compare.
_KEPT_BYTES = 64 << 10
_HEAD_BYTES = 4096
_PIECE_BYTES = 64 << 10
# A log that inflates beyond this is not worth the time, or is no log.
_MAX_INFLATED_BYTES = 8 << 30
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class LogFile:
    """An open log, read at positions of its content.

    Args:
        path: where it is.

    Raises:
        OSError: from every call; a packed file that is damaged or too large says so.
    """

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed by close

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def status(self) -> os.stat_result:
        """Return the file's own status."""
        return os.fstat(self._file.fileno())

    def end(self, status: os.stat_result) -> int | None:
        """Return where the content ends, by the file's status; None while that is not known."""
        return status.st_size

    @property
    def first(self) -> int:
        """Return the first position that is quickly reached again."""
        return 0

    @property
    def is_cut_short(self) -> bool:
        """Whether it was read to its end and is known to lack the rest of its content."""
        return False

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``; fewer only at the end."""
        self._file.seek(offset)
        return self._file.read(size) or b""


class PackedLogFile(LogFile):
    """A gzipped log. What is not finished yet is read as far as it goes."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._head = b""
        self._rewind()

    def end(self, status: os.stat_result) -> int | None:
        """Return where the content ends, once that was reached."""
        return self._begin + len(self._kept) if self._ended else None

    @property
    def first(self) -> int:
        """Return the first position that is quickly reached again."""
        return self._begin

    @property
    def is_cut_short(self) -> bool:
        """Whether it was read to its end, and more had been packed."""
        return self._ended and not self._inflater.eof

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` inflated bytes at ``offset``."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        if offset < self._begin:
            self._rewind()
        self._inflate(offset, size)
        return bytes(self._kept[offset - self._begin : offset - self._begin + size])

    def _rewind(self) -> None:
        self._file.seek(0)
        self._inflater = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._kept = bytearray()  # the inflated bytes from ``_begin`` on
        self._begin = 0
        self._ended = False

    def _inflate(self, offset: int, size: int) -> None:
        """Inflate up to ``offset + size``, and forget what lies far before ``offset``."""
        while (missing := offset + size - self._begin - len(self._kept)) > 0:
            piece = self._next(min(missing, _PIECE_BYTES))
            self._ended = not piece
            if not piece:
                break
            self._kept += piece
            if self._begin == 0 and len(self._head) < _HEAD_BYTES:
                self._head = bytes(self._kept[:_HEAD_BYTES])
            if self._begin + len(self._kept) > _MAX_INFLATED_BYTES:
                raise OSError(f"it inflates to more than {_MAX_INFLATED_BYTES >> 30} GiB")
            self._forget(offset)
        self._forget(offset)

    def _forget(self, offset: int) -> None:
        far = min(offset - _KEPT_BYTES - self._begin, len(self._kept))
        if far > _PIECE_BYTES:
            del self._kept[:far]
            self._begin += far

    def _next(self, size: int) -> bytes:
        """Return up to ``size`` more inflated bytes; nothing at the end, or at the end so far."""
        while True:
            if self._inflater.eof:  # several packed streams in a row are one content
                self._pending = self._inflater.unused_data or self._file.read(_PIECE_BYTES) or b""
                if not self._pending.startswith(_GZIP_MAGIC):
                    return b""
                self._inflater = zlib.decompressobj(_GZIP)
            if not self._pending:
                self._pending = self._file.read(_PIECE_BYTES) or b""
            try:
                piece = self._inflater.decompress(self._pending, size)
            except zlib.error:
                raise OSError("it is packed, and damaged") from None
            read_all = not self._pending
            self._pending = self._inflater.unconsumed_tail
            if piece or read_all:
                return piece


def open_log(place: str, key: tuple[int, int]) -> LogFile:
    """Open the log of that device and inode.

    Raises:
        OSError: it cannot be opened; with an error number of ``MOVED`` when it is not there any more.
    """
    file = PackedLogFile(place) if place.endswith(PACKED) else LogFile(place)
    status = file.status()
    if (status.st_dev, status.st_ino) != key:
        file.close()
        raise OSError(errno.ESTALE, "it is another file by now")
    return file


def may_hold(path: str, status: os.stat_result, offset: int) -> bool:
    """Whether a file may have content after ``offset``, told without inflating it.

    A packed file says the length of its content, in 32 bits, in its last four bytes.
    """
    if not path.endswith(PACKED):
        return status.st_size > offset
    try:
        with Path(path).open("rb") as file:
            file.seek(-4, io.SEEK_END)
            return int.from_bytes(file.read(4), "little") != offset & 0xFFFFFFFF
    except OSError:
        return stat.S_ISREG(status.st_mode)
