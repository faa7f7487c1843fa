"""Holding git to the address that a host name was seen to have.

A wildcard in ``ALLOWED_REPOS`` lets through names that nobody here chose: their owners may point them
into the private network, before the look-up or between it and git's own. So such a name is looked up
once, none of its addresses may be private, and git is given the answer instead of asking again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ai_ops.core.failures import failed
from ai_ops.core.repository_url import PORTS, private_host

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its IP addresses; raises OSError when there are none."""


@dataclass(frozen=True, slots=True)
class Pinning:
    """Decides what git is told about a remote's host.

    Args:
        is_named: whether the configuration spells out a ``host[:port]``. Such a host may be private.
        look_up: from a host and a port to addresses.
    """

    is_named: Callable[[str], bool]
    look_up: LookUp

    async def config(self, url: str) -> Mapping[str, str]:
        """Return the git config for a connection to ``url``, an http(s) address.

        Raises:
            TemporaryError: ``git_unreachable``, when the name has no address now.
            PermanentError: ``repo_not_allowed``, when one of its addresses is private.
        """
        parts = urlsplit(url)
        if self.is_named(parts.netloc):
            return {}
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        try:
            found = await self.look_up(host, port)
        except OSError as error:
            raise failed("dns_failed", f"the name {host} has no address: {error}") from error
        if not found or any(private_host(address) for address in found):
            raise failed(
                "repo_not_allowed",
                f"the name {host} leads into a private network",
                next_step="If it is meant to, write the host into ALLOWED_REPOS without a wildcard.",
            )
        answer = ",".join(f"[{address}]" if ":" in address else address for address in found)
        return {"http.curloptResolve": f"{host}:{port}:{answer}"}


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as this machine sees it."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[4][0]).partition("%")[0] for place in found))
