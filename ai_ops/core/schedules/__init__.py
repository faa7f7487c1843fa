"""When a schedule is due: cron expressions in a time zone, and what becomes of times that were missed."""

from ai_ops.core.schedules.cron import Cron, parse
from ai_ops.core.schedules.due import Plan, plan
from ai_ops.core.schedules.words import words

__all__ = ["Cron", "Plan", "parse", "plan", "words"]
