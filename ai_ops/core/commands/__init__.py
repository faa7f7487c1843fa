"""The analyser of commands: shell text in, findings with the names of their rules out. Nothing is run."""

from __future__ import annotations

from ai_ops.core.commands.analysis import analyse, hosts_of
from ai_ops.core.commands.findings import RULES, Finding, Rule, decision_of, strictest
from ai_ops.core.commands.words import commands_in, judge_path, judge_words

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "analyse",
    "commands_in",
    "decision_of",
    "hosts_of",
    "judge_path",
    "judge_words",
    "strictest",
]
