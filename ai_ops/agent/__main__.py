"""``python -m ai_ops.agent``, also reached as ``ai-ops agent``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

from ai_ops import __version__, config_places
from ai_ops.agent.agent import Agent
from ai_ops.agent.delivery import HttpDelivery
from ai_ops.agent.memory import return_large_blocks
from ai_ops.agent.option_values import CODE_HOSTS, STREAM_KINDS
from ai_ops.agent.options import load
from ai_ops.core.wording import one_line, sentences
from ai_ops.errors import AiOpsError
from ai_ops.monitoring.detect import LogFilter

_FROM_START = (
    "read files that are there at the start from their beginning, not from their end; a file that was read "
    "before goes on where it was left, with or without this"
)
_RESEND_REJECTED = (
    "first put the events that the server rejected back into the spool, with the repository that the "
    "settings name now"
)


class _Flags(argparse.ArgumentParser):
    """Says which flag a misspelt one may be."""

    def error(self, message: str) -> NoReturn:
        words = message.removeprefix("unrecognized arguments: ").split(" ") if "unrec" in message else []
        known = [option for action in self._actions for option in action.option_strings]
        for word in words:
            if near := get_close_matches(word.partition("=")[0], known, n=1):
                message += f" ({word.partition('=')[0]}: did you mean {near[0]}?)"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Return the command's flags; each overrides the environment, ``.env`` and ``ai-ops.toml``."""
    flags = _Flags(
        prog="ai-ops agent",
        description="Follow logs and ship their errors to an AI-Ops server.",
        argument_default=None,
    )
    add = flags.add_argument
    add(
        "--log-path",
        action="append",
        metavar="PATH",
        help="file or glob to follow, - for standard input; repeats",
    )
    add("--stdin", action="store_true", help="read standard input to its end; the same as --source stdin")
    add("--source", action="append", choices=STREAM_KINDS, help="read something else than files; repeats")
    add("--unit", action="append", metavar="NAME", help="with --source journald: this systemd unit; repeats")
    add(
        "--container",
        action="append",
        metavar="GLOB",
        help="with --source docker: name or label:key=value; repeats",
    )
    add("--repo-url", metavar="URL", help="repository that the errors belong to")
    add("--code-host", choices=CODE_HOSTS, help="where that repository lives")
    add(
        "--server-url",
        metavar="URL",
        help="the AI-Ops server (default: HTTP_HOST and HTTP_PORT, http://127.0.0.1:8080)",
    )
    add("--service", metavar="NAME", help="name of the app")
    add("--environment", metavar="NAME", help="production, staging, …")
    add("--release", metavar="COMMIT", help="the deployed commit")
    add("--keywords", metavar="WORDS", help="words that mark an error, with commas between them")
    add("--filter", choices=[str(value) for value in LogFilter], help="how readily a line is an error")
    add("--data-dir", metavar="FOLDER", help="where the spool lives (default data)")
    add("--from-start", action="store_true", help=_FROM_START)
    add("--once", action="store_true", help="read to the end, ship, and exit")
    add("--resend-rejected", action="store_true", help=_RESEND_REJECTED)
    add("--version", action="version", version=f"ai-ops {__version__}")
    add("-v", "--verbose", action="store_true", help="say more")
    return flags


_OPEN_FILES = 4096
_LONGEST_MESSAGE = 16_384

_KEYS = {
    "LOG_FILE_PATH": "log_path",
    "LOG_SOURCE": "source",
    "JOURNALD_UNITS": "unit",
    "DOCKER_CONTAINERS": "container",
    "AGENT_REPO_URL": "repo_url",
    "CODE_HOST": "code_host",
    "AGENT_SERVER_URL": "server_url",
    "SERVICE_NAME": "service",
    "ENVIRONMENT": "environment",
    "RELEASE": "release",
    "KEYWORDS": "keywords",
    "LOG_FILTER": "filter",
    "DATA_DIR": "data_dir",
    "FROM_START": "from_start",
    "ONCE": "once",
    "RESEND_REJECTED": "resend_rejected",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent until it is told to stop; return 0, 1 when it failed, 2 when an option is wrong."""
    given = _parsed(arguments)
    _log_to_stderr(logging.DEBUG if given.verbose else logging.INFO)
    if given.stdin:
        given.source = [*(given.source or ()), "stdin"]
    _allow_many_files()
    return_large_blocks()
    try:
        options = load({key: getattr(given, name) for key, name in _KEYS.items()})
    except AiOpsError as error:
        return _complain(error, 2)
    if idle := config_places.idle(Path.cwd()):
        logging.getLogger(__name__).warning("settings without effect: %s", " ".join(map(str, idle)))
    stop = threading.Event()
    delivery = HttpDelivery(options.server_url, options.api_key)
    try:
        agent = Agent(options, delivery)

        def end() -> None:
            stop.set()
            agent.wake()

        _on_signal(end)
        if options.resend_rejected:
            agent.resend_rejected()
        before = agent.stats()
        stats = agent.run(stop)
    except AiOpsError as error:
        return _complain(error, 1)
    finally:
        delivery.close()
    left = stats.waiting or stats.rejected > before.rejected
    return 1 if options.once and left else 0


def _on_signal(end: Callable[[], None]) -> None:
    """Call ``end`` at each SIGTERM and SIGINT, from a thread of its own.

    Python runs a handler in the main thread, in the middle of whatever that does. While it clears an event or
    begins to wait for it, it holds the event's lock, and a handler that set the event would wait for ever.
    """
    told: SimpleQueue[int] = SimpleQueue()  # unlike Queue and Event, it may be interrupted by its own put

    def listen() -> None:
        while True:
            told.get()
            end()

    def tell(number: int, _: object) -> None:
        told.put(number)

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the flags say, or leave with the reason why they say nothing."""
    flags = parser()
    given, surplus = flags.parse_known_args(arguments)
    if surplus:
        words = f"unrecognized arguments: {' '.join(surplus)}"
        if given.log_path and not any(word.startswith("-") for word in surplus):
            words += "\nDid the shell expand a glob? Put it in quotes: --log-path '/var/log/app/*.log'"
        flags.error(words)
    return given


class _OneLine(logging.Formatter):
    """A message is one line, whatever the names of files in it would do to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record), _LONGEST_MESSAGE)


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    # Hints may fail, and polling goes on: none of that is an error of ours.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)


def _allow_many_files() -> None:
    """Raise the soft limit of open files: each followed file is one, and the usual 1,024 are too few."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _complain(error: AiOpsError, code: int) -> int:
    logging.getLogger(__name__).error("%s", sentences(error.message, error.next_step))
    return code


if __name__ == "__main__":
    sys.exit(main())
