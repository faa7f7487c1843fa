"""Listens to the SDK's messages: collects the answer and the facts, and passes on what is worth watching.

The result's own text is only the last block of the last message, so the answer is gathered from the
stream. What the CLI says itself, what sub-agents say, and what a cut and repeated call had said before
are not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    RateLimitEvent,
    ResultMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from ai_ops.core.model_failures import CliFacts
from ai_ops.flow.fixing import Watch

_WATCHED_CHARS = 4000
_WRITING_TOOLS = ("Edit", "Write", "MultiEdit", "NotebookEdit")


def trim(value: Any) -> Any:
    """Return JSON data with its long texts cut, so that watching stays cheap."""
    if isinstance(value, str):
        return (
            value if len(value) <= _WATCHED_CHARS else f"{value[:_WATCHED_CHARS]}… ({len(value)} characters)"
        )
    if isinstance(value, dict):
        return {str(name): trim(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [trim(inner) for inner in value[:100]]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


class Listener:
    """Hears one conversation."""

    def __init__(self, watch: Watch) -> None:
        self.session_id = ""
        self.model = ""
        self.turns = 0
        self._watch = watch
        self._texts: list[tuple[str | None, str]] = []
        self._writes: set[str] = set()
        self._wrote = False
        self._assistant_error = ""
        self._limit: tuple[str, float | None] = ("", None)
        self._result: ResultMessage | None = None
        self._complaint = ""

    def text(self, stops: Mapping[str, str]) -> str:
        """Return all text of the assistant, in order.

        Args:
            stops: why each message that the model finished stopped, by its id. A message that was cut at
                the output limit is continued by the next one without a break.
        """
        text, separator = "", ""
        for message_id, part in self._texts:
            if message_id is None or message_id in stops:
                text += separator + part
                separator = "" if stops.get(message_id or "") == "max_tokens" else "\n"
        return text

    async def hear(self, message: object) -> bool:
        """Take a message; True when it was the result, which ends the call."""
        if isinstance(message, ResultMessage):
            self._result = message
            self.session_id = message.session_id
            self.turns = message.num_turns
            return True
        if isinstance(message, AssistantMessage):
            await self._assistant(message)
        elif isinstance(message, UserMessage):
            await self._tool_results(message)
        elif isinstance(message, RateLimitEvent) and message.rate_limit_info.status == "rejected":
            info = message.rate_limit_info
            self._limit = (info.rate_limit_type or "unknown", info.resets_at)
        return False

    def complain(self, words: str) -> None:
        """Take note of what the SDK says about a broken conversation."""
        self._complaint = words

    async def _assistant(self, message: AssistantMessage) -> None:
        if message.error:
            self._assistant_error = message.error
            return
        ours = message.parent_tool_use_id is None
        self.model = message.model if ours else self.model
        for block in message.content:
            if isinstance(block, TextBlock):
                if ours and block.text:
                    self._texts.append((message.message_id, block.text))
                await self._watch("text", {"text": trim(block.text)})
            elif isinstance(block, ToolUseBlock):
                if block.name in _WRITING_TOOLS:
                    self._writes.add(block.id)
                data = {"id": block.id, "name": block.name, "input": trim(block.input)}
                await self._watch("tool_use", data)

    async def _tool_results(self, message: UserMessage) -> None:
        blocks = message.content if isinstance(message.content, list) else []
        for block in blocks:
            if isinstance(block, ToolResultBlock):
                failed = bool(block.is_error)
                self._wrote = self._wrote or (not failed and block.tool_use_id in self._writes)
                data = {"id": block.tool_use_id, "is_error": failed, "content": trim(block.content)}
                await self._watch("tool_result", data)

    def facts(self, stops: Mapping[str, str]) -> CliFacts:
        """Return what was heard (``stops`` as in ``text``); the rest is for the caller to fill in."""
        heard = CliFacts(
            has_result=False,
            text=self.text(stops),
            wrote=self._wrote,
            assistant_error=self._assistant_error,
            limit_type=self._limit[0],
            limit_reset_at=self._limit[1],
            errors=(self._complaint,) if self._complaint else (),
        )
        return heard if self._result is None else _with_result(heard, self._result)


def _with_result(heard: CliFacts, result: ResultMessage) -> CliFacts:
    denials = [denial for denial in result.permission_denials or () if isinstance(denial, dict)]
    denied = [str(denial.get("tool_name", "")) for denial in denials]
    return replace(
        heard,
        has_result=True,
        is_error=result.is_error,
        subtype=result.subtype,
        terminal_reason=result.terminal_reason or "",
        stop_reason=result.stop_reason or "",
        api_error_status=result.api_error_status,
        result=result.result or "",
        errors=tuple(map(str, result.errors or ())),
        denied=tuple(name for name in denied if name in _WRITING_TOOLS),
        schema_met=result.structured_output is not None,
    )
