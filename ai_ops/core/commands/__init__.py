"""The analyser of commands: shell text in, findings with the names of their rules out. Nothing is run."""

from __future__ import annotations

from ai_ops.core.commands.analysis import analyse
from ai_ops.core.commands.findings import RULES, Decision, Finding, Rule, Severity, decision_of, strictest

__all__ = ["RULES", "Decision", "Finding", "Rule", "Severity", "analyse", "decision_of", "strictest"]
