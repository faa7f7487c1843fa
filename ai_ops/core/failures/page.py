"""The catalogue as the documentation shows it: a table for each subject, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_ops.core.failures import SECTIONS, Failure

BEGIN: Final = "<!-- failures: written by `make docs` -->"
END: Final = "<!-- end of failures -->"

_HEAD: Final = (
    "| code | of | means | class | what is done about it | alert | next step |\n|---|---|---|---|---|---|---|"
)


def with_tables(page: str) -> str:
    """Return a page with the tables between its two marks made anew.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no marks for the table of failures")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def tables() -> str:
    """Return the tables of all failures."""
    return "\n\n".join(_section(title, rows) for title, rows in SECTIONS.items())


def _section(title: str, rows: tuple[Failure, ...]) -> str:
    return "\n".join((f"### {title}", "", _HEAD, *_lines(rows)))


def _lines(rows: tuple[Failure, ...]) -> Iterator[str]:
    for row in rows:
        done = row.recovery.value if row.delay is None else f"{row.recovery.value}, after {row.delay:g} s"
        family = "temporary" if row.temporary else "permanent"
        cells = (f"`{row.code}`", row.kind.value, row.words, family, done, row.alert.value, row.next_step)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
