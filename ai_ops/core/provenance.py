"""Whether an error is the product's own work come back: a loop in which one repair feeds the next.

An agent may follow the server's own log, and a branch of ours may run somewhere before a person merged it.
Neither is a fault of the repository as it stands, so neither starts a repair by itself; a person still can.
"""

from __future__ import annotations

import re

from ai_ops.core.identity import FIX_BRANCH
from ai_ops.core.jsonlog import record_of
from ai_ops.flow.event import Event

# Our loggers are named after our modules; on a terminal the name stands in brackets at the line's end.
_LOGGER = re.compile(r"ai_ops(\.\w+){0,8}")
_ON_A_TERMINAL = re.compile(r"\[ai_ops(?:\.\w+){0,8}\]")
_OUR_FILE = re.compile(r"(?:\A|[/\\])ai_ops[/\\]\w")


def own_work(event: Event) -> str:
    """Return why an event comes of the product's own work, for people; empty when it does not."""
    if "ai_ops" in event.error.raw_excerpt:  # rarely: the rest need not be looked at
        if _logged_by_us(event.error.raw_excerpt):
            return "AI-Ops logged it itself."
        if any(_OUR_FILE.search(frame.file) for frame in event.error.frames):
            return "It was raised through AI-Ops' own code."
    for name in (event.release, event.environment, event.service, event.repo.default_branch):
        if FIX_BRANCH.search(name):
            return f"It happened on the branch of a repair that nobody has merged yet ({name[:80]})."
    return ""


def _logged_by_us(excerpt: str) -> bool:
    first = excerpt.lstrip().partition("\n")[0]
    if _ON_A_TERMINAL.search(first):
        return True
    record = record_of(first)
    logger = record.get("logger") if record else None
    return isinstance(logger, str) and _LOGGER.fullmatch(logger) is not None
