"""Gathers the settings from all places, and names everything that is wrong with them at once.

Whether the world is as the settings say (files, folders, adapters) is asked by ``ai_ops.preflight``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ai_ops import config_places
from ai_ops.config_places import Problem
from ai_ops.core import setting_names
from ai_ops.errors import PermanentError
from ai_ops.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, where each value that is not a default came from, and what in the files has no effect."""

    settings: Settings
    origins: Mapping[str, str]
    idle: tuple[Problem, ...] = ()

    def origin(self, key: str) -> str:
        """Return where a setting's value came from."""
        return self.origins.get(key.lower(), "default")


class ConfigurationError(PermanentError):
    """Some settings cannot be used; ``problems`` names every one, ``idle`` is as in ``Loaded``."""

    def __init__(self, problems: Iterable[Problem], idle: tuple[Problem, ...] = ()) -> None:
        self.problems = tuple(problems)
        self.idle = idle
        super().__init__(
            "configuration_invalid",
            "\n".join(str(problem) for problem in self.problems),
            next_step="Mend it, then run: ai-ops config check",
        )


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    only: Iterable[str] | None = None,
) -> Loaded:
    """Gather the settings from all places.

    Args:
        flags: values given on the command line, by field name; None values are not given.
        environment: the process's environment by default.
        folder: where ``.env`` and ``ai-ops.toml`` are looked for; the working folder by default.
        only: the fields that the caller will look at; the others keep their defaults, whatever is said.

    Raises:
        ConfigurationError: with every bad key.
    """
    environment = os.environ if environment is None else environment
    places, problems = config_places.read(folder or Path.cwd(), flags=flags or {}, environment=environment)
    taken = config_places.take(places, Settings.model_fields if only is None else only)
    problems += taken.problems
    idle = tuple(problem for place in places for problem in place.idle)
    if only is None:
        problems += [problem for problem in idle if problem.origin == config_places.TOML_FILE]
        idle = tuple(problem for problem in idle if problem not in problems)
    try:
        loaded = Loaded(Settings(**taken.values), taken.origins, idle)
    except ValidationError as error:
        raise ConfigurationError([*problems, *_invalid(error, taken.origins)], idle) from None
    if only is None:
        problems += _contradictions(loaded)
    if problems:
        raise ConfigurationError(problems, idle)
    return loaded


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Take the secrets out of a process's environment, once they are loaded.

    A library that starts a program the plain way hands its whole environment on.
    """
    for name, field in Settings.model_fields.items():
        if "SecretStr" in str(field.annotation) or name == "database_url":
            for key in [key for key in environment if key.upper() == name.upper()]:
                del environment[key]


def _invalid(error: ValidationError, origins: Mapping[str, str]) -> Iterable[Problem]:
    for detail in error.errors(include_url=False):
        key, *rest = detail["loc"]
        name = str(key).upper()
        if name in setting_names.TABLES and rest:
            name = _in_table(str(key), rest)
        yield Problem(name, origins.get(str(key), "default"), _reason(detail["type"], detail))


def _in_table(key: str, path: Sequence[int | str]) -> str:
    """Return the place in a table, as ``[[webhook]] 1, events 2``: people count from 1."""
    name = f"[[{key}]]"
    for part in path:
        name += f" {part + 1}" if isinstance(part, int) else f", {part}"
    return name


def _reason(kind: str, detail: Mapping[str, Any]) -> str:
    """Return what pydantic found in words for an operator; the value is not repeated, it may be a secret."""
    told = detail.get("ctx", {})
    if kind in ("literal_error", "enum"):
        return f"must be one of {str(told['expected']).replace(chr(39), '').replace(' or ', ', ')}"
    if kind == "value_error":
        return str(told["error"])
    bound = {
        "greater_than_equal": "must be {ge} or more",
        "less_than_equal": "must be {le} or less",
        "greater_than": "must be more than {gt}",
    }
    if kind in bound:
        return bound[kind].format_map(told)
    plain = {"int": "must be a whole number", "float": "must be a number", "bool": "must be true or false"}
    named = {
        "extra_forbidden": f"is not a key of [[{detail['loc'][0]}]]",
        "missing": "is missing",
        "string_pattern_mismatch": "must be up to 40 lower-case letters, digits, - and _",
    }
    return named.get(kind) or plain.get(kind.partition("_")[0]) or _clause(detail["msg"])


def _clause(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _contradictions(loaded: Loaded) -> list[Problem]:
    """Return what is wrong between settings that are each fine."""
    settings, problems = loaded.settings, []
    if settings.queue_low >= settings.queue_high:
        problems.append(Problem("QUEUE_LOW", loaded.origin("queue_low"), "must be below QUEUE_HIGH"))
    if settings.code_host == "local" and not settings.allowed_repos:
        mend = "Name the folder that holds the bare remotes, for example ALLOWED_REPOS=/srv/git."
        problems.append(Problem("ALLOWED_REPOS", "default", "is required with CODE_HOST=local", mend))
    return problems
