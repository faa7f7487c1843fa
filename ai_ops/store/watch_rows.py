"""Between the rows of fix watches and the noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from ai_ops.flow.fix_watch import FixWatch, WatchedPlace, WatchState
from ai_ops.store.rows import NAME, clean

_NAMES = frozenset({"old_release", "recurred_release"})


def watch_row(watch: FixWatch) -> dict[str, Any]:
    """Return the row of a watch."""
    row = {field.name: getattr(watch, field.name) for field in fields(FixWatch)}
    cleaned = {
        name: clean(value, NAME) if name in _NAMES else clean(value)
        for name, value in row.items()
        if isinstance(value, str) and name != "state"
    }
    return {**row, **cleaned, "places": [_place(place) for place in watch.places]}


def watch_from(row: RowMapping) -> FixWatch:
    """Return the watch of a row."""
    special = {"state", "places"}
    return FixWatch(
        **{field.name: row[field.name] for field in fields(FixWatch) if field.name not in special},
        state=WatchState(row["state"]),
        places=tuple(_place_from(place) for place in row["places"]),
    )


def _place(place: WatchedPlace) -> dict[str, Any]:
    return asdict(place) | {"old_last": place.old_last and place.old_last.isoformat()}


def _place_from(stored: Mapping[str, Any]) -> WatchedPlace:
    last = stored["old_last"]
    return WatchedPlace(**{**stored, "old_last": datetime.fromisoformat(last) if last else None})
