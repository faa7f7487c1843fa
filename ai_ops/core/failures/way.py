"""Which part of the way to another machine failed, by the exception that a client library raised.

Libraries wrap one exception in another and share no classes, so the names along the chain are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_ops.core.tls import is_plain_http

_PARTS: Final = (
    ("proxy_refused", frozenset({"ProxyError", "ClientHttpProxyError", "ClientProxyConnectionError"})),
    ("dns_failed", frozenset({"gaierror", "NameResolutionError", "ClientConnectorDNSError"})),
    ("tls_failed", frozenset({"SSLError", "SSLCertVerificationError", "SSLZeroReturnError"})),
)
_MOST = 20


def part_of_the_way(error: BaseException, otherwise: str) -> str:
    """Return ``proxy_refused``, ``dns_failed`` or ``tls_failed`` where it was that, else ``otherwise``."""
    chain = list(_chain(error))
    if any(is_plain_http(each) for each in chain):
        return otherwise  # what answered speaks no TLS at all: a wrong port, not a bad certificate
    names = {base.__name__ for each in chain for base in type(each).__mro__}
    return next((code for code, known in _PARTS if names & known), otherwise)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Go through an exception and those it wraps, each once."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        here = waiting.pop(0)
        if not isinstance(here, BaseException) or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        waiting += [here.__cause__, here.__context__, getattr(here, "reason", None), *here.args]
