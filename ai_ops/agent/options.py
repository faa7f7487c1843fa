"""The agent's options: flags > environment > ``.env`` > ``ai-ops.toml`` > defaults.

The server's settings are typed by a library that would double the agent's memory; the agent has few keys
and reads them itself. Keys of others are left alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from ai_ops import config_places
from ai_ops.agent import option_values
from ai_ops.agent.option_values import CODE_HOSTS, STREAM_KINDS
from ai_ops.config_places import TOML_FILE
from ai_ops.core.failures import failed
from ai_ops.core.redaction.rules import Rule, rules_of
from ai_ops.monitoring.detect import DEFAULT_KEYWORDS, LogFilter

_SERVER_KINDS = ("otlp", "sentry")  # tables that tell the server which repository a sender means

T = TypeVar("T")
_NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The logs of one app and the repository its errors belong to.

    ``path`` may be a glob. An empty ``code_host`` leaves it to the server. ``language`` is what errors
    without a trace are taken for. A record that holds one of the texts in ``ignore`` is passed over.
    ``kind`` is ``file`` or one of ``STREAM_KINDS``; then ``path`` is the same word, and the last four say
    what is read: systemd units, globs over containers, an index and a query of Elasticsearch.
    """

    path: str
    repo_url: str
    code_host: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    language: str = ""
    ignore: tuple[str, ...] = ()
    kind: str = "file"
    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    index: str = ""
    query: str = ""


@dataclass(frozen=True)
class Options:
    """What the agent was told.

    ``node`` names this host in event ids and must stay the same. ``max_error_queue_size`` bounds the
    spool, in events. Times are in seconds.
    """

    sources: tuple[Source, ...]
    server_url: str = "http://127.0.0.1:8080"
    api_key: str = ""
    keywords: tuple[str, ...] = DEFAULT_KEYWORDS
    log_filter: LogFilter = LogFilter.BALANCED
    debounce_seconds: float = 0.5
    dedup_window_seconds: float = 3600.0
    max_error_queue_size: int = 10_000
    release: str = ""
    release_file: Path | None = None
    data_dir: Path = Path("data")
    node: str = ""
    from_start: bool = False
    once: bool = False
    elk_url: str = ""
    elk_api_key: str = ""
    elk_poll_seconds: float = 30.0
    elk_late_seconds: float = 60.0
    docker_host: str = "unix:///var/run/docker.sock"
    resend_rejected: bool = False
    redact: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """A value and where it came from."""

    value: Any
    origin: str


class _Values:
    """All places that values come from, in order, and what was wrong with them."""

    def __init__(self, places: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self._places = [(origin, {k.upper(): v for k, v in values.items()}) for origin, values in places]
        self.problems: list[str] = []

    def said(self, key: str) -> _Said | None:
        """Return the value that wins. Empty counts as unsaid."""
        for origin, values in self._places:
            if values.get(key) not in (None, "", [], ()):
                return _Said(values[key], origin)
        return None

    def text(self, key: str, default: str = "") -> str:
        """Return one line of text."""
        return self.parsed(key, option_values.line, default)

    def parsed(self, key: str, parse: Callable[[Any], T], default: T) -> T:
        """Return a value parsed by ``parse``, which raises ``ValueError`` with the reason."""
        said = self.said(key)
        if said is None:
            return default
        try:
            return parse(said.value)
        except ValueError as reason:
            self.problems.append(f"{key} ({said.origin}): {reason}")
            return default

    def secret(self, key: str) -> str:
        """Return a secret, or the content of the file that its ``_FILE`` twin names."""
        for origin, values in self._places:
            if value := values.get(key):
                return self._secret(key, origin, str(value))
            if name := values.get(f"{key}_FILE"):
                try:
                    return self._secret(f"{key}_FILE", origin, Path(str(name)).read_text(encoding="utf-8"))
                except (OSError, UnicodeDecodeError) as error:
                    self.problems.append(f"{key}_FILE ({origin}): {name} cannot be read: {error}")
                    return ""
        return ""

    def _secret(self, key: str, origin: str, value: str) -> str:
        try:
            return option_values.header(value.strip())
        except ValueError as reason:
            self.problems.append(f"{key} ({origin}): {reason}")
            return ""


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Options:
    """Gather the options.

    Args:
        flags: by key (``LOG_FILE_PATH``, …); None is not given. ``FROM_START``, ``ONCE`` and
            ``RESEND_REJECTED`` are flags only.
        environment: the process's own by default.
        folder: where ``.env`` and ``ai-ops.toml`` are looked for; the working folder by default.

    Raises:
        PermanentError: ``options_invalid``, naming every bad key, where it came from, and why.
    """
    flags = flags or {}
    folder = folder or Path.cwd()
    environment = os.environ if environment is None else environment
    places, unreadable = config_places.read(folder, flags=flags, environment=environment)
    values = _Values([(place.origin, place.values) for place in places])
    values.problems += [f"{problem.key}: {problem.reason}" for problem in unreadable]
    toml = next((place.values for place in places if place.origin == TOML_FILE), {})
    sources = _sources(values, toml, flags)
    options = Options(
        sources=sources,
        server_url=values.parsed("AGENT_SERVER_URL", option_values.server_url, _server_here(values)),
        api_key=values.secret("AGENT_API_KEY"),
        keywords=values.parsed("KEYWORDS", option_values.words, DEFAULT_KEYWORDS),
        log_filter=values.parsed("LOG_FILTER", option_values.log_filter, LogFilter.BALANCED),
        debounce_seconds=values.parsed("DEBOUNCE_SECONDS", option_values.seconds, Options.debounce_seconds),
        dedup_window_seconds=values.parsed(
            "DEDUP_WINDOW_SECONDS", option_values.seconds, Options.dedup_window_seconds
        ),
        max_error_queue_size=values.parsed(
            "MAX_ERROR_QUEUE_SIZE", option_values.positive, Options.max_error_queue_size
        ),
        release=values.text("RELEASE"),
        release_file=values.parsed("RELEASE_FILE", option_values.path, None),
        data_dir=values.parsed("DATA_DIR", option_values.path, None) or Path("data"),
        node=values.text("NODE_NAME") or socket.gethostname(),
        from_start=bool(flags.get("FROM_START")),
        # Standard input has an end.
        once=bool(flags.get("ONCE")) or {source.kind for source in sources} == {"stdin"},
        elk_url=values.secret("ELK_URL"),
        elk_api_key=values.secret("ELK_API_KEY"),
        elk_poll_seconds=values.parsed("ELK_POLL_SECONDS", option_values.seconds, Options.elk_poll_seconds),
        elk_late_seconds=values.parsed("ELK_LATE_SECONDS", option_values.seconds, Options.elk_late_seconds),
        docker_host=values.text("DOCKER_HOST", Options.docker_host),
        resend_rejected=bool(flags.get("RESEND_REJECTED")),
        redact=_redact(values, toml.get("redact", [])),
    )
    values.problems += _unreachable(options)
    if values.problems:
        raise failed("options_invalid", "; ".join(values.problems))
    return options


def _sources(values: _Values, toml: Mapping[str, Any], flags: Mapping[str, Any]) -> tuple[Source, ...]:
    """Return the sources of ``LOG_FILE_PATH``, ``LOG_SOURCE`` and the ``[[source]]`` tables, files first.

    Those that were named by flags stand alone.
    """
    repo_url = values.parsed("AGENT_REPO_URL", option_values.repo_url, "")
    code_host = values.parsed("CODE_HOST", option_values.code_host, "")
    common: dict[str, Any] = {
        "repo_url": repo_url,
        "code_host": code_host,
        "service": values.text("SERVICE_NAME"),
        "environment": values.text("ENVIRONMENT"),
        "index": values.text("ELK_INDEX"),
        "query": values.text("ELK_QUERY"),
        "units": values.parsed("JOURNALD_UNITS", option_values.words, _NOTHING),
        "containers": values.parsed("DOCKER_CONTAINERS", option_values.words, _NOTHING),
    }
    by_flag = any(flags.get(key) for key in ("LOG_FILE_PATH", "LOG_SOURCE"))
    paths, kinds = (
        values.parsed("LOG_FILE_PATH", option_values.words, _NOTHING),
        values.parsed("LOG_SOURCE", option_values.kinds, _NOTHING),
    )
    if by_flag:
        paths, kinds = (
            (paths if flags.get("LOG_FILE_PATH") else ()),
            (kinds if flags.get("LOG_SOURCE") else ()),
        )
    named = [(path, "file") for path in paths if path != "-"]
    named += [(kind, kind) for kind in dict.fromkeys((*kinds, *(["stdin"] if "-" in paths else ())))]
    sources = [Source(path, kind=kind, **common) for path, kind in named]
    if sources and not repo_url:
        values.problems.append(
            "AGENT_REPO_URL: is missing; name the repository that the errors belong to, with --repo-url"
        )
    tables = toml.get("source", [])
    if not by_flag and not isinstance(tables, list):
        values.problems.append(f"source ({TOML_FILE}): must be tables, written [[source]]")
    elif not by_flag:
        for number, table in enumerate(tables, 1):
            sources += _source(values, f"[[source]] {number} ({TOML_FILE})", table, common)
    if not sources and not values.problems:
        values.problems.append(
            f"LOG_FILE_PATH: is missing; name a log with --log-path, or in a [[source]] of {TOML_FILE}"
        )
    return tuple(sorted(sources, key=lambda source: source.kind != "file"))


def _source(values: _Values, place: str, table: Any, common: Mapping[str, Any]) -> list[Source]:
    if not isinstance(table, dict):
        values.problems.append(f"{place}: must be a table")
        return []
    kind = table.get("kind", "stdin" if table.get("path") == "-" else "file")
    if kind in _SERVER_KINDS:
        return []
    known = {field.name for field in fields(Source)}
    bad = [
        f"{place}: {key} is not a key; known are {', '.join(sorted(known))}" for key in table.keys() - known
    ]
    if kind not in ("file", *STREAM_KINDS):
        bad.append(f"{place}: kind must be one of {', '.join(('file', *STREAM_KINDS, *_SERVER_KINDS))}")
    merged: dict[str, Any] = dict(common)
    for key, value in table.items():
        try:
            parse: Callable[[Any], Any] = _PARSERS.get(key, option_values.line)
            merged[key] = parse(value)
        except ValueError as reason:
            bad.append(f"{place}: {key} {reason}")
    merged |= {"kind": kind} if kind == "file" else {"kind": kind, "path": kind}
    bad += [f"{place}: {key} is missing" for key in ("path", "repo_url") if not merged.get(key)]
    if merged.get("code_host") not in ("", *CODE_HOSTS):
        bad.append(f"{place}: code_host must be one of {', '.join(CODE_HOSTS)}")
    values.problems += bad
    return [] if bad else [Source(**merged)]


def _unreachable(options: Options) -> list[str]:
    """Return what is wrong with the addresses of sources."""
    kinds = {source.kind for source in options.sources}
    places = [("ELK_URL", options.elk_url, "elk"), ("DOCKER_HOST", options.docker_host, "docker")]
    bad = []
    for key, url, kind in places:
        if kind in kinds:
            from ai_ops.monitoring.sources.http import Endpoint  # only these need it

            try:
                Endpoint.parse(url)
            except ValueError as reason:
                bad.append(f"{key}: {reason if url else 'is missing; where is it read from?'}")
    return bad


def _redact(values: _Values, tables: Any) -> tuple[Rule, ...]:
    try:
        if not isinstance(tables, list):
            raise ValueError("redact: must be tables, written [[redact]]")
        return rules_of(tables)
    except ValueError as reason:
        values.problems.append(f"{TOML_FILE}: {reason}")
        return ()


def _server_here(values: _Values) -> str:
    """Return the address of the server that is configured here, where the commands ask it too."""
    host, port = values.text("HTTP_HOST", "127.0.0.1"), values.text("HTTP_PORT", "8080")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - listens everywhere; it is asked on loopback
        host = "127.0.0.1"
    try:
        return option_values.server_url(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    except ValueError:  # the server's own fault, and named by it
        return Options.server_url


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "ignore": option_values.words,
    "units": option_values.words,
    "containers": option_values.words,
    "repo_url": option_values.repo_url,
}
"""How the keys of a ``[[source]]`` are read that are more than one line of text."""
