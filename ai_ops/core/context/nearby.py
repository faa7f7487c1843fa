"""What else of a repository is likely to matter: tests, imports, neighbours; without a trace, the words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice

from ai_ops.core.context.calls import Read
from ai_ops.core.context.excerpts import imports
from ai_ops.core.context.paths import is_copy, is_test, stem_of, suffix_of
from ai_ops.flow.event import ErrorDetail

_TESTS = 4
_NEIGHBOURS = 6
_IMPORTED = 6
_MOST_BY_WORDS = 40
_MOST_SEARCHED = 1500
_MOST_BYTES = 16_000_000
_PHRASE_WORTH = 10  # words
_SUFFIXES = {
    "python": (".py",),
    "javascript": (".js",),
    "java": (".java", ".kt", ".scala", ".groovy"),
    "go": (".go",),
    "ruby": (".rb",),
    "php": (".php",),
    "csharp": (".cs",),
    "rust": (".rs",),
    "dart": (".dart",),
}
_MORE_SUFFIXES = (
    ".pyi",
    ".c",
    ".h",
    ".cc",
    ".cpp",
    ".hpp",
    ".swift",
    ".ex",
    ".exs",
    ".clj",
    ".lua",
    ".pl",
    ".sh",
    ".sql",
)
_CODE = frozenset(chain(*_SUFFIXES.values(), _MORE_SUFFIXES))
_WORD = re.compile(r"[A-Za-z_]{4,40}")
_VARIABLE = re.compile(r"[\d'\"<>{}\[\]()=]+|%\w|\.\.\.")


def likely_tests(sources: Sequence[str], paths: Sequence[str], language: str) -> Iterator[str]:
    """Yield tests that name one of the sources, the closest name first; or one as an example."""
    kinds = _SUFFIXES.get(language) or {suffix_of(source) for source in sources} or _CODE
    tests = [path for path in paths if is_test(path) and suffix_of(path) in kinds and not is_copy(path)]
    for source in sources:
        stem = stem_of(source).casefold()
        named = [path for path in tests if stem in stem_of(path).casefold()]
        yield from sorted(named, key=lambda path: (len(stem_of(path)), path))[:_TESTS]
    yield from islice((path for path in tests if path.endswith("conftest.py")), 1)
    if not any(is_test(path) for path in sources):
        yield from tests[:1]  # as an example of how tests look here


def imported(sources: Sequence[str], paths: Sequence[str], read: Read) -> Iterator[str]:
    """Yield the files that the sources import, by their names."""
    by_stem: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        if not is_copy(path) and not is_test(path):
            by_stem.setdefault((stem_of(path).casefold(), suffix_of(path)), []).append(path)
    for source in sources:
        yield from islice(dict.fromkeys(_imported_by(source, read(source) or "", by_stem)), _IMPORTED)


def _imported_by(source: str, text: str, by_stem: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    """Yield files beside the source, or in a folder that the importing line names as well."""
    folder = source.rpartition("/")[0]
    for line in imports(text):
        words = re.findall(r"\w+", line)
        for word in words:
            for path in by_stem.get((word.casefold(), suffix_of(source)), ()):
                above = path.rpartition("/")[0]
                if path != source and (above == folder or above.rpartition("/")[2] in words):
                    yield path


def neighbours(sources: Sequence[str], paths: Sequence[str], read: Read) -> Iterator[str]:
    """Yield files beside the sources, in the same language; those that a source speaks of first."""
    for source in sources:
        folder, kind = source.rpartition("/")[0], suffix_of(source)
        text = read(source) or ""
        beside = (
            path
            for path in paths
            if path.rpartition("/")[0] == folder and suffix_of(path) == kind and not is_test(path)
        )
        yield from sorted(beside, key=lambda path: (stem_of(path) not in text, path))[:_NEIGHBOURS]


def by_words(error: ErrorDetail, paths: Sequence[str], read: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the code that the words of an error without a trace stand in, the likeliest first."""
    message = error.message or error.raw_excerpt
    phrases = [part.strip() for part in _VARIABLE.split(message[:2000]) if len(part.strip()) >= 12][:10]
    words = list(dict.fromkeys(_WORD.findall(f"{message[:2000]} {error.raw_excerpt[:2000]}")))[:40]
    code = [path for path in paths if suffix_of(path) in _CODE and not is_copy(path)]
    worth: dict[str, int] = {}
    left = _MOST_BYTES
    for path in code[:_MOST_SEARCHED]:
        text = read(path) or ""
        left -= len(text)
        if left < 0:
            break
        spoken = sum(word in text or word.casefold() in path.casefold() for word in words)
        worth[path] = spoken + _PHRASE_WORTH * sum(phrase in text for phrase in phrases)
    return tuple(sorted(code, key=lambda path: (-worth.get(path, 0), is_test(path), path)))[:_MOST_BY_WORDS]
