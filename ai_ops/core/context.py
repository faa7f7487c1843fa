"""Choose what a fixer sees: the frames' files, then tests, then neighbours; and repairs of the past."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rapidfuzz import fuzz, process

from ai_ops.core.wording import counted
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome
from ai_ops.flow.event import Frame

_SIMILAR = 85.0  # of 100, for a path that only resembles a file of the repository
_MARGIN = 5.0
FILES_BUDGET = 80_000
PAST_BUDGET = 12_000
"""How many characters there is room for: files, and repairs of the past, which take theirs from the files."""

_NEIGHBOURS = 6
_TESTS = 4
_TEST_WORD = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|__tests__)(?=[/_.-]|$)|Tests?\.[a-z]+$")
_TEXT = frozenset(
    (
        ".py", ".pyi", ".java", ".kt", ".scala", ".groovy", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx",
        ".go", ".rb", ".php", ".cs", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".swift", ".dart", ".ex",
        ".exs", ".clj", ".lua", ".pl", ".sh", ".sql", ".vue", ".svelte",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen paths in order, and what was left out for want of room."""

    paths: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def _parts(path: str) -> list[str]:
    path = re.sub(r"^[A-Za-z]:(?=[\\/])", "", path).replace("\\", "/")
    return [part for part in path.split("/") if part not in ("", ".", "..")]


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        common += 1
    return common


def map_path(file: str, paths: Sequence[str]) -> str | None:
    """Return the repository file that a traceback's path means, or None.

    The file with the longest common end wins; among equals, and when no name agrees, the most similar
    one, if it is clearly so.
    """
    wanted = _parts(file)
    if not wanted:
        return None
    by_end: dict[int, list[str]] = {}
    for path in paths:
        if common := _common_end(wanted, path.split("/")):
            by_end.setdefault(common, []).append(path)
    if by_end:
        best = by_end[max(by_end)]
        # A whole repository path at the end of the traceback's is the file, whatever else resembles it.
        whole = [path for path in best if len(path.split("/")) == max(by_end)]
        if len(best) == 1 or len(whole) == 1:
            return (whole or best)[0]
        if max(by_end) == len(wanted):  # nothing more is known that could tell them apart
            return None
        return _most_similar("/".join(wanted), best, 0.0)
    return _most_similar("/".join(wanted), paths, _SIMILAR)


def _most_similar(wanted: str, paths: Sequence[str], least: float) -> str | None:
    ranked = process.extract(wanted, paths, scorer=fuzz.ratio, limit=2, score_cutoff=least)
    if not ranked or (len(ranked) > 1 and ranked[0][1] - ranked[1][1] < _MARGIN):
        return None
    return str(ranked[0][0])


def roots(frames: Sequence[Frame], paths: Sequence[str]) -> tuple[str, ...]:
    """Return the absolute folders in which the repository stood where the error was logged."""
    found: dict[str, None] = {}
    for frame in frames:
        file = frame.file.replace("\\", "/")
        path = map_path(frame.file, paths)
        if path and file.startswith("/") and file.endswith("/" + path):
            found[file[: -len(path) - 1] or "/"] = None
    return tuple(root for root in found if root != "/")


def is_test(path: str) -> bool:
    """Whether a path looks like a test."""
    return _TEST_WORD.search(path) is not None


def _likely_tests(sources: Sequence[str], paths: Sequence[str]) -> Iterator[str]:
    """Yield tests that name one of the sources, the closest name first."""
    tests = [path for path in paths if is_test(path) and PurePosixPath(path).suffix in _TEXT]
    for source in sources:
        stem = PurePosixPath(source).stem.casefold()
        named = [path for path in tests if stem in PurePosixPath(path).stem.casefold()]
        yield from sorted(named, key=lambda path: (len(PurePosixPath(path).stem), path))[:_TESTS]
    helpers = [path for path in tests if PurePosixPath(path).name == "conftest.py"]
    yield from helpers[:1]
    if not any(is_test(path) for path in sources):
        yield from tests[:1]  # as an example of how tests look here


def _neighbours(sources: Sequence[str], paths: Sequence[str]) -> Iterator[str]:
    """Yield files beside the sources, in the same language."""
    for source in sources:
        place = PurePosixPath(source)
        beside = [
            path
            for path in paths
            if PurePosixPath(path).parent == place.parent and PurePosixPath(path).suffix == place.suffix
        ]
        yield from sorted(beside)[:_NEIGHBOURS]


def choose(
    frames: Sequence[Frame], paths: Sequence[str], size: Callable[[str], int], *, budget: int = FILES_BUDGET
) -> Choice:
    """Return the files to show, in order of worth.

    Args:
        frames: the logged frames, outermost first.
        paths: the repository's files.
        size: returns a file's length in characters (bytes will do).
        budget: how many characters there is room for.
    """
    ordered = [*(f for f in reversed(frames) if f.in_app), *(f for f in reversed(frames) if not f.in_app)]
    sources = list(
        dict.fromkeys(
            path
            for frame in ordered
            if (path := map_path(frame.file, paths) if frame.in_app else _exact(frame, paths))
        )
    )
    wanted = dict.fromkeys([*sources, *_likely_tests(sources, paths), *_neighbours(sources, paths)])
    if not sources:
        wanted = dict.fromkeys(path for path in paths if PurePosixPath(path).suffix in _TEXT)
    chosen, left_out = [], []
    for path in wanted:
        length = size(path)
        if length <= budget:
            chosen.append(path)
            budget -= length
        else:
            left_out.append(path)
    return Choice(tuple(chosen), tuple(left_out))


def _exact(frame: Frame, paths: Sequence[str]) -> str | None:
    """Return a repository file for a frame that is not the application's only if its whole path agrees."""
    found = map_path(frame.file, paths)
    return found if found and "/".join(_parts(frame.file)).endswith(found) and "/" in found else None


def past_repairs(cases: Sequence[BugCase], repo_key: str, *, budget: int = PAST_BUDGET) -> tuple[str, ...]:
    """Return what a fixer is told of similar bugs, one text each, within so many characters.

    Code stays in its repository: of a bug elsewhere only the kind of error and the words of its repair are
    told, because what a fixer knows may turn up in the pull request.
    """
    texts: list[str] = []
    for number, case in enumerate(cases):
        room = (budget - sum(map(len, texts))) // (len(cases) - number)
        texts.append(_past_repair(case, own=case.repo_key == repo_key, room=room))
    return tuple(texts)


def _past_repair(case: BugCase, *, own: bool, room: int) -> str:
    kind = case.likeness.types[0] if case.likeness.types else ""
    facts = [
        ("Error", case.title) if own else ("Error, in another repository", kind),
        ("What became of the repair", became(case)),
        ("Cause", case.cause),
        ("Change", case.summary),
    ]
    text = "\n".join(f"{name}: {value}" for name, value in facts if value)
    if len(text) > room:
        return f"{text[: room - 1]}…"
    with_diff = f"{text}\nDiff:\n{case.diff}"
    return with_diff if own and case.diff and len(with_diff) <= room else text


def became(case: BugCase) -> str:
    """Return in words what became of a case: one that was refused or did not hold is no good example."""
    words = {
        BugCaseOutcome.MERGED: "it was merged",
        BugCaseOutcome.CLOSED: "a person refused it: the pull request was closed without a merge",
        BugCaseOutcome.RESOLVED: "the error was mended without it",
    }[case.outcome]
    if case.recurrences:
        return f"{words}, and the error came back {counted(case.recurrences, 'time')}"
    return f"{words}, and the error has not come back" if case.resolved else words
