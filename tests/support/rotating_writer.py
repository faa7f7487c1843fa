"""A process that writes twenty logs and rotates each in a way of its own, as programs and ``logrotate`` do.

``python -m tests.support.rotating_writer FOLDER LINES SEED [SECONDS]`` makes the logs and ``FOLDER/ready``,
and begins when ``FOLDER/go`` is there. What a truncation or a deletion destroys nobody can read later, so the
kinds that destroy wait until ``FOLDER/delivered.json`` says that all of that log arrived. At the end
``FOLDER/written.json`` says how many errors each log got.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

FILES = 20
ERRORS = 0.2
LINES_A_FILE = 600  # about so many lines between two rotations, at most


class Log:
    """One log that is never rotated. Subclasses rotate it; ``destroys``: unread lines would be gone."""

    destroys = False
    encoding = "utf-8"
    end = "\n"
    colour = ""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.path = folder / f"w{number:02d}.log"
        self.errors = self.rotations = self.since = 0
        self.file = self.open()

    def open(self):
        file = self.path.open("ab", buffering=0)
        if self.encoding == "utf-16-le" and file.tell() == 0:
            file.write(b"\xff\xfe")
        return file

    def write(self, dice: random.Random, lines: int) -> int:
        """Write about so many lines, cut into pieces anywhere; return how many it were."""
        texts = [self.line(dice) for _ in range(lines)]
        data = self.end.join([*texts, ""]).encode(self.encoding)
        cut = dice.randrange(len(data))
        self.file.write(data[:cut])
        self.file.write(data[cut:])
        written = sum(text.count(self.end) + 1 for text in texts)
        self.since += written
        return written

    def line(self, dice: random.Random) -> str:
        if dice.random() >= ERRORS:
            return f"2026-03-01 12:00:00,000 INFO all is well, request {dice.random()} 完成"
        self.errors += 1
        level = "\x1b[31mERROR\x1b[0m" if self.colour else "ERROR"
        said = f"2026-03-01 12:00:00,000 {level} w{self.number:02d} number {self.errors} 订单失败"
        if dice.random() < 0.1:
            trace = (
                "Traceback (most recent call last):",
                '  File "/app/a.py", line 1, in f',
                "    g()",
                "ValueError: odd",
            )
            said = self.end.join((said, *trace))
        return said

    def rotate(self) -> None:
        self.since = 0
        self.rotations += 1

    def beside(self, suffix: object) -> Path:
        return self.path.with_name(f"{self.path.name}.{suffix}")


class Renamed(Log):
    """Renamed to a name with the time, then made anew."""

    def rotate(self) -> None:
        super().rotate()
        self.path.rename(self.beside(f"20260301-{self.rotations:06d}"))
        self.file.close()
        self.file = self.open()


class Late(Log):
    """Renamed while the writer keeps its handle and goes on for a while: ``logrotate`` before its signal."""

    def rotate(self) -> None:
        super().rotate()
        self.path.rename(self.beside(f"20260301-{self.rotations:06d}"))
        self.write(random.Random(self.rotations), 20)
        self.file.close()
        self.file = self.open()
        self.since = 0


class Shifted(Log):
    """``app.log.1`` becomes ``app.log.2.gz`` and so on: ``logrotate`` with ``delaycompress``."""

    def rotate(self) -> None:
        super().rotate()
        for number in range(self.rotations, 1, -1):
            if self.beside(f"{number}.gz").exists():
                self.beside(f"{number}.gz").rename(self.beside(f"{number + 1}.gz"))
        if self.beside(1).exists():
            self.beside(1).rename(self.beside(2))
            packed(self.beside(2))
        self.path.rename(self.beside(1))
        self.file.close()
        self.file = self.open()


class Packed(Log):
    """Renamed and packed at once."""

    def rotate(self) -> None:
        super().rotate()
        target = self.path.with_name(f"w{self.number:02d}-{self.rotations:06d}.log")
        self.path.rename(target)
        self.file.close()
        self.file = self.open()
        packed(target)


class Copied(Log):
    """Copied, then truncated: ``copytruncate``."""

    def rotate(self) -> None:
        super().rotate()
        shutil.copy(self.path, self.beside(f"20260301-{self.rotations:06d}"))
        self.file.truncate(0)


class CopiedPacked(Log):
    """Copied, truncated, and the copy packed."""

    def rotate(self) -> None:
        super().rotate()
        copy = self.beside(f"20260301-{self.rotations:06d}")
        shutil.copy(self.path, copy)
        self.file.truncate(0)
        packed(copy)


class Truncated(Log):
    """Truncated without a copy, and soon longer than before."""

    destroys = True

    def rotate(self) -> None:
        before = self.file.tell()
        super().rotate()
        self.file.truncate(0)
        dice = random.Random(self.rotations)
        while os.fstat(self.file.fileno()).st_size <= before:
            self.write(dice, 100)


class Holed(Log):
    """Truncated by another program while the writer keeps its offset: NUL bytes come before what is new."""

    destroys = True

    def open(self):
        return self.path.open("wb", buffering=0)

    def rotate(self) -> None:
        super().rotate()
        os.truncate(self.path, 0)


class Deleted(Log):
    """Deleted and made anew; many file systems hand out the same inode."""

    destroys = True

    def rotate(self) -> None:
        super().rotate()
        self.file.close()
        self.path.unlink()
        self.file = self.open()


class Linked(Log):
    """A symbolic link that is moved to the next file of a series in another folder."""

    def open(self):
        folder = self.folder / "series"
        folder.mkdir(exist_ok=True)
        target = folder / f"part-w{self.number:02d}-{self.rotations:06d}.txt"
        file = target.open("ab", buffering=0)
        link = self.path.with_suffix(".new")
        link.symlink_to(target)
        link.replace(self.path)
        return file

    def rotate(self) -> None:
        super().rotate()
        self.file.close()
        self.file = self.open()


class Dated(Log):
    """Every file has its own name from the beginning; no name is used twice."""

    def open(self):
        return (self.folder / f"dated-w{self.number:02d}-{self.rotations:06d}.log").open("ab", buffering=0)

    def rotate(self) -> None:
        super().rotate()
        self.file.close()
        self.file = self.open()


class Wide(Renamed):
    """UTF-16 with a byte order mark."""

    encoding = "utf-16-le"


class Chinese(Copied):
    """GBK with Windows line ends."""

    encoding = "gbk"
    end = "\r\n"


class Coloured(Shifted):
    """Colours around the level."""

    colour = "31"


KINDS = (
    *(
        Log,
        Renamed,
        Late,
        Shifted,
        Packed,
        Copied,
        CopiedPacked,
        Truncated,
        Holed,
        Deleted,
        Linked,
        Dated,
        Wide,
    ),
    *(Chinese, Coloured, Renamed, Packed, Copied, Linked, Shifted),
)


def packed(path: Path) -> None:
    """Pack a file with the real program, which keeps its time and removes it at the end."""
    subprocess.run(["gzip", "-1", str(path)], check=True)


def main(arguments: list[str]) -> None:
    """Write ``LINES`` lines in all, spread over at least ``SECONDS``."""
    folder, lines, seed = Path(arguments[0]), int(arguments[1]), arguments[2]
    seconds = float(arguments[3]) if len(arguments) > 3 else 0.0
    dice = random.Random(seed)
    logs = [kind(folder, number) for number, kind in enumerate(KINDS)]
    waiting: set[int] = set()
    (folder / "ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    left, began = lines, time.monotonic()
    while left > 0:
        for log in logs:
            if log.number in waiting:
                if delivered(folder).get(str(log.number), 0) < log.errors:
                    continue
                waiting.discard(log.number)
                log.rotate()
            left -= log.write(dice, dice.randrange(1, 40))
            if log.since > LINES_A_FILE * dice.random() * 2 + 20:
                if log.destroys:
                    waiting.add(log.number)
                else:
                    log.rotate()
        time.sleep(max(0.0, min(0.1, began + seconds * (1 - left / lines) - time.monotonic())))
    said = {str(log.number): log.errors for log in logs}
    (folder / "written.new").write_text(
        json.dumps({"lines": lines - left, "errors": said, "rotations": sum(log.rotations for log in logs)})
    )
    (folder / "written.new").replace(folder / "written.json")


def delivered(folder: Path) -> dict[str, int]:
    try:
        return json.loads((folder / "delivered.json").read_text())
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    main(sys.argv[1:])
