"""The process of a ``ProcessLane``: it runs one kind of transaction until nobody asks for more.

What comes and goes over its line is pickled: on both ends stands this program, and nobody else has the line.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, make_url

from ai_ops.errors import AiOpsError, TemporaryError
from ai_ops.garbage import loading
from ai_ops.store.engines import writing_engine
from ai_ops.store.lane_messages import Answer, Broken, Done, Order, Refused
from ai_ops.store.storage_failures import named_failures


def main() -> None:
    """Work until the line is closed, or idle for long."""
    # What stops the server is sent to all its processes. This one ends when the server lets go of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, ConnectionError):
        with loading():
            wanted = line.recv_bytes()
            order = _order(wanted)
            engine = writing_engine(make_url(order.url))
        line.send(Done(None))
        while line.poll(order.idle_seconds):
            answer = _answer(engine, order.work, line.recv_bytes())
            if not isinstance(answer, Done):
                order = _order(wanted)  # what the work remembers may not be so
            line.send(answer)


def _order(received: bytes) -> Order:
    order: Order = pickle.loads(received)  # noqa: S301 - the other end is this program too
    return order


def _answer(engine: Engine, work: Callable[..., Any], received: bytes) -> Answer:
    try:
        arguments = pickle.loads(received)  # noqa: S301 - as above
        with named_failures(), engine.begin() as connection:
            result = work(connection, *arguments)
        return Done(result)
    except AiOpsError as failure:
        passing = isinstance(failure, TemporaryError)
        return Refused(passing, failure.as_dict(), getattr(failure, "delay", None))
    except Exception:  # noqa: BLE001 - the other end raises it
        return Broken(traceback.format_exc())


if __name__ == "__main__":
    main()
