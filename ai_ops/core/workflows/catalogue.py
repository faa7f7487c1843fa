"""The templates of a folder's files, and what is wrong with those that are none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ai_ops.core.workflows.document import Problem
from ai_ops.core.workflows.reading import is_workflow, parse_template
from ai_ops.flow.workflow import Template


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Templates by name, and the problems of the files that hold none, by file. Workflows are left out."""

    templates: Mapping[str, Template] = field(default_factory=dict)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)


def catalogue(files: Iterable[tuple[str, str]]) -> Catalogue:
    """Return what files, as (name, text), hold; of two templates of one name the first counts."""
    templates: dict[str, Template] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    for file, text in files:
        if is_workflow(text):
            continue
        template, wrong = parse_template(text)
        if template is not None and template.name in templates:
            wrong = (Problem(1, "name", f"another file has a template {template.name}"),)
        elif template is not None:
            templates[template.name] = template
        if wrong:
            problems[file] = wrong
    return Catalogue(templates, problems)
