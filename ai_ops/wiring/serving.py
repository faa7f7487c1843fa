"""HTTP in front of a system."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.planning import Planning
from ai_ops.server.auth import Keyring, require_safe_listening
from ai_ops.server.http_server import Listening, build_app, listen
from ai_ops.server.node_rates import NodeRates
from ai_ops.server.senders.mapping import Sender, Senders
from ai_ops.server.services import Services
from ai_ops.server.webhooks import WebhookSecrets
from ai_ops.settings import Settings
from ai_ops.store.deliveries import DeliveryRepository
from ai_ops.store.ids import IdRepository
from ai_ops.wiring.adapters import queue_rules
from ai_ops.wiring.masking import secret
from ai_ops.wiring.system import System, WrapWorker, build
from ai_ops.workspace.template_folder import TemplateFolder


def services(system: System) -> Services:
    """Return what the HTTP handlers work with."""
    settings, tools = system.settings, system.tools
    keys = tuple(secret(key) for key in settings.server_agent_keys)
    return Services(
        issues=tools.issues,
        tasks=tools.tasks,
        pull_requests=tools.pull_requests,
        comments=system.comments,
        deliveries=DeliveryRepository(system.database, tools.clock),
        conversation=system.conversation,
        bug_cases=tools.bug_cases,
        fix_watches=tools.fix_watches,
        bug_case_reach=tools.policy.bug_case_reach,
        trace=tools.trace,
        outbox=tools.outbox,
        pauses=tools.pauses,
        engine=system.engine,
        hosts=tools.hosts,
        rules=system.rules,
        redactor=system.redactor,
        keyring=Keyring(secret(settings.server_api_key), keys),
        clock=tools.clock,
        ready=system.ready,
        node_rates=NodeRates(settings.events_per_minute_per_node),
        removed=system.retention.removed,
        watched=system.watching,
        webhooks=WebhookSecrets(
            secret(settings.github_webhook_secret), secret(settings.gitlab_webhook_token)
        ),
        ids=IdRepository(system.database),
        schedules=system.schedules,
        scheduling=system.scheduling,
        oversight=system.oversight,
        guarding=system.guarding,
        steering=system.steering,
        gate=system.gate,
        queue_rules=queue_rules(settings),
        maintenance=system.maintenance,
        workflows=system.workflows,
        templates=TemplateFolder(settings.templates_dir),
        public_url=tools.policy.public_url,
        planning=Planning(tools.policy, tools.folders, settings.egress_allow),
        senders=Senders(tuple(_senders(settings))),
    )


def _senders(settings: Settings) -> Iterator[Sender]:
    for table in settings.source:
        if table.kind in ("otlp", "sentry"):
            yield Sender(
                table.kind,
                table.project if table.kind == "sentry" else table.service,
                table.repo_url,
                table.code_host,
                table.service,
                table.environment,
                table.release,
            )


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, *, wrap: WrapWorker | None = None, overlays: bool = False
) -> AsyncIterator[tuple[System, Listening]]:
    """Run the server while entered; ``overlays`` is as for ``build``.

    Raises:
        PermanentError: ``unsafe_listening``, ``address_in_use``.
        AiOpsError: as ``build``.
    """
    try:
        require_safe_listening(settings.http_host, secret(settings.server_api_key))
    except ValueError as error:
        raise failed("unsafe_listening", str(error)) from None
    public_url = settings.public_url.rstrip("/") or settings.own_address
    async with build(settings, public_url, wrap=wrap, overlays=overlays) as system:
        try:
            listening = await listen(build_app(services(system)), settings.http_host, settings.http_port)
        except OSError as error:
            raise failed(
                "address_in_use",
                f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}",
            ) from error
        try:
            yield system, listening
        finally:
            await listening.stop()
