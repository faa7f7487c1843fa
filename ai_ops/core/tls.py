"""What a failed TLS handshake says about the other side."""

from __future__ import annotations

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})


def is_plain_http(error: object) -> bool:
    """Return whether an ``ssl.SSLError`` means that what answered speaks no TLS; False for anything else."""
    return getattr(error, "library", None) == "SSL" and getattr(error, "reason", None) in _NOT_TLS


def plain(url: str) -> str:
    """Return the ``http`` spelling of an ``https`` URL."""
    return f"http{url[len('https') :]}" if url[:5].lower() == "https" else url
