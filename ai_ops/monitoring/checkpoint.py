"""How far each file has been read, and how to tell that it is still the same file.

A path says little about a file: rotation renames it, truncation empties it, a new file may get its old
inode. So a checkpoint names device and inode and carries a digest of the first bytes and of the bytes
just before the offset; when either differs, the content is another one, whatever the inode says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

HEAD_BYTES = 1024
TAIL_BYTES = 64
_FIRST_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where reading goes on in one file.

    ``generation`` counts the contents that were seen under one (device, inode). ``identity`` names one
    content for good: it is part of event ids, follows a copied file to its copy, and is empty until
    the first line was read. ``offset`` never lies inside a record that is still being joined.
    ``head`` and ``tail`` are digests of the first ``head_length`` and the last ``tail_length`` bytes
    before ``offset``. ``seen_at`` is when a look last found the file at its path, in Unix time: whatever
    else was rotated away from there and is not known came later.
    """

    device: int
    inode: int
    path: str
    offset: int = 0
    generation: int = 0
    identity: str = ""
    head_length: int = 0
    head: bytes = b""
    tail_length: int = 0
    tail: bytes = b""
    seen_at: float = 0.0

    @property
    def key(self) -> tuple[int, int]:
        """Return what the file system calls the file."""
        return self.device, self.inode


def digest(data: bytes) -> bytes:
    """Return a short digest; the bytes themselves may hold secrets and are never kept."""
    return hashlib.blake2b(data, digest_size=16).digest()


def identity_of(device: int, inode: int, generation: int, beginning: bytes) -> str:
    """Name one content: from its first line, so that a growing file keeps its name."""
    line = beginning[:_FIRST_LINE_BYTES].split(b"\n", 1)[0]
    return f"{device:x}.{inode:x}.{generation}.{digest(line).hex()}"


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Return up to ``size`` bytes at ``offset`` of an unbuffered file."""
    file.seek(offset)
    return file.read(size)


def still_the_same(file: BinaryIO, size: int, checkpoint: Checkpoint) -> bool:
    """Whether the file holds the content that the checkpoint was taken from."""
    if size < checkpoint.offset:
        return False
    head = read_at(file, 0, checkpoint.head_length)
    if checkpoint.head_length and digest(head) != checkpoint.head:
        return False
    tail = read_at(file, checkpoint.offset - checkpoint.tail_length, checkpoint.tail_length)
    return not checkpoint.tail_length or digest(tail) == checkpoint.tail
