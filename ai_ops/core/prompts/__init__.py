"""Versioned words for the fixer, and the reading of its words for people.

Text from logs and repositories is joined in, never expanded as a template. A change of wording is a
new version, so that recorded conversations stay true.
"""

from ai_ops.core.context import ContextFile
from ai_ops.core.prompts.parts import Head, first_line
from ai_ops.core.prompts.triage_v1 import parse_triage, triage
from ai_ops.core.prompts.v1 import (
    VERSION,
    again,
    fix,
    reproduce,
    revise,
    revise_in_session,
    task,
    task_goes_on,
    task_revision,
)
from ai_ops.core.prompts.words import Words, parse_words

__all__ = [
    "VERSION",
    "ContextFile",
    "Head",
    "Words",
    "again",
    "first_line",
    "fix",
    "parse_triage",
    "parse_words",
    "reproduce",
    "revise",
    "revise_in_session",
    "task",
    "task_goes_on",
    "task_revision",
    "triage",
]
