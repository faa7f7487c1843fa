"""A rule about new dependencies: a repair uses what the project has, and adds nobody else's code to it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ai_ops.core.guard.findings import Change, Finding, Severity

_NAME = re.compile(r"\A\s*([A-Za-z0-9][\w.-]*)(.*)\Z", re.DOTALL)
_REQUIREMENTS = re.compile(r".*requirements.*\.(?:txt|in)|constraints.*\.txt")
_REQUIRE = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/[\w./-]+)\s+(v\S+)", re.MULTILINE)
_REPLACE = re.compile(r"^\s*(?:replace\s+)?([\w./-]+)(?:\s+v\S+)?\s*=>\s*(\S.*)$", re.MULTILINE)
_NODE = (
    "dependencies",
    "devDependencies",
    "peerDependencies",
    "optionalDependencies",
    "overrides",
    "resolutions",
)
_CARGO = ("dependencies", "dev-dependencies", "build-dependencies")


def dependencies(change: Change) -> Iterator[Finding]:
    """Find dependencies that a manifest newly names, and other versions of those it named."""
    for file in change.files:
        reader = _reader(PurePosixPath(file.path).name.casefold())
        if reader is None or file.is_deleted or file.is_binary:
            continue
        before, after = (_read(reader, change.text(each, file.path)) for each in (change.base, change.after))
        for name, version in after.items():
            if name not in before:
                yield Finding("dependency_added", file.path, f"{name} is a new dependency")
            elif before[name] != version:
                text = f"{name} is wanted in another version"
                yield Finding("dependency_changed", file.path, text, Severity.WARNING)


def _reader(name: str) -> Callable[[str], Mapping[str, str]] | None:
    return _requirements if _REQUIREMENTS.fullmatch(name) else _READERS.get(name)


def _read(reader: Callable[[str], Mapping[str, str]], text: str | None) -> Mapping[str, str]:
    """Return the names and versions in a manifest; none in one that is broken, which no tool reads either."""
    try:
        return reader(text or "")
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _requirements(text: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return dict(_split(line) for line in lines if line and not line.startswith("-"))


def _split(line: str) -> tuple[str, str]:
    found = _NAME.match(line)
    if found is None:
        return line, ""
    return re.sub(r"[-_.]+", "-", found[1]).casefold(), found[2].strip()


def _pyproject(text: str) -> dict[str, str]:
    document = tomllib.loads(text)
    project, tools = document.get("project", {}), document.get("tool", {})
    lists = [
        project.get("dependencies", []),
        *project.get("optional-dependencies", {}).values(),
        *document.get("dependency-groups", {}).values(),
    ]
    found = dict(_split(line) for lines in lists for line in lines if isinstance(line, str))
    poetry = tools.get("poetry", {})
    tables = [poetry, *poetry.get("group", {}).values()]
    for table in tables:
        for key in ("dependencies", "dev-dependencies"):
            found |= {_split(name)[0]: str(value) for name, value in table.get(key, {}).items()}
    return found


def _package_json(text: str) -> dict[str, str]:
    document = json.loads(text or "{}")
    return {name: str(value) for key in _NODE for name, value in document.get(key, {}).items()}


def _cargo(text: str) -> dict[str, str]:
    document = tomllib.loads(text)
    tables: list[Mapping[str, Any]] = [
        document,
        document.get("workspace", {}),
        *document.get("target", {}).values(),
    ]
    return {
        name: str(value) for table in tables for key in _CARGO for name, value in table.get(key, {}).items()
    }


def _go(text: str) -> dict[str, str]:
    plain = re.sub(r"//[^\n]*", "", text)
    replaced = {f"replace {found[1]}": found[2] for found in _REPLACE.finditer(plain)}
    return {found[1]: found[2] for found in _REQUIRE.finditer(plain)} | replaced


def _gems(text: str) -> dict[str, str]:
    return {
        found[1]: found[2] for found in re.finditer(r"^\s*gem\s+[\"']([\w.-]+)[\"'](.*)$", text, re.MULTILINE)
    }


def _composer(text: str) -> dict[str, str]:
    document = json.loads(text or "{}")
    keys = ("require", "require-dev")
    return {name: str(value) for key in keys for name, value in document.get(key, {}).items()}


_READERS: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    "pyproject.toml": _pyproject,
    "package.json": _package_json,
    "cargo.toml": _cargo,
    "go.mod": _go,
    "gemfile": _gems,
    "composer.json": _composer,
}
