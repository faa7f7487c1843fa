"""Reads files of templates and workflows: what they ask for, or all that is wrong with them by line. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from ai_ops.core.workflows.document import DocumentError, Problem, Value, load
from ai_ops.core.workflows.fields import texts
from ai_ops.core.workflows.order import before, circle, in_order
from ai_ops.core.workflows.reader import Reader
from ai_ops.core.workflows.words import Answer, Param, Words
from ai_ops.flow.workflow import OnFailedNeed, Parameter, PlannedStep, Template, WorkflowPlan

MOST_STEPS: Final = 50
_STEP = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_HEAD = ("name", "description", "parameters")
_OF_A_STEP = ("id", "template", "with", "needs", "on_failed_need")


def parse_template(text: str) -> tuple[Template | None, tuple[Problem, ...]]:
    """Return the template of a file, or None and what is wrong with it."""
    reader, top = _opened(text, (*_HEAD, "task"))
    if top is None:
        return None, tuple(reader.problems)
    head = reader.head(top)
    task = reader.task("task", reader.needed(top, "task"), ())
    _places_fit(reader, texts(task), head["parameters"], None, (top.line, "task"))
    if reader.problems:
        return None, _by_line(reader)
    return Template(task=task, **head), ()


def parse_workflow(text: str) -> tuple[WorkflowPlan | None, tuple[Problem, ...]]:
    """Return the workflow of a file, its steps in order, or None and what is wrong with it."""
    reader, top = _opened(text, (*_HEAD, "steps"))
    if top is None:
        return None, tuple(reader.problems)
    head = reader.head(top)
    listed = reader.needed(top, "steps")
    steps = _steps(reader, listed) if "steps" in top.data else []
    if not reader.problems:
        _fit_together(reader, steps, head["parameters"])
    if reader.problems:
        return None, _by_line(reader)
    places = {step.id: step for step in steps}
    order = in_order({step.id: step.needs for step in steps})
    return WorkflowPlan(steps=tuple(places[each] for each in order), **head), ()


def is_workflow(text: str) -> bool:
    """Whether a file is meant as a workflow."""
    try:
        data = load(text).data
    except DocumentError:
        return False
    return isinstance(data, dict) and "steps" in data


def _opened(text: str, known: Collection[str]) -> tuple[Reader, Value | None]:
    reader = Reader()
    try:
        top = load(text)
    except DocumentError as error:
        reader.problems.append(error.problem)
        return reader, None
    return reader, top if reader.mapping(top, "", known) is not None else None


def _by_line(reader: Reader) -> tuple[Problem, ...]:
    return tuple(sorted(reader.problems, key=lambda each: each.line))


def _steps(reader: Reader, value: Value) -> list[PlannedStep]:
    listed = reader.items(value, "steps")
    if not 1 <= len(listed) <= MOST_STEPS:
        reader.problem(value.line, "steps", f"must be a list of 1 to {MOST_STEPS} steps")
    return [_step(reader, f"steps[{number}]", each) for number, each in enumerate(listed[:MOST_STEPS])]


def _step(reader: Reader, place: str, value: Value) -> PlannedStep:
    if not isinstance(value.data, dict):
        reader.problem(value.line, place, "must be a mapping (key: value)")
        return PlannedStep("", value.line, {})
    said: dict[str, Value] = value.data
    task: dict[str, Any] = {}
    given: dict[str, Any] | None = None
    if "template" in said:
        reader.mapping(value, place, _OF_A_STEP)
        given = _given(reader, said.get("with"), f"{place}.with")
    else:
        task = reader.task(place, value, [name for name in _OF_A_STEP if name != "with"])
    identity = reader.text(said.get("id"), f"{place}.id")
    if not _STEP.fullmatch(identity):
        reader.problem(value.line, f"{place}.id", "must be of a-z, 0-9, - and _, at most 40")
    failed = reader.choice(said.get("on_failed_need"), f"{place}.on_failed_need", tuple(OnFailedNeed))
    needs = [
        reader.text(each, f"{place}.needs") for each in reader.items(said.get("needs"), f"{place}.needs")
    ]
    return PlannedStep(
        identity,
        value.line,
        task,
        reader.text(said.get("template"), f"{place}.template"),
        given,
        tuple(dict.fromkeys(needs)),
        OnFailedNeed(failed or OnFailedNeed.SKIP),
    )


def _given(reader: Reader, value: Value | None, place: str) -> dict[str, Any]:
    """Return what a step gives to its template: texts as words, all else as it is."""
    if value is None or value.data is None:
        return {}
    if not isinstance(value.data, dict):
        reader.problem(value.line, place, "must be a mapping (key: value)")
        return {}
    found: dict[str, Any] = {}
    for name, each in value.data.items():
        own = f"{place}.{name[:60]}"
        if isinstance(each.data, dict | list):
            reader.problem(each.line, own, "must be one value")
        found[name] = reader.words(each, own, 100_000) if isinstance(each.data, str) else each.data
    return found


def _fit_together(reader: Reader, steps: list[PlannedStep], parameters: tuple[Parameter, ...]) -> None:
    """Look at what steps say of one another, as far as that can be looked at."""
    lines: dict[str, int] = {}
    for step in steps:
        if step.id in lines:
            reader.problem(step.line, step.id, f"there is a step of this id in line {lines[step.id]}")
        lines.setdefault(step.id, step.line)
    for step in steps:
        for need in step.needs:
            if need not in lines:
                reader.problem(step.line, step.id, f"it needs {need[:60]!r}, and there is no such step")
    if reader.problems:
        return
    needs = {step.id: step.needs for step in steps}
    if found := circle(needs):
        words = "the steps need one another in a circle: " + " → ".join(found)
        reader.problem(lines[found[0]], found[0], words)
        return
    for step in steps:
        place, may = (step.line, step.id), before(needs, step.id)
        _places_fit(reader, _texts_of(step), parameters, may, place)


def _texts_of(step: PlannedStep) -> Iterable[tuple[str, Words]]:
    """Return the texts of a step; where an answer that a template is given goes, the template says."""
    if step.given is None:
        return texts(step.task)
    return [("prompt", each) for each in step.given.values() if isinstance(each, tuple)]


def _places_fit(
    reader: Reader,
    said: Iterable[tuple[str, Words]],
    parameters: tuple[Parameter, ...],
    may: Collection[str] | None,
    place: tuple[int, str],
) -> None:
    """Look whether the places of texts can be filled; ``may`` are the steps whose answers are there."""
    names = {each.name for each in parameters}
    for name, words in said:
        for part in words:
            if isinstance(part, Param) and part.name not in names:
                reader.problem(place[0], f"{place[1]}.{name}", f"there is no parameter {part.name}")
            elif isinstance(part, Answer) and (why := _why_no_answer(part.step, name, may)):
                reader.problem(place[0], f"{place[1]}.{name}", why)


def _why_no_answer(step: str, name: str, may: Collection[str] | None) -> str:
    if may is None:
        return "a template has no steps; give it the answer as a parameter"
    if name != "prompt":
        return "an answer may stand in the prompt only"
    return "" if step in may else f"it wants the answer of {step}, and does not need that step"
