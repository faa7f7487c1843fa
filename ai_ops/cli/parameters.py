"""Parameters and files as they are typed: ``--param NAME=VALUE``, and the text of a YAML file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ai_ops.cli.exits import CliError, Exit

if TYPE_CHECKING:
    from ai_ops.core.workflows import Problem


def typed(pairs: Iterable[str] | None) -> dict[str, str]:
    """Return parameters by name; the server reads the numbers among them."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise CliError(Exit.USAGE, f"--param is NAME=VALUE, not {pair}")
        if name in found:
            raise CliError(Exit.USAGE, f"--param {name} is given twice")
        found[name] = value
    return found


def text_of(file: Path) -> str:
    """Return a file's text, of at most what a workflow may have."""
    from ai_ops.core.workflows import MOST_BYTES

    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CliError(Exit.USAGE, f"{file} is not UTF-8") from None
    except OSError as error:
        raise CliError(Exit.USAGE, f"{file} cannot be read: {error.strerror}") from None


def refused(file: Path, problems: Iterable[Problem]) -> CliError:
    """Return how a file is refused: every problem, each with its line."""
    said = [
        f"  {file.name}:{each.line}: {f'{each.place}: ' if each.place else ''}{each.why}" for each in problems
    ]
    return CliError(Exit.USAGE, "\n".join([f"{file} is not right:", *said]))
