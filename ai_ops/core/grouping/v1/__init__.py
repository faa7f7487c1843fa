"""Grouping, version 1: an error's fingerprint.

A trace is known by its type, its causes, the codes in its message and the application's own path to it; a
message by its words. Whatever changes between two occurrences of one fault is left out: line numbers,
deploy folders, recursion, ids, times, addresses, amounts. This version never changes once released; a
better one is a new package.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ai_ops.core.grouping.v1.calls import calls
from ai_ops.core.grouping.v1.codes import codes
from ai_ops.core.grouping.v1.message import template
from ai_ops.core.grouping.v1.sentences import sentence
from ai_ops.flow.event import Frame

__all__ = ["VERSION", "fingerprint", "template"]

VERSION = "v1"

# Types that say nothing but that something failed: there the words are the type.
_GENERIC = re.compile(
    r"(?:.*[.:\\])?(?:Error|Exception|Throwable|RuntimeError|RuntimeException|StandardError)?\Z"
    r"|(?:panic|fatal error|runtime error)\b.*\Z",
    re.DOTALL,
)


def fingerprint(
    language: str, exception_type: str, message: str, frames: Sequence[Frame], causes: Sequence[str] = ()
) -> str:
    """Return 32 hex digits.

    Args:
        language: the trace's; JVM frames name packages instead of folders.
        exception_type: of the exception that escaped, '' for a message alone.
        message: its message. Its words count only where no frame is the application's, where neither the
            type nor a cause says what failed (``Error``, ``panic``), and where a type of the application's
            own says nothing but a fixed sentence. Of a trace its codes (``[Errno 28]``, HTTP 503) count too.
        frames: outermost first; only those in the application count.
        causes: the types of the exceptions behind it, nearest first.
    """
    path = calls(language, [frame for frame in frames if frame.in_app]) if frames else []
    chain = [exception_type, *dict.fromkeys(causes)]
    told = bool(path) and (len(chain) > 1 or not _GENERIC.match(exception_type))
    words = template(message) if not told else "" if len(chain) > 1 else sentence(exception_type, message)
    named = codes(message) if path or exception_type else ()
    parts = [VERSION, *chain, "", *path, "", words, *named]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
