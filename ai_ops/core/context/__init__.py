"""What a fixer is shown in a prompt: the places of a trace in the repository, and what belongs to them.

``paths`` finds the file that a trace means, ``functions`` and ``calls`` read code, ``places`` puts them
together, ``choice`` decides within a budget of tokens; ``past`` tells of similar bugs.
"""

from ai_ops.core.context.calls import Call
from ai_ops.core.context.choice import FILES_TOKENS, Choice, choose
from ai_ops.core.context.excerpts import ContextFile, tokens
from ai_ops.core.context.past import PAST_BUDGET, became, earlier_change, past_repairs
from ai_ops.core.context.paths import Paths, map_path, roots
from ai_ops.core.context.places import Place

__all__ = [
    "FILES_TOKENS",
    "PAST_BUDGET",
    "Call",
    "Choice",
    "ContextFile",
    "Paths",
    "Place",
    "became",
    "choose",
    "earlier_change",
    "map_path",
    "past_repairs",
    "roots",
    "tokens",
]
