"""The places that settings come from, in their order: flags, the environment, ``.env``, ``ai-ops.toml``.

Here is read what was said and where; what it means is told by those who ask. Standard library and dotenv
alone, because the agent looks here too.
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from ai_ops.core import setting_names

ENV_FILE = ".env"
TOML_FILE = "ai-ops.toml"

_UNSAID: tuple[Any, ...] = (None, "", [], ())
_LARGEST_VALUE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a setting: its key, where it came from, why (a clause), and how to mend it."""

    key: str
    origin: str
    reason: str
    mend: str = ""

    def __str__(self) -> str:
        name = self.key if self.key == self.origin else f"{self.key} ({self.origin})"
        return f"{name} {self.reason}." + (f" {self.mend}" if self.mend else "")


@dataclass(frozen=True, slots=True)
class Place:
    """One place: what it says, by key in lower case, and what in it has no effect."""

    origin: str
    values: Mapping[str, Any]
    idle: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What counts of each key, where it came from, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(
    folder: Path, *, flags: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[list[Place], list[Problem]]:
    """Return the places, the strongest first, and the files that cannot be read.

    The process's environment belongs to every program, so no stranger is looked for there.
    """
    places = [Place("flag", _said(flags)), Place("environment", _without_tables(environment))]
    problems = []
    for name, parse in ((ENV_FILE, _parse_env), (TOML_FILE, _parse_toml)):
        try:
            if (folder / name).is_file():
                places.append(parse(_text(folder / name)))
        except ValueError as error:
            problems.append(Problem(name, name, f"cannot be read: {error}"))
    return places, problems


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in values.items() if value not in _UNSAID}


def _without_tables(values: Mapping[str, Any]) -> dict[str, Any]:
    said = _said(values)
    for name in setting_names.TABLES:
        said.pop(name.lower(), None)
    return said


def _parse_env(text: str) -> Place:
    lines = list(parse_stream(io.StringIO(text)))
    idle = [
        Problem(f"line {line.original.line}", ENV_FILE, "cannot be read", "Write NAME=value.")
        for line in lines
        if line.error
    ]
    values = dotenv_values(
        stream=io.StringIO("".join(line.original.string for line in lines if not line.error))
    )
    for name, value in values.items():
        if not setting_names.is_known(name.upper()):
            idle.append(Problem(name, ENV_FILE, "is not a setting", setting_names.advice(name)))
        elif value is None:
            idle.append(Problem(name, ENV_FILE, "has no value", f"Write {name}=value."))
    return Place(ENV_FILE, _without_tables(values), tuple(idle))


def _parse_toml(text: str) -> Place:
    values = tomllib.loads(text)
    idle = [
        Problem(name, TOML_FILE, "is not a setting", setting_names.advice(name) or "Take it out.")
        for name in values
        if not setting_names.is_known(name.upper())
    ]
    return Place(TOML_FILE, _said(values), tuple(idle))


def _text(path: Path, limit: int = -1) -> str:
    """Return a file's text, ``limit`` bytes of it at most.

    Raises:
        ValueError: with words for the operator.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8-sig")
    except OSError as error:
        raise ValueError((error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def take(places: Sequence[Place], keys: Iterable[str]) -> Taken:
    """Return what counts of ``keys`` (in lower case).

    The strongest place that names a key counts, by its value or by its ``_FILE`` twin; no other file is read.
    """
    taken = Taken()
    for key in keys:
        twin = setting_names.twin(key.upper()).lower()
        for place in places:
            if key in place.values:
                taken.values[key], taken.origins[key] = place.values[key], place.origin
                break
            if twin in place.values:
                _take_file(taken, key, twin, place)
                break
    return taken


def _take_file(taken: Taken, key: str, twin: str, place: Place) -> None:
    path, name = Path(str(place.values[twin])), key.upper()
    try:
        value = _text(path.expanduser(), _LARGEST_VALUE_BYTES).strip()
        reason = "" if value else f"names {path}, which is empty"
    except (ValueError, RuntimeError) as error:
        value, reason = "", f"names {path}, which cannot be read: {error}"
    if reason:
        mend = f"Name a readable file that holds {name}, or set {name} itself."
        taken.problems.append(Problem(twin.upper(), place.origin, reason, mend))
    else:
        taken.values[key], taken.origins[key] = value, f"{place.origin} ({twin.upper()})"


def idle(folder: Path) -> tuple[Problem, ...]:
    """Return what in the two files has no effect and was probably meant for us."""
    places, _ = read(folder, flags={}, environment={})
    return likely(problem for place in places for problem in place.idle)


def likely(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Leave out what looks like another program's: nothing can be said to mend it."""
    return tuple(problem for problem in found if problem.mend)
