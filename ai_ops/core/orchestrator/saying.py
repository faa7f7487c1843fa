"""Comments that are made once, however often their reason is seen."""

from __future__ import annotations

import logging
from dataclasses import replace

from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.wording import one_line
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository

log = logging.getLogger(__name__)


async def say_once(tools: Tools, pull_request: PullRequest, marker: str, body: str) -> PullRequest:
    """Write a comment unless it stands already, and return the record, which remembers it.

    The host finds the comment of a marker again, should we die before we remember. A host that refuses it
    for good (a locked conversation) is not asked again.

    Args:
        tools: the ports.
        pull_request: our record, as it is now.
        marker: names the comment; it stands for its reason.
        body: Markdown; text from outside in it went through ``core.markdown``.

    Raises:
        TemporaryError: the host does not answer; to be said at the next look.
    """
    if marker in pull_request.ci.said:
        return pull_request
    repository = Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
    try:
        await tools.host_of(repository).comment(
            repository, pull_request.number, tools.redact(body), marker=marker
        )
    except PermanentError as refused:
        log.warning("pull request %s: not said: %s", pull_request.id, one_line(str(refused), 500))
    status = replace(pull_request.ci, said=(*pull_request.ci.said, marker))
    return await tools.pull_requests.update(pull_request.id, ci=status)
