"""Failures on the way to another machine, whoever was asked."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P2, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.DNS,
        Recovery.OUTAGE,
        P2,
        {
            "dns_failed": (
                "A host's name has no address.",
                "Check the name in the settings, and the server's DNS.",
            ),
        },
    ),
    *rows(
        Kind.PROXY,
        Recovery.OUTAGE,
        P2,
        {
            "proxy_refused": (
                "The proxy on the way let nothing through, or is not there.",
                "Check HTTPS_PROXY and NO_PROXY, the proxy's login, and what it allows.",
            ),
        },
    ),
    *rows(
        Kind.TLS,
        Recovery.OUTAGE,
        P2,
        {
            "tls_failed": (
                "The other side's certificate could not be checked.",
                "See whether it expired; add its authority to the system's store.",
            ),
        },
    ),
)
