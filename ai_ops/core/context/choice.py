"""Choose what a fixer sees of a repository, within a budget of tokens.

At first the least of each: the functions of the trace, the heads of the repository's notes, who calls
these functions, which tests do. Then whole files, in the order of worth, as long as there is room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ai_ops.core.context.calls import Call, Called, called, calls_of
from ai_ops.core.context.excerpts import ContextFile, beginning, parts, tokens
from ai_ops.core.context.functions import Span
from ai_ops.core.context.nearby import by_words, imported, likely_tests, neighbours
from ai_ops.core.context.paths import Paths, is_test
from ai_ops.core.context.places import Locator, Place
from ai_ops.core.wording import counted
from ai_ops.flow.event import ErrorDetail

FILES_TOKENS = 24_000
"""How many tokens there is room for, similar bugs of the past included."""

_CALLED = 3  # functions of the trace whose callers are looked for
_CALLS = 4  # of one function by the code, and as many by tests
_FOR_TRACE = 0.7  # of the room, for the functions of the trace besides the innermost
_FOR_ONE = 0.6  # of the room that is left, for all of one file
_NOTES_TOKENS = 700  # of each
_MOST_NOTES = 4
_MOST_BEFORE_TESTS = 3  # files that were found by their words
_NOTES = re.compile(
    r"(?:\.github/|docs?/)?(?:README|CONTRIBUTING|CLAUDE|AGENTS)(?:\.(?:md|rst|txt|adoc))?", re.IGNORECASE
)

Line = tuple[int, Span | None]
"""A line that is to be shown, and the function that it stands in."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown, in the order of worth.

    ``files`` are whole or parts, several parts of one file side by side; ``notes`` the heads of the
    repository's own notes; ``places`` where the trace leads; ``calls`` who calls the functions there;
    ``left_out`` the files that were wanted and did not fit.
    """

    files: tuple[ContextFile, ...] = ()
    notes: tuple[ContextFile, ...] = ()
    places: tuple[Place, ...] = ()
    calls: tuple[Call, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def leads(self) -> tuple[str, ...]:
        """Where the trace leads and who calls what is there, in lines."""
        places = (f"{place.path}:{place.line}{_inside(place.span)}" for place in self.places)
        calls = (f"{call.path}:{call.line}{_inside(call.span)} calls {call.name}" for call in self.calls)
        return (*places, *calls)

    @property
    def told(self) -> str:
        """What is shown and what is not, for people."""
        partly = dict.fromkeys(file.path for file in self.files if not file.whole)
        words = f"shown: {counted(len(self.whole), 'file')} whole, {len(partly)} in part, "
        words += f"{counted(len(self.notes), 'note')}, about {counted(self.tokens, 'token')}"
        return f"{words}; no room for: {', '.join(self.left_out)}" if self.left_out else words

    @property
    def whole(self) -> frozenset[str]:
        """The files that are shown whole: only these may be replaced without a look."""
        return frozenset(file.path for file in self.files if file.whole)

    @property
    def tokens(self) -> int:
        """About how many tokens the files and notes are."""
        return sum(tokens(file.text) for file in (*self.files, *self.notes))


@dataclass
class _Room:
    """What is shown so far, and how many tokens there is room for."""

    locator: Locator
    left: int
    taken: dict[str, tuple[ContextFile, ...]] = field(default_factory=dict)
    refused: dict[str, None] = field(default_factory=dict)

    def part(self, path: str, lines: Sequence[Line], *, keep: int = 0) -> None:
        """Show the functions around some lines of a file, or around the first line alone, if they fit."""
        text = self.locator.text(path)
        if text is None or self._take(path, parts(path, text, lines), keep) or path in self.taken:
            return
        if not self._take(path, parts(path, text, lines[:1]), keep):
            self.refused[path] = None

    def whole(self, path: str) -> None:
        """Show all of a file in place of its parts, if it fits; of a test that does not, the beginning."""
        text = self.locator.text(path)
        if text is None or self._take(path, (ContextFile(path, text),), int(self.left * (1 - _FOR_ONE))):
            return
        if path in self.taken or (is_test(path) and self._take(path, (beginning(path, text),), 0)):
            return
        self.refused[path] = None

    def _take(self, path: str, files: tuple[ContextFile, ...], keep: int) -> bool:
        more = sum(tokens(file.text) for file in files)
        more -= sum(tokens(file.text) for file in self.taken.get(path, ()))
        if more > self.left - keep:
            return False
        self.left -= more
        self.taken[path] = files
        self.refused.pop(path, None)
        return True


def choose(
    error: ErrorDetail, paths: Sequence[str], read: Callable[[str], str | None], *, budget: int = FILES_TOKENS
) -> Choice:
    """Return what to show of a repository.

    Args:
        error: the logged error.
        paths: the repository's files.
        read: returns a file's text, or None when it cannot be shown.
        budget: how many tokens there is room for.
    """
    locator = Locator(Paths(paths), read, error.language)
    places = locator.places(error.frames)
    calls = _calls(places, paths, locator)
    room = _Room(locator, budget)
    traced, calling = _lines(places), _lines(calls)
    for number, (path, lines) in enumerate(traced.items()):
        room.part(path, lines, keep=int(budget * (1 - _FOR_TRACE)) if number else 0)
    notes = _notes(room, paths)
    for path, lines in calling.items():
        room.part(path, [*traced.get(path, ()), *lines])
    sources = tuple(traced)
    others = likely_tests(sources, paths, error.language)
    tests = [path for path in (*calling, *others) if is_test(path)]
    callers = [path for path in calling if not is_test(path)]
    near = (*imported(sources[:1], paths, locator.text), *neighbours(sources, paths, locator.text))
    words = () if places else by_words(error, paths, locator.text)
    first = sources[:1] or words[:_MOST_BEFORE_TESTS]
    for path in dict.fromkeys((*first, *tests, *sources[1:], *callers, *near, *words)):
        room.whole(path)
    return Choice(
        tuple(file for path in dict.fromkeys((*sources, *room.taken)) for file in room.taken.get(path, ())),
        notes,
        places,
        tuple(call for call in calls if call.path in room.taken),
        tuple(room.refused),
    )


def _inside(span: Span | None) -> str:
    return f" in {span.name}" if span else ""


def _calls(places: Sequence[Place], paths: Sequence[str], locator: Locator) -> tuple[Call, ...]:
    """Return who calls the innermost functions of the trace, as far as the trace itself does not tell."""
    functions: dict[Called, None] = {}
    for place in places:
        if place.span and len(functions) < _CALLED:
            functions[called(place.path, place.span, locator.spans(place.path))] = None
    traced = {(place.path, place.span) for place in places}
    found = []
    for function in functions:
        calls = [
            call for call in calls_of(function, paths, locator.text) if (call.path, call.span) not in traced
        ]
        found += [call for call in calls if not is_test(call.path)][:_CALLS]
        found += [call for call in calls if is_test(call.path)][:_CALLS]
    return tuple(found)


def _lines(found: Iterable[Place | Call]) -> dict[str, list[Line]]:
    """Return the lines to show of each file, in order."""
    lines: dict[str, list[Line]] = {}
    for each in found:
        lines.setdefault(each.path, []).append((each.line, each.span))
    return lines


def _notes(room: _Room, paths: Sequence[str]) -> tuple[ContextFile, ...]:
    """Return the beginnings of what the repository says of itself; a tenth of the room at most for each."""
    return tuple(_noted(room, paths))


def _noted(room: _Room, paths: Sequence[str]) -> Iterator[ContextFile]:
    named = sorted(
        (path for path in paths if _NOTES.fullmatch(path)), key=lambda path: (path.count("/"), path)
    )
    for path in named[:_MOST_NOTES]:
        note = beginning(path, room.locator.text(path) or "", min(_NOTES_TOKENS, room.left // 10))
        if note.text.strip():
            room.left -= tokens(note.text)
            yield note
