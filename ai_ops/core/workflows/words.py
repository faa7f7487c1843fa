"""Texts with places for values: ``{{ params.NAME }}`` and ``{{ steps.ID.answer }}``. Pure.

A text is read once, where it stands in a file. What is put into a place is never read again, so that a value
cannot hold a place of its own. An answer is a model's: it is not put into the text at all. The text names
it, and the answer itself comes with the prompt as data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MOST_PLACES = 200
_PLACE = re.compile(r"(\\?)\{\{([^{}]{0,200})\}\}")
_PARAM = re.compile(r"params\.([a-z][a-z0-9_]{0,39})")
_ANSWER = re.compile(r"steps\.([a-z0-9][a-z0-9_-]{0,39})\.answer")


@dataclass(frozen=True, slots=True)
class Param:
    """The place of a parameter's value."""

    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The place of a step's answer."""

    step: str


Words = tuple[str | Param | Answer, ...]


def words_of(text: str) -> tuple[Words, str]:
    r"""Return a text as words, and what in it is not understood; ``\{{`` is two braces and no place."""
    found: list[str | Param | Answer] = []
    end = 0
    for match in _PLACE.finditer(text):
        found.append(text[end : match.start()])
        end = match.end()
        if match[1]:
            found.append(match[0][1:])
            continue
        said = match[2].strip()
        if param := _PARAM.fullmatch(said):
            found.append(Param(param[1]))
        elif answer := _ANSWER.fullmatch(said):
            found.append(Answer(answer[1]))
        else:
            known = "params.NAME and steps.ID.answer"
            return (), rf"{{{{ {said[:60]} }}}} is not known; known are {known} (plain braces: \{{{{)"
        if len(found) > 2 * _MOST_PLACES:
            return (), f"it has more than {_MOST_PLACES} places"
    found.append(text[end:])
    return tuple(part for part in found if part != ""), ""


def filled(words: Words, values: Mapping[str, Words]) -> Words:
    """Return words with the values of the parameters that there are in their places."""
    found: list[str | Param | Answer] = []
    for part in words:
        found += values[part.name] if isinstance(part, Param) and part.name in values else (part,)
    return tuple(found)


def plain(words: Words) -> str:
    """Return words as text; an answer is named, and stands elsewhere."""
    return "".join(_shown(part) for part in words)


def length(words: Words) -> int:
    """Return about how long words are as text, which may be much longer than what they are made of."""
    return sum(len(part) if isinstance(part, str) else 60 for part in words)


def written(words: Words) -> str:
    """Return words as a file has them."""
    return "".join(
        f"{{{{ params.{part.name} }}}}"
        if isinstance(part, Param)
        else f"{{{{ steps.{part.step}.answer }}}}"
        if isinstance(part, Answer)
        else part
        for part in words
    )


def answers(words: Words) -> tuple[str, ...]:
    """Return the steps whose answers are wanted, each once."""
    return tuple(dict.fromkeys(part.step for part in words if isinstance(part, Answer)))


def params(words: Words) -> tuple[str, ...]:
    """Return the names of the parameters that are wanted, each once."""
    return tuple(dict.fromkeys(part.name for part in words if isinstance(part, Param)))


def _shown(part: str | Param | Answer) -> str:
    match part:
        case Answer(step):
            return f"[the answer of the step {step}, below]"
        case Param(name):
            return f"[{name}]"
        case text:
            return text
