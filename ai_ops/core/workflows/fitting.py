"""Whether a workflow fits the templates that it names, before any parameter has a value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ai_ops.core.workflows.document import Problem
from ai_ops.core.workflows.values import read
from ai_ops.core.workflows.words import answers, plain
from ai_ops.flow.workflow import Parameter, ParameterType, PlannedStep, Template, WorkflowPlan


def misfits(plan: WorkflowPlan, templates: Mapping[str, Template]) -> tuple[Problem, ...]:
    """Return what no value of a parameter could mend: templates that are not there, and what they are given.

    A value with a place in it is known only when the workflow is run, and is looked at then.
    """
    return tuple(
        Problem(step.line, f"{step.id}.{place}", why)
        for step in plan.steps
        if step.given is not None
        for place, why in _wrong(step, templates)
    )


def missing(step: PlannedStep, templates: Mapping[str, Template]) -> tuple[str, str]:
    """Return the place of a template's name, and that there is none of it."""
    known = ", ".join(sorted(templates)) or "none (see TEMPLATES_DIR)"
    return "template", f"there is no template {step.template[:60]!r}; there are: {known}"


def _wrong(step: PlannedStep, templates: Mapping[str, Template]) -> Iterator[tuple[str, str]]:
    template, given = templates.get(step.template), step.given or {}
    if template is None:
        yield missing(step, templates)
        return
    known = {each.name: each for each in template.parameters}
    for name, value in given.items():
        if name not in known:
            yield f"with.{name}", f"is no parameter; there are: {', '.join(known) or 'none'}"
        elif why := _misfit(known[name], value):
            yield f"with.{name}", why
    for name, parameter in known.items():
        if parameter.required and given.get(name) is None:
            yield f"with.{name}", "is needed"


def _misfit(parameter: Parameter, value: object) -> str:
    """Return why a value as it is written can be none of a parameter's, empty for nothing."""
    if not isinstance(value, tuple):
        return read(parameter, value)[1] if value is not None else ""
    if answers(value):
        free = parameter.type is ParameterType.TEXT and not parameter.choices
        return "" if free else "an answer may be given for free text only"
    return read(parameter, plain(value))[1] if all(isinstance(part, str) for part in value) else ""
