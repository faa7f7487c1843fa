"""YAML as a tree that knows its lines. Pure, and harmless: no tags, no aliases, nothing given twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import yaml

MOST_BYTES: Final = 256 * 1024
_MOST_DEPTH = 12
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C reads 256 KiB in a moment
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(
    _TAG + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_TRUE = frozenset({"true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file: the line, from 1, the place in its tree, and why."""

    line: int
    place: str
    why: str

    def __str__(self) -> str:
        """Return it for people."""
        return (
            f"line {self.line}: {self.place}: {self.why}" if self.place else f"line {self.line}: {self.why}"
        )


class DocumentError(Exception):
    """The text is no tree at all."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.problem = Problem(line, "", why)


@dataclass(frozen=True, slots=True)
class Value:
    """A value and its line: None, text, a number, a boolean, a list of values, or values by key.

    The line of a value in a mapping is that of its key.
    """

    line: int
    data: Any


def load(text: str) -> Value:
    """Return a YAML text as values.

    Raises:
        DocumentError: it is no single document of plain values.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise DocumentError(1, f"the file is larger than {MOST_BYTES // 1024} KiB")
    try:
        _look_through(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise DocumentError(1, f"not YAML: {' '.join(str(error).split())[:200]}") from None
    if node is None:
        raise DocumentError(1, "the file is empty")
    return _value(node, node.start_mark.line + 1)


def _look_through(text: str) -> None:
    """Refuse aliases and what is nested deeply before anything is built: they grow beyond their text."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise DocumentError(line, "aliases (*name) are not taken; write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise DocumentError(line, "nested too deeply")


def _value(node: yaml.Node, line: int) -> Value:
    if isinstance(node, yaml.MappingNode):
        return Value(line, _mapping(node))
    if isinstance(node, yaml.SequenceNode):
        return Value(line, [_value(each, each.start_mark.line + 1) for each in node.value])
    if node.tag not in _PLAIN:
        raise DocumentError(line, f"tags are not taken: {str(node.tag)[:60]}")
    return Value(line, _scalar(node.tag.removeprefix(_TAG), str(node.value)))


def _mapping(node: yaml.MappingNode) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentError(line, "a key must be a word")
        if key.value in found:
            raise DocumentError(line, f"{key.value[:60]} is given twice")
        found[key.value] = _value(value, line)
    return found


def _scalar(kind: str, text: str) -> Any:
    """Return what a scalar means; a number that is no ordinary one stays text."""
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() in _TRUE
            case "int":
                return int(text)
            case "float":
                number = float(text)
                return number if math.isfinite(number) else text
            case _:
                return text
    except ValueError:
        return text
