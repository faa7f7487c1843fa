"""The CLI's record of a session: taken out of a HOME when a call is over, put into the HOME of the next.

The CLI keeps a session in ``~/.claude/projects/<folder of its working directory>/<id>.jsonl`` and finds it by
its id. What else lies in a HOME stays there and goes with it: only the file of the session that the result
named is taken, and only if it is what the CLI writes, a regular file of its own and of a sane size.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ai_ops.flow.fixing import Session

MOST_BYTES: Final = 8 * 2**20
"""A longer session is not gone on with: it would fill the model's window many times over."""

_PROJECTS = (".claude", "projects")
_FOLDER = "-workspace"  # what the CLI makes of /workspace
_MOST_FOLDERS = 16
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not make us wait


def put(home: Path, session: Session) -> None:
    """Put a session into a new HOME, where only we can read it."""
    folder = home
    for name in (*_PROJECTS, _FOLDER):
        folder = folder / name
        folder.mkdir(mode=0o700)
    path = folder / f"{session.id}.jsonl"
    path.touch(mode=0o600)
    path.write_bytes(session.record)


def take(home: Path, session_id: str) -> Session | None:
    """Return the session that a call in this HOME had; None when there is no such record.

    No link is followed on the way, and no process of the call may be alive.
    """
    if not Session.is_id(session_id):
        return None
    name = f"{session_id}.jsonl"
    with contextlib.suppress(OSError), _opened(*_PROJECTS, beneath=os.open(home, _DIRECTORY)) as projects:
        for folder in sorted(os.listdir(projects))[:_MOST_FOLDERS]:  # noqa: PTH208 - an open folder has no path
            with contextlib.suppress(OSError):
                record = _record(projects, folder, name)
                return Session(session_id, record) if record else None
    return None


def _record(projects: int, folder: str, name: str) -> bytes | None:
    """Return the bytes of a record; None for what the CLI would not have written.

    Raises:
        OSError: there is no such file, or a link in its place.
    """
    with _opened(folder, beneath=os.dup(projects)) as inner:
        file = os.open(name, _FILE, dir_fd=inner)
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MOST_BYTES:
            return None
        return stream.read(MOST_BYTES)


@contextlib.contextmanager
def _opened(*names: str, beneath: int) -> Iterator[int]:
    """Open folder after folder beneath an open one, which is closed with them."""
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, beneath)
        for name in names:
            beneath = os.open(name, _DIRECTORY, dir_fd=beneath)
            stack.callback(os.close, beneath)
        yield beneath
