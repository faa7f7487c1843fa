"""What kinds of values settings have, and the words for those that are none.

No word repeats the value: a secret may have landed in the wrong line.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from ai_ops.core.commit_rules import is_person
from ai_ops.core.egress import EgressRules


def _split(value: Any) -> Any:
    """Turn ``a, b`` into a tuple; lists from TOML pass through."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _split_secrets(value: Any) -> Any:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return _split(value)


def _egress_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    EgressRules.of(value)
    return value


def _folders(value: tuple[Path, ...]) -> tuple[Path, ...]:
    places = tuple(map(_at_home, value))
    if not all(place.is_absolute() for place in places):
        raise ValueError("must hold absolute paths, with commas between them")
    if any(place == Path(place.anchor) for place in places):
        raise ValueError("must not hold the root of the file system")
    return places


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if value and not usable:
        raise ValueError("must look like https://host or https://host:port/path")
    if value and (parts.username is not None or parts.query or parts.fragment):
        raise ValueError("must be an address without user, password, query and fragment")
    return value


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        if not value or set(value) & set(":/ @"):
            raise ValueError(
                "must be an address like 127.0.0.1 or a host name; the port goes into HTTP_PORT"
            ) from None
    return value.strip("[]")


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError("must be a time of the day like 08:00")
    return value


def _quiet(value: str) -> str:
    start, _, end = value.partition("-")
    if value and not (_CLOCK.fullmatch(start) and _CLOCK.fullmatch(end) and start != end):
        raise ValueError("must look like 22:00-07:00")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("must be a time zone that this machine knows, like Europe/Berlin or UTC") from None
    return value


def _at_home(value: Path) -> Path:
    """Let ``~`` mean the home folder, as in a shell."""
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and there is no such home folder") from None


def _git_name(value: str) -> str:
    if not is_person(f"{value} <a@b>") or not value.strip():
        raise ValueError("must be a name on one line, without < and >")
    return value.strip()


def _git_address(value: str) -> str:
    if not is_person(f"a <{value}>"):
        raise ValueError("must be an address like name@host")
    return value


def _git_person(value: str) -> str:
    if value == "none":  # an empty value is none at all: the default would count
        return ""
    if value.strip() and not is_person(value.strip()):
        raise ValueError("must look like: Name <name@host>, or be none")
    return value.strip()


_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")

ClockTime = Annotated[str, AfterValidator(_clock)]
"""A time of the wall clock, as 08:00."""

QuietTimes = Annotated[str, AfterValidator(_quiet)]
"""From when to when, as 22:00-07:00, or nothing."""

TimeZone = Annotated[str, AfterValidator(_zone)]
"""A name of the time zone database."""

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list."""

EgressHosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_egress_hosts)]
"""Entries of ``EGRESS_ALLOW``, see ``core.egress``."""

Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split), AfterValidator(_folders)]
"""Absolute paths."""

Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_secrets)]
"""A comma-separated list of secrets."""

WebAddress = Annotated[str, AfterValidator(_web_address)]
"""An ``http`` or ``https`` address, or nothing."""

Host = Annotated[str, AfterValidator(_host)]
"""A host name or an IP address, without port."""

FilePath = Annotated[Path, AfterValidator(_at_home)]
"""A path; ``~`` is the home folder."""

GitName = Annotated[str, AfterValidator(_git_name)]
"""A name as git keeps it."""

GitAddress = Annotated[str, AfterValidator(_git_address)]
"""An address as git keeps it; it need not be one that mail reaches."""

GitPerson = Annotated[str, AfterValidator(_git_person)]
"""``Name <address>``, or nobody."""
