"""The command line's client of the API. Standard library only: a command answers in a blink."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ai_ops.cli.exits import CliError, Exit

_TIMEOUT_SECONDS = 30.0
_EXIT_OF_STATUS = {
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.REFUSED,
    422: Exit.USAGE,
}


class ApiClient:
    """Speaks to one server."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        # The API is reached directly: a proxy of the environment would see the key.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        """Return the JSON of a GET."""
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        return json.loads(self._send("GET", path + suffix) or b"null")

    def text(self, path: str) -> str:
        """Return the text of a GET."""
        return self._send("GET", path).decode("utf-8", "replace")

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a POST."""
        data = json.dumps(body or {}).encode()
        return json.loads(self._send("POST", path, data) or b"null")

    def pages(self, path: str, query: Sequence[tuple[str, str]], limit: int) -> Iterator[Any]:
        """Yield up to ``limit`` items of a list."""
        cursor: str | None = None
        left = limit
        while left > 0:
            more = [("cursor", cursor)] if cursor else []
            page = self.get(path, [*query, ("limit", str(min(left, 200))), *more])
            yield from page["items"]
            left -= len(page["items"])
            cursor = page["next_cursor"]
            if not cursor:
                return

    def _send(self, method: str, path: str, data: bytes | None = None) -> bytes:
        if not self._url.startswith(("http://", "https://")):
            raise CliError(Exit.USAGE, f"AI_OPS_URL must be an http or https address, not {self._url}")
        request = urllib.request.Request(self._url + path, data=data, method=method)  # noqa: S310 - http(s)
        request.add_header("Accept", "application/json")
        if self._key:
            request.add_header("X-API-Key", self._key)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            raise _failure(error) from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise CliError(
                Exit.UNREACHABLE,
                f"no server answers at {self._url}: {reason}. Start one with: ai-ops server",
            ) from None


def _failure(error: urllib.error.HTTPError) -> CliError:
    try:
        problem = json.loads(error.read())
        message = f"{problem['detail']} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        message = f"the server answered {error.code}"
    return CliError(_EXIT_OF_STATUS.get(error.code, Exit.FAILED), message)


def connect() -> ApiClient:
    """Return a client of the server that ``AI_OPS_URL`` or the settings name.

    Only the settings that are needed for it are looked at: what is wrong with others is the server's matter.
    """
    url = os.environ.get("AI_OPS_URL", "")
    key = os.environ.get("AI_OPS_API_KEY", "")
    if not url or not key:
        url, key = _from_settings(url, key)
    return ApiClient(url, key)


def _from_settings(url: str, key: str) -> tuple[str, str]:
    from ai_ops.settings import load

    if not url:
        url = load(only=["ai_ops_url"]).settings.ai_ops_url
    if not url:
        url = load(only=["http_host", "http_port"]).settings.own_address
    if not key:
        own = load(only=["ai_ops_api_key"]).settings.ai_ops_api_key
        secret = own or load(only=["server_api_key"]).settings.server_api_key
        key = secret.get_secret_value() if secret else ""
    return url, key
