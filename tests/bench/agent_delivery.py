"""A million lines over twenty logs with every kind of rotation, kills, and a server that is away."""

import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.support.delivering import deliver

_LINES = 1_000_000
_SECONDS = 60


def agent_delivery():
    """Yield how many errors were lost, doubled, or arrived that nobody wrote."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        delivered = deliver(Path(name), _LINES, kills=10, seconds=_SECONDS)
        yield Figure("delivery: lines written", delivered.lines, "")
        yield Figure("delivery: errors among them", delivered.errors, "")
        yield Figure("delivery: rotations", delivered.rotations, "")
        yield Figure("delivery: kills of the agent", delivered.kills, "")
        yield Figure("delivery: until all had arrived", time.perf_counter() - began, "s")
        yield Figure("delivery: errors lost", sum(map(len, delivered.lost.values())), "", 0)
        yield Figure("delivery: errors doubled", sum(map(len, delivered.doubled.values())), "", 0)
        yield Figure("delivery: events that nobody wrote", len(delivered.foreign), "", 0)
