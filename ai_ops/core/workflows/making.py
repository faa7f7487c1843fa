"""What the steps of a workflow are made of, once its parameters and templates are known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ai_ops.core.workflows.document import Problem
from ai_ops.core.workflows.fields import MOST_TEXT, answers_of, body, texts, too_long, with_values
from ai_ops.core.workflows.fitting import missing
from ai_ops.core.workflows.values import as_words, values
from ai_ops.core.workflows.words import Words, answers, filled, length, plain
from ai_ops.flow.workflow import Parameter, ParameterType, PlannedStep, Template, WorkflowPlan

_TOO_LONG = f"its texts would be longer than {MOST_TEXT:,} characters"


@dataclass(frozen=True, slots=True)
class MadeStep:
    """A step and the body of its task; ``answers`` are the steps whose answers come with its prompt."""

    planned: PlannedStep
    body: Mapping[str, Any]
    answers: tuple[str, ...]


def task_of(template: Template, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the body of a template's task with a person's values, and what is wrong, as (name, why)."""
    found, wrong = values(template.parameters, given)
    if wrong:
        return {}, wrong
    task = with_values(template.task, as_words(found))
    return ({}, [("", _TOO_LONG)]) if too_long(task) else (body(task), [])


def steps_of(
    plan: WorkflowPlan, found: Mapping[str, Any], templates: Mapping[str, Template]
) -> tuple[tuple[MadeStep, ...], tuple[Problem, ...]]:
    """Return the steps of a workflow with the values of its parameters, or what is wrong with them.

    Args:
        plan: the workflow.
        found: its parameters' values, checked.
        templates: those that its steps may name.
    """
    values_in, steps, problems = as_words(found), [], []
    for step in plan.steps:
        task, why = _task(step, values_in, templates)
        if not why and too_long(task):
            why = [("", _TOO_LONG)]
        problems += [
            Problem(step.line, f"{step.id}{'.' if place else ''}{place}", words) for place, words in why
        ]
        if not problems:
            steps.append(MadeStep(step, body(task), answers_of(task)))
    return (() if problems else tuple(steps)), tuple(problems)


def _task(
    step: PlannedStep, values_in: Mapping[str, Words], templates: Mapping[str, Template]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    if step.given is None:
        return with_values(step.task, values_in), []
    template = templates.get(step.template)
    if template is None:
        return {}, [missing(step, templates)]
    given, wrong = _given(step.given, template.parameters, values_in)
    if wrong:
        return {}, [(f"with.{name}".rstrip("."), why) for name, why in wrong]
    task = with_values(template.task, given)
    beside = [name for name, words in texts(task) if name != "prompt" and answers(words)]
    return task, [(name, "an answer may stand in the prompt only") for name in beside]


def _given(
    given: Mapping[str, Any], parameters: tuple[Parameter, ...], values_in: Mapping[str, Words]
) -> tuple[dict[str, Words], list[tuple[str, str]]]:
    """Return what a template is given as words, and what is wrong with it."""
    put = {name: filled(each, values_in) if isinstance(each, tuple) else each for name, each in given.items()}
    if sum(length(each) for each in put.values() if isinstance(each, tuple)) > MOST_TEXT:
        return {}, [("", _TOO_LONG)]
    with_answers = {name: each for name, each in put.items() if isinstance(each, tuple) and answers(each)}
    free = {each.name for each in parameters if each.type is ParameterType.TEXT and not each.choices}
    told = [(name, "an answer may be given for free text only") for name in with_answers if name not in free]
    sure = {name: plain(each) if isinstance(each, tuple) else each for name, each in put.items()}
    found, wrong = values(parameters, sure)
    return as_words(found) | with_answers, [*told, *wrong]
