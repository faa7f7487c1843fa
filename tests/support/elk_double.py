"""Elasticsearch, or OpenSearch, as far as the agent uses it: points in time, sorting, pages, refresh."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def millis(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() * 1000)


class ElkDouble:
    """Documents are stored by ``index`` and can be searched after ``refresh``.

    ``fail`` holds the statuses that the next requests are answered with; ``authorization`` is required
    when set; ``opensearch`` chooses the other product's point-in-time API and tiebreakers.
    """

    def __init__(self) -> None:
        self.opensearch = False
        self.authorization = ""
        self.fail: list[int] = []
        self.failed_shards = 0
        self.requests: list[str] = []
        self.searches: list[dict[str, Any]] = []
        self.views: dict[str, list[dict[str, Any]]] = {}
        self._written: list[dict[str, Any]] = []
        self._searchable: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(size)) if size else None
                with owner._lock:
                    status, answer = owner._answer(self.command, self.path, body, self.headers)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status == 429:
                    self.send_header("Retry-After", "0")
                # A proxy in between may chunk what it passes on.
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                half = len(data) // 2
                for part in (data[:half], data[half:]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")

            do_GET = do_POST = do_DELETE = _any

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, index: str = "logs", *, refresh: bool = True, **source: Any) -> str:
        """Store a document and return its id."""
        name = f"id{next(self._ids)}"
        with self._lock:
            self._written.append({"_index": index, "_id": name, "_source": source})
        if refresh:
            self.refresh()
        return name

    def refresh(self) -> None:
        """Make what was written searchable."""
        with self._lock:
            self._searchable = list(self._written)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, method: str, target: str, body: Any, headers: Any) -> tuple[int, Any]:
        path = unquote(urlsplit(target).path)
        self.requests.append(f"{method} {path}")
        if self.authorization and headers.get("Authorization") != self.authorization:
            return 401, {"error": "unauthorized"}
        if self.fail:
            return self.fail.pop(0), {"error": "busy"}
        opening = "/_search/point_in_time" if self.opensearch else "/_pit"
        if method == "POST" and path.endswith(opening):
            assert "keep_alive" in parse_qs(urlsplit(target).query)
            pattern = path.removesuffix(opening).strip("/")
            name = f"view{len(self.views)}"
            self.views[name] = [
                {**document, "_shard": number}
                for number, document in enumerate(self._searchable)
                if any(fnmatch(document["_index"], part) for part in pattern.split(","))
            ]
            return 200, {"pit_id" if self.opensearch else "id": name, "_shards": {"failed": 0}}
        if method == "DELETE" and path == opening:
            for name in body["pit_id"] if self.opensearch else [body["id"]]:
                self.views.pop(name)
            return 200, {"succeeded": True}
        if method == "POST" and path == "/_search" and body:
            return self._search(body)
        return 405, {"error": f"incorrect HTTP method for uri [{path}]"}

    def _search(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.searches.append(body)
        if body["pit"]["id"] not in self.views:
            return 404, {"error": "search_context_missing_exception"}
        (_, first), (second, _) = (next(iter(sort.items())) for sort in body["sort"])
        assert first["order"] == "asc"
        if second != ("_id" if self.opensearch else "_shard_doc"):
            return 400, {"error": f"No mapping found for [{second}] in order to sort on"}
        hits = []
        for document in self.views[body["pit"]["id"]]:
            if all(_fits(document["_source"], rule) for rule in body["query"]["bool"]["filter"]):
                tie = document["_id"] if self.opensearch else document["_shard"]
                hits.append({**document, "sort": [millis(document["_source"]["@timestamp"]), tie]})
        hits.sort(key=lambda hit: hit["sort"])
        if "search_after" in body:
            hits = [hit for hit in hits if hit["sort"] > body["search_after"]]
        found = [{k: v for k, v in hit.items() if k != "_shard"} for hit in hits[: body["size"]]]
        shards = {"total": 2, "failed": self.failed_shards}
        return 200, {
            "timed_out": False,
            "_shards": shards,
            "pit_id": body["pit"]["id"],
            "hits": {"hits": found},
        }


def _fits(source: dict[str, Any], rule: dict[str, Any]) -> bool:
    if "range" in rule:
        limits = rule["range"]["@timestamp"]
        assert limits["format"] == "epoch_millis"
        return limits["gte"] <= millis(source["@timestamp"]) <= limits["lte"]
    name, _, value = rule["query_string"]["query"].partition(":")
    return str(source.get(name)) == value


@contextmanager
def elk_double() -> Iterator[ElkDouble]:
    double = ElkDouble()
    try:
        yield double
    finally:
        double.close()
