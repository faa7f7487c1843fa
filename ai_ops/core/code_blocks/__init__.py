"""The ``code_blocks`` way of a repair: an answer's blocks become checked changes, or a report.

``parse`` reads the grammar, ``resolve`` finds the files, ``plan`` works out the new bytes. Nothing is
written here: ``workspace.edits`` writes a whole plan, or nothing.
"""

from ai_ops.core.code_blocks.apply import Limits, Plan, plan
from ai_ops.core.code_blocks.parse import parse
from ai_ops.core.code_blocks.problems import Problem, Refused, report
from ai_ops.core.code_blocks.resolve import Tree, is_git_name, resolve

__all__ = [
    "Limits",
    "Plan",
    "Problem",
    "Refused",
    "Tree",
    "is_git_name",
    "parse",
    "plan",
    "report",
    "resolve",
]
