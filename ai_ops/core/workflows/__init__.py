"""Templates and workflows: reading their files, making their tasks, and how a workflow goes on. Pure."""

from ai_ops.core.workflows.catalogue import Catalogue, catalogue
from ai_ops.core.workflows.document import MOST_BYTES, Problem
from ai_ops.core.workflows.fields import as_written
from ai_ops.core.workflows.fitting import misfits
from ai_ops.core.workflows.making import MadeStep, steps_of, task_of
from ai_ops.core.workflows.reading import MOST_STEPS, is_workflow, parse_template, parse_workflow
from ai_ops.core.workflows.values import values

__all__ = [
    "MOST_BYTES",
    "MOST_STEPS",
    "Catalogue",
    "MadeStep",
    "Problem",
    "as_written",
    "catalogue",
    "is_workflow",
    "misfits",
    "parse_template",
    "parse_workflow",
    "steps_of",
    "task_of",
    "values",
]
