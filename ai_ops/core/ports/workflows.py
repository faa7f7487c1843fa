"""Workflows and the templates of this server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.workflow import Workflow


class Workflows(Protocol):
    """Workflows: which steps there are, and how far they are."""

    async def create(self, workflow: Workflow, key: str | None) -> tuple[Workflow, bool]:
        """Keep a new one, or return the one that was made under ``key``, and whether it is new.

        Raises:
            PermanentError: ``too_many_workflows``.
        """
        ...

    async def find(self, workflow_id: str) -> Workflow | None:
        """Return a workflow."""
        ...

    async def list(
        self, *, states: Sequence[str] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Workflow]:
        """Return workflows, newest first."""
        ...

    async def running(self) -> Sequence[Workflow]:
        """Return those that are not over, oldest first."""
        ...

    async def save(self, workflow: Workflow) -> Workflow | None:
        """Keep a change of one that runs, and return it; None when somebody else changed it meanwhile."""
        ...

    async def reopen(self, workflow: Workflow) -> Workflow | None:
        """Keep one that is to go on after its end, and return it; None when it was changed meanwhile.

        Raises:
            PermanentError: ``too_many_workflows``.
        """
        ...

    async def ask_cancel(self, workflow_id: str) -> Workflow:
        """Put on record that a person wants it cancelled; asked again, nothing changes.

        Raises:
            PermanentError: ``workflow_not_found``, ``illegal_transition`` when it has ended otherwise.
        """
        ...


class TemplateFiles(Protocol):
    """The files of templates; ``place`` says for people where they lie."""

    @property
    def place(self) -> str:
        """Where they lie."""
        ...

    def texts(self) -> Sequence[tuple[str, str]]:
        """Return each file's name and text, in the order of the names.

        Raises:
            TemporaryError: ``storage_unavailable``.
        """
        ...
