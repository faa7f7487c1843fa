"""Provokes failures of the catalogue with the real thing: sockets, git, SMTP, SQLite, locks, signals, disks.

``PROVOKED`` has a function for each code; it is given an empty folder, and raises that failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from aiosmtpd.smtp import SMTP
from sqlalchemy import text

from ai_ops.agent.delivery import HttpDelivery
from ai_ops.agent.replay import find_logs
from ai_ops.agent.shipper import Shipper
from ai_ops.agent.spool import Spool, Waiting
from ai_ops.cli.logs import LogFile, configure
from ai_ops.core.failures import failed
from ai_ops.core.model_failures import CliEnd, CliFacts, classify
from ai_ops.core.orchestrator.repair import publish_approved
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.verify import base_report
from ai_ops.core.ports.sandbox import SandboxSpec
from ai_ops.core.redaction import Redactor
from ai_ops.engine.data_lock import DataLock
from ai_ops.engine.dbos_adapter import _aside
from ai_ops.errors import AiOpsError
from ai_ops.flow.issue import Issue, IssueState, TriageClass, TriageDecision
from ai_ops.flow.report import RunEnd
from ai_ops.flow.repository import Repository
from ai_ops.flow.schedule import Schedule
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.integrations.webhooks import Endpoint, WebhookNotifier
from ai_ops.monitoring.sources.elk import _hits
from ai_ops.process import run
from ai_ops.setting_tables import WebhookTable
from ai_ops.settings import Settings
from ai_ops.store.backup import Places, back_up
from ai_ops.store.database import open_database
from ai_ops.store.restore import restore
from ai_ops.store.schedules import MOST, ScheduleRepository
from ai_ops.store.secrets import key_file
from ai_ops.vcs.environment import GitRunner, Place
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github_failures import GITHUB
from ai_ops.vcs.host_failures import from_status, unreachable
from ai_ops.wiring.overseeing import backup_places
from ai_ops.wiring.serving import serving
from ai_ops.wiring.telling import endpoints
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox
from ai_ops.workspace.task_folders import TaskFolders
from ai_ops.workspace.toolbox import _runtime
from tests.support.git_server import GitServer, create_repository
from tests.support.mail_server import write_certificate
from tests.support.store import START, FixedClock, event

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NOWHERE = "http://no-such-name.invalid/hook"

Provoke = Callable[[Path], Awaitable[Any]]


# --- other machines ----------------------------------------------------------------------------------


def _webhook(url: str, *, private: bool = True) -> Awaitable[str]:
    clock = SimpleNamespace(now=lambda: NOW)
    notifier = WebhookNotifier({"ops": Endpoint(url, b"k" * 32, private)}, clock)  # type: ignore[arg-type]
    notification = MailRenderer().render("k", _report(), ("a@example.com",), NOW)
    return notifier.deliver(replace(notification, recipient="webhook:ops"))


def _report() -> Any:
    from tests.integration.test_mail import REPORT

    return REPORT


@contextlib.contextmanager
def _answering(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> Iterator[str]:
    """A real HTTP server that answers all alike; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_CONNECT = do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


async def _no_address(_: Path) -> None:
    await _webhook(NOWHERE)


async def _refusing_proxy(_: Path) -> None:
    def ask() -> None:
        with _answering(407) as proxy:
            try:
                requests.get("https://api.example.com/user", proxies={"https": proxy}, timeout=10)
            except requests.RequestException as error:
                raise unreachable(GITHUB, error) from error

    await asyncio.to_thread(ask)


async def _expired_certificate(folder: Path) -> None:
    certificate, key = folder / "c.pem", folder / "k.pem"
    write_certificate(certificate, key, until=timedelta(days=-1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        await _mail(server.sockets[0].getsockname()[1], tls="tls", ca_file=certificate)


async def _deliver(status: int, _: Path, body: bytes = b"{}", kind: str = "application/json") -> None:
    def deliver() -> None:
        with _answering(status, {"Content-Type": kind}, body) as url:
            delivery = HttpDelivery(url)
            try:
                delivery.deliver([b"{}"])
            finally:
                delivery.close()

    await asyncio.to_thread(deliver)


async def _no_server(_: Path) -> None:
    await asyncio.to_thread(HttpDelivery("http://127.0.0.1:9").deliver, [b"{}"])


async def _hook_answers(status: int, _: Path) -> None:
    with _answering(status) as url:
        await _webhook(url)


async def _private_hook(_: Path) -> None:
    await _webhook("http://127.0.0.1:9/hook", private=False)


async def _host_answers(status: int, words: str, _: Path) -> None:
    raise from_status(GITHUB, status, {}, words)


async def _no_host(_: Path) -> None:
    def ask() -> None:
        try:
            requests.get("http://127.0.0.1:9/user", timeout=10)
        except requests.RequestException as error:
            raise unreachable(GITHUB, error) from error

    await asyncio.to_thread(ask)


# --- mail --------------------------------------------------------------------------------------------


def _mail(port: int, **more: Any) -> Awaitable[str]:
    options = SmtpOptions("127.0.0.1", port, "ai-ops@example.com", **({"tls": "none"} | more))
    return SmtpNotifier(options).deliver(MailRenderer().render("k", _report(), ("a@example.com",), NOW))


async def _mail_answered(answer: str, _: Path) -> None:
    class Handler:
        async def handle_DATA(self, *_: Any) -> str:
            return answer

    async with _smtp(Handler()) as port:
        await _mail(port)


async def _wrong_password(_: Path) -> None:
    def refuses(*_: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        return AuthResult(success=False, handled=False)

    async with _smtp(object(), authenticator=refuses, auth_require_tls=False) as port:
        await _mail(port, user="me", password="wrong")


@contextlib.asynccontextmanager
async def _smtp(handler: Any, **options: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="127.0.0.1", **options), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _no_mail_server(_: Path) -> None:
    await _mail(9)


# --- git ---------------------------------------------------------------------------------------------


async def _git(folder: Path, *, missing: str = "", timeout: float = 60.0, **faults: Any) -> None:
    server = GitServer(folder / "remote")
    create_repository(server.root, "acme/shop", {"a.py": "x = 1\n"})
    async with server.running():
        host = server.url.removeprefix("http://")
        for name, value in faults.items():
            setattr(server.faults, name, value)
        path = missing or "acme/shop"
        client = GitClient(folder / "m", lambda _: None, http_hosts=[host], timeout_seconds=timeout)
        await client.refresh(Repository(f"{host}/{path}", f"{server.url}/{path}.git", "github"))


async def _git_without_a_name(folder: Path) -> None:
    runner = GitRunner(folder / "askpass", 20.0)
    (folder / "x.git").mkdir()
    arguments = ["ls-remote", "http://no-such-name.invalid/x.git"]
    await runner.run("look", arguments, Place(folder / "x.git"), protocol="http")


async def _git_in_a_lost_place(folder: Path) -> None:
    await GitRunner(folder / "askpass", 20.0).run("look", ["status"], Place(folder, folder / "gone"))


async def _git_damaged(folder: Path) -> None:
    bare = create_repository(folder, "acme/shop", {"a.py": "x = 1\n"})
    for packed in [*bare.rglob("objects/??/*"), *bare.rglob("*.pack")]:
        packed.chmod(0o600)
        packed.write_bytes(b"damaged")
    await GitRunner(folder / "askpass", 20.0).run("read", ["log", "--all"], Place(bare))


async def _no_git(folder: Path) -> None:
    was = os.environ["PATH"]
    (folder / "x.git").mkdir()
    os.environ["PATH"] = str(folder)
    try:
        await GitRunner(folder / "askpass", 20.0).run("look", ["status"], Place(folder / "x.git"))
    finally:
        os.environ["PATH"] = was


# --- this machine --------------------------------------------------------------------------------------


async def _on_a_small_disk(case: str, options: str, folder: Path) -> None:
    from tests.support.small_disk import fails_on

    code = await asyncio.to_thread(fails_on, case, options, folder / "small")
    raise failed(code)  # met in the child, which alone sees that disk


async def _killed_child(_: Path) -> None:
    words = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = await run([sys.executable, "-c", words], env={})
    failure = classify(CliFacts(return_code=done.exit_code, has_result=False), NOW)
    assert failure is not None
    raise failure


async def _child_out_of_memory(folder: Path) -> None:
    sandbox = BubblewrapSandbox(SandboxLimits(memory_bytes=200 * 2**20))
    script = "python3 -c 'x = bytearray(b\"x\") * 10**9'; sleep 50"
    result = await sandbox.run(SandboxSpec(("sh", "-c", script), (), cwd="/", env={"PATH": "/usr/bin:/bin"}))
    assert result.end is RunEnd.MEMORY_LIMIT
    failure = classify(CliFacts(end=CliEnd.OVER_LIMIT, excess=result.end), NOW)
    assert failure is not None
    raise failure


async def _held_data_folder(folder: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from ai_ops.engine.data_lock import DataLock\n"
        "DataLock(Path(sys.argv[1])).take(); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", holder, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        child.stdout.readline()
        try:
            DataLock(folder).take()
        finally:
            child.stdin.close()


async def _held_spool(folder: Path) -> None:
    holder = Spool(folder, bound=10)
    try:
        Spool(folder, bound=10)
    finally:
        holder.close()


async def _damaged_spool(folder: Path) -> None:
    (folder / "spool.db").write_bytes(b"no database at all" * 100)
    Spool(folder, bound=10)


async def _spool_under_a_file(folder: Path) -> None:
    (folder / "file").write_text("")
    Spool(folder / "file" / "spool", bound=10)


async def _log_under_a_file(folder: Path) -> None:
    (folder / "file").write_text("")
    configure("json", Redactor(()), LogFile(folder / "file" / "x.log", 1000, 2))


async def _readable_key(folder: Path) -> None:
    key_file(folder)
    (folder / "secret.key").chmod(0o644)
    key_file(folder)


async def _folder_elsewhere(folder: Path) -> None:
    TaskFolders([folder]).open("/etc")


async def _no_log(folder: Path) -> None:
    find_logs([str(folder / "*.log")])


async def _dead_shipper(folder: Path) -> None:
    """Show that a fault while shipping is waited out by the thread, which names it."""
    spool = Spool(folder, bound=10)
    shipper = Shipper(spool, SimpleNamespace(deliver=lambda _: 1 / 0))  # type: ignore[arg-type]
    named: list[AiOpsError] = []
    shipper._pause = lambda failure: named.append(failure) or 0.0  # type: ignore[method-assign, func-returns-value]
    spool.oldest = lambda *_: [Waiting(1, "x", 1, b"{}")]  # type: ignore[method-assign]
    shipper.start()
    await asyncio.to_thread(shipper.finish, 10.0)
    spool.close()
    raise named[0]


async def _no_pytest(_: Path) -> None:
    _runtime("a-distribution-that-is-not-there")


async def _no_elasticsearch(_: Path) -> None:
    _hits({"hits": []})


async def _missing_secret_file(folder: Path) -> None:
    table = WebhookTable(name="ops", url="https://h.example/x", secret_file=folder / "none")
    endpoints(SimpleNamespace(webhook=[table]))  # type: ignore[arg-type]


# --- databases -----------------------------------------------------------------------------------------


async def _table_gone(folder: Path) -> None:
    database = await open_database(f"sqlite:///{folder / 'ai_ops.db'}")
    try:
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM gone"))
    finally:
        await database.close()


async def _url_without_sense(_: Path) -> None:
    await open_database("mysql://here/there")


async def _engine_gone(_: Path) -> None:
    from sqlalchemy import create_engine

    async def ask() -> None:
        with create_engine("sqlite:////no/such/folder/engine.db").connect():
            pass

    await _aside(ask())


async def _backed_up(folder: Path) -> Path:
    await (await open_database(f"sqlite:///{folder / 'ai_ops.db'}")).close()
    await asyncio.to_thread(back_up, Places(folder, folder / "ai_ops.db"), folder / "b.tar")
    return folder / "b.tar"


async def _backup_again(folder: Path) -> None:
    await _backed_up(folder)
    back_up(Places(folder, folder / "ai_ops.db"), folder / "b.tar")


async def _backup_of_nothing(folder: Path) -> None:
    back_up(Places(folder, folder / "none.db"), folder / "b.tar")


async def _cut_backup(folder: Path) -> None:
    file = await _backed_up(folder)
    file.write_bytes(file.read_bytes()[:5000])
    restore(Places(folder, folder / "ai_ops.db"), file)


async def _restored_under_a_file(folder: Path) -> None:
    file = await _backed_up(folder)
    (folder / "file").write_text("")
    restore(Places(folder, folder / "file" / "ai_ops.db"), file)


async def _schedules(folder: Path, fill: bool) -> None:
    database = await open_database(f"sqlite:///{folder / 'ai_ops.db'}")
    try:
        schedules = ScheduleRepository(database, FixedClock())
        if not fill:
            await schedules.update("none", enabled=False)
        for number in range(MOST + 1):
            await schedules.create(Schedule(f"s{number}", "look", "@daily", "UTC", {}, START, START))
    finally:
        await database.close()


async def _backup_of_postgres(_: Path) -> None:
    backup_places(Settings(database_url="postgresql://host/name", _env_file=None))  # type: ignore[call-arg]


# --- requests and runs ---------------------------------------------------------------------------------


async def _lost_baseline(_: Path) -> None:
    async def nothing(*_: str) -> None:
        return None

    tools = SimpleNamespace(trace=SimpleNamespace(patch=nothing))
    await base_report(SimpleNamespace(run_id="r", tools=tools))  # type: ignore[arg-type]


async def _lost_candidate(_: Path) -> None:
    triage = TriageDecision(TriageClass.CODE_FAULT, repair=True, reason="")
    where = ("h/x", "https://h/x", "local", "f", "v1")
    it = Issue("i", *where, 1, IssueState.OPEN, "t", "python", "E", "", 1, START, START, triage, event(1))

    async def issue(_: str) -> Issue:
        return it

    async def nothing(*_: str) -> None:
        return None

    tools = SimpleNamespace(
        issues=SimpleNamespace(find=issue), trace=SimpleNamespace(patch=nothing), redact=lambda words: words
    )
    task = SimpleNamespace(issue_id="i", payload={})
    await publish_approved(tools, None, task, "r")  # type: ignore[arg-type]


async def _listening_to_all_without_a_key(folder: Path) -> None:
    settings = Settings(http_host="0.0.0.0", data_dir=folder, _env_file=None)  # type: ignore[call-arg]
    async with serving(settings):
        pass


async def _no_adapter(_: Path) -> None:
    Tools.host_of(SimpleNamespace(hosts={}), Repository("h/x", "https://h/x", "gitlab"))  # type: ignore[arg-type]


PROVOKED: dict[str, Provoke] = {
    "dns_failed": _no_address,
    "proxy_refused": _refusing_proxy,
    "tls_failed": _expired_certificate,
    "server_unreachable": _no_server,
    "server_unauthorized": partial(_deliver, 401),
    "server_forbidden": partial(_deliver, 403),
    "server_busy": partial(_deliver, 429),
    "server_failing": partial(_deliver, 500),
    "server_unexpected": partial(_deliver, 404),
    "batch_too_large": partial(_deliver, 413),
    "batch_refused": partial(_deliver, 422, kind="application/problem+json"),
    "webhook_unavailable": partial(_hook_answers, 500),
    "webhook_refused": partial(_hook_answers, 307),
    "webhook_gone": partial(_hook_answers, 410),
    "webhook_private": _private_hook,
    "host_unavailable": _no_host,
    "host_unauthorized": partial(_host_answers, 401, "Bad credentials"),
    "host_rate_limited": partial(_host_answers, 429, "slow down"),
    "mail_unavailable": _no_mail_server,
    "mail_deferred": partial(_mail_answered, "451 later"),
    "mail_refused": partial(_mail_answered, "552 too large"),
    "mail_auth_failed": _wrong_password,
    "git_unreachable": partial(_git, status=503),
    "git_auth_failed": partial(_git, status=403),
    "git_not_found": partial(_git, missing="acme/none"),
    "git_timeout": partial(_git, bytes_per_second=1, timeout=0.6),
    "git_damaged": _git_damaged,
    "git_missing": _no_git,
    "checkout_missing": _git_in_a_lost_place,
    "disk_full": partial(_on_a_small_disk, "change", "size=64k"),
    "inodes_full": partial(_on_a_small_disk, "change", "size=4m,nr_inodes=8"),
    "workspace_unwritable": partial(_on_a_small_disk, "change", "ro"),
    "storage_unavailable": partial(_on_a_small_disk, "store", "size=64k"),
    "spool_unwritable": _spool_under_a_file,
    "spool_in_use": _held_spool,
    "spool_damaged": _damaged_spool,
    "log_file_unwritable": _log_under_a_file,
    "model_killed": _killed_child,
    "model_over_limits": _child_out_of_memory,
    "data_dir_in_use": _held_data_folder,
    "secret_key_invalid": _readable_key,
    "folder_not_allowed": _folder_elsewhere,
    "log_not_found": _no_log,
    "storage_failed": _table_gone,
    "storage_url_invalid": _url_without_sense,
    "engine_unavailable": _engine_gone,
    "backup_exists": _backup_again,
    "backup_failed": _backup_of_nothing,
    "backup_damaged": _cut_backup,
    "backup_unsupported": _backup_of_postgres,
    "restore_failed": _restored_under_a_file,
    "too_many_schedules": partial(_schedules, fill=True),
    "schedule_not_found": partial(_schedules, fill=False),
    "shipping_failed": _dead_shipper,
    "toolbox_unavailable": _no_pytest,
    "source_unexpected": _no_elasticsearch,
    "configuration_invalid": _missing_secret_file,
    "unsafe_listening": _listening_to_all_without_a_key,
    "candidate_lost": _lost_candidate,
    "baseline_lost": _lost_baseline,
    "code_host_unsupported": _no_adapter,
}
