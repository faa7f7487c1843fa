"""Data goes to stdout, everything else to stderr; ``--json`` is the data alone."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]


def emit_json(value: Any) -> None:
    """Print JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> str:
    """Return a value for a terminal: no control characters that outside text may carry."""
    if value is None:
        return "–"
    text = str(value)
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"} else "\ufffd" for c in text
    )


def count(number: int, noun: str) -> str:
    """Return ``1 problem``, ``2 problems``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def line(text: str = "") -> None:
    """Print a line of data."""
    sys.stdout.write(plain(text) + "\n")


def note(text: str) -> None:
    """Print a line for people, on stderr."""
    sys.stderr.write(plain(text) + "\n")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> None:
    """Print rows as a table. ``columns`` are (key, heading) pairs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for _, heading in columns:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(plain(row.get(key)).replace("\n", " ")) for key, _ in columns))
    Console().print(grid)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print named values, one a line; empty ones are left out."""
    for name, value in pairs:
        if value not in (None, "", [], {}):
            line(f"{name + ':':<16} {value}")
