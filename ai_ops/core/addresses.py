"""Mail addresses that come from git or a repository: data, of which only plain ones are written to."""

from __future__ import annotations

import re
from collections.abc import Collection

_LETTERS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    rf"(?=.{{6,254}}\Z)(?=[^@]{{1,64}}@){_LETTERS}+(?:\.{_LETTERS}+)*@(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)
_NOBODY = re.compile(r"no-?reply|do-?not-?reply|\[bot\]|mailer-daemon|\bbot@", re.IGNORECASE)
_GITHUB_NOREPLY = re.compile(r"(?:\d+\+)?([A-Za-z0-9-]+)@users\.noreply\.", re.IGNORECASE)
_UNREACHABLE = (".invalid", ".local", ".localdomain", ".internal", ".lan")  # what git makes up from a host


def usable(text: str) -> str:
    """Return an address that a person reads mail at, or an empty string."""
    address = text.strip()
    if not _PLAIN.fullmatch(address) or _NOBODY.search(address):
        return ""
    return "" if address.lower().endswith(_UNREACHABLE) else address


def domain(address: str) -> str:
    """Return the domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()


def within(address: str, domains: Collection[str]) -> bool:
    """Whether an address lies in one of the domains, or below one."""
    own = domain(address)
    return any(own == each or own.endswith(f".{each}") for each in map(str.lower, domains))


def hidden_login(address: str) -> str:
    """Return the account that an address made to hide one names: ``1+ada@users.noreply.github.com``."""
    found = _GITHUB_NOREPLY.match(address)
    return found[1] if found else ""
