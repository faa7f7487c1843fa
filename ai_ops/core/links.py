"""Links to this server. What is kept is a path: the host and port may be others by the time it is shown."""

from __future__ import annotations


def absolute(url: str, public_url: str) -> str:
    """Return a link for people: a path of this server under ``public_url``, any other address as it is."""
    return public_url + url if url.startswith("/") else url
