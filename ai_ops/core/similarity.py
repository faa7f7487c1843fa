"""How much two errors are alike: a number from 0 to 1, with the parts it is made of.

Both sides are normalised first, by the rules of grouping, so that what is compared does not vary between
two occurrences of one fault. Pure and bounded: templates and paths are cut before they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from ai_ops.core import intake
from ai_ops.core.grouping.v1.calls import calls
from ai_ops.core.triage import short_type
from ai_ops.flow.bug_case import Likeness
from ai_ops.flow.event import ErrorDetail

_MOST_TEMPLATE = 500
_MOST_CALLS = 20
_MOST_TYPES = 5
_WEIGHTS = {"type": 0.3, "message": 0.25, "frames": 0.45}
_CAUSE_AGREES = 0.8  # another exception escaped, and the innermost cause is the same
_NAME_AGREES = 0.4  # one file name and function, in folders that differ


@dataclass(frozen=True, slots=True)
class Similarity:
    """How much two errors are alike, 0 to 1, in all and by part; None for a part that neither side has."""

    score: float
    type: float | None = None
    message: float | None = None
    frames: float | None = None


def likeness(error: ErrorDetail) -> Likeness:
    """Return what is compared of an error."""
    own = [frame for frame in error.frames if frame.in_app]
    types = dict.fromkeys(short_type(kind)[:200] for kind in (error.exception_type, *error.cause_types))
    return Likeness(
        error.fingerprint,
        tuple(kind for kind in types if kind)[:_MOST_TYPES],
        intake.template(error)[:_MOST_TEMPLATE],
        tuple(call[-300:] for call in calls(error.language, own)[-_MOST_CALLS:]),
    )


def kind_of(alike: Likeness) -> str:
    """Return the short name of the exception's type; empty when the log names none."""
    return alike.types[0] if alike.types else ""


def place_of(alike: Likeness) -> str:
    """Return the innermost call as file name and function; empty without a frame of the application."""
    return _name(alike.calls[-1]) if alike.calls else ""


def compare(one: Likeness, other: Likeness) -> Similarity:
    """Return how much two errors are alike. A part that one side alone has speaks against it."""
    parts = {
        "type": _types(one.types, other.types) if one.types or other.types else None,
        "message": _ratio(one.template, other.template) if one.template or other.template else None,
        "frames": _calls(one.calls, other.calls) if one.calls or other.calls else None,
    }
    known = {name: value for name, value in parts.items() if value is not None}
    whole = sum(_WEIGHTS[name] for name in known)
    score = sum(_WEIGHTS[name] * value for name, value in known.items()) / whole if whole else 0.0
    return Similarity(round(score, 3), **parts)


def _types(one: Sequence[str], other: Sequence[str]) -> float:
    if not one or not other:
        return 0.0
    if one[0] == other[0]:
        return 1.0
    return _CAUSE_AGREES if one[-1] == other[-1] else 0.0


def _ratio(one: str, other: str) -> float:
    return round(fuzz.token_sort_ratio(one, other) / 100, 3)


def _calls(one: Sequence[str], other: Sequence[str]) -> float:
    """Compare two paths: half the innermost call, where it broke, half the way there."""
    if not one or not other:
        return 0.0
    way = LCSseq.normalized_similarity([_name(call) for call in one], [_name(call) for call in other])
    return round((_same_call(one[-1], other[-1]) + way) / 2, 3)


def _same_call(one: str, other: str) -> float:
    """Compare two calls. One may be named from further up: a trace shows only the folders it went through."""
    if _name(one) != _name(other):
        return 0.0
    longer, shorter = sorted((f"/{one}", f"/{other}"), key=len, reverse=True)
    return 1.0 if longer.endswith(shorter) else _NAME_AGREES


def _name(call: str) -> str:
    return call.rpartition("/")[2]
