"""What a comment on a pull request asks for. Pure: who wrote it, and whether they may, is asked elsewhere.

A comment is for us when it begins with the prefix. A command stands alone on that line; all else is a wish
for a revision, in the person's own words, and is data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ai_ops.core.untrusted import clean


class Verb(StrEnum):
    """The commands."""

    REVISE = "revise"
    EXPLAIN = "explain"
    RETRY = "retry"
    STOP = "stop"
    TAKE_OVER = "take over"
    RESUME = "resume"
    IGNORE = "ignore this error"
    PORT = "open for another branch"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """``words`` are a wish's; ``branch`` is where ``PORT`` is to propose the change."""

    verb: Verb
    words: str = ""
    branch: str = ""


_ALONE = (Verb.EXPLAIN, Verb.RETRY, Verb.STOP, Verb.TAKE_OVER, Verb.RESUME, Verb.HELP)
_PLAIN = {verb.value: verb for verb in _ALONE}
_PLAIN |= {"": Verb.HELP, "takeover": Verb.TAKE_OVER, "ignore": Verb.IGNORE, Verb.IGNORE.value: Verb.IGNORE}
_PLAIN[Verb.PORT.value] = Verb.HELP  # it lacks the branch
_PORT = re.compile(r"open for (?:another branch |branch )?(?!another$|branch$)`?(\S+?)`?", re.IGNORECASE)
_UNKNOWN = re.compile(r"[\w-]+")


def parse(body: str, prefix: str) -> Command | None:
    """Return what a comment asks for; None when it does not begin with the prefix.

    One unknown word alone is taken for a mistyped command, and answered with the list of them.
    """
    text = clean(body).text.strip()
    if not prefix or text[: len(prefix)].casefold() != prefix.casefold():
        return None
    rest = text[len(prefix) :]
    if rest and not (rest[0].isspace() or rest[0] in ",:"):
        return None
    words = rest.lstrip(" \t,:").strip()
    line, _, more = words.partition("\n")
    said = " ".join(line.split()).rstrip(".!?")
    if verb := _PLAIN.get(said.casefold()):
        return Command(verb)
    if port := _PORT.fullmatch(said):
        return Command(Verb.PORT, branch=port.group(1))
    if not more.strip() and _UNKNOWN.fullmatch(said):
        return Command(Verb.HELP)
    return Command(Verb.REVISE, words)
