"""The command line's client of the API. Standard library only: a command answers in a blink."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.sse import ServerEvent, parse
from ai_ops.core import tls

_TIMEOUT_SECONDS = 30.0
_PATIENCE_SECONDS = 30.0
"""How long a stream that broke off waits for the server to come back."""
_POLL_SECONDS = 0.2
_EXIT_OF_STATUS = {
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.NOT_FOUND,
    409: Exit.REFUSED,
    422: Exit.USAGE,
    429: Exit.REFUSED,
}
_LIST_OF = {
    "alert": "alert",
    "bug_case": "bug",
    "issue": "issue",
    "notification": "notification",
    "pull_request": "pr",
    "schedule": "schedule",
    "task": "task",
    "trace": "trace",
    "worker": "worker",
    "workflow": "workflow",
}
"""The command group that lists the things of which one was not found."""
_EXIT_OF_CODE = {
    "ambiguous_id": Exit.USAGE,
    "folder_not_allowed": Exit.REFUSED,
    "repo_not_allowed": Exit.REFUSED,
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
        return self._json("GET", path + suffix)

    def text(self, path: str) -> str:
        """Return the text of a GET."""
        return self._send("GET", path).decode("utf-8", "replace")

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a POST."""
        return self._json("POST", path, json.dumps(body or {}).encode())

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON of a PATCH."""
        return self._json("PATCH", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """Send a DELETE."""
        self._send("DELETE", path)

    def created(self, path: str, body: Mapping[str, Any], *, key: str = "") -> tuple[int, Any]:
        """Return the status and the JSON of a POST that makes something once under a key."""
        headers = {"Idempotency-Key": key} if key else {}
        with self._open("POST", path, json.dumps(body).encode(), headers) as answer:
            return answer.status, json.loads(answer.read())

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

    def events(self, path: str) -> Iterator[ServerEvent]:
        """Yield the events of a stream up to ``complete``; one that breaks off is taken up where it was."""
        last = ""
        while True:
            try:
                with self._open("GET", path, headers={"Last-Event-ID": last} if last else {}) as answer:
                    for event in parse(answer):
                        last = event.id or last
                        yield event
                        if event.kind == "complete":
                            return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(_POLL_SECONDS)
            self.wait(_PATIENCE_SECONDS)

    def wait(self, seconds: float) -> None:
        """Return when the server answers; give up after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._send("GET", "/healthz")
            except CliError as failure:
                if failure.code is not Exit.UNREACHABLE or time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _json(self, method: str, path: str, data: bytes | None = None) -> Any:
        try:
            return json.loads(self._send(method, path, data) or b"null")
        except ValueError:
            raise CliError(Exit.FAILED, f"what answers at {self._url} is no AI-Ops server") from None

    def _send(self, method: str, path: str, data: bytes | None = None) -> bytes:
        with self._open(method, path, data) as answer:
            try:
                body: bytes = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise CliError(Exit.UNREACHABLE, f"{self._url} broke off its answer: {error}") from None
            return body

    def _open(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        if not self._url.startswith(("http://", "https://")):
            raise CliError(Exit.USAGE, f"AI_OPS_URL must be an http or https address, not {self._url}")
        if "@" in self._url.split("/", 3)[2]:
            raise CliError(
                Exit.USAGE, "AI_OPS_URL holds a user or a password; the key goes into AI_OPS_API_KEY"
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise CliError(Exit.USAGE, "AI_OPS_API_KEY holds characters that no key has")
        request = urllib.request.Request(self._url + path, data=data, method=method)  # noqa: S310 - http(s)
        given = {"Accept": "application/json", **(headers or {})}
        if self._key:
            given["X-API-Key"] = self._key
        if data is not None:
            given["Content-Type"] = "application/json"
        for name, value in given.items():
            request.add_header(name, value)
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=_TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise _failure(error) from None
        except (ValueError, http.client.InvalidURL):
            raise CliError(Exit.USAGE, f"AI_OPS_URL is no address: {self._url}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if tls.is_plain_http(reason):
                words = f"the server at {self._url} speaks plain http; use {tls.plain(self._url)}"
                raise CliError(Exit.UNREACHABLE, words) from None
            raise CliError(
                Exit.UNREACHABLE,
                f"no server answers at {self._url}: {reason}. Start one with: ai-ops server",
            ) from None
        return answer


def _failure(error: urllib.error.HTTPError) -> CliError:
    try:
        problem = json.loads(error.read())
        code = problem["code"]
        message = "\n  ".join([f"{problem['detail'].rstrip('.')} ({code})", *_further(problem)])
        if code in ("key_missing", "key_unknown"):
            message += "; a command's key is AI_OPS_API_KEY"
        elif group := _LIST_OF.get(code.removesuffix("_not_found")):
            told = f"ai-ops {group} list"
            message += "" if told in message else f"; see `{told}`"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, http.client.HTTPException):
        code, message = "", f"the server answered {error.code}"
    return CliError(_EXIT_OF_CODE.get(code) or _EXIT_OF_STATUS.get(error.code, Exit.FAILED), message)


def _further(problem: Mapping[str, Any]) -> list[str]:
    """Return what else is wrong with a request, beside its first error, which ``detail`` is about."""
    return [f"{each['field']}: {each['reason']}" for each in problem.get("errors", ())[1:]]


def quoted(word: str) -> str:
    """Return what was typed as one part of a path."""
    return urllib.parse.quote(word, safe="")


def connect(wait: float = 0.0) -> ApiClient:
    """Return a client of the server that ``AI_OPS_URL`` or the settings name.

    Only the settings that are needed for it are looked at: what is wrong with others is the server's matter.
    ``wait`` is how many seconds a server that is starting has to answer.
    """
    url = os.environ.get("AI_OPS_URL", "")
    key = os.environ.get("AI_OPS_API_KEY", "")
    if not url or not key:
        url, key = _from_settings(url, key)
    client = ApiClient(url, key)
    if wait:
        client.wait(wait)
    return client


def _from_settings(url: str, key: str) -> tuple[str, str]:
    from ai_ops.config_loading import load

    if not url:
        url = load(only=["ai_ops_url"]).settings.ai_ops_url
    if not url:
        url = load(only=["http_host", "http_port"]).settings.own_address
    if not key:
        own = load(only=["ai_ops_api_key"]).settings.ai_ops_api_key
        secret = own or load(only=["server_api_key"]).settings.server_api_key
        key = secret.get_secret_value() if secret else ""
    return url, key
