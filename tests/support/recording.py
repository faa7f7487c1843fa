"""Writes the logs of the repositories anew: ``python -m tests.support.recording [NAME…]``.

The program of a repository is run as ``case.toml`` says, where a service would lie, ``/srv/<name>``, and
what it prints becomes ``log.txt``. Nothing in a log is written by hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.git_server import write_files
from tests.support.repositories import FOLDER, Repository, read

_LOG = re.compile(r"^-- log\.txt --\n.*?(?=^-- \S+ --\n)", re.MULTILINE | re.DOTALL)


def record(repository: Repository) -> str:
    """Return what a repository's program prints when it meets its fault."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), repository.tree)
        place = f"/srv/{repository.name}"
        done = subprocess.run(
            [
                *("bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
                *("--tmpfs", "/srv", "--bind", folder, place, "--chdir", place, "--unshare-all"),
                *("sh", "-c", str(repository.facts["run"])),
            ],
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return done.stdout


def main(names: list[str]) -> None:
    """Record the named repositories, or all."""
    for path in sorted(FOLDER.glob("*/*.txtar")):
        if names and path.stem not in names:
            continue
        text = path.read_text(encoding="utf-8")
        log = record(read(path))
        path.write_text(_LOG.sub(lambda _, log=log: f"-- log.txt --\n{log}", text, count=1), encoding="utf-8")
        print(f"-- {path.stem}\n{log}")


if __name__ == "__main__":
    main(sys.argv[1:])
