"""Reads a text as a shell would and finds what is dangerous in it, however it is wrapped or disguised.

Nothing is run. What cannot be known before is said to be so, and what is taken apart on the way (quotes,
escapes, variables, encodings, commands that start commands) is judged as what it comes to. It advises:
confinement is the sandbox's work.
"""

from __future__ import annotations

from ai_ops.core.commands.disguises import HIDDEN
from ai_ops.core.commands.findings import Finding
from ai_ops.core.commands.keeping import Known
from ai_ops.core.commands.reading import MOST_CHARACTERS
from ai_ops.core.commands.translating import is_split, is_windows, translated
from ai_ops.core.commands.walking import MOST_COMMANDS, Budget, Walk

__all__ = ["Budget", "analyse", "hosts_of"]


def analyse(text: str, budget: Budget | None = None) -> tuple[Finding, ...]:
    """Return what is dangerous in a shell command or script, each rule once, in the order of finding.

    ``budget`` holds the characters that may be read of several texts together.
    """
    budget = budget or Budget()
    budget.commands = MOST_COMMANDS
    walk = Walk(budget=budget)
    walk.script(text, 0)
    if is_windows(text) and (other := translated(text)) != text:
        walk.known = Known()
        walk.script(other, 0, hidden=is_split(text))
        if is_split(text):
            walk.note("obfuscated", text)
        if len(other) > MOST_CHARACTERS:
            walk.note("too_long", text)
    if len(text) > MOST_CHARACTERS or walk.budget.spent:
        walk.note("too_long", text)
    if HIDDEN.search(text):
        walk.note("obfuscated", text)
    return tuple(walk.found.values())


def hosts_of(text: str) -> tuple[str, ...]:
    """Return the hosts that a shell command or script names, in the order of finding."""
    walk = Walk()
    walk.script(text, 0)
    return tuple(walk.hosts)
