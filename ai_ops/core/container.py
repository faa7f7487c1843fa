"""What a container runtime or syslog puts around each of an application's own lines.

Kubernetes (CRI), Docker's json-file driver, docker compose, foreman and syslog write one line for each of the
application's, so a stack trace comes wrapped line by line. Whoever reads a record wants its own lines back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

_PREFIX = re.compile(
    r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})\s(?:stdout|stderr)\s[FP]\s|"  # CRI
    r"(?:<\d{1,3}>)?[A-Z][a-z]{2}\s[\s\d]\d\s\d{2}:\d{2}:\d{2}"  # syslog
    r"\s\S{1,255}\s[^\s\[:]{1,255}(?:\[\d+\])?:\s|"
    r"<\d{1,3}>1\s\S+\s\S+\s\S+\s\S+\s\S+\s-\s(?:\ufeff|\xef\xbb\xbf)?|"  # RFC 5424
    r"[a-z0-9][\w.-]{0,63}(?:[-_]\d{1,3}\s*|\s{2,})\|\s|"  # docker compose
    r"\d{2}:\d{2}:\d{2}\s[a-z][\w-]{0,63}\.\d{1,3}\s{1,64}\|\s"  # foreman
)
_INDENTED = ("", " ", "\t")  # no prefix begins so, most frames do
DOCKER_JSON = '{"log":"'
"""How a line of Docker's json-file driver begins."""

_JSON_LIMIT = 1 << 20


class Wrapped(NamedTuple):
    """One line: the runtime's words before it, the application's own, and whether it goes on in the next."""

    prefix: str
    text: str
    goes_on: bool = False


def unwrap(line: str) -> Wrapped:
    """Take the runtime's words off a line; the prefix is '' when there are none."""
    if line.startswith(DOCKER_JSON):
        return _docker(line) or Wrapped("", line)
    found = None if line[:1] in _INDENTED else _PREFIX.match(line[:1024])
    if not found:
        return Wrapped("", line)
    prefix = found.group()
    return Wrapped(prefix, line[found.end() :], prefix.endswith((" stdout P ", " stderr P ")))


def container_prefix(line: str) -> str:
    """Return what stands before the application's own line as plain text, or ''."""
    found = _PREFIX.match(line[:1024])
    return found.group() if found else ""


def without_container(lines: Iterable[str]) -> list[str]:
    """Return the application's own lines; what was cut into pieces is put together again."""
    found: list[str] = []
    pieces: list[str] = []
    for line in lines:
        if line[:1] in _INDENTED and not pieces:
            found.append(line)
            continue
        _, text, goes_on = unwrap(line)
        pieces.append(text)
        if not goes_on:
            found.append("".join(pieces))
            pieces = []
    return [*found, "".join(pieces)] if pieces else found


def _docker(line: str) -> Wrapped | None:
    if len(line) > _JSON_LIMIT or '"stream":"' not in line:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text, stream = record.get("log"), record.get("stream")
    if not isinstance(text, str) or not isinstance(stream, str):
        return None
    ended = text.endswith("\n")
    # A trace may stand in one write; its further lines are the record's as well.
    return Wrapped(f'{{"{stream}"', text.rstrip("\r\n"), not ended)
