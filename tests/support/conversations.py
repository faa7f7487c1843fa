"""What a model says that makes a given change, in both fix modes; and a Messages API that says it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ai_ops.integrations.replay import ReplayServer, error_body, find_marker
from tests.support.repositories import Change, Edit, Repository, applied
from tests.support.shop import opinion
from tests.support.variants import change, reproduction

_WORDS = "<cause>{cause}</cause>\n<summary>{summary}</summary>"


def conversation(repository: Repository, variant: str, mode: str) -> dict[str, Any]:
    """Return the conversation of one repair."""
    turns = _agentic if mode == "agentic" else _code_blocks
    new = tuple(Edit(path, whole=text) for path, text in reproduction(repository, variant).items())
    return {
        "requests": [
            _request("triage", [{"text": opinion("code_fault", "The application's own code raised it.")}]),
            _request("reproduce", turns(repository, new, "A test shows it.")),
            _request("fix", turns(repository, change(repository, variant), "The cause is removed.")),
        ]
    }


def _request(purpose: str, turns: list[dict[str, Any]]) -> dict[str, Any]:
    return {"purpose": purpose, "turns": turns}


def _words(repository: Repository, summary: str) -> str:
    return _WORDS.format(cause=" ".join(repository.story.split()), summary=summary)


def _code_blocks(repository: Repository, edits: Change, summary: str) -> list[dict[str, Any]]:
    blocks = [_block(edit) for edit in edits]
    text = "\n".join([*blocks, _words(repository, summary), f'<end_of_answer blocks="{len(blocks)}"/>'])
    return [{"text": text}]


def _block(edit: Edit) -> str:
    if edit.replacements:
        body = "".join(
            f'<search id="{{nonce}}">\n{old}</search id="{{nonce}}">\n'
            f'<replace id="{{nonce}}">\n{new}</replace id="{{nonce}}">\n'
            for old, new in edit.replacements
        )
        op = "edit"
    else:
        body, op = edit.whole or "", "delete" if edit.whole is None else "write"
    return f'<code_block path="{edit.path}" op="{op}" id="{{nonce}}">\n{body}</code_block id="{{nonce}}">'


def _agentic(repository: Repository, edits: Change, summary: str) -> list[dict[str, Any]]:
    there = [edit for edit in edits if edit.path in repository.tree]
    reads = [_use("Read", edit.path) for edit in there]
    # Claude has no tool that deletes: it empties a file.
    writes = [
        _use("Write", edit.path, content=applied(repository.tree, edit) or "")
        for edit in edits
        if not edit.replacements
    ]
    changes = [
        _use("Edit", edit.path, old_string=old, new_string=new)
        for edit in edits
        for old, new in edit.replacements
    ]
    tools = [{"tools": uses} for uses in (reads, changes + writes) if uses]
    return [*tools, {"text": _words(repository, summary)}]


def _use(name: str, path: str, **given: str) -> dict[str, Any]:
    return {"name": name, "input": {"file_path": f"/workspace/{path}", **given}}


class Conversations(ReplayServer):
    """Plays back many conversations at once; ``of_run`` says which one belongs to a run."""

    def __init__(self, of_run: Callable[[str], Awaitable[Mapping[str, Any]]]) -> None:
        super().__init__({"requests": []})
        self._of_run = of_run

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        marker = find_marker(body)
        said = ReplayServer(await self._of_run(marker.run_id))._turn(body) if marker else None
        if said is None:
            return web.json_response(error_body("invalid_request_error", "nothing to say"), status=400)
        return await self.answer(request, body, said)
