"""Syntax trees of the languages that the guard reads: Python, JavaScript, TypeScript, Java, Go and Rust.

``read`` gives a ``Tree``; ``Dialect`` says what a language calls the things that the rules ask for, so that
a rule is written once.
"""

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.languages import dialect_of
from ai_ops.core.guard.syntax.reading import Tree, read
from ai_ops.core.guard.syntax.tree import Root, Spot

__all__ = ["Dialect", "Root", "Spot", "Tree", "dialect_of", "read"]
