"""What a ``scheduled.json`` or a ``queue.json`` asks for, as requests to the API, all checked first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai_ops.cli.exits import CliError, Exit
from ai_ops.core.schedules import parse
from ai_ops.errors import PermanentError

_MOST_BYTES = 16 * 2**20
_MOST_MILLISECONDS = 86_400_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # half a character: nothing can write it down
_OF_A_SCHEDULE = ("id", "name", "cron", "prompt", "workspace", "enabled")
_OF_A_QUEUE = (
    "id",
    "prompt",
    "workspace",
    "timeout",
    "autoApprove",
    "allowedTools",
    "scheduled",
    "scheduledId",
)


@dataclass(frozen=True, slots=True)
class Import:
    """One request: what it makes, where it goes, and under which key it is made once."""

    external_id: str
    kind: str
    path: str
    body: Mapping[str, Any]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requests of a file, or what is wrong with it, each with its place."""

    items: tuple[Import, ...] = ()
    problems: tuple[str, ...] = ()


def plan_import(data: bytes, *, timezone: str, repo_url: str | None) -> Wanted:
    """Return what a file asks for.

    Args:
        data: the file: ``{"tasks": […]}`` or ``{"list": […]}``.
        timezone: the zone that its cron expressions are read in.
        repo_url: the repository that takes the place of every ``workspace``.

    Raises:
        CliError: it is neither.
    """
    document = _document(data)
    kind = next((name for name in ("tasks", "list") if isinstance(document.get(name), list)), None)
    if kind is None:
        raise CliError(Exit.USAGE, 'the file has neither "tasks" (scheduled.json) nor "list" (queue.json)')
    read = _Reader(timezone, repo_url)
    items, ids = [], set()
    for number, entry in enumerate(document[kind]):
        place = f"{kind}[{number}]"
        if not isinstance(entry, dict):
            read.problem(place, "must be an object")
            continue
        found = read.schedule(place, entry) if kind == "tasks" else read.task(place, entry)
        if found.external_id in ids:
            read.problem(f"{place}.id", f"{found.external_id[:80]!r} is there twice")
        ids.add(found.external_id)
        items.append(found)
    return Wanted((), tuple(read.problems)) if read.problems else Wanted(tuple(items))


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > _MOST_BYTES:
        raise CliError(Exit.USAGE, f"the file is larger than {_MOST_BYTES} bytes")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CliError(Exit.USAGE, "the file is not UTF-8") from None
    except ValueError as error:
        raise CliError(Exit.USAGE, f"the file is not JSON: {error}") from None
    except RecursionError:
        raise CliError(Exit.USAGE, "the file is not JSON that can be read: nested too deeply") from None
    if not isinstance(document, dict):
        raise CliError(Exit.USAGE, "the file must hold an object")
    return document


def _key(identity: str) -> str:
    """Return the key under which a task is made once: a header's, which not every id could be."""
    plain = identity.isascii() and identity.isprintable()
    return f"import:{identity if plain else hashlib.sha256(identity.encode()).hexdigest()}"


class _Reader:
    """Reads entries and collects what is wrong with them."""

    def __init__(self, timezone: str, repo_url: str | None) -> None:
        self.problems: list[str] = []
        self._timezone = timezone
        self._repo_url = repo_url

    def problem(self, place: str, why: str) -> None:
        """Note what is wrong."""
        self.problems.append(f"  {place}: {why}")

    def schedule(self, place: str, entry: Mapping[str, Any]) -> Import:
        """Return the schedule that an entry of a scheduled.json asks for."""
        self._known(place, entry, _OF_A_SCHEDULE)
        name = self._text(place, entry, "name") or self._text(place, entry, "id")
        cron = self._text(place, entry, "cron")
        try:
            parse(cron, self._timezone)
        except PermanentError as failure:
            self.problem(f"{place}.cron", failure.message)
        body = {
            "external_id": self._id(place, entry),
            "name": name,
            "cron": cron,
            "timezone": self._timezone,
            "enabled": self._flag(place, entry, "enabled", default=True),
            "task": {"prompt": self._prompt(place, entry), "name": name, **self._where(place, entry)},
        }
        return Import(str(body["external_id"]), "schedule", "/v1/schedules", body)

    def task(self, place: str, entry: Mapping[str, Any]) -> Import:
        """Return the prompt task that an entry of a queue.json asks for."""
        self._known(place, entry, _OF_A_QUEUE)
        self._flag(place, entry, "autoApprove", default=False)  # no task of ours asks before it uses a tool
        body: dict[str, Any] = {
            "prompt": self._prompt(place, entry),
            "name": self._id(place, entry),
            **self._where(place, entry),
        }
        timeout = entry.get("timeout")
        if timeout is not None:
            if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
                self.problem(f"{place}.timeout", "must be a number of milliseconds above 0")
            else:
                body["timeout_seconds"] = min(timeout, _MOST_MILLISECONDS) / 1000
        tools = entry.get("allowedTools")
        if tools is not None:
            listed = tools.split(",") if isinstance(tools, str) else tools
            if not (isinstance(listed, list) and all(isinstance(tool, str) for tool in listed)):
                self.problem(f"{place}.allowedTools", "must be a list of names")
            else:
                body["allowed_tools"] = [tool.strip() for tool in listed if tool.strip()]
        identity = self._id(place, entry)
        return Import(identity, "task", "/v1/tasks", body, key=_key(identity))

    def _known(self, place: str, entry: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in entry:
            if name not in names:
                self.problem(f"{place}.{str(name)[:60]}", f"is not known; known are {', '.join(names)}")

    def _id(self, place: str, entry: Mapping[str, Any]) -> str:
        value = entry.get("id")
        if isinstance(value, int) and not isinstance(value, bool):
            return self._text(place, {"id": str(value)}, "id")
        return self._text(place, entry, "id", needed=True)

    def _prompt(self, place: str, entry: Mapping[str, Any]) -> str:
        return self._text(place, entry, "prompt", needed=True, most=2**20)

    def _text(
        self, place: str, entry: Mapping[str, Any], name: str, *, needed: bool = False, most: int = 190
    ) -> str:
        value = entry.get(name, "")
        value = "" if value is None else value
        if isinstance(value, int) and not isinstance(value, bool) and name == "id":
            return str(value)
        if not isinstance(value, str) or _NO_TEXT.search(value) or len(value) > most:
            self.problem(f"{place}.{name}", f"must be text of at most {most} characters")
            return ""
        if needed and not value.strip():
            self.problem(f"{place}.{name}", "is needed")
        return value

    def _flag(self, place: str, entry: Mapping[str, Any], name: str, *, default: bool) -> bool:
        value = entry.get(name, default)
        if not isinstance(value, bool):
            self.problem(f"{place}.{name}", "must be true or false")
        return bool(value)

    def _where(self, place: str, entry: Mapping[str, Any]) -> dict[str, str]:
        return dict(self._places(place, entry))

    def _places(self, place: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield where the task works: the repository that is given instead, or the entry's own workspace."""
        workspace = self._text(place, entry, "workspace", most=1000).strip()
        if self._repo_url:
            yield "repo_url", self._repo_url
        elif "://" in workspace or workspace.endswith(".git"):
            yield "repo_url", workspace
        elif workspace:
            yield "folder", workspace
