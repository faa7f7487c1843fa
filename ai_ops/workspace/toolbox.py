"""The toolbox: pytest for repositories that bring no set-up of their own.

A read-only folder like a virtual environment, with pytest and its runtime dependencies and nothing else
of the server's: copied from the server's installed distributions, without a network, once per version.
It is mounted at a fixed place, so that reports do not depend on where the server keeps its data.
"""

from __future__ import annotations

import asyncio
import compileall
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from uuid import uuid4

from packaging.requirements import Requirement

from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind
from ai_ops.errors import AiOpsError
from ai_ops.workspace.folders import remove_tree
from ai_ops.workspace.profile import SEARCH_PATH

MOUNT = "/opt/toolbox"
SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

_LAYOUT = "1"
_ENTRY = """\
#!/bin/sh
'''exec' python "$0" "$@"
' '''
import sys
from {module} import {function}
sys.exit({function}())
"""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """A built toolbox. ``key`` names its contents and interpreter; ``folder`` is where it lies outside."""

    key: str
    folder: Path
    python_home: Path

    @property
    def binds(self) -> tuple[Bind, ...]:
        """Return what has to be visible: the toolbox, and its interpreter unless that is in ``/usr``."""
        toolbox = Bind(self.folder, MOUNT)
        if self.python_home.is_relative_to("/usr"):
            return (toolbox,)
        return (Bind(self.python_home, str(self.python_home)), toolbox)

    def path(self, *before: str) -> str:
        """Return a search path: ``before``, the toolbox, the system."""
        return ":".join([*before, f"{MOUNT}/bin", SEARCH_PATH])


async def ensure_toolbox(data_dir: Path) -> Toolbox:
    """Return the toolbox beneath ``data_dir``, building it if it is not there yet.

    Raises:
        PermanentError: ``toolbox_unavailable``: pytest is not installed beside the server.
    """
    return await asyncio.to_thread(_ensure, data_dir)


def _ensure(data_dir: Path) -> Toolbox:
    distributions = _runtime("pytest")
    home = Path(sys.base_prefix).resolve()
    key = _key(distributions, home)
    shelf = data_dir.absolute() / "toolbox"
    folder = shelf / key
    if not folder.is_dir():
        shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        _build(shelf / f".{key}-{uuid4().hex}", folder, distributions, home)
    return Toolbox(key, folder, home)


def _runtime(name: str) -> list[Distribution]:
    """Return a distribution and what it requires on this platform, without extras."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        wanted = waiting.pop()
        if wanted.lower() in found:
            continue
        try:
            dist = distribution(wanted)
        except PackageNotFoundError:
            raise _unavailable(f"{wanted} is not installed beside the server") from None
        found[wanted.lower()] = dist
        for line in dist.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return list(found.values())


def _key(distributions: Sequence[Distribution], home: Path) -> str:
    versions = sorted(f"{dist.name}=={dist.version}" for dist in distributions)
    words = [_LAYOUT, sys.version, str(home), *versions]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def _build(making: Path, folder: Path, distributions: Sequence[Distribution], home: Path) -> None:
    """Build beside ``folder`` and rename; another process may win, and then its work is used."""
    try:
        (making / "bin").mkdir(parents=True, mode=0o700)
        packages = making / SITE_PACKAGES
        packages.mkdir(parents=True)
        for dist in distributions:
            _copy(dist, packages)
        compileall.compile_dir(packages, quiet=2, stripdir=str(making), prependdir=MOUNT)
        interpreter = home / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        if not interpreter.exists():
            raise _unavailable(f"{interpreter} is not there")
        for name in (interpreter.name, "python3", "python"):
            (making / "bin" / name).symlink_to(interpreter)
        for dist in distributions:
            for entry in dist.entry_points.select(group="console_scripts"):
                text = _ENTRY.format(module=entry.module, function=entry.attr)
                (making / "bin" / entry.name).write_text(text)
        (making / "pyvenv.cfg").write_text(
            f"home = {interpreter.parent}\ninclude-system-site-packages = false\n"
        )
        _make_read_only(making)
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        remove_tree(making)


def _copy(dist: Distribution, packages: Path) -> None:
    for file in dist.files or ():
        if ".." in file.parts or file.is_absolute():
            continue  # scripts outside site-packages
        source = Path(str(dist.locate_file(file)))
        if source.is_file():
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)  # with its time: what is compiled already stays valid


def _make_read_only(folder: Path) -> None:
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(0o500 if path.parent == folder / "bin" else 0o400)
        if Path(place) != folder:  # the folder itself is still to be renamed
            Path(place).chmod(0o500)


def _unavailable(why: str) -> AiOpsError:
    return failed("toolbox_unavailable", why)
