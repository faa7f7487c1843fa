"""A systemd journal: a real one in a mount namespace of its own, or a recorded protocol double.

``journald`` needs root and bubblewrap. The double is a script that prints recorded JSON entries and honours
the options that the agent gives.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_DAEMON = Path("/lib/systemd/systemd-journald")
REAL = os.geteuid() == 0 and _DAEMON.exists() and bool(shutil.which("bwrap") and shutil.which("journalctl"))


class Journal:
    """``path`` is the folder of a ``journalctl`` that reads this journal."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self.path.mkdir()
        self.folder = folder

    def command(self, script: str) -> None:
        """Make the ``journalctl``."""
        program = self.path / "journalctl"
        program.write_text(script)
        program.chmod(0o755)

    def write(
        self, message: str | bytes, *, unit: str = "shop.service", priority: int = 6, pid: int = 1
    ) -> None:
        """Log an entry."""
        raise NotImplementedError


class RealJournal(Journal):
    """``systemd-journald`` with a ``/run`` of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        run = folder / "run"
        (run / "systemd/journal").mkdir(parents=True)
        (run / "log/journal").mkdir(parents=True)
        box = [
            "bwrap",
            "--dev-bind",
            "/",
            "/",
            "--bind",
            str(run),
            "/run",
            "--die-with-parent",
        ]
        self._daemon = subprocess.Popen([*box, str(_DAEMON)], stderr=subprocess.DEVNULL)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Whose message it is can be seen when all of its sockets are ready; this is the last one.
        end = time.monotonic() + 20
        while not (run / "systemd/journal/io.systemd.journal").exists():
            assert time.monotonic() < end, "journald does not start"
            time.sleep(0.02)
        self._socket.connect(str(run / "systemd/journal/socket"))
        self.command(f'#!/bin/sh\nexec /usr/bin/journalctl --directory={run}/log/journal "$@"\n')
        # A journal without an entry of this boot cannot be followed; its first tells that it was started.
        while not subprocess.run([self.path / "journalctl", "-qn1"], capture_output=True).stdout:
            assert time.monotonic() < end, "journald writes nothing"
            time.sleep(0.02)

    def write(
        self, message: str | bytes, *, unit: str = "shop.service", priority: int = 6, pid: int = 1
    ) -> None:
        data = message if isinstance(message, bytes) else message.encode()
        fields = (
            f"PRIORITY={priority}\nSYSLOG_IDENTIFIER={unit}\nOBJECT_SYSTEMD_UNIT={unit}\nN={pid}\n".encode()
        )
        self._socket.send(fields + b"MESSAGE\n" + len(data).to_bytes(8, "little") + data + b"\n")

    def close(self) -> None:
        self._socket.close()
        self._daemon.terminate()
        self._daemon.wait()


_DOUBLE = """#!{python} -S
import json, sys, time
options = dict(a.partition("=")[::2] for a in sys.argv[1:])
units = [a.partition("=")[2] for a in sys.argv[1:] if a.startswith("--unit=")]
assert options["--output"] == "json" and "--all" in options
begin, reached, lines = options.get("--cursor"), False, []
with open("{log}", "rb") as log:
    while True:
        line = log.readline()
        if not line.endswith(b"\\n"):
            if "--lines" in options:
                sys.stdout.writelines(lines[-1:])
            if "--follow" not in options:
                break
            log.seek(-len(line), 1)
            sys.stdout.flush()
            time.sleep(0.01)
            continue
        entry = json.loads(line)
        reached = reached or not begin or entry["__CURSOR"] == begin
        if reached and (not units or entry["_SYSTEMD_UNIT"] in units):
            lines = [line.decode()]
            if "--lines" not in options:
                sys.stdout.writelines(lines)
"""


class RecordedJournal(Journal):
    """A script in place of ``journalctl``, over entries as a real one prints them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._log = folder / "journal.jsonl"
        self._log.touch()
        self._count = 0
        self.command(_DOUBLE.format(python=sys.executable, log=self._log))

    def write(
        self, message: str | bytes, *, unit: str = "shop.service", priority: int = 6, pid: int = 1
    ) -> None:
        self._count += 1
        cursor = f"s=7c0;i={self._count:x};b=4f1;m=5d2;t=6122;x=c9e"
        # What is not printable text is written as an array of numbers.
        text = message.decode() if isinstance(message, bytes) and _printable(message) else message
        entry = {
            "__CURSOR": cursor,
            "__REALTIME_TIMESTAMP": str(1_772_366_400_000_000 + self._count),
            "_SYSTEMD_UNIT": unit,
            "_PID": str(pid),
            "PRIORITY": str(priority),
            "MESSAGE": list(text) if isinstance(text, bytes) else text,
        }
        with self._log.open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        pass


def _printable(message: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        return all(c.isprintable() or c in "\n\t" for c in message.decode())
    return False


@contextlib.contextmanager
def journal(*, real: bool) -> Iterator[Journal]:
    # Its socket's path may not be long.
    with tempfile.TemporaryDirectory() as folder:
        made = RealJournal(Path(folder)) if real else RecordedJournal(Path(folder))
        try:
            yield made
        finally:
            made.close()
