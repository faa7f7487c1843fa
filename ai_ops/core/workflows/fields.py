"""The fields of a prompt task in a file: what each may be, as written and with its places filled. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from ai_ops.core.workflows.words import Param, Words, answers, filled, length, params, plain, written
from ai_ops.flow.task import Priority, TaskType


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    LIST = "a list of texts"
    NUMBER = "a number"
    FLAG = "true or false"


TASK_FIELDS: Final[Mapping[str, Kind]] = {
    "prompt": Kind.TEXT,
    "name": Kind.TEXT,
    "description": Kind.TEXT,
    "type": Kind.TEXT,
    "priority": Kind.TEXT,
    "repo_url": Kind.TEXT,
    "code_host": Kind.TEXT,
    "folder": Kind.TEXT,
    "allowed_tools": Kind.LIST,
    "budget_usd": Kind.NUMBER,
    "timeout_seconds": Kind.NUMBER,
    "pull_request": Kind.FLAG,
}
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "type": tuple(TaskType),
    "priority": tuple(Priority),
}
MOST_TEXT: Final = 1_000_000
_FLAGS = {"true": True, "false": False}


def texts(task: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    """Yield every text of a task with its field."""
    for name, value in task.items():
        for each in value if TASK_FIELDS[name] is Kind.LIST else (value,):
            if isinstance(each, tuple):
                yield name, each


def with_values(task: Mapping[str, Any], values: Mapping[str, Words]) -> dict[str, Any]:
    """Return a task with values in the places of its parameters."""
    return {
        name: [filled(each, values) for each in value]
        if TASK_FIELDS[name] is Kind.LIST
        else filled(value, values)
        if isinstance(value, tuple)
        else value
        for name, value in task.items()
    }


def answers_of(task: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the steps whose answers a task's prompt wants."""
    return answers(task.get("prompt", ()))


def body(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task as the body of ``POST /v1/tasks``; a field that came out empty is left out."""
    found: dict[str, Any] = {}
    for name, value in task.items():
        match TASK_FIELDS[name]:
            case Kind.LIST:
                found[name] = [text for each in value if (text := plain(each))]
            case Kind.TEXT:
                found[name] = plain(value)
            case Kind.NUMBER:
                found[name] = _number(plain(value)) if isinstance(value, tuple) else value
            case Kind.FLAG:
                found[name] = _FLAGS.get(plain(value), plain(value)) if isinstance(value, tuple) else value
    return {name: value for name, value in found.items() if value not in ("", None)}


def as_written(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task as its file has it, the places of its parameters in it."""
    return {
        name: [written(each) for each in value]
        if TASK_FIELDS[name] is Kind.LIST
        else written(value)
        if isinstance(value, tuple)
        else value
        for name, value in task.items()
    }


def too_long(task: Mapping[str, Any]) -> bool:
    """Whether a task's texts are longer than a task may say; asked before they are put together."""
    return sum(length(words) for _, words in texts(task)) > MOST_TEXT


def only_place(words: Words) -> bool:
    """Whether a text is one parameter's place and nothing else."""
    return len(words) == 1 and isinstance(words[0], Param)


def wanted(task: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parameters that a task's texts want."""
    return tuple(dict.fromkeys(name for _, words in texts(task) for name in params(words)))


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # whoever checks the body says what is wrong with it
