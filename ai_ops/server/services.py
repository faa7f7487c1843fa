"""What the handlers work with, built once in ``wiring``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from ai_ops.core.ports import (
    BugCases,
    Clock,
    CodeHost,
    Engine,
    Ids,
    Issues,
    Pauses,
    PullRequests,
    Tasks,
    Trace,
)
from ai_ops.core.redaction import Redactor
from ai_ops.core.repository import RepositoryRules
from ai_ops.core.telling import queued
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task
from ai_ops.server.auth import Keyring
from ai_ops.server.descriptions import Descriptions
from ai_ops.server.node_rates import NodeRates
from ai_ops.server.senders.mapping import Senders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The ports the server stands on.

    ``ready`` raises a named failure when it cannot work; ``public_url`` is the prefix of our links;
    ``removed`` says how much of each kind was removed by age since the start; ``senders`` says which
    repositories are meant by applications that send by themselves.
    """

    issues: Issues
    tasks: Tasks
    pull_requests: PullRequests
    bug_cases: BugCases
    trace: Trace
    pauses: Pauses
    engine: Engine
    hosts: Mapping[str, CodeHost]
    rules: RepositoryRules
    redactor: Redactor
    keyring: Keyring
    clock: Clock
    ready: Callable[[], Awaitable[None]]
    ids: Ids
    public_url: str
    bug_case_reach: Reach = Reach.REPOSITORY
    node_rates: NodeRates = field(default_factory=NodeRates)
    removed: Mapping[str, int] = field(default_factory=dict)
    senders: Senders = field(default_factory=Senders)
    descriptions: Descriptions = field(init=False)

    def __post_init__(self) -> None:
        """Give the redactor's answers a memory."""
        object.__setattr__(self, "descriptions", Descriptions(self.redactor))

    def repository(self, repo_url: str, code_host: str) -> Repository:
        """Return the repository an address means.

        Raises:
            PermanentError: as ``RepositoryRules.resolve``.
        """
        return self.rules.resolve(repo_url, code_host)

    async def enqueue(self, task: Task) -> None:
        """Hand a task's new run to the engine, and say so in the log."""
        log.info("%s", queued(task, self.redactor.redact))
        await self.engine.enqueue(task)


SERVICES = web.AppKey("services", Services)
