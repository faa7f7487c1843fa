"""Between the trace's rows and its nouns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping

from ai_ops.flow.run import Artifact, Run, Step, StepState, TraceEvent, Usage


def run_row(run: Run) -> dict[str, Any]:
    """Return the row of a run."""
    plain = {f.name: getattr(run, f.name) for f in fields(Run) if f.name != "usage"}
    return {**plain, **_usage_row(run.usage)}


def run_from(row: RowMapping) -> Run:
    """Return the run of a row."""
    return Run(**{f.name: row[f.name] for f in fields(Run) if f.name != "usage"}, usage=_usage_from(row))


def step_from(row: RowMapping) -> Step:
    """Return the step of a row."""
    special = {"usage", "state"}
    return Step(
        **{f.name: row[f.name] for f in fields(Step) if f.name not in special},
        state=StepState(row["state"]),
        usage=_usage_from(row),
    )


def event_from(row: RowMapping) -> TraceEvent:
    """Return the event of a row."""
    return TraceEvent(**{f.name: row[f.name] for f in fields(TraceEvent)})


def artifact_from(row: RowMapping, text: str) -> Artifact:
    """Return the artifact of a row; the text is given apart, because lists leave it out."""
    return Artifact(row["run_id"], row["name"], row["media_type"], text, row["created_at"])


def usage_of(outcome: Mapping[str, Any]) -> Usage:
    """Return the usage that an outcome reports under ``usage``, by the names of ``Usage``; or none."""
    usage = outcome.get("usage")
    if not isinstance(usage, Mapping):
        return Usage()
    return Usage(
        int(usage.get("input_tokens", 0)),
        int(usage.get("output_tokens", 0)),
        float(usage.get("cost_usd", 0.0)),
    )


def _usage_row(usage: Usage) -> dict[str, Any]:
    return {f.name: getattr(usage, f.name) for f in fields(Usage)}


def _usage_from(row: RowMapping) -> Usage:
    return Usage(row["input_tokens"], row["output_tokens"], row["cost_usd"])
