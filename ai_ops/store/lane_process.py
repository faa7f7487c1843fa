"""The process of a ``ProcessLane``: it runs one kind of transaction until nobody asks for more, or one fails.

What comes and goes over its line is pickled: on both ends stands this program, and nobody else has the line.
First comes what it is for: the URL of the database, the work, and for how many seconds it waits for more.
Then each message is the work's arguments, and its answer is sent when it is committed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, make_url

from ai_ops.garbage import loading
from ai_ops.store.engines import writing_engine


def main() -> None:
    """Work until the line is closed, idle for long, or something fails: then nothing more is answered."""
    # What stops the server is sent to all its processes. This one ends when the server lets go of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = Connection(int(sys.argv[1]))
    try:
        with contextlib.suppress(EOFError, ConnectionError):
            _serve(line)
    except Exception as error:  # noqa: BLE001 - the server does it over again, and tells what there is to tell
        # Without the exception's own words, which may hold what an event holds.
        sys.stderr.write(f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}")
        sys.stderr.flush()
        os._exit(1)  # not with the line closed before: the server ends one that lets go of it


def _serve(line: Connection) -> None:
    with loading():
        url, work, idle_seconds = line.recv()
        engine = writing_engine(make_url(url))
        with engine.connect():
            pass  # where that fails, it must be known before there is work
    line.send(None)
    while line.poll(idle_seconds):
        line.send(_result(engine, work, line.recv_bytes()))


def _result(engine: Engine, work: Callable[..., Any], received: bytes) -> Any:
    arguments = pickle.loads(received)  # noqa: S301 - the other end is this program too
    with engine.begin() as connection:
        return work(connection, *arguments)


if __name__ == "__main__":
    main()
