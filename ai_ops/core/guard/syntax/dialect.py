"""What a language calls the things that the rules of the guard ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.tree import Spot

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Caught:
    """A place where an error may end: its types, its name in the code, the code that deals with it.

    ``types`` is empty when it takes every error. ``body`` is None when there is no code at all.
    ``is_value`` when the body is an expression whose value is the answer.
    """

    spot: Spot
    types: frozenset[str]
    variable: str
    body: Node | None
    is_value: bool = False
    narrowed: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """A call whose error is not looked at: the name that is called, how it is dropped."""

    spot: Spot
    called: str
    how: str


def _nothing(_root: Spot) -> Iterator[Dropped]:
    return iter(())


def _nobody(_root: Spot) -> Iterator[Caught]:
    return iter(())


@dataclass(frozen=True)
class Dialect:
    """One language. The names are those of its grammar; ``condition``, ``consequence`` and so on are fields.

    ``raised`` returns the type that a node raises: empty when it passes on what it has, None for other nodes.
    ``asserted`` returns what a node demands to be true. ``equal`` are operators that
    compare. ``bound`` has the kinds of nodes that give a name a value, with their two fields.
    """

    name: str
    language: Language
    functions: frozenset[str]
    named: frozenset[str]
    conditionals: frozenset[str]
    loops: frozenset[str]
    calls: frozenset[str]
    strings: frozenset[str]
    numbers: frozenset[str]
    constants: frozenset[str]
    compound: frozenset[str]
    leaves: frozenset[str]
    binary: frozenset[str]
    bound: tuple[tuple[str, str, str], ...]
    raised: Callable[[Spot], str | None]
    asserted: Callable[[Node], Node | None] = field(default=lambda _node: None)
    caught: Callable[[Spot], Iterator[Caught]] = _nobody
    dropped: Callable[[Spot], Iterator[Dropped]] = _nothing
    either: frozenset[str] = frozenset({"||"})
    both: frozenset[str] = frozenset({"&&"})
    equal: frozenset[str] = frozenset({"==", "==="})
    unequal: frozenset[str] = frozenset({"!=", "!=="})
    cases: frozenset[str] = NONE
    patterns: frozenset[str] = NONE
    statements: frozenset[str] = frozenset({"expression_statement"})
    blocks: frozenset[str] = frozenset({"block", "statement_block"})
    marks: frozenset[str] = NONE
    imports: frozenset[str] = NONE
    collections: frozenset[str] = NONE
    errors_are_values: bool = False
