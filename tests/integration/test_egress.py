"""The way to the web of a heavy task: over real sockets, and through the real CLI in the real sandbox."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ai_ops.core.egress import EgressRules
from ai_ops.core.task_commands import powers
from ai_ops.flow.task import TaskType
from ai_ops.integrations.egress import EgressProxy
from ai_ops.workspace.sandbox import OffSandbox
from tests.support.claude_calls import Call, fix_request, use

PRIVATE = "evil.example.org"


class Site:
    """A web server on loopback; ``seen`` are the requests that came."""

    def __init__(self):
        self.seen, self.port = [], 0

    async def answer(self, request):
        self.seen.append((request.method, request.path_qs, dict(request.headers), await request.text()))
        return web.Response(text=f"page for {request.headers['Host']}")


@asynccontextmanager
async def a_site():
    site, app = Site(), web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        await runner.cleanup()


class Names:
    """Looks names up: ``where`` says to what; what is asked is noted."""

    def __init__(self, **where):
        self.where, self.asked = where, []

    async def __call__(self, host, port):
        self.asked.append(host)
        found = self.where.get(host.replace(".", "_"), host)
        if found is None:
            raise OSError("no such name")
        return [found] if isinstance(found, str) else found


@asynccontextmanager
async def a_proxy(tmp_path, rules, names):
    refused = []

    async def tell(refusal):
        refused.append((refusal.host, refusal.port, refusal.reason))

    path = tmp_path / "e.sock"
    async with EgressProxy(EgressRules.of(rules), names).open(path, tell):
        yield path, refused
    assert not path.exists()


async def said(path, raw):
    """Send bytes and return all that comes back."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(raw)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def get(url, *headers):
    return "\r\n".join([f"GET {url} HTTP/1.1", *headers, "", ""]).encode()


async def test_a_plain_request_is_sent_on_for_the_host_that_was_judged(tmp_path):
    async with a_site() as site, a_proxy(tmp_path, [f"127.0.0.1:{site.port}"], Names()) as (path, refused):
        url = f"http://127.0.0.1:{site.port}/a?b=1"
        answer = await said(path, get(url, "Host: other.test", "Proxy-Authorization: secret", "X-Kept: 1"))
    assert answer.startswith(b"HTTP/1.1 200")
    ((method, target, headers, _),) = site.seen
    assert (method, target, headers["Host"]) == ("GET", "/a?b=1", f"127.0.0.1:{site.port}")
    assert "Proxy-Authorization" not in headers
    assert headers["X-Kept"] == "1"
    assert refused == []


async def test_a_body_is_sent_whole_and_what_follows_it_is_not(tmp_path):
    async with a_site() as site, a_proxy(tmp_path, [f"127.0.0.1:{site.port}"], Names()) as (path, _):
        url = f"http://127.0.0.1:{site.port}/a"
        raw = f"POST {url} HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".encode()
        await said(path, raw + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [(method, target, body) for method, target, _, body in site.seen] == [("POST", "/a", "hello")]


async def test_a_tunnel_carries_bytes_both_ways(tmp_path):
    async with a_site() as site, a_proxy(tmp_path, [f"127.0.0.1:{site.port}"], Names()) as (path, _):
        place = f"127.0.0.1:{site.port}"
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(f"GET /t HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n".encode())
        assert b"page for" in await reader.read()
        writer.close()
    assert [target for _, target, _, _ in site.seen] == ["/t"]


async def test_a_name_is_looked_up_once_and_reached_at_that_very_address(tmp_path):
    names = Names(good_example_org=["93.184.216.34", "10.0.0.1"])
    async with a_proxy(tmp_path, ["*.example.org"], names) as (path, refused):
        answer = await said(path, b"CONNECT good.example.org:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403")
    assert names.asked == ["good.example.org"]
    assert refused == [("good.example.org", 443, "the name leads into a private network")]


@pytest.mark.parametrize(
    ("raw", "status", "told"),
    [
        (b"CONNECT other.test:443 HTTP/1.1\r\n\r\n", b"403", True),
        (b"CONNECT packages.example:22 HTTP/1.1\r\n\r\n", b"403", True),
        (b"CONNECT evil.example.org:443 HTTP/1.1\r\n\r\n", b"403", True),
        (b"CONNECT gone.example.org:443 HTTP/1.1\r\n\r\n", b"403", True),
        (b"CONNECT 127.1:443 HTTP/1.1\r\n\r\n", b"403", True),
        (b"CONNECT packages.example:x HTTP/1.1\r\n\r\n", b"400", False),
        (get("http://other.test/"), b"403", True),
        (get("/etc/passwd"), b"400", False),
        (get("https://packages.example/"), b"400", False),
        (get("http://packages.example@other.test/"), b"400", False),
        (get("http://packages.example/", "Content-Length: 1", "Content-Length: 2"), b"411", False),
        (get("http://packages.example/", "Transfer-Encoding: chunked"), b"411", False),
        (get("http://packages.example/", "Content-Length: -1"), b"400", False),
        (get("http://packages.example/", "X-Y : z"), b"400", False),
        (get("http://packages.example/", "A: b\nHost: c"), b"400", False),
        (b"nonsense\r\n\r\n", b"400", False),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_what_may_not_pass_is_refused_and_told(tmp_path, raw, status, told):
    names = Names(evil_example_org="10.1.2.3", gone_example_org=None)
    async with a_proxy(tmp_path, ["packages.example", "*.example.org"], names) as (path, refused):
        answer = await said(path, raw)
    assert answer.split()[1] == status
    assert bool(refused) is told
    assert b"AI-Ops: " in answer


async def test_a_head_without_an_end_reaches_nothing(tmp_path):
    names = Names()
    async with a_proxy(tmp_path, ["packages.example"], names) as (path, _):
        assert await said(path, b"GET http://packages.example/" + b"a" * 200_000) == b""
    assert names.asked == []


# --- through the CLI ---

CURL = "curl -sS --max-time 20"


async def test_a_heavy_task_reaches_what_is_allowed_and_names_what_was_refused(tmp_path):
    checkout = tmp_path / "c"
    checkout.mkdir()
    may = powers(TaskType.HEAVY_CONTEXT)
    async with a_site() as site:
        names = Names(good_test="127.0.0.1", evil_example_org="10.1.2.3")
        place = f"127.0.0.1:{site.port}"
        egress = EgressProxy(EgressRules.of([place, "*.example.org"]), names)
        fetch = f"NO_PROXY= no_proxy= {CURL} http://{place}/x > page.txt"
        call = Call(
            use("Bash", command=f"{fetch}; {CURL} https://{PRIVATE}/; {CURL} http://other.test/; true"),
            use("Bash", command=f"{CURL} --noproxy '*' http://{place}/direct; true"),
            use("WebFetch", url="https://docs.test/page", prompt="what is there?"),
            {"text": "done"},
            egress=egress,
        )
        request = fix_request(checkout, tools=may.tools, rules=may.rules, egress=True)
        answer = await call.ask(request)
    assert (checkout / "page.txt").read_text() == f"page for {place}"
    assert [target for _, target, _, _ in site.seen] == ["/x"]
    assert answer.refused == (
        "evil.example.org:443 was not reached: the name leads into a private network",
        "other.test:80 was not reached: it is not in EGRESS_ALLOW",
        "docs.test:443 was not reached: it is not in EGRESS_ALLOW",
    )
    assert [data["message"] for kind, data in call.seen if kind == "error"] == list(answer.refused)


@pytest.mark.parametrize("egress", [True, False], ids=["asked for", "not asked for"])
async def test_without_a_proxy_or_a_request_for_one_there_is_no_way_out(tmp_path, egress):
    checkout = tmp_path / "c"
    checkout.mkdir()
    async with a_site() as site:
        proxy = None if egress else EgressProxy(EgressRules.of([f"127.0.0.1:{site.port}"]), Names())
        command = f"env | grep -i _proxy > proxies.txt; {CURL} http://127.0.0.1:{site.port}/; true"
        call = Call(use("Bash", command=command), {"text": "done"}, egress=proxy)
        await call.ask(fix_request(checkout, tools=("Bash",), rules=("Bash",), egress=egress))
    assert site.seen == []
    assert (checkout / "proxies.txt").read_text() == ""


async def test_the_way_out_is_there_without_a_sandbox_too(tmp_path):
    checkout = tmp_path / "c"
    checkout.mkdir()
    async with a_site() as site:
        place = f"127.0.0.1:{site.port}"
        egress = EgressProxy(EgressRules.of([place]), Names())
        command = f"NO_PROXY= no_proxy= {CURL} http://{place}/x > page.txt"
        call = Call(use("Bash", command=command), {"text": "done"}, egress=egress, sandbox=OffSandbox())
        await call.ask(fix_request(checkout, tools=("Bash",), rules=("Bash",), egress=True))
        assert call.processes() == []
    assert (checkout / "page.txt").read_text() == f"page for {place}"


# --- what the types may do ---


@pytest.mark.parametrize(
    ("kind", "command", "done"),
    [
        (TaskType.MEDIUM_CONTEXT, "git log -1", True),
        (TaskType.MEDIUM_CONTEXT, "python3 -c pass", False),
        (TaskType.MEDIUM_CONTEXT, "git commit --allow-empty -m x", False),
        (TaskType.MEDIUM_CONTEXT, "git log -1; curl http://x", False),
        (TaskType.HEAVY_CONTEXT, "python3 --version || true", True),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_the_shell_does_what_the_type_allows(tmp_path, kind, command, done):
    checkout = tmp_path / "c"
    checkout.mkdir()
    may = powers(kind)
    call = Call(use("Bash", command=command), {"text": "done"})
    await call.ask(fix_request(checkout, tools=may.tools, rules=may.rules))
    (result,) = [data for kind, data in call.seen if kind == "tool_result"]
    assert ("Permission" in str(result["content"])) is not done, result


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("X: a\rHost: other.test", id="a lone CR"),
        pytest.param("X: a\0b", id="a NUL"),
        pytest.param(
            "Content-Length: 4\r\nTransfer-Encoding:\r\nTransfer-Encoding: chunked", id="chunked behind"
        ),
    ],
)
async def test_a_head_that_two_readers_could_read_in_two_ways_is_not_sent_on(tmp_path, header):
    async with a_site() as site, a_proxy(tmp_path, [f"127.0.0.1:{site.port}"], Names()) as (path, _):
        answer = await said(path, get(f"http://127.0.0.1:{site.port}/", header) + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 4")
    assert site.seen == []


async def test_a_long_answer_through_a_tunnel_is_not_cut_because_its_reader_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr("ai_ops.integrations.egress._IDLE_SECONDS", 0.5)

    async def drip(_, writer):
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.1)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, a_proxy(tmp_path, [place], Names()) as (path, _):
        answer = await said(path, f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
    assert answer.endswith(b"\r\n\r\n" + b"x" * 10)


async def test_a_tunnel_in_which_both_are_silent_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("ai_ops.integrations.egress._IDLE_SECONDS", 0.2)
    ended = asyncio.Event()

    async def wait(reader, writer):
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, a_proxy(tmp_path, [place], Names()) as (path, _):
        await said(path, f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
        async with asyncio.timeout(10):
            await ended.wait()
