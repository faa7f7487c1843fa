"""One value of an agent's option as it was written, read or refused.

Each function returns the value in its type, or raises ValueError with what it must be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ai_ops.monitoring.detect import LogFilter

CODE_HOSTS = ("github", "gitlab", "local")
STREAM_KINDS = ("stdin", "journald", "elk", "docker")


def line(value: Any) -> str:
    """Return one line of text without blanks around it."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    if any(ord(character) < 32 for character in value):
        raise ValueError("must be one line without control characters")
    return value.strip()


def header(value: str) -> str:
    """Return what may stand in a header of HTTP."""
    if not value.isascii() or not value.isprintable():
        raise ValueError("must be printable ASCII on one line")
    return value


def words(value: Any) -> tuple[str, ...]:
    """Return a list of words, written as one or with commas between them."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("must be a list, or words with commas between them")
    return tuple(word for part in parts if (word := line(part)))


def kinds(value: Any) -> tuple[str, ...]:
    """Return the kinds of sources that are no files."""
    kinds = tuple(kind for kind in words(value) if kind != "file")
    for kind in kinds:
        if kind not in STREAM_KINDS:
            raise ValueError(f"{kind!r} must be one of {', '.join(('file', *STREAM_KINDS))}")
    return kinds


def seconds(value: Any) -> float:
    """Return a number of seconds, 0 or more."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number of seconds") from None
    if isinstance(value, bool) or not 0 <= number < 1e9:
        raise ValueError("must be 0 or more seconds")
    return number


def positive(value: Any) -> int:
    """Return a whole number, 1 or more."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a whole number") from None
    if isinstance(value, bool) or number < 1:
        raise ValueError("must be 1 or more")
    return number


def path(value: Any) -> Path | None:
    """Return a path, a user's home written out."""
    return Path(line(str(value))).expanduser()


def code_host(value: Any) -> str:
    """Return the name of a code host."""
    if value not in CODE_HOSTS:
        raise ValueError(f"{value!r} must be one of {', '.join(CODE_HOSTS)}")
    return str(value)


def log_filter(value: Any) -> LogFilter:
    """Return how readily a line is an error."""
    try:
        return LogFilter(str(value).lower())
    except ValueError:
        raise ValueError(f"{value!r} must be one of {', '.join(LogFilter)}") from None


def server_url(value: Any) -> str:
    """Return the address of a server, without credentials and the last slash."""
    url = line(value).rstrip("/")
    parts = urlsplit(url)
    try:
        port_is_fine = parts.port != 0
    except ValueError:
        port_is_fine = False
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not hold credentials, a query or a fragment; the key goes into AGENT_API_KEY")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise ValueError(f"{value!r} must look like https://host or https://host:port")
    return url


def repo_url(value: Any) -> str:
    """Return an address as events carry it: without a user, which may be a token. The server says more."""
    url = line(value)
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.password:
        raise ValueError("must not hold a password or a token: the server uses its own")
    if parts.scheme not in ("http", "https"):
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
