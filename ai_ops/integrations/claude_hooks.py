"""The one hook that a call to Claude has: before each use of a tool, the judge is asked.

It is answered on the pipe to the CLI, by this process: in the sandbox there is no program, socket or file of
it that a tool could reach, and the hooks of a repository stay off. A hook that fails blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from claude_agent_sdk import HookMatcher

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.judgement import Decision, Judgement, ToolJudge

_SECONDS = 30.0


class ToolHook:
    """Asks the judge, and remembers what has to wait for a person.

    Args:
        judge: who decides.
        stop: ends the CLI at once, so that nothing more is done meanwhile.
    """

    def __init__(self, judge: ToolJudge, stop: Callable[[], None]) -> None:
        self._judge = judge
        self._stop = stop
        self.held: Judgement | None = None

    def matchers(self) -> dict[str, list[HookMatcher]]:
        """Return the hooks as the SDK takes them."""
        return {"PreToolUse": [HookMatcher(hooks=[self._before], timeout=_SECONDS, on_failure="block")]}

    async def _before(self, given: Any, _tool_use_id: str | None, _context: Any) -> Any:
        if self.held is not None:
            return _denied("the run waits for a person")
        judged = await self._judge(str(given.get("tool_name", "")), dict(given.get("tool_input") or {}))
        if judged.decision is Decision.ALLOW:
            return {}
        if judged.decision is Decision.ASK:
            self.held = judged
            self._stop()
            await asyncio.sleep(_SECONDS)  # it dies meanwhile; an answer could be one more paid call before
        return _denied(f"refused by the rule {judged.rule}")

    def failure(self) -> AiOpsError | None:
        """Return why the call ended, where it was stopped for a person."""
        return None if self.held is None else held(self.held)


def held(judged: Judgement) -> AiOpsError:
    """Return the failure of a run that a person has to look at."""
    return failed(
        "command_held",
        f"{judged.rule}: {judged.text}",
        next_step="Look at it; ai-ops security unblock lets exactly this go on.",
    )


def _denied(reason: str) -> dict[str, Any]:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }
