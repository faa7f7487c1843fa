"""Hints that something changed in a folder, so that an idle agent looks at once.

Hints are armed only while nothing happens: a busy log would cause one for every write, and polling sees
those changes anyway. Without them (network file systems, no watches left) polling alone is at most a
quarter of a second later.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from watchdog.events import (
    DirDeletedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

_log = logging.getLogger(__name__)
_EVENTS: list[type[FileSystemEvent]] = [
    DirDeletedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class Hints(FileSystemEventHandler):
    """Wakes the reading thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._moved = False
        self._observer = Observer()
        self._armed = False
        self._usable = True

    def wake(self) -> None:
        """End the current or the next wait."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a hint; return whether files came, went or were renamed since the last call."""
        self._event.wait(seconds)
        self._event.clear()
        moved, self._moved = self._moved, False
        return moved

    def arm(self, folders: Iterable[str]) -> bool:
        """Watch these folders; return whether that is new, so that what happened before is looked at."""
        if self._armed or not self._usable:
            return False
        self._armed = True
        try:
            if not self._observer.is_alive():
                self._observer.start()
            for folder in folders:
                self._observer.schedule(self, folder, event_filter=_EVENTS)
        except (OSError, RuntimeError) as error:
            self._usable = False
            _log.info("no file system hints (%s); polling alone", error)
            self.disarm()
        return True

    def disarm(self) -> None:
        """Stop watching."""
        if self._armed:
            self._armed = False
            self._observer.unschedule_all()

    def close(self) -> None:
        """End all watching."""
        self._usable = False
        self.disarm()
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(2.0)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take a hint; called in a thread of the observer."""
        if not isinstance(event, FileModifiedEvent):
            self._moved = True
        self._event.set()
