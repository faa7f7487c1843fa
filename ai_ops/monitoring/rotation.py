"""Where the rest of a rotated file is.

Questions about the neighbours of a log: which names could this one be a rotated form of, which files lie
between two of a series, and which of them holds the content that a checkpoint was taken from.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator

from ai_ops.monitoring.checkpoint import HEAD_BYTES, Checkpoint, digest, still_the_same
from ai_ops.monitoring.log_file import MOVED, PACKED, open_log

_COMPRESSED = (PACKED, ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z")
# app.log → app.log.1, app.log-20260301, app.log.bak, app.1.log, app-20260301.log; but not app.log.pos
_SEPARATOR = re.compile(r"[.\-_]")
_SUFFIX = re.compile(
    r"(?:[.\-_](?:\d[\w:]{0,30}|old|bak|prev|previous|last|orig|save|backup"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w{0,8})){1,8}"
)
_LOOKS = 5
_NUMBER = re.compile(r"\d+")


def is_compressed(path: str) -> bool:
    """Whether a name says that the content is packed; such a file is read on catch-up alone."""
    return path.endswith(_COMPRESSED)


def originals(path: str) -> list[str]:
    """Return every path that ``path`` may be a rotated form of, whether such a file is there or not."""
    folder, name = os.path.split(path)
    plain = name.removesuffix(PACKED)
    if is_compressed(plain):
        return []
    found = [plain] if plain != name else []
    last = plain.rfind(".")
    for separator in _SEPARATOR.finditer(plain):
        begin = separator.start()
        if begin and _SUFFIX.fullmatch(plain, begin):
            found.append(plain[:begin])
        elif (
            0 < begin < last and _SUFFIX.fullmatch(plain, begin, last) and _NUMBER.search(plain, begin, last)
        ):
            found.append(plain[:begin] + plain[last:])
    return [os.path.join(folder, original) for original in found]  # noqa: PTH118


def family(path: str) -> frozenset[str]:
    """Return ``path`` and all that it may be a rotated form of."""
    return frozenset((path, *originals(path)))


def is_between(path: str, first: str, last: str) -> bool:
    """Whether ``path`` comes between two files of one numbered or dated series."""
    return _series(path) == _series(first) == _series(last) and order(first) < order(path) < order(last)


def _series(path: str) -> str:
    return _NUMBER.sub("0", path.removesuffix(PACKED))


def order(path: str) -> list[int]:
    """Return the numbers in a path, by which a series is sorted."""
    return [int(number) for number in _NUMBER.findall(path)]


def files_in(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files of a folder; nothing when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    # Not entry.stat(), which lacks the inode on Windows.
                    status = os.stat(entry.path, follow_symlinks=False)  # noqa: PTH116
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield entry.path, status
    except OSError:
        return


def holds(place: str, key: tuple[int, int], checkpoint: Checkpoint) -> bool:
    """Whether the file of that device and inode at ``place`` begins with what the checkpoint was taken from.

    Raises:
        OSError: it cannot be read, or is not there any more; names move while one looks.
    """
    file = open_log(place, key)
    try:
        return still_the_same(file, checkpoint)
    finally:
        file.close()


def furthest_read(place: str, key: tuple[int, int], known: Collection[Checkpoint]) -> Checkpoint | None:
    """Return of which of the known contents a file is a copy; of several the one that was read furthest.

    Raises:
        OSError: as ``holds``.
    """
    file = open_log(place, key)
    try:
        head = file.read_at(0, HEAD_BYTES)
        digests = {length: digest(head[:length]) for length in {c.head_length for c in known}}
        for checkpoint in sorted(known, key=lambda checkpoint: checkpoint.offset, reverse=True):
            if digests[checkpoint.head_length] == checkpoint.head and still_the_same(file, checkpoint):
                return checkpoint
    finally:
        file.close()
    return None


def find_copy(checkpoint: Checkpoint, is_related: Callable[[str], bool]) -> tuple[str, os.stat_result] | None:
    """Return where the content went that the checkpoint was taken from, newest first; packed or not.

    ``is_related`` tells by its path whether a file beside it may be a rotated form of it.
    """
    if not checkpoint.offset:
        return None
    for _ in range(_LOOKS):
        moved = False
        beside = files_in(os.path.dirname(checkpoint.place))  # noqa: PTH120
        for place, status in sorted(beside, key=lambda pair: pair[1].st_mtime, reverse=True):
            key = (status.st_dev, status.st_ino)
            if key == checkpoint.key or not is_related(place):
                continue
            try:
                if holds(place, key, checkpoint):
                    return place, status
            except OSError as error:
                moved = moved or error.errno in MOVED
        if not moved:
            break
    return None
