"""A trace's own path through the application: file and function of each call, as no deploy moves them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from ai_ops.core.grouping.v1.roots import below_root, folders_of
from ai_ops.flow.event import Frame

_SEGMENTS = 3


def calls(language: str, frames: Sequence[Frame]) -> list[str]:
    """Return ``file:function`` of each frame, outermost first, direct recursion dropped."""
    files = [_file(frame.file) for frame in frames]
    if language != "java":  # a JVM frame names its package, which no deploy moves
        files = _relative(files)
    path: list[str] = []
    for file, frame in zip(files, frames, strict=True):
        call = f"{file}:{_function(frame.function)}"
        if not path or path[-1] != call:
            path.append(call)
    return path


_SCHEME = re.compile(r"\A(?:[a-z][a-z+.-]{1,20}://[^/]*(?=/)|[A-Za-z]:(?=[\\/]))")
_QUERY = re.compile(r"[?#].*\Z", re.DOTALL)
# The digest that a bundler puts into a file's name, app.3f9a1c2b.js, and a hash that must have a digit.
_DIGEST = re.compile(r"[.-](?=[0-9a-f]*\d)[0-9a-f]{6,64}(?=\.\w{1,5}\Z)")


def _file(file: str) -> str:
    """Return a path with forward slashes, without scheme, host, drive, query and a bundler's digest."""
    if ":" in file:
        file = _SCHEME.sub("", file)
    if "?" in file or "#" in file:
        file = _QUERY.sub("", file)
    return _DIGEST.sub("", file.replace("\\", "/"))


def _relative(paths: Sequence[str]) -> list[str]:
    """Return the paths below the folder that all of them share, so that the deploy folder is no part of it.

    When all stand in one folder, that says nothing of where the application begins; its root must.
    """
    folders = [folders_of(path) for path in paths]
    shared = len(_common(folders))
    if folders and all(len(folder) == shared for folder in folders):
        shared -= len(below_root(folders[0], absolute=paths[0].startswith("/")))
    return [
        "/".join([*folder[shared:], posixpath.basename(path)][-_SEGMENTS:])
        for folder, path in zip(folders, paths, strict=True)
    ]


def _common(folders: Sequence[Sequence[str]]) -> list[str]:
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared


def _function(name: str) -> str:
    """Return a function's name without what a compiler adds to it and counts."""
    if "$" in name:  # Java's lambdas and nameless classes
        name = re.sub(r"\$\$Lambda.*?(?=\.\w+\Z|\Z)", "$$Lambda", name)
        name = re.sub(r"\$\d+(?=\$|\.|\Z)", "$", name)
    if "<" in name:  # C#: <Send>d__12.MoveNext, <>c__DisplayClass5_0.<Send>b__1
        name = re.sub(r"(?<=[>c])([bdg]?__)(?:DisplayClass)?[\d_|]+", r"\1", name)
    if "::h" in name:  # Rust's mangling
        name = re.sub(r"::h[0-9a-f]{16}\Z", "", name)
    if "___" in name:  # Rails' compiled views
        name = re.sub(r"___\d+_\d+\Z", "", name)
    if name.startswith("block ("):  # Ruby: block (2 levels) in total
        name = re.sub(r"\Ablock \(\d+ levels\) in ", "block in ", name)
    return name.removeprefix("async ").removeprefix("new ") if " " in name else name
