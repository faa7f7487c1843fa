"""Which containers are meant: by globs over their names and labels."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

_LABEL = "label:"
_SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine lists it."""

    id: str
    name: str
    running: bool = True
    labels: dict[str, str] = field(default_factory=dict)


def listed(answer: Any) -> list[Container]:
    """Return the containers of an answer; what has not the shape of one is passed over."""
    found = []
    for item in answer if isinstance(answer, list) else ():
        try:
            name = str(item["Names"][0]).lstrip("/")
            found.append(Container(item["Id"], name, item["State"] == "running", dict(item["Labels"] or {})))
        except (KeyError, TypeError, IndexError, ValueError):
            continue
    return found


def is_meant(container: Container, globs: Sequence[str], own_name: str | None = None) -> bool:
    """Whether one of the globs is the container's. None of them: all are meant but the agent's own.

    Args:
        container: in question.
        globs: over its name, or ``label:key=value`` over its labels.
        own_name: the host name of this process, which in a container is the beginning of its id.
    """
    own = socket.gethostname() if own_name is None else own_name
    if len(own) == _SHORT_ID and container.id.startswith(own):
        return False
    labels = [f"{key}={value}" for key, value in container.labels.items()]
    return not globs or any(
        any(fnmatchcase(label, glob.removeprefix(_LABEL)) for label in labels)
        if glob.startswith(_LABEL)
        else fnmatchcase(container.name, glob)
        for glob in globs
    )
