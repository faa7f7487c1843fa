"""Which hosts a task in the sandbox may reach: ``EGRESS_ALLOW``, read strictly, as pure decisions.

An entry is a name (``packages.example``), all names below one (``*.hosted.example``, which leaves out the
name itself), or an address, each with a port where it is not 80 or 443. A name that leads into a private
network is refused whoever listed it; an address that is spelled out is meant.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ai_ops.core.repository_url import private_host

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_USUAL_PORTS = frozenset({80, 443})
_MOST_NAME = 253


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that was not reached, and why, for people."""

    host: str
    port: int
    reason: str

    @property
    def words(self) -> str:
        """One line."""
        return f"{self.host}:{self.port} was not reached: {self.reason}"


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry. ``below`` when it means the names below ``host``; ``port`` 0 is the usual ones."""

    host: str
    below: bool = False
    port: int = 0

    def lets(self, host: str, port: int) -> bool:
        """Whether the rule lets a place through; ``host`` is a normal form."""
        if not (port == self.port if self.port else port in _USUAL_PORTS):
            return False
        return host.endswith(f".{self.host}") if self.below else host == self.host


def parse_rule(entry: str) -> HostRule:
    """Return what an entry of ``EGRESS_ALLOW`` means.

    Raises:
        ValueError: it is none; the words do not repeat it.
    """
    bare, port = split_place(entry, 0)
    below = bare.startswith("*.")
    host = normal(bare[2:] if below else bare)
    if not host or (below and (_address(host) or "." not in host)):
        raise ValueError(
            "must hold names like host.example, *.example.org or host:8443, without scheme and path"
        )
    return HostRule(host, below, port)


def normal(host: str) -> str:
    """Return a host in lower case without a last dot, an address in its one form; empty if it is neither."""
    bare = host.strip("[]").lower()
    if found := _address(bare):
        return found
    last = bare.rstrip(".").rpartition(".")[2]
    looks_numeric = re.fullmatch(r"0x[0-9a-f]*|[0-9]+", last)  # 127.1 and the like hide an address
    fits = len(bare) <= _MOST_NAME and _NAME.fullmatch(bare) and not looks_numeric
    return bare.removesuffix(".") if fits else ""


def split_place(text: str, usual: int) -> tuple[str, int]:
    """Return the host and the port of ``host[:port]``.

    Raises:
        ValueError: the port is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]") or (":" in host.strip("[]") and not host.startswith("[")):
        return text, usual
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError("must have a port between 1 and 65535 behind the colon")
    return host, int(port)


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What may be reached; nothing when there are no rules."""

    rules: tuple[HostRule, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> EgressRules:
        """Return the rules of ``EGRESS_ALLOW``; ``ValueError`` for an entry that is none."""
        return cls(tuple(map(parse_rule, entries)))

    def refuses(self, host: str, port: int) -> str:
        """Return why a place may not be reached, as far as its name tells; empty when it may."""
        known = normal(host)
        if not known:
            return "it is not a plain host name"
        if any(rule.lets(known, port) for rule in self.rules):
            return ""
        return "it is not in EGRESS_ALLOW"

    def refuses_addresses(self, host: str, addresses: Sequence[str]) -> str:
        """Return why the addresses that a name was seen to have may not be reached; empty when they may."""
        if not addresses:
            return "the name has no address"
        if not _address(normal(host)) and any(map(private_host, addresses)):
            return "the name leads into a private network"
        return ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
