"""A command as the rules see it: its name and arguments, what it reads and writes, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ai_ops.core.commands.places import placed

_CLUSTER = re.compile(r"-[a-zA-Z]{2,7}")
"""Options in one word, of which the last may take the next word."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command with everything known of it.

    ``given`` is the text that it reads, None where that is unknown; ``source`` is the argv of the command
    that it reads from. ``folder`` is where it runs, ``.`` for the checkout. ``writes`` are the targets of its
    redirects, ``reads`` the files that it reads through one. ``variables`` are set for it alone; ``how`` is
    the command that starts it. ``endless``: it stands in a loop that neither ends nor pauses; ``behind``:
    nobody waits for it. ``path`` is the name as it was written; ``before`` are the commands of its pipe that
    stand before it.
    """

    name: str
    args: tuple[str, ...]
    given: str | None = None
    source: tuple[str, ...] = ()
    folder: str = "."
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    how: str = ""
    endless: bool = False
    behind: bool = False
    path: str = ""
    before: str = ""

    @property
    def text(self) -> str:
        """The command as it reads."""
        return " ".join((self.name, *self.args))

    @property
    def plain(self) -> tuple[str, ...]:
        """Its arguments without options."""
        return tuple(arg for arg in self.args if not arg.startswith("-") or arg == "-")

    def has(self, *options: str) -> bool:
        """Whether one of the options is given; ``-x`` is found in ``-axe``, ``--x`` in ``--x=1``."""
        return any(self._is(option, arg) for option in options for arg in self.args)

    def value(self, *options: str) -> str:
        """Return the first value of an option, empty when it is not given."""
        return next(self.values(*options), "")

    def values(self, *options: str) -> Iterator[str]:
        """Yield the values of options that may be given more than once."""
        for at, arg in enumerate(self.args):
            for option in options:
                if arg == option or (
                    len(option) == 2 and _CLUSTER.fullmatch(arg) and arg.endswith(option[1])
                ):
                    yield self.args[at + 1] if at + 1 < len(self.args) else ""
                    break
                if option.startswith("--") and arg.startswith(option + "="):
                    yield arg.partition("=")[2]
                    break
                if not option.startswith("--") and arg.startswith(option) and len(arg) > 2:
                    yield arg[2:]
                    break

    def at(self, *words: str) -> bool:
        """Whether the arguments, without options, begin with words."""
        return self.plain[: len(words)] == words

    def paths(self, args: Sequence[str]) -> Iterator[str]:
        """Return arguments as paths without detours."""
        for arg in args:
            yield placed(arg, self.folder)

    def sets(self) -> Iterator[tuple[str, str]]:
        """Yield the variables that it is given, or that it sets for those after it."""
        yield from self.variables.items()
        if self.name in ("export", "env", "declare"):
            yield from (
                (name, value) for name, found, value in (arg.partition("=") for arg in self.args) if found
            )

    @staticmethod
    def _is(option: str, arg: str) -> bool:
        if option.startswith("--"):
            return arg == option or arg.startswith(option + "=")
        if len(option) == 2 and option[0] == "-":
            return arg.startswith("-") and not arg.startswith("--") and option[1] in arg[1:]
        return arg == option
