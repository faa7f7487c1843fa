"""From a path in a trace to the repository file that it means.

The machine of the log had the repository elsewhere: in a container, on a Windows drive, as an installed
package, as what a bundler or a compiler made of it. What stays is the end of the path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from rapidfuzz import fuzz, process
from rapidfuzz.distance import LCSseq

from ai_ops.flow.event import Frame

_SIMILAR = 85.0  # of 100, for a path that only resembles a file of the repository
_MARGIN = 5.0
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]{1,30}:)*//[^/]*(?=/)|\Afile:(?=/)")
_DRIVE = re.compile(r"\A/?[A-Za-z]:(?=[\\/])")
_QUERY = re.compile(r"(\.\w{1,8})\?[^/\\]*\Z")
_SCRIPTS = frozenset(
    (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte", ".coffee")
)
_COMPILED = {".pyc": ".py", **dict.fromkeys(_SCRIPTS, ".js")}
_BUILT = frozenset(("dist", "build", "out", "lib", "es", "esm", "cjs", "target", ".next", ".output", ".nuxt"))
_COPIED = frozenset(("node_modules", "vendor", "third_party", "_vendor", "bower_components", "site-packages"))
# Behind these stands a package as it was installed; a version may be written behind its name.
_INSTALLED = re.compile(
    r"/(?:(?:site|dist)-packages/|node_modules/(?:@[^/]+/)?[^/]+/|gems/[^/]+/|vendor/[^/]+/[^/]+/"
    r"|pkg/mod/.+?@[^/]+/|registry/src/[^/]+/[^/]+/)(?!.*/(?:node_modules|site-packages)/)"
)
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_TEST_WORD = re.compile(r"(?:^|[/_.-])(?:tests?|specs?|__tests__)(?=[/_.-]|$)|Tests?\.[a-z]+$")


def is_test(path: str) -> bool:
    """Whether a path looks like a test."""
    return _TEST_WORD.search(path) is not None


def is_copy(path: str) -> bool:
    """Whether a file stands where other people's code is copied to."""
    return not _COPIED.isdisjoint(path.split("/")[:-1])


def suffix_of(path: str) -> str:
    """Return a file name's suffix; one for all that JavaScript is written in or compiled from."""
    suffix = _suffix(path)
    return _COMPILED.get(suffix, suffix)


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rindex(".") :].lower() if "." in name[1:] else ""


def stem_of(path: str) -> str:
    """Return a file's name without its suffix."""
    name = path.rpartition("/")[2]
    return name[: -len(suffix)] if (suffix := _suffix(path)) else name


def _plain(file: str) -> str:
    """Return a trace's path with forward slashes, without scheme, host, drive and query."""
    return _DRIVE.sub("", _SCHEME.sub("", _QUERY.sub(r"\1", file), count=1)).replace("\\", "/")


def _parts(path: str) -> list[str]:
    return [part for part in _plain(path).split("/") if part not in ("", ".", "..")]


def _name_key(path: str) -> str:
    """Return a file's name as it is compared: without case, without what a build changes."""
    name = path.rpartition("/")[2].casefold()
    dot = name.rfind(".")
    source = _COMPILED.get(name[dot:]) if dot > 0 else None
    return name if source is None else name[:dot] + source


def _key(parts: Sequence[str]) -> list[str]:
    """Return the parts as they are compared, from the end."""
    return [_name_key(parts[-1]), *(part.casefold() for part in reversed(parts[:-1]))]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


class Paths:
    """A repository's files, found by the end of their paths.

    Args:
        paths: the files, relative, with forward slashes.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.all = paths
        self._by_name: dict[str, list[str]] = {}
        for path in paths:
            self._by_name.setdefault(_name_key(path), []).append(path)
        self._by_depth: dict[int, list[str]] | None = None

    def meant(self, file: str) -> tuple[str, ...]:
        """Return the files that a trace's path means equally well; mostly one, none when nothing is like it.

        The longest common end counts, then the folders above it that agree. What a build made is told
        as its source.
        """
        wanted = _parts(file)
        if not wanted:
            return ()
        key = _key(wanted)
        named = [(path, _key(path.split("/"))) for path in self._by_name.get(key[0], ())]
        if not named:
            return self._resembling(wanted)
        common = {path: _common(key, own) for path, own in named}
        sources = _sources(wanted, common)
        # A whole repository path at the end of the trace's is the file, whatever else resembles it.
        rank = {
            path: (common[path], common[path] == len(own), LCSseq.similarity(key, own), _exact(wanted, path))
            for path, own in named
            if path in sources
        }
        best = max(rank.values())
        return tuple(path for path in rank if rank[path] == best)

    def _resembling(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the file whose path is clearly the most similar to as many of the last parts."""
        if self._by_depth is None:
            self._by_depth = {}
            for path in self.all:
                self._by_depth.setdefault(path.count("/") + 1, []).append(path)
        ranked: list[tuple[float, str]] = []
        for depth, paths in self._by_depth.items():
            end = "/".join(wanted[-depth:])
            found = process.extract(end, paths, scorer=fuzz.ratio, limit=2, score_cutoff=_SIMILAR)
            ranked += [(score, path) for path, score, _ in found if suffix_of(path) == suffix_of(wanted[-1])]
        ranked.sort(reverse=True)
        if not ranked or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < _MARGIN):
            return ()
        return (ranked[0][1],)

    def installed(self, file: str) -> tuple[str, ...]:
        """Return the repository's own files that an installed package's file may be a copy of."""
        plain = "/" + _plain(file).lstrip("/")
        marker = next(_INSTALLED.finditer(plain), None)
        if marker is None:
            return ()
        inside = plain[marker.end() :].split("/")
        least = 1 if suffix_of(file) == ".js" else max(len(inside), 2)
        package = marker.group().rstrip("/").rpartition("/")[2]
        return tuple(
            path
            for path in self.meant(file)
            if not is_copy(path)
            and _common(_key(inside), _key(path.split("/"))) >= least
            and (len(inside) <= least or package in path.split("/"))
        )

    def defining(self, function: str, suffixes: Sequence[str]) -> tuple[str, ...]:
        """Return the files named for the class or module that a function of no file belongs to."""
        words = _WORD.findall(function)
        for at in range(len(words) - 2, -1, -1):
            names = [f"{words[at]}{suffix}".casefold() for suffix in suffixes]
            if found := [path for name in names for path in self._by_name.get(name, ()) if not is_copy(path)]:
                above = [word.casefold() for word in words[:at]]
                rank = {path: LCSseq.similarity(above, _folder_words(path)) for path in found}
                return tuple(path for path in rank if rank[path] == max(rank.values()))
        return ()


def _exact(wanted: Sequence[str], path: str) -> tuple[bool, bool]:
    name = path.rpartition("/")[2]
    return name == wanted[-1], _suffix(name) == _suffix(wanted[-1])


def _folder_words(path: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(path.rpartition("/")[0])]


def _sources(wanted: Sequence[str], common: dict[str, int]) -> Sequence[str]:
    """Return the files of one name without those that a build made, where what they were made of is there."""
    if suffix_of(wanted[-1]) == ".js":
        tails = [len(wanted) - at - 1 for at, part in enumerate(wanted[:-1]) if part in _BUILT]
        for tail in tails:
            if sources := [path for path in common if common[path] >= tail and _is_source(path, wanted[-1])]:
                return sources
    return list(common)


def _is_source(path: str, built: str) -> bool:
    """Whether a script may be what another of its name was built from: it is in src, or no JavaScript."""
    folders = path.split("/")[:-1]
    above = folders[: folders.index("src")] if "src" in folders else folders
    told = "src" in folders or _suffix(path) != _suffix(built)
    return told and _BUILT.isdisjoint(above) and not is_copy(path)


def map_path(file: str, paths: Paths | Sequence[str]) -> str | None:
    """Return the one repository file that a trace's path means, or None.

    Among files that it means equally well, the only one that is neither a test nor a copy.
    """
    found = (paths if isinstance(paths, Paths) else Paths(paths)).meant(file)
    if len(found) > 1:
        found = tuple(path for path in found if not is_test(path) and not is_copy(path))
    return found[0] if len(found) == 1 else None


def roots(frames: Sequence[Frame], paths: Sequence[str]) -> tuple[str, ...]:
    """Return the absolute folders in which the repository stood where the error was logged."""
    index = Paths(paths)
    found: dict[str, None] = {}
    for file in dict.fromkeys(frame.file.replace("\\", "/") for frame in frames):
        path = map_path(file, index)
        if path and file.startswith("/") and file.endswith("/" + path):
            found[file[: -len(path) - 1] or "/"] = None
    return tuple(root for root in found if root != "/")
