"""Reads values of a file one by one, and collects all that is wrong with them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ai_ops.core.workflows.document import Problem, Value
from ai_ops.core.workflows.fields import CHOICES, TASK_FIELDS, Kind, only_place
from ai_ops.core.workflows.values import read as read_value
from ai_ops.core.workflows.words import Words, words_of
from ai_ops.flow.workflow import Parameter, ParameterType

_MOST_PARAMETERS = 50
_MOST_PROBLEMS = 100
_MOST_PROMPT = 200_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_OF_A_PARAMETER = ("type", "description", "required", "default", "choices")


class Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, line: int, place: str, why: str) -> None:
        """Note what is wrong; after many it is no use to say more."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(line, place, why))

    def mapping(self, value: Value, place: str, known: Collection[str]) -> dict[str, Value] | None:
        """Return a mapping with no other keys than the known ones."""
        if not isinstance(value.data, dict):
            self.problem(value.line, place, "must be a mapping (key: value)")
            return None
        for key, each in value.data.items():
            if key not in known:
                self.problem(each.line, place, f"{key[:60]} is not known; known are {', '.join(known)}")
        return value.data

    def needed(self, top: Value, name: str) -> Value:
        """Return a value that has to be there."""
        found: Value | None = top.data.get(name)
        if found is None:
            self.problem(top.line, name, "is needed")
        return found or Value(top.line, {} if name == "task" else [])

    def text(self, value: Value | None, place: str, most: int = 500) -> str:
        """Return a text, empty where there is none."""
        data = "" if value is None or value.data is None else value.data
        if value is None or data == "":
            return ""
        if type(data) in (int, float):
            data = str(data)
        if not isinstance(data, str) or len(data) > most or "\0" in data:
            self.problem(value.line, place, f"must be text of at most {most:,} characters")
            return ""
        return data

    def head(self, top: Value) -> dict[str, Any]:
        """Return name, description and parameters."""
        name = self.needed(top, "name")
        if not _NAME.fullmatch(self.text(name, "name")):
            self.problem(name.line, "name", "must be of a-z, 0-9, - and _, at most 60")
        return {
            "name": self.text(name, "name"),
            "description": self.text(top.data.get("description"), "description", 2000),
            "parameters": self.parameters(top.data.get("parameters")),
        }

    def parameters(self, value: Value | None) -> tuple[Parameter, ...]:
        """Return the parameters that a file is asked for with."""
        if value is None:
            return ()
        if not isinstance(value.data, dict) or len(value.data) > _MOST_PARAMETERS:
            self.problem(value.line, "parameters", f"must be a mapping of at most {_MOST_PARAMETERS}")
            return ()
        return tuple(self._parameter(name, each) for name, each in value.data.items())

    def _parameter(self, name: str, value: Value) -> Parameter:
        place = f"parameters.{name[:60]}"
        if not _PARAMETER.fullmatch(name):
            self.problem(value.line, place, "its name must be of a-z, 0-9 and _, at most 40")
        said = self.mapping(Value(value.line, value.data or {}), place, _OF_A_PARAMETER) or {}
        kind = self.choice(said.get("type"), f"{place}.type", tuple(ParameterType)) or ParameterType.TEXT
        made = Parameter(name, ParameterType(kind), self.text(said.get("description"), place, 2000))
        choices = tuple(self._default(made, each, place) for each in self.items(said.get("choices"), place))
        made = Parameter(name, made.type, made.description, choices=choices)
        default = self._default(made, said["default"], place) if "default" in said else None
        required = self.flag(said.get("required"), f"{place}.required", default="default" not in said)
        if required and default is not None:
            self.problem(value.line, place, "what is required has no default")
        return Parameter(name, made.type, made.description, required, default, choices)

    def _default(self, parameter: Parameter, value: Value, place: str) -> Any:
        found, why = read_value(parameter, value.data)
        if why and value.data is not None:
            self.problem(value.line, place, why)
        return found

    def items(self, value: Value | None, place: str) -> list[Value]:
        """Return a list, empty where there is none."""
        if value is None or value.data is None:
            return []
        if not isinstance(value.data, list):
            self.problem(value.line, place, "must be a list")
            return []
        return value.data

    def flag(self, value: Value | None, place: str, *, default: bool) -> bool:
        """Return true or false."""
        if value is None:
            return default
        if not isinstance(value.data, bool):
            self.problem(value.line, place, "must be true or false")
        return bool(value.data)

    def choice(self, value: Value | None, place: str, known: Collection[str]) -> str:
        """Return one of the known words, empty where there is none."""
        said = self.text(value, place)
        if value is not None and said not in known:
            self.problem(value.line, place, f"must be one of: {', '.join(known)}")
            return ""
        return said

    def words(self, value: Value, place: str, most: int = 20_000) -> Words:
        """Return a text with its places."""
        found, why = words_of(self.text(value, place, most))
        if why:
            self.problem(value.line, place, why)
        return found

    def task(self, place: str, value: Value, beside: Collection[str]) -> dict[str, Any]:
        """Return the fields of a task; ``beside`` are the keys that stand with them."""
        said = self.mapping(value, place, (*beside, *TASK_FIELDS))
        if said is None:
            return {}
        own = {name: each for name, each in said.items() if name in TASK_FIELDS and each.data is not None}
        if not (prompt := own.get("prompt")) or not self.text(prompt, "", _MOST_PROMPT).strip():
            self.problem(value.line, f"{place}.prompt", "is needed")
        return {name: self._field(name, each, f"{place}.{name}") for name, each in own.items()}

    def _field(self, name: str, value: Value, place: str) -> Any:
        kind, data = TASK_FIELDS[name], value.data
        if kind is Kind.LIST:
            return [self.words(each, place, 500) for each in self.items(value, place)]
        if kind is Kind.TEXT:
            found = self.words(value, place, _MOST_PROMPT if name == "prompt" else 20_000)
            if name in CHOICES and not only_place(found):
                self.choice(value, place, CHOICES[name])
            return found
        right = bool if kind is Kind.FLAG else int | float
        if isinstance(data, str) and only_place(found := self.words(value, place)):
            return found
        if not isinstance(data, right) or isinstance(data, bool) is not (kind is Kind.FLAG):
            self.problem(value.line, place, f"must be {kind}, or one {{{{ params.NAME }}}}")
        return data
