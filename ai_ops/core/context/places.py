"""Where the frames of a trace are in the repository: the file, the function, and the line as it was logged.

Paths alone may mean several files. Then the one is meant that has the frame's function on its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ai_ops.core.context.calls import Read
from ai_ops.core.context.functions import Span, around, names_of, spans
from ai_ops.core.context.paths import Paths, is_copy, is_test, suffix_of
from ai_ops.flow.event import Frame

MOST_PLACES = 12
_BY_NAME = {"csharp": (".cs",), "rust": (".rs",), "java": (".java", ".kt", ".scala", ".groovy")}


@dataclass(frozen=True, slots=True)
class Place:
    """A frame in the repository. ``span`` is its function there, if it was found."""

    path: str
    line: int
    span: Span | None = None


class Locator:
    """Finds frames in one repository.

    Args:
        paths: its files.
        read: returns the text of one, or None.
        language: what the trace's language is called, for frames that name no file.
    """

    def __init__(self, paths: Paths, read: Read, language: str = "") -> None:
        self._paths = paths
        self._suffixes = _BY_NAME.get(language, ())
        self.text = cache(read)
        self.spans = cache(lambda path: spans(path, self.text(path) or ""))

    def places(self, frames: Sequence[Frame]) -> tuple[Place, ...]:
        """Return where the frames are, the innermost first; those of installed packages last."""
        found: dict[Place, None] = {}
        for frame in _in_order(frames):
            if len(found) < MOST_PLACES and (place := self.place(frame)):
                found[place] = None
        return tuple(found)

    def place(self, frame: Frame) -> Place | None:
        """Return where a frame is in the repository, or None."""
        names = names_of(frame.function)
        if frame.in_app:
            meant = self._paths.meant(frame.file) or self._unnamed(frame)
            return self._best(meant, frame, names)
        copies = self._paths.installed(frame.file)
        place = self._best(copies, frame, names)
        # Another package may have a file of this name: the function must be there too.
        return place if place and self._agrees(place, names) else None

    def _unnamed(self, frame: Frame) -> tuple[str, ...]:
        """Return the files of a frame whose trace tells a class at most: C# and Rust without symbols."""
        if frame.line and frame.file:
            return ()
        return self._paths.defining(frame.function, self._suffixes)

    def _best(self, meant: Sequence[str], frame: Frame, names: Sequence[str]) -> Place | None:
        if not meant:
            return None
        places = [Place(path, frame.line, around(self.spans(path), frame.line, names)) for path in meant]
        if len(places) > 1:
            ranked = sorted(places, key=lambda place: self._worth(place, names), reverse=True)
            if self._worth(ranked[0], names) == self._worth(ranked[1], names):
                return None
            places = ranked
        return places[0]

    def _worth(self, place: Place, names: Sequence[str]) -> tuple[bool, bool, bool]:
        """Return how well a file agrees with a frame."""
        span = place.span
        named = span is not None and span.name in names[:1]
        holds = span is not None and span.holds(place.line)
        return named and holds, named, not is_test(place.path) and not is_copy(place.path)

    def _agrees(self, place: Place, names: Sequence[str]) -> bool:
        if not names:
            return False
        span = place.span
        built = suffix_of(place.path) == ".js"  # its lines are those of what was built
        return span is not None and span.name == names[0] and (built or span.holds(place.line))


def _in_order(frames: Sequence[Frame]) -> Iterator[Frame]:
    yield from (frame for frame in reversed(frames) if frame.in_app)
    yield from (frame for frame in reversed(frames) if not frame.in_app)
