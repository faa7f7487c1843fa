"""The host's toolchains inside the sandbox: Node, Java, Maven, Gradle, Go and Rust as they are installed.

A program is looked up in the server's search path. What lies in ``/usr`` is visible anyway; anything else
is mounted read-only at its own place, its installation alone: no home folder, no cache, no credentials.
What a repository depends on comes from its set-up layer, where the environment tells each tool to look.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ai_ops.core.ports import Bind
from ai_ops.core.runners.model import SETUP_FOLDER

_SYSTEM = Path("/usr")
# Debian keeps parts of Maven in /etc. settings.xml is not among them: it may hold passwords.
_MAVEN = (Path("/etc/maven/m2.conf"), Path("/etc/maven/logging"))
_TMP = "/tmp"  # noqa: S108 # nosec B108 - a private one, inside


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What some programs need: mounts, folders of the search path, and which are not installed.

    ``key`` changes when another version is installed.
    """

    binds: tuple[Bind, ...] = ()
    folders: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    key: str = ""


FindToolchain = Callable[[Sequence[str]], Toolchain]
"""Looks programs up where commands run."""


@dataclass(slots=True)
class _Found:
    binds: dict[str, Bind] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def find_toolchain(tools: Sequence[str], environment: Mapping[str, str] | None = None) -> Toolchain:
    """Look programs up on this host.

    Args:
        tools: their names.
        environment: has ``PATH``, ``HOME``, ``RUSTUP_HOME`` and so on; this process's when None.
    """
    environment = os.environ if environment is None else environment
    found = _Found()
    for tool in tools:
        program = _program(tool, environment)
        if program is None:
            found.missing.append(tool)
            continue
        status = program.stat()
        found.words += [tool, str(program), str(status.st_size), str(status.st_mtime_ns)]
        _add(found, program, Path(environment.get("HOME", "/")))
        if tool == "mvn":
            for place in filter(Path.exists, _MAVEN):
                found.binds[str(place)] = Bind(place.resolve(), str(place))
    return Toolchain(
        tuple(found.binds.values()), tuple(found.folders), tuple(found.missing), "\0".join(found.words)
    )


def _program(tool: str, environment: Mapping[str, str]) -> Path | None:
    """Return the real file of a program; behind rustup's proxies the toolchain's own."""
    place = shutil.which(tool, path=environment.get("PATH", ""))
    if place is None:
        return None
    program = Path(place).resolve()
    return _behind_rustup(tool, environment) if program.name == "rustup" else program


def _behind_rustup(tool: str, environment: Mapping[str, str]) -> Path | None:
    home = Path(environment.get("RUSTUP_HOME") or Path(environment.get("HOME", "/"), ".rustup"))
    name = environment.get("RUSTUP_TOOLCHAIN", "")
    try:
        settings = tomllib.loads((home / "settings.toml").read_text(encoding="utf-8"))
        name = name or str(settings.get("default_toolchain", ""))
    except (OSError, ValueError):
        pass
    for folder in (home / "toolchains" / name, *sorted((home / "toolchains").glob(f"{name}-*"))):
        program = (folder / "bin" / tool).resolve()
        if name and program.is_file():
            return program
    return None


def _add(found: _Found, program: Path, home: Path) -> None:
    """Mount a program's installation, unless it is there anyway, and put its folder on the path."""
    if program.is_relative_to(_SYSTEM):
        if program.parent not in (_SYSTEM / "bin", _SYSTEM / "local" / "bin"):
            found.folders[str(program.parent)] = None
        return
    root = program.parent.parent if program.parent.name == "bin" else program.parent
    # ~/bin, ~/.local/bin and the like hold more than one installation: then the program alone.
    private = home.resolve().is_relative_to(root) or root == home.resolve() / ".local" or len(root.parts) < 3
    place = program if private else root
    found.binds[str(place)] = Bind(place, str(place))
    found.folders[str(program.parent)] = None


def tool_environment(tools: Sequence[str], *, ready: bool) -> dict[str, str]:
    """Return where tools find what is installed and keep what they make.

    Args:
        tools: their names.
        ready: whether there is a set-up layer: writable while ``setup`` runs, read-only afterwards.
    """
    store = SETUP_FOLDER if ready else _TMP
    known: dict[str, dict[str, str]] = {
        "cargo": {"CARGO_HOME": f"{store}/cargo", "CARGO_TERM_COLOR": "never"},
        "go": {
            "GOMODCACHE": f"{store}/gomod",
            "GOCACHE": f"{_TMP}/go-build",
            "GOPATH": f"{_TMP}/go",
            "GOTOOLCHAIN": "local",
        },
        "gradle": {
            "GRADLE_USER_HOME": f"{_TMP}/gradle",
            "GRADLE_RO_DEP_CACHE": f"{store}/gradle/caches",
        },
        "mvn": {"MAVEN_OPTS": f"-Dmaven.repo.local={store}/m2"},
        "node": {"npm_config_cache": f"{_TMP}/npm", "npm_config_update_notifier": "false"},
    }
    return {name: value for tool in tools for name, value in known.get(tool, {}).items()}
