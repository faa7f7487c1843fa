"""``ai-ops replay``: what old logs would have led to."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.output import JsonFlag, emit_json, line, note, table
from ai_ops.core.wording import counted

if TYPE_CHECKING:
    from ai_ops.agent.replay import Progress, ReadLog
    from ai_ops.core.forecast import Forecast, Group, Prediction
    from ai_ops.settings import Settings

Logs = Annotated[list[str], typer.Argument(metavar="LOG...", help="Files or globs; .gz too.")]
RepoUrl = Annotated[
    str | None, typer.Option("--repo-url", help="Repository of the logs: is it one that may be repaired?")
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only what is newer: 2026-11-01, 2026-11-01T08:00Z, 36h or 7d.")
]
_AGO = re.compile(r"(\d{1,6})([mhdw])\Z")
_ROTATED = re.compile(r"(?:[.-]\d[\d.-]{0,31})?(?:\.(?:gz|bz2|xz|zst))?\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def replay(logs: Logs, repo_url: RepoUrl = None, since: Since = None, as_json: JsonFlag = False) -> None:
    """Read old logs and print what would have been repaired, why not the rest, and the likely cost.

    Nothing is sent, queued or written. When a log could not be read to its end, the exit code is 1.
    """
    from ai_ops.agent.replay import find_logs
    from ai_ops.config_loading import load
    from ai_ops.core.forecast import Forecast, predict
    from ai_ops.core.pricing import price_of
    from ai_ops.errors import PermanentError

    settings = load().settings
    earliest = _moment(since) if since else None
    try:
        paths = find_logs(logs)
    except PermanentError as missing:
        raise CliError(Exit.NOT_FOUND, f"{missing.message}. {missing.next_step}") from None
    repo_key, refusal = _repository(settings, repo_url) if repo_url else ("", "")
    forecast = Forecast(repo_key, settings.expected_rules)
    read = _read(paths, forecast, settings, earliest)
    groups = forecast.groups()
    prediction = predict(
        [] if refusal else groups,
        price_of(settings.claude_model),
        budget_per_run=settings.budget_usd_per_run,
        budget_per_day=settings.budget_usd_per_day,
        most_open=settings.max_open_pull_requests,
    )
    if as_json:
        emit_json(_as_json(read, groups, prediction, refusal, earliest))
    else:
        _print(read, groups, prediction, refusal)
    if any(log.problem for log in read):
        raise typer.Exit(Exit.FAILED)


def _moment(text: str) -> datetime:
    """Return the time that ``--since`` names; a date alone is its first moment here."""
    try:
        if ago := _AGO.match(text.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CliError(
            Exit.USAGE, f"--since {text!r} is no time. Write 2026-11-01, 2026-11-01T08:00Z, 36h or 7d."
        ) from None


def _repository(settings: Settings, repo_url: str) -> tuple[str, str]:
    """Return the repository's key, or why the server would refuse it."""
    from ai_ops.core.repository import RepositoryRules
    from ai_ops.errors import PermanentError

    rules = RepositoryRules(
        code_host=settings.code_host,
        github_base_url=settings.github_base_url,
        gitlab_base_url=settings.gitlab_base_url,
        allowed_repos=settings.allowed_repos,
    )
    try:
        return rules.resolve(repo_url).key, ""
    except PermanentError as refused:
        return "", f"{refused.message} {refused.next_step}"


def _read(
    paths: Sequence[str], forecast: Forecast, settings: Settings, since: datetime | None
) -> list[ReadLog]:
    from ai_ops.agent.kinds import Kinds
    from ai_ops.agent.replay import read_log
    from ai_ops.monitoring.detect import Detector, LogFilter
    from ai_ops.wiring.masking import redactor

    kinds = Kinds(redactor(settings))
    detector = Detector(settings.keywords, LogFilter(settings.log_filter))
    with _display(paths) as progress:
        return [
            read_log(
                path,
                forecast,
                kinds,
                detector,
                since=since,
                ignore=_ignored(path, settings),
                progress=progress or (lambda _: None),
            )
            for path in paths
        ]


def _ignored(path: str, settings: Settings) -> list[bytes]:
    """Return what the source that a log, or the log that it was rotated from, belongs to passes over."""
    from ai_ops.monitoring.matching import source_of

    sources = [source for source in settings.source if source.kind == "file"]
    patterns = [os.path.abspath(source.path) for source in sources]  # noqa: PTH100 - may be a glob
    whole = os.path.abspath(path)  # noqa: PTH100 - links stay, as the agent follows them
    for name in (whole, _ROTATED.sub("", whole)):
        found = source_of(name, patterns)
        if found is not None:
            return [word.encode() for word in sources[found].ignore]
    return []


def _display(paths: Sequence[str]) -> Any:
    """Return a context that yields what shows the progress on a terminal, or None."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    return _Bar(console, sum(Path(path).stat().st_size for path in paths))


class _Bar:
    """A progress bar on stderr that goes when all is read."""

    def __init__(self, console: Any, total: int) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("reading logs"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Progress:
        self._progress.start()
        return lambda read: self._progress.advance(self._task, read)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _as_json(
    read: Sequence[ReadLog],
    groups: Sequence[Group],
    prediction: Prediction,
    refusal: str,
    since: datetime | None,
) -> dict[str, Any]:
    return {
        "logs": [
            {"path": log.path, "bytes": log.bytes, "errors": log.errors, "problem": log.problem or None}
            for log in read
        ],
        "since": since.isoformat() if since else None,
        "refused": refusal or None,
        "groups": [
            {
                "fingerprint": group.fingerprint,
                "title": group.title,
                "count": group.count,
                "first_seen": group.first_seen.isoformat(),
                "last_seen": group.last_seen.isoformat(),
                "level": group.level,
                "language": group.error.language,
                "exception_type": group.error.exception_type,
                "message": group.error.message,
                "paths": sorted(group.paths),
                "task": group.triage.repair and not refusal,
                "triage": group.triage.triage_class,
                "reason": group.triage.reason,
            }
            for group in groups
        ],
        "prediction": {
            "pull_requests_at_most": prediction.tasks,
            "open_at_once": prediction.open_at_once,
            "cost_usd": {
                "expected": round(prediction.expected_usd, 2),
                "at_most": round(prediction.most_usd, 2),
            },
            "days_by_budget": prediction.days,
        },
    }


def _print(read: Sequence[ReadLog], groups: Sequence[Group], prediction: Prediction, refusal: str) -> None:
    for log in read:
        if log.problem:
            note(f"{log.path} {log.problem}")
    errors, size = sum(log.errors for log in read), sum(log.bytes for log in read)
    line(
        f"{counted(len(read), 'log')}, {size / 1e6:,.1f} MB, {counted(errors, 'error')}, "
        f"{counted(len(groups), 'group')}"
    )
    if groups:
        line()
        rows = [
            {
                "count": group.count,
                "seen": f"{group.first_seen:%Y-%m-%d %H:%M} – {group.last_seen:%m-%d %H:%M}",
                "what": group.title,
                "task": "yes" if group.triage.repair and not refusal else "no",
                "why": group.triage.reason,
            }
            for group in groups
        ]
        columns = [
            ("count", "COUNT"),
            ("task", "TASK"),
            ("what", "ERROR"),
            ("seen", "SEEN (UTC)"),
            ("why", "WHY"),
        ]
        table(rows, columns)
    line()
    if refusal:
        line(f"The repository would be refused, so nothing would be repaired: {refusal}")
        return
    line(_words(prediction))


def _words(prediction: Prediction) -> str:
    if not prediction.tasks:
        return "Nothing here would be repaired, so it would cost nothing."
    waits = prediction.tasks - prediction.open_at_once
    later = f", {prediction.open_at_once} of them open at one time" if waits else ""
    return (
        f"{counted(prediction.tasks, 'repair')}, at most as many pull requests{later}. "
        f"Expected cost {prediction.expected_usd:,.2f} USD at list prices when each goes well at once; "
        f"the budgets allow {prediction.most_usd:,.2f} USD, over {counted(prediction.days, 'day')}."
    )
