"""What the handlers work with, built once in ``wiring``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from ai_ops.core.admission import QueueRules
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.orchestrator.planning import Planning
from ai_ops.core.orchestrator.scheduling import Scheduling
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.orchestrator.workflow_running import WorkflowRunning
from ai_ops.core.ports import (
    BugCases,
    Clock,
    CodeHost,
    Comments,
    Deliveries,
    Engine,
    FixWatches,
    Ids,
    Issues,
    MaintenanceSwitch,
    Outbox,
    Pauses,
    PullRequests,
    QueueGate,
    Schedules,
    Tasks,
    Trace,
)
from ai_ops.core.ports.workflows import TemplateFiles
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
from ai_ops.server.webhooks import WebhookSecrets

log = logging.getLogger(__name__)


class Watched(Protocol):
    """Goes round our open pull requests, and can be asked to look at one at once."""

    looks: Counter[tuple[str, str]]
    """How many looks there were since the start, by host and outcome."""

    @property
    def pauses(self) -> Mapping[str, float]:
        """The hosts that are left alone for now, with the seconds of that."""
        ...

    def nudge(self, pull_request_id: str) -> None:
        """Have one pull request looked at before all others; harmless when repeated."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """The ports the server stands on.

    ``ready`` raises a named failure when it cannot work; ``public_url`` is the prefix of our links;
    ``removed`` says how much of each kind was removed by age since the start; ``senders`` says which
    repositories are meant by applications that send by themselves; ``watched`` goes round open pull requests.
    """

    issues: Issues
    tasks: Tasks
    pull_requests: PullRequests
    comments: Comments
    deliveries: Deliveries
    conversation: Conversation
    bug_cases: BugCases
    fix_watches: FixWatches
    trace: Trace
    outbox: Outbox
    pauses: Pauses
    engine: Engine
    hosts: Mapping[str, CodeHost]
    rules: RepositoryRules
    redactor: Redactor
    keyring: Keyring
    clock: Clock
    ready: Callable[[], Awaitable[None]]
    ids: Ids
    schedules: Schedules
    scheduling: Scheduling
    oversight: Oversight
    guarding: Guarding
    steering: Steering
    gate: QueueGate
    queue_rules: QueueRules
    maintenance: MaintenanceSwitch
    workflows: WorkflowRunning
    templates: TemplateFiles
    public_url: str
    planning: Planning
    bug_case_reach: Reach = Reach.REPOSITORY
    node_rates: NodeRates = field(default_factory=NodeRates)
    removed: Mapping[str, int] = field(default_factory=dict)
    watched: Watched | None = None
    webhooks: WebhookSecrets = field(default_factory=WebhookSecrets)
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
