"""One exchange with the fixer: its prompt, its answer and its course are kept, and its session if it goes on.

People read the redacted artifacts. The session itself is kept byte for byte beside the working patches, which
are never served: masked, the fixer could not go on with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ai_ops.core.orchestrator.money import Purse
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.transcript import Transcript
from ai_ops.errors import AiOpsError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Session

Notice = Callable[[str, dict[str, Any]], None]


async def exchange(
    tools: Tools,
    name: str,
    request: FixRequest,
    purse: Purse,
    notice: Notice = lambda _kind, _data: None,
) -> FixAnswer:
    """Make one request; the purse counts what it cost. ``notice`` is told what the fixer does, as it does it.

    Prompt and answer are kept as ``name``'s artifacts; of an agentic request also the transcript, which is
    there when it failed or its money ran out, too.
    """
    await tools.trace.put_artifact(request.run_id, f"{name}-prompt", request.prompt)
    transcript = Transcript()

    async def watch(kind: str, data: dict[str, Any]) -> None:
        notice(kind, data)
        transcript.add(kind, data)
        await tools.trace.emit(request.run_id, kind, data)

    async def keep_transcript() -> None:
        if request.mode is FixMode.AGENTIC and transcript.text:
            await tools.trace.put_artifact(request.run_id, f"{name}-transcript", transcript.text)

    try:
        answer = await tools.fixer.ask(request, watch)
    except AiOpsError:
        with contextlib.suppress(AiOpsError):  # it does not take the failure's place
            await keep_transcript()
        raise
    purse.add(answer.usage)
    await tools.trace.put_artifact(request.run_id, f"{name}-answer", answer.text, "text/markdown")
    await keep_transcript()
    return answer


async def keep(tools: Tools, run_id: str, name: str, answer: FixAnswer) -> None:
    """Keep an answer's session for the next round; where there is none, none of an earlier entry stays."""
    session = answer.session
    text = f"{session.id}\n{session.record.decode('utf-8', 'surrogateescape')}" if session else ""
    await tools.trace.put_patch(run_id, name, text)
    if answer.session_id and session is None:
        message = "the session is not kept: its record is missing or too long"
        await tools.trace.emit(run_id, "error", {"message": message})


async def kept(tools: Tools, run_id: str, name: str) -> Session | None:
    """Return a session that was kept, or None."""
    text = await tools.trace.patch(run_id, name)
    if not text:
        return None
    session_id, _, record = text.partition("\n")
    return Session(session_id, record.encode("utf-8", "surrogateescape"))
