"""What a request shows the fixer: its head, the files of the repository, and what was found last time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from pathlib import Path

from ai_ops.core import context, prompts
from ai_ops.core.context import Choice
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.errors import PermanentError
from ai_ops.flow.task import Reason

_REPORT_HEAD, _REPORT_TAIL = 1_500, 4_500


def head(scene: Scene, round: int, block: str) -> prompts.Head:
    """Return a request's head; the delimiter of its data is fresh and is not the answer's nonce."""
    delimiter = nonce(scene.run_id, f"data:{block}", round, scene.tools.policy.nonce_salt)
    return prompts.Head(scene.run_id, round, block, delimiter[:16], scene.mode)


def chosen(scene: Scene, checkout: Path, *, taken: int = 0, but: Collection[str] = ()) -> Choice:
    """Return what to show of a checkout; ``taken`` tokens are spoken for, and so are the files of ``but``."""
    paths = [path for path in scene.tools.edits.tree(checkout).paths if path not in but]
    budget = max(context.FILES_TOKENS - taken, 0)
    return context.choose(scene.error, paths, lambda path: _text(scene, checkout, path), budget=budget)


async def say_what_is_shown(scene: Scene, name: str, choice: Choice) -> None:
    """Keep in the trace what the fixer is shown, and what there was no room for."""
    lines = [choice.told, *choice.leads, *(file.name for file in (*choice.files, *choice.notes))]
    await scene.tools.trace.put_artifact(scene.run_id, f"{name}-context", "\n".join(lines))
    await scene.tools.trace.emit(scene.run_id, "text", {"text": choice.told})


def _text(scene: Scene, checkout: Path, path: str) -> str | None:
    """Return a file's text; None for one that is not there, too large to look at, or no text."""
    try:
        data = scene.tools.edits.read(checkout, path)
    except PermanentError:
        return None
    return None if data is None or b"\0" in data else data.decode("utf-8", "replace")


def named_files(scene: Scene, checkout: Path, paths: Iterable[str]) -> list[prompts.ContextFile]:
    """Return these files of a checkout, as far as they are there."""
    read = ((path, scene.tools.edits.read(checkout, path)) for path in paths)
    return [
        prompts.ContextFile(path, data.decode("utf-8", "replace")) for path, data in read if data is not None
    ]


async def evidence(scene: Scene, reasons: Iterable[Reason], *reports: str) -> str:
    """Return what goes back to Claude: why its answer was not good enough, and what the tests printed.

    ``reports`` are names of test reports; those of tests that did not run are not there. They come from the
    trace, so they are masked, and there again after a crash. Of each the beginning and the end are told.
    """
    told = "\n".join(f"- {reason.rule} {reason.place}: {reason.text}" for reason in reasons)
    parts = [await asyncio.to_thread(scene.tools.redact, told)]
    for name in reports:
        kept = await scene.tools.trace.artifact(scene.run_id, name)
        if kept is not None:
            parts.append(f"{name}:\n{_shortened(kept.text)}")
    return "\n\n".join(parts)


def _shortened(text: str) -> str:
    left_out = len(text) - _REPORT_HEAD - _REPORT_TAIL
    if left_out <= 0:
        return text
    return f"{text[:_REPORT_HEAD]}\n[… {left_out} characters left out …]\n{text[-_REPORT_TAIL:]}"


def both(feedback: str, report: str) -> str:
    """Return what was found in the last round, and then what could not be applied in this one."""
    return "\n\n".join(part for part in (feedback, report) if part)
