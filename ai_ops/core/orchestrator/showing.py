"""What a request shows the fixer: its head, the files of the repository, and what was found last time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ai_ops.core import context, prompts
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.scene import Scene


def head(scene: Scene, round: int, block: str) -> prompts.Head:
    """Return a request's head; the delimiter of its data is fresh and is not the answer's nonce."""
    delimiter = nonce(scene.run_id, f"data:{block}", round, scene.tools.policy.nonce_salt)
    return prompts.Head(scene.run_id, round, block, delimiter[:16], scene.mode)


def context_files(
    scene: Scene, checkout: Path, *, taken: int = 0
) -> tuple[list[prompts.ContextFile], tuple[str, ...]]:
    """Return the files to show, and what there was no room for; ``taken`` characters are spoken for."""
    edits = scene.tools.edits
    tree = edits.tree(checkout)
    contents: dict[str, bytes] = {}

    def size(path: str) -> int:
        contents[path] = edits.read(checkout, path) or b""
        return len(contents[path])

    budget = context.FILES_BUDGET - taken
    choice = context.choose(scene.error.frames, tree.paths, size, budget=budget)
    shown = []
    for path in choice.paths:
        data = contents.get(path)
        data = edits.read(checkout, path) if data is None else data
        if data is not None:
            shown.append(prompts.ContextFile(path, data.decode("utf-8", "replace")))
    return shown, choice.left_out


def named_files(scene: Scene, checkout: Path, paths: Iterable[str]) -> list[prompts.ContextFile]:
    """Return these files of a checkout, as far as they are there."""
    read = ((path, scene.tools.edits.read(checkout, path)) for path in paths)
    return [
        prompts.ContextFile(path, data.decode("utf-8", "replace")) for path, data in read if data is not None
    ]


def feedback_of(reasons: Iterable[Mapping[str, str]]) -> str:
    """Return the words that go back to Claude."""
    return "\n".join(f"- {r['rule']} {r['place']}: {r['text']}" for r in reasons)


def both(feedback: str, report: str) -> str:
    """Return what was found in the last round, and then what could not be applied in this one."""
    return "\n\n".join(part for part in (feedback, report) if part)
