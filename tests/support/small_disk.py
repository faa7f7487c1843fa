"""A disk that is really full: a tmpfs of a few blocks or inodes in a mount namespace of a child's own.

``fails_on`` runs one of ``CASES`` there and returns the code of the failure that it met.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ai_ops.agent.spool import Spool
from ai_ops.errors import AiOpsError
from ai_ops.flow.edits import FileChange
from ai_ops.store.database import open_database
from ai_ops.workspace.edits import write

_MOUNT = 'mount -t tmpfs -o "$1" small "$2" && exec "$3" -m tests.support.small_disk "$4" "$2"'


def fails_on(case: str, options: str, folder: Path) -> str:
    """Return the code that ``case`` fails with on a tmpfs mounted with ``options``; empty: with none."""
    folder.mkdir()
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh"]
    done = subprocess.run(
        [*argv, options, str(folder), sys.executable, case],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _change(folder: Path) -> None:
    write(folder, [FileChange(f"file{number}", b"x" * 4096) for number in range(64)])


def _store(folder: Path) -> None:
    async def opened() -> None:
        database = await open_database(f"sqlite:///{folder / 'ai_ops.db'}")
        await database.close()

    asyncio.run(opened())


def _spool(folder: Path) -> None:
    Spool(folder / "spool", bound=10).close()


CASES: dict[str, Callable[[Path], None]] = {"change": _change, "store": _store, "spool": _spool}


if __name__ == "__main__":
    try:
        CASES[sys.argv[1]](Path(sys.argv[2]))
    except AiOpsError as failure:
        sys.stdout.write(failure.code)
