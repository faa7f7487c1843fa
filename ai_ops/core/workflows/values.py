"""The values of parameters: checked against their types, whether they came as JSON or were typed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ai_ops.core.workflows.words import Words
from ai_ops.flow.workflow import Parameter, ParameterType

_MOST_TEXT = 100_000
_WORDS = {"true": True, "false": False}


def read(parameter: Parameter, given: Any) -> tuple[Any, str]:
    """Return a value of a parameter's type, and why ``given`` is none; a number may come as text."""
    value = _typed(parameter.type, given)
    if value is None:
        return None, f"must be {_NAMES[parameter.type]}"
    if parameter.choices and value not in parameter.choices:
        return None, f"must be one of: {', '.join(map(str, parameter.choices))}"
    return value, ""


_NAMES = {
    ParameterType.TEXT: f"text of at most {_MOST_TEXT:,} characters",
    ParameterType.INTEGER: "a whole number",
    ParameterType.NUMBER: "a number",
    ParameterType.BOOLEAN: "true or false",
}


def values(
    parameters: Iterable[Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return each parameter's value, and what is wrong, as (name, why); one left out is None."""
    known = {each.name: each for each in parameters}
    found: dict[str, Any] = {}
    wrong = [
        (name, f"is no parameter; there are: {', '.join(known) or 'none'}")
        for name in given
        if name not in known
    ]
    for name, parameter in known.items():
        if given.get(name) is not None:
            found[name], why = read(parameter, given[name])
            wrong += [(name, why)] if why else []
        elif parameter.required:
            wrong.append((name, "is needed"))
        else:
            found[name] = parameter.default
    return found, wrong


def as_words(found: Mapping[str, Any]) -> dict[str, Words]:
    """Return values as they stand in a text."""
    return {name: (text,) if (text := _text(value)) else () for name, value in found.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(kind: ParameterType, given: Any) -> Any:
    match kind:
        case ParameterType.TEXT:
            text = str(given) if type(given) in (int, float) else given  # YAML's own guess
            fits = isinstance(text, str) and len(text) <= _MOST_TEXT and "\0" not in text
            return text if fits else None
        case ParameterType.BOOLEAN:
            return given if isinstance(given, bool) else _WORDS.get(given) if isinstance(given, str) else None
        case _:
            return _number(given, whole=kind is ParameterType.INTEGER)


def _number(given: Any, *, whole: bool) -> int | float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    if isinstance(given, str) and len(given) > 40:
        return None
    try:
        number = int(given) if whole and not isinstance(given, float) else float(given)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or (whole and number != int(number)):
        return None
    return int(number) if whole else number
