"""How far a container's log was read: for stdout and stderr the time of the last line.

Each grows by itself. The engine writes the two down a little out of order, so one position for both would
pass lines over.
"""

from __future__ import annotations

from ai_ops.monitoring.sources.port import BEGINNING

# The engine writes a line down within this time after it was stamped.
_DISORDER_NANOSECONDS = 5_000_000_000
_SECOND = 1_000_000_000

Place = tuple[int, int]
"""A time in nanoseconds, and how many lines of that time are done."""


class ContainerPosition:
    """Decides which lines are new, and remembers the last ones."""

    def __init__(self, places: dict[str, Place] | None = None) -> None:
        self._places = dict(places or {})
        self._current: dict[str, Place] = {}
        self._past: set[str] = set()

    @classmethod
    def parse(cls, position: str) -> ContainerPosition:
        """Return the position that ``str`` wrote."""
        places: dict[str, Place] = {}
        for part in position.split(",") if position != BEGINNING else ():
            name, at, count = part.split("/")
            places[name] = (int(at), int(count))
        return cls(places)

    @classmethod
    def at(cls, nanoseconds: int) -> ContainerPosition:
        """Return the position before the first line of this time or a later one."""
        return cls({"stdout": (nanoseconds, 0), "stderr": (nanoseconds, 0)})

    def __str__(self) -> str:
        return ",".join(f"{name}/{at}/{n}" for name, (at, n) in sorted(self._places.items())) or BEGINNING

    def resumed(self) -> ContainerPosition:
        """Return the same place for another reading of the log."""
        return ContainerPosition(self._places)

    @property
    def since(self) -> str:
        """The time from which the log is asked for, in seconds."""
        if not self._places:
            return "0"
        times = [at for at, _ in self._places.values()]
        newest = max(times)
        oldest = min(times) if len(times) > 1 else 0
        begin = max(oldest, newest - _DISORDER_NANOSECONDS, 0)
        return f"{begin // _SECOND}.{begin % _SECOND:09}"

    def take(self, stdio: str, at: int) -> int | None:
        """Take the next line; return its number among those of its time, or None when it was read before."""
        last, count = self._current.get(stdio, (0, 0))
        place = (at, count + 1 if at == last else 1)
        self._current[stdio] = place
        if place > self._places.get(stdio, (0, 0)):
            self._past.add(stdio)
        elif stdio not in self._past:
            return None
        else:
            # A clock that was set back does not make lines old, here or at the next start. Lines that it
            # finds again have the same times and numbers, so they are the same events.
            self._places = {name: min(reached, (at, 0)) for name, reached in self._places.items()}
        self._places[stdio] = place
        return place[1]
