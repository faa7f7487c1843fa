"""The deterministic Fixer that ships: it does what a file says, in both modes, and costs nothing.

It is what tests, demonstrations and drills use in the model's place. It is an *obedient* model: it
refuses nothing, so that what keeps a bad answer out is always the code around it.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ai_ops.core.failures import CATALOGUE, failed
from ai_ops.core.model_failures import failure
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Purpose, Watch
from ai_ops.flow.run import Usage
from ai_ops.integrations.replay import choose

_WORKSPACE = "/workspace/"
_KEYS = frozenset({"round", "files", "answer", "cause", "summary", "failure", "usage", "raw"})
_MODEL = "scripted"
# Not in the form that was asked for, so the class that the rules chose stands.
_NO_OPINION: Mapping[str, Any] = {"answer": "The script does not say what kind of trouble this is."}

Files = Mapping[str, str | None]


class ScriptedFixer:
    """Answers from a script.

    Args:
        script: a JSON or YAML file, read again for each answer, or its content: ``{purpose: [entry, …]}``,
            the n-th entry for round n (or the ``round`` it names), the last repeats. An entry holds ``files``
            ({path: content, or null to delete}), the words ``answer``, ``cause``, ``summary``, ``failure`` (a
            code of the catalogue), ``usage`` ({"input_tokens", "output_tokens", "cost_usd"}); or ``raw``,
            the whole answer, in which ``{nonce}`` becomes the request's. A script without ``triage`` has no
            opinion there.

    Raises:
        PermanentError: ``script_invalid``.
    """

    def __init__(self, script: Path | Mapping[str, Any]) -> None:
        self._script = script
        _entries(script)  # what is wrong with it is said at the start

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Write the entry's files (agentic) or answer with them as blocks, and say its words.

        Raises:
            AiOpsError: the entry's ``failure``; ``script_silent`` when no entry is there for the purpose;
                ``script_invalid``.
        """
        entries = await asyncio.to_thread(_entries, self._script)
        entry = choose(entries.get(request.purpose.value, ()), request.round)
        if entry is None and request.purpose is Purpose.TRIAGE:
            entry = _NO_OPINION
        if entry is None:
            purpose = request.purpose.value
            raise failed(
                "script_silent",
                f"the script has no answer to {purpose}",
                next_step=f"Add an entry {purpose} to the file that SCRIPTED_ANSWERS names, and ask again.",
            )
        usage = Usage(**entry.get("usage", {}))
        if "failure" in entry:
            error = _named(str(entry["failure"]))
            error.cost_usd = usage.cost_usd
            raise error
        files: Files = entry.get("files", {})
        if request.mode is FixMode.AGENTIC:
            await _write_all(request, files, watch)
            files = {}
        text = _answer(entry, files, request)
        await watch("text", {"text": text})
        return FixAnswer(text=text, usage=usage, turns=1, model=_MODEL)


def _entries(script: Path | Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    return _checked(_load(script) if isinstance(script, Path) else script)


def _load(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise failed("script_invalid", f"{path}: {error}") from error


def _checked(script: Any) -> dict[str, Sequence[Mapping[str, Any]]]:
    if not isinstance(script, Mapping):
        raise failed("script_invalid", "the script is not a table of purposes")
    checked: dict[str, Sequence[Mapping[str, Any]]] = {}
    for purpose, entries in script.items():
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise failed("script_invalid", f"{purpose}: a list of entries is wanted")
        for entry in entries:
            if unknown := set(entry) - _KEYS:
                raise failed("script_invalid", f"{purpose}: unknown {', '.join(sorted(unknown))}")
        checked[str(purpose)] = [{"round": n, **entry} for n, entry in enumerate(entries, start=1)]
    return checked


def _named(code: str) -> AiOpsError:
    return failure(code, "scripted") if code in CATALOGUE else PermanentError(code, "scripted")


def _answer(entry: Mapping[str, Any], files: Files, request: FixRequest) -> str:
    """Return the words, and in ``code_blocks`` mode the files in its grammar."""
    if "raw" in entry:
        return str(entry["raw"]).replace("{nonce}", request.nonce)
    parts = [str(entry["answer"])] if "answer" in entry else []
    if request.mode is FixMode.CODE_BLOCKS and "files" in entry:
        parts += [_block(path, content, request.nonce) for path, content in files.items()]
        parts.append(f'<end_of_answer blocks="{len(files)}"/>')
    parts += [f"<{tag}>{entry[tag]}</{tag}>" for tag in ("cause", "summary") if tag in entry]
    return "\n".join(parts)


def _block(path: str, content: str | None, nonce: str) -> str:
    close = f'</code_block id="{nonce}">'
    if content is None:
        return f'<code_block path="{path}" op="delete" id="{nonce}">\n{close}'
    eof = "" if content.endswith("\n") else ' eof="none"'
    return (
        f'<code_block path="{path}" op="write"{eof} id="{nonce}">\n{content.removesuffix(chr(10))}\n{close}'
    )


async def _write_all(request: FixRequest, files: Files, watch: Watch) -> None:
    """Use a tool per file, as a model would; a use that fails is told and the rest goes on."""
    for number, (path, content) in enumerate(files.items()):
        use = {"id": f"scripted-{number}", "name": "Write" if content is not None else "Delete"}
        await watch("tool_use", {**use, "input": {"file_path": path, "content": content}})
        try:
            if request.checkout is None or not request.writes:
                raise PermissionError("the checkout is read-only")
            await asyncio.to_thread(_write, request.checkout, path, content)
            told = {"is_error": False, "content": f"{path} is written"}
        except OSError as error:
            told = {"is_error": True, "content": f"{path}: {error.strerror or error}"}
        await watch("tool_result", {"id": use["id"], **told})


def _write(checkout: Path, path: str, content: str | None) -> None:
    """Change one file where the sandbox would let it: beneath the checkout, through no link, not ``.git``.

    Every folder on the way is opened by its descriptor, so a link cannot lead out, not even one that is
    put there meanwhile.
    """
    *folders, name = _parts(path)
    folder = os.open(checkout, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            if content is not None:
                _make_folder(part, folder)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        if content is None:
            os.unlink(name, dir_fd=folder)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(name, flags, 0o644, dir_fd=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PermissionError("not a regular file")
            file.write(content)
    finally:
        os.close(folder)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.removeprefix(_WORKSPACE).split("/") if part not in ("", ".")]
    outside = path.startswith("/") and not path.startswith(_WORKSPACE)
    if outside or not parts or ".." in parts or "\0" in path or parts[0] == ".git":
        raise PermissionError("outside the checkout, or protected")
    return parts


def _make_folder(name: str, folder: int) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return
