"""Grouping, version 1: an error's fingerprint.

A trace is known by its type and the application's own path to it; a message by its words. Whatever
changes between two occurrences of one fault is left out: line numbers, deploy folders, recursion,
ids, times, addresses, amounts. This version never changes once released; a better one is a new module.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Sequence

from ai_ops.flow.event import Frame

VERSION = "v1"

_MESSAGE_LIMIT = 2000
_SEGMENTS = 3


def fingerprint(language: str, exception_type: str, message: str, frames: Sequence[Frame]) -> str:
    """Return 32 hex digits. ``frames`` outermost first; only those in the application count."""
    path = _calls(language, [frame for frame in frames if frame.in_app])
    parts = [VERSION, exception_type, *path] if path else [VERSION, exception_type, "", normalise(message)]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _calls(language: str, frames: Sequence[Frame]) -> list[str]:
    """Return file and function of each frame, direct recursion dropped."""
    files = [frame.file for frame in frames]
    if language != "java":  # a JVM frame names its package, which no deploy moves
        files = _relative(files)
    calls: list[str] = []
    for file, frame in zip(files, frames, strict=True):
        call = f"{file}:{_function(frame.function)}"
        if not calls or calls[-1] != call:
            calls.append(call)
    return calls


_RELEASE = re.compile(r"v?\d[\d._-]*|[0-9a-f]{7,40}|current|releases?|[\d_T.-]{6,}Z?", re.IGNORECASE)
_ROOT_NAMES = """
app apps application build checkout code current deploy deployment dist home html local opt project repo
root site source sources srv src tmp usr user users var work workdir workspace www
"""
_ROOTS = frozenset(_ROOT_NAMES.split())


def _relative(files: Sequence[str]) -> list[str]:
    """Return the paths below the folder that all of them share, so that the deploy folder is no part of it.

    When all stand in one folder its name is kept, unless it is a deploy folder's.
    """
    paths = [re.sub(r"\A[A-Za-z]:", "", file.replace("\\", "/")) for file in files]
    folders = [
        [part for part in posixpath.dirname(path).split("/") if part not in ("", ".")] for path in paths
    ]
    shared = len(_common(folders))
    if folders and all(len(folder) == shared for folder in folders):
        name = folders[0][-1] if shared else ""
        shared -= 0 if not name or name.lower() in _ROOTS or _RELEASE.fullmatch(name) else 1
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
    """Return a function's name without the numbers that compilers give to nameless ones."""
    if "$" not in name:
        return name
    name = re.sub(r"\$\$Lambda.*?(?=\.\w+\Z|\Z)", "$$Lambda", name)
    return re.sub(r"\$\d+(?=\$|\.|\Z)", "$", name)


_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+-]?\d{1,4})?)"
_UNIT = (
    r"(?:ns|us|µs|μs|ms|msecs?|millis(?:econds?)?|micros(?:econds?)?|nanos(?:econds?)?|s|secs?|seconds?|m|min|mins|minutes?"
    r"|h|hrs?|hours?|d|days?)"
)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?[AP]M\b)?(?:Z|\s?[+-]\d{2}:?\d{2})?"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = (
    rf"(?<!\w)\d{{4}}[-/]\d{{2}}[-/]\d{{2}}(?:[T ]{_CLOCK})?(?!\w)"
    rf"|(?<!\w)\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}(?:[ ,]{{1,2}}{_CLOCK})?(?!\w)"
    rf"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?{_MONTH} \d{{1,2}}"
    rf"(?:,? \d{{4}})?(?: {_CLOCK}(?: \d{{4}})?)?(?!\w)"
)
_PATH = (
    r"(?<![\w.:/\\])(?:[A-Za-z]:\\[^\s\"'<>|,;:)\]]+|~?(?:/[\w.@%+=$~-]+)+/?"
    r"|(?:[\w.@+-]{1,255}/){2,}[\w.@+-]+)"
)
# In the order in which they are tried; what one takes, no later one sees.
_KINDS = {
    "url": r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>,;)\]}]+",
    "email": r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}",
    "uuid": r"(?<![0-9a-fA-F])[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}(?![0-9a-fA-F])",
    "str": r"(?<!\w)(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'(?!\w)|`[^`\n]{0,500}`|“[^”\n]{0,500}”)",
    "code": r"(?<!\w)(?:(?:ORA|TNS|PLS)-\d{4,5}|SQLSTATE\[\w{5}\]|\[(?:Errno|WinError) -?\d+\])",
    "ip": r"(?<![\w.])/?(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5}|/\d{1,2})?(?!\.?\w)"
    r"|\[?(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}(?:\]:\d{1,5}|\])?(?![\w:])|\[::1?\](?::\d{1,5})?",
    "host": r"(?<![\w.@/-])(?:[a-zA-Z0-9-]{1,63}\.){1,6}[a-zA-Z][a-zA-Z0-9-]{1,62}:\d{1,5}(?![\w:])",
    "time": rf"(?<![\w:]){_CLOCK}(?![\w:])",
    "path": _PATH,
    "hex": r"(?<!\w)(?:0[xX][0-9a-fA-F]+|(?=[a-fA-F]{0,64}\d)(?=\d{0,64}[a-fA-F])[0-9a-fA-F]{6,})(?!\w)",
    "duration": r"(?<!\w)(?:\d+[dhm]){1,3}\d+s?(?!\w)"
    rf"|(?<!\w)[-+]?{_NUMBER}\s?{_UNIT}(?!\w)(?:\s?\d+(?:\.\d+)?{_UNIT}(?!\w))*",
    "size": rf"(?<!\w)[-+]?{_NUMBER}\s?(?:[kKMGTP]i?B|[Bb]ytes?|B|%)(?!\w)",
    "num": rf"(?<!\w)[-+]?{_NUMBER}(?!\w)",
    "word": r"(?<![\w-])(?=[A-Za-z_-]{1,64}\d)[\w-]+",
}
# Nothing begins inside a word, and a plain word is only looked at as the name of a month or a day.
_VARIABLE = re.compile(
    rf"(?P<secret>\*\*\*[^\s\"',;)\]}}]{{0,4}})|(?<!\w)(?:(?P<date>{_DATE})"
    r"|(?![A-Za-z_]{1,64}(?:[\s,;)\]]|\Z))(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items())
    + "))"
)
_WHOLE_NUMBER = re.compile(r"(?<!\w)\d+(?!\w)")
_JSON = re.compile(r"\{\s{0,8}[\"']|\[\s{0,8}\{")
_BLANK = re.compile(r"\s+")


def normalise(message: str) -> str:
    """Return a message with everything that varies replaced by its kind: ``user <num> not found``."""
    text = _without_json(message[:_MESSAGE_LIMIT])
    return _BLANK.sub(" ", _VARIABLE.sub(_masked, text)).strip()


def _masked(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    if kind == "code":
        return found.group()
    if kind != "word":
        return f"<{kind}>"
    # A name with many digits in it is an id; with few it is a name (sha256, thread-3 but for its number).
    word = found.group()
    return "<id>" if sum(map(str.isdigit, word)) >= 4 else _WHOLE_NUMBER.sub("<num>", word)


def _without_json(text: str) -> str:
    opened = _JSON.search(text)
    if not opened:
        return text
    end = text.rfind("}" if text[opened.start()] == "{" else "]")
    return f"{text[: opened.start()]}<json>{text[end + 1 :]}" if end > opened.start() else text
