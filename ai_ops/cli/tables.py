"""Tables for people. What is copied from them, ids and links, stands there whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells, set_cell_size

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    ``least`` is the width down to which it may shrink, None when it is shown whole; ``wraps`` folds its
    text then instead of cutting it. Where there is no room, columns leave by ``rank``, the highest first;
    those of rank 0 stay.
    """

    key: str
    heading: str
    least: int | None = None
    wraps: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines, head first, and the headings of the columns there was no room for."""

    lines: tuple[str, ...]
    left_out: tuple[str, ...]


def lay_out(rows: Sequence[Sequence[str]], columns: Sequence[Column], width: int | None) -> Layout:
    """Return a table of rows of cells.

    Args:
        rows: cells without line ends, as many as there are columns.
        columns: what they are.
        width: of the terminal in cells; None leaves everything whole and a row on one line.
    """
    natural = [
        max([cell_len(column.heading), *(cell_len(row[n]) for row in rows)])
        for n, column in enumerate(columns)
    ]
    widths = dict(enumerate(natural)) if width is None else fit(columns, natural, width)
    lines = [_line([columns[n].heading for n in widths], widths)]
    for row in rows:
        parts = [_folded(row[n], w) if columns[n].wraps else [_cut(row[n], w)] for n, w in widths.items()]
        for k in range(max(map(len, parts))):
            lines.append(_line([part[k] if k < len(part) else "" for part in parts], widths))
    left_out = tuple(column.heading for n, column in enumerate(columns) if n not in widths)
    return Layout(tuple(lines), left_out)


def fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    """Return the width of each column that is shown, by its number, from how wide each would like to be."""
    least = [
        size if column.least is None else min(size, column.least)
        for column, size in zip(columns, natural, strict=True)
    ]
    shown = list(range(len(columns)))
    while sum(least[n] for n in shown) + _GAP * (len(shown) - 1) > width:
        leaving = max(shown, key=lambda n: columns[n].rank)
        if columns[leaving].rank == 0:
            break
        shown.remove(leaving)
    widths = {n: natural[n] for n in shown}
    over = sum(widths.values()) + _GAP * (len(shown) - 1) - width
    for _ in range(over):
        widest = max(shown, key=lambda n: widths[n] - least[n])
        widths[widest] = max(least[widest], widths[widest] - 1)
    return widths


def _line(cells: Sequence[str], widths: dict[int, int]) -> str:
    sized = zip(cells, widths.values(), strict=True)
    return (" " * _GAP).join(cell + " " * (width - cell_len(cell)) for cell, width in sized).rstrip()


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _folded(text: str, width: int) -> list[str]:
    """Break between words, and within those that are wider than a line."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
            continue
        pieces = chop_cells(word, width) or [""]
        lines = [*lines, *pieces] if lines[-1] else [*lines[:-1], *pieces]
    return lines
