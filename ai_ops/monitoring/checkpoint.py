"""How far each file has been read, and how to tell that it is still the same file.

A path says little about a file: rotation renames it, truncation empties it, a new file may get its old
inode. So a checkpoint names device and inode and carries a digest of the first bytes and of the bytes
just before the offset; when either differs, the content is another one, whatever the inode says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from ai_ops.monitoring.log_file import LogFile

HEAD_BYTES = 1024
TAIL_BYTES = 64
_FIRST_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where reading goes on in one file.

    ``path`` is what the file is followed as; ``target`` is where it itself was, when that is another place:
    behind a link, or rotated away. ``generation`` counts the contents that were seen under one (device,
    inode). ``identity`` names one content for good: it is part of event ids, and is empty until the first
    line was read. ``offset`` never lies inside a record that is still
    being joined. ``head`` and ``tail`` are digests of the first ``head_length`` and the last
    ``tail_length`` bytes before ``offset``. Times are Unix seconds: ``seen_at`` is when a look last found
    the file at its path, so that whatever else was rotated away from there and is not known came later;
    while nothing of it was read it is when the look before found all that was there. ``done_at`` is when
    nothing came after ``offset``, 0 while something may. ``skipping``: ``offset`` lies in an over-long line
    whose beginning was taken; what is left of it is passed.
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
    target: str = ""
    done_at: float = 0.0
    skipping: bool = False

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of the content was used, though something may be there."""
        return not self.offset and not self.done_at

    @property
    def place(self) -> str:
        """Return where the file itself was."""
        return self.target or self.path

    def at(self, path: str, place: str) -> Checkpoint:
        """Return the same, followed as ``path`` and found at ``place``."""
        return replace(self, path=path, target=place if place != path else "")

    def copied_to(self, key: tuple[int, int], generation: int) -> Checkpoint:
        """Return where to go on in a copy. It has its own identity: short beginnings are easily alike."""
        return replace(self, device=key[0], inode=key[1], generation=generation, identity="")

    @property
    def key(self) -> tuple[int, int]:
        """Return what the file system calls the file."""
        return self.device, self.inode


def digest(data: bytes) -> bytes:
    """Return a short digest; the bytes themselves may hold secrets and are never kept."""
    return hashlib.blake2b(data, digest_size=16).digest()


def tail_of(before: bytes, raw: bytes, used: int) -> bytes:
    """Return the last bytes of what was used, as many as tell the file: of ``before`` and ``raw[:used]``."""
    recent = raw[max(0, used - TAIL_BYTES) : used]
    return recent if len(recent) == TAIL_BYTES else (before + recent)[-TAIL_BYTES:]


def identity_of(device: int, inode: int, generation: int, beginning: bytes) -> str:
    """Name one content: from its first line, so that a growing file keeps its name."""
    line = beginning[:_FIRST_LINE_BYTES].split(b"\n", 1)[0]
    return f"{device:x}.{inode:x}.{generation}.{digest(line).hex()}"


def still_the_same(file: LogFile, checkpoint: Checkpoint) -> bool:
    """Whether the file holds the content that the checkpoint was taken from.

    Raises:
        OSError: it cannot be read.
    """
    end = file.end(file.status())
    if end is not None and end < checkpoint.offset:
        return False
    if digest(file.read_at(0, checkpoint.head_length)) != checkpoint.head and checkpoint.head_length:
        return False
    tail = file.read_at(checkpoint.offset - checkpoint.tail_length, checkpoint.tail_length)
    return not checkpoint.tail_length or digest(tail) == checkpoint.tail
