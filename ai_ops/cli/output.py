"""Data goes to stdout, everything else to stderr; ``--json`` is the data alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from ai_ops.cli.tables import Column, lay_out
from ai_ops.core.wording import counted

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the data as JSON.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")]

_PLAIN_COLUMN_WIDTH = 12


def emit_json(value: Any) -> None:
    """Print JSON."""
    _write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> str:
    """Return a value for a terminal: no control characters that outside text may carry."""
    if value is None:
        return "–"
    text = str(value)
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"} else "\ufffd" for c in text
    )


def line(text: str = "") -> None:
    """Print a line of data."""
    _write(plain(text) + "\n")


def passing(text: str) -> None:
    """Show a line until the next one takes its place; only on a terminal that can."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        width = shutil.get_terminal_size().columns - 1
        _write(f"\x1b[K{plain(text)[:width]}\r")
        finish()


def note(text: str) -> None:
    """Print a line for people, on stderr."""
    sys.stderr.write(plain(text) + "\n")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column | tuple[str, str]]) -> None:
    """Print rows as a table: as wide as the terminal, or into a pipe as wide as it is.

    A column that is only (key, heading) wraps.
    """
    whole = [c if isinstance(c, Column) else Column(*c, _PLAIN_COLUMN_WIDTH, wraps=True) for c in columns]
    cells = [[" ".join(plain(row.get(column.key)).split()) for column in whole] for row in rows]
    terminal = sys.stdout.isatty()
    layout = lay_out(cells, whole, shutil.get_terminal_size().columns if terminal else None)
    head, *body = layout.lines
    bold = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    _write("\n".join([f"\x1b[1m{head}\x1b[0m" if bold else head, *body]) + "\n")
    if layout.left_out:
        missing = ", ".join(heading.partition(" (")[0] for heading in layout.left_out).lower()
        note(f"(no room for {missing}; a wider terminal or --json shows it)")


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print named values, one a line; empty ones are left out."""
    for name, value in pairs:
        if value not in (None, "", [], {}):
            line(f"{name + ':':<16} {value}")


def reasons(proof: Mapping[str, Any]) -> None:
    """Print the reasons of a verdict."""
    for reason in proof["reasons"]:
        where = f" {reason['place']}" if reason["place"] else ""
        severity = f" ({reason['severity']})" if reason.get("severity") else ""
        line(f"  - {reason['rule']}{severity}{where}: {reason['text']}")


_UNTIL = {
    "waiting_for_deploy": "from then on silence counts, even if no build with the fix was seen",
    "quiet": "resolved then, if the error stays away",
}


def watched(watches: Iterable[Mapping[str, Any]]) -> None:
    """Print whether merged fixes hold, each with until when that is open, and why."""
    for watch in watches:
        state = str(watch["state"]).replace("_", " ")
        said = f"{state} since {moment(watch['since'])} UTC: {watch['reason']}"
        rows = [("fix watch", said)]
        if watch["until"] and watch["state"] in _UNTIL:
            rows.append(("until", f"{moment(watch['until'])} UTC: {_UNTIL[watch['state']]}"))
        if old := watch["old_build_events"]:
            rows.append(
                (
                    "old builds",
                    f"logged it {counted(old, 'time')} since the merge: not counted against the fix",
                )
            )
        fields([*rows, ("revert", watch["revert_url"])])


def moment(value: str | None) -> str | None:
    """Return a moment of the API to the second, without what every one of them has."""
    return value[:19].replace("T", " ") if value else None


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        finish()


def finish() -> None:
    """Bring what was printed to its reader; one who has had enough, as ``head`` has, is no failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
