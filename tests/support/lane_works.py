"""What the tests of ``ProcessLane`` have done in its process."""

import os
import signal
import time
from pathlib import Path

from sqlalchemy import insert

from ai_ops.store import tables


class Writing:
    """Writes a row for each call, and counts its own calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, connection, order, key, *arguments):
        """Write a row, then do what the order says; return the pid and how many calls there were."""
        self.calls += 1
        connection.execute(
            insert(tables.queue_gates), {"name": key, "closed": False, "refused": 0, "told": False}
        )
        getattr(self, order)(*arguments)
        return os.getpid(), self.calls

    def go(self):
        """Do nothing else."""

    def fault(self):
        """Have a fault."""
        raise LookupError("a fault of ours")

    def full(self):
        """Find no room."""
        raise OSError(28, "No space left on device")

    def die(self):
        """Be killed before the commit."""
        os.kill(os.getpid(), signal.SIGKILL)

    def pause(self, began, goes_on):
        """Say that it began, and wait until it may go on."""
        Path(began).touch()
        while not Path(goes_on).exists():
            time.sleep(0.01)
