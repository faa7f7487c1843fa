"""The gateway between a sandboxed CLI and the model, over its real unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ai_ops.core.budgets import Budgets, PlannedCall
from ai_ops.core.clock import SystemClock
from ai_ops.core.ports import Ledger
from ai_ops.errors import TemporaryError
from ai_ops.integrations.claude_account import GatewaySession
from ai_ops.integrations.claude_gateway import ClaudeGateway, Credential, CredentialKind
from ai_ops.store.database import open_database
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.memory import MemoryLedger
from tests.support.messages_double import MessagesDouble, conversation
from tests.support.store import sqlite_url

KEY = "sk-ant-planted-0123456789"
PROMPT = "ai-ops: fix v1 run=r1 round=1 block=NONCE\nplease"
DEAREST_OUTPUT = 75 / 1e6


def body(**changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": PROMPT}]
    return {"model": "claude-opus-5-5", "max_tokens": 100, "messages": messages, "stream": True, **changes}


class Child:
    """What a process at the socket can do."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        session: GatewaySession,
        double: MessagesDouble,
        ledger: Ledger,
    ) -> None:
        self.client, self.session, self.double, self.ledger = client, session, double, ledger

    def post(self, payload: Any, path: str = "/v1/messages?beta=true", **more: Any) -> Any:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"content-type": "application/json", **more.pop("headers", {})}
        return self.client.post(f"http://model.invalid{path}", data=data, headers=headers, **more)

    async def said(self, payload: Any, **more: Any) -> tuple[int, Mapping[str, str], str]:
        async with self.post(payload, **more) as response:
            return response.status, response.headers, await response.text()


def refusal(child: Child) -> str:
    """Return why the gateway itself did not let a call through."""
    return child.session.refused.code if child.session.refused else ""


@contextlib.asynccontextmanager
async def child(
    folder: Path,
    *turns: Mapping[str, Any],
    budget: float = 1.0,
    allowed: tuple[str, ...] = (),
    credential: Credential | None = None,
    url: str = "",
    ledger: Ledger | None = None,
    run: str = "r1",
) -> AsyncIterator[Child]:
    socket = folder / "s"
    credential = credential or Credential(CredentialKind.API_KEY, KEY)
    async with MessagesDouble(conversation("fix", *turns)) as double:
        ledger = ledger or MemoryLedger(SystemClock(), Budgets(0.0, 100.0))
        gateway = ClaudeGateway(url or double.url, credential, ledger)
        async with (
            gateway.open(socket, run, budget, allowed) as session,
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as client,
        ):
            yield Child(client, session, double, ledger)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CredentialKind.API_KEY, {"x-api-key": KEY}),
        (CredentialKind.AUTH_TOKEN, {"authorization": f"Bearer {KEY}"}),
        (
            CredentialKind.OAUTH_TOKEN,
            {"authorization": f"Bearer {KEY}", "anthropic-beta": "b1,oauth-2025-04-20"},
        ),
    ],
)
async def test_the_real_credential_replaces_whatever_the_child_sends(
    tmp_path: Path, kind: CredentialKind, expected: dict[str, str]
) -> None:
    sent = {
        "x-api-key": "childs",
        "authorization": "Bearer childs",
        "proxy-authorization": "Basic childs",
        "cookie": "session=childs",
        "anthropic-beta": "b1",
        "anthropic-version": "2023-06-01",
    }
    async with child(tmp_path, {"text": "hi"}, credential=Credential(kind, KEY)) as it:
        status, _, _ = await it.said(body(), headers=sent)
        headers = it.double.requests[0].headers
    assert status == 200
    assert expected.items() <= headers.items()
    assert headers["anthropic-version"] == "2023-06-01"
    assert "childs" not in str(headers)
    other = {"x-api-key", "authorization"} - expected.keys()
    assert not other & headers.keys()


def test_a_credential_does_not_show_its_secret() -> None:
    assert KEY not in repr(Credential(CredentialKind.API_KEY, KEY))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"api_key": "a", "auth_token": "b", "oauth_token": "c"}, CredentialKind.AUTH_TOKEN),
        ({"api_key": "a", "oauth_token": "c"}, CredentialKind.API_KEY),
        ({"oauth_token": "c", "api_key": " "}, CredentialKind.OAUTH_TOKEN),
        ({}, None),
    ],
    ids=["all", "key and oauth", "oauth", "none"],
)
def test_of_several_credentials_one_counts(given: dict[str, str], kind: CredentialKind | None) -> None:
    chosen = Credential.choose(**given)
    assert (chosen.kind if chosen else None) is kind


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("POST", "/v1/complete"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/messages/../files"),
        ("POST", "/v1/files"),
        ("GET", "/api/claude_code/policy_limits"),
        ("DELETE", "/v1/messages"),
        ("POST", "/v1//messages"),
    ],
)
async def test_nothing_but_model_calls_passes(tmp_path: Path, method: str, path: str) -> None:
    async with child(tmp_path, {"text": "hi"}) as it:
        async with it.client.request(method, f"http://model.invalid{path}", json=body()) as response:
            assert response.status == 403
            assert (await response.json())["error"]["type"] == "permission_error"
        assert it.double.requests == []


async def test_tokens_are_counted_without_being_paid_for(tmp_path: Path) -> None:
    async with child(tmp_path, {"text": "hi"}, budget=0.0) as it:
        status, _, text = await it.said(body(), path="/v1/messages/count_tokens")
        assert (status, it.session.usage.cost_usd, it.session.refused) == (200, 0.0, None)
        assert json.loads(text)["input_tokens"] > 0


async def test_a_stream_passes_before_it_ends(tmp_path: Path) -> None:
    async with child(tmp_path, {"hang": True}) as it, it.post(body()) as response:
        first = await asyncio.wait_for(response.content.readline(), 5)
    assert first == b"event: message_start\n"


@pytest.mark.parametrize("stream", [True, False])
async def test_usage_is_what_the_api_counted(tmp_path: Path, stream: bool) -> None:
    counted = {
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 5000,
    }
    async with child(tmp_path, {"text": "hi", "usage": counted}) as it:
        await it.said(body(stream=stream))
        usage = it.session.usage
    assert (usage.input_tokens, usage.output_tokens) == (6200, 100)
    assert usage.cost_usd == pytest.approx((1000 * 4 + 100 * 20 + 200 * 5 + 5000 * 0.2) / 1e6)


async def test_an_unknown_model_costs_as_the_dearest(tmp_path: Path) -> None:
    counted = {"input_tokens": 0, "output_tokens": 100}
    async with child(tmp_path, {"text": "hi", "usage": counted}) as it:
        await it.said(body(model="claude-next"))
        assert it.session.usage.cost_usd == pytest.approx(100 * DEAREST_OUTPUT)


async def test_a_call_beyond_the_budget_is_refused_before_it_is_made(tmp_path: Path) -> None:
    async with child(tmp_path, {"text": "hi"}, budget=0.0001) as it:
        status, headers, text = await it.said(body())
        assert (status, headers["x-should-retry"], json.loads(text)["type"]) == (400, "false", "error")
        assert refusal(it) == "budget_spent"
        assert it.double.requests == []


# --- the ledger ---


@pytest.fixture
async def durable(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[LedgerRepository]]]:
    """Return what opens this test's ledger, once more each time, as another process would."""
    async with contextlib.AsyncExitStack() as stack:

        async def opened(hour_usd: float = 0.0, day_usd: float = 100.0) -> LedgerRepository:
            database = await open_database(sqlite_url(tmp_path))
            stack.push_async_callback(database.close)
            return LedgerRepository(database, SystemClock(), Budgets(hour_usd, day_usd))

        yield opened


async def test_a_call_is_set_aside_before_it_is_sent_and_settled_by_what_the_api_counted(
    tmp_path: Path,
    durable: Any,
) -> None:
    ledger = await durable()
    counted = {"input_tokens": 1000, "output_tokens": 50}
    async with child(
        tmp_path, {"hang": True, "times": 1, "text": "hi", "usage": counted}, ledger=ledger
    ) as it:
        async with it.post(body()) as response:
            await response.content.readline()
            known = await (await durable()).spent("r1")  # as another process sees it
            assert known.run == known.hour_at_work > 100 * 20 / 1e6
        await it.said(body())
    spent = await ledger.spent("r1")
    assert spent.hour_at_work == 0
    assert spent.run == pytest.approx(it.session.usage.cost_usd)


async def test_children_at_the_same_time_never_spend_more_than_the_day_has(
    tmp_path: Path, durable: Any
) -> None:
    ledger = await durable(day_usd=0.05)
    counted = {"input_tokens": 10, "output_tokens": 900}  # 0.018 USD each
    async with contextlib.AsyncExitStack() as stack:
        children = []
        for number in range(8):
            folder = tmp_path / str(number)
            folder.mkdir()
            one = child(folder, {"text": "hi", "usage": counted}, ledger=ledger, run=f"r{number}")
            children.append(await stack.enter_async_context(one))
        statuses = [
            status for status, *_ in await asyncio.gather(*(it.said(body(max_tokens=900)) for it in children))
        ]
    assert sorted(statuses) == [200] * 2 + [400] * 6
    assert sum(len(it.double.requests) for it in children) == 2
    assert {refusal(it) for it in children} == {"", "daily_budget_spent"}
    assert (await ledger.spent("r0")).day == pytest.approx(2 * 0.01804)


async def test_a_spent_hour_is_named_with_the_time_that_is_left(tmp_path: Path) -> None:
    async with child(tmp_path, {"text": "hi"}, ledger=MemoryLedger(SystemClock(), Budgets(1.0, 100.0))) as it:
        spent = await it.ledger.reserve(PlannedCall("another", 9.0, "m", 1.0, 1.0))
        await it.ledger.settle(spent.number, 1.0)
        status, headers, text = await it.said(body())
        assert (status, headers["x-should-retry"], it.double.requests) == (400, "false", [])
        assert "hourly_budget_spent" in json.loads(text)["error"]["message"]
        assert isinstance(it.session.refused, TemporaryError)
        assert 0 < (it.session.refused.delay or 0) <= 3600


async def test_a_run_is_judged_over_the_calls_of_all_its_children(tmp_path: Path, durable: Any) -> None:
    ledger = await durable()
    counted = {"input_tokens": 10, "output_tokens": 900}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        child(tmp_path / "a", {"text": "hi", "usage": counted}, budget=0.03, ledger=ledger) as first,
        child(tmp_path / "b", {"text": "hi", "usage": counted}, budget=0.03, ledger=ledger) as second,
    ):
        assert (await first.said(body(max_tokens=900)))[0] == 200
        assert (await second.said(body(max_tokens=900)))[0] == 400
        assert refusal(second) == "budget_spent"


async def test_a_call_that_cannot_be_written_down_is_not_made(tmp_path: Path, durable: Any) -> None:
    ledger = await durable()
    async with child(tmp_path, {"text": "hi"}, ledger=ledger) as it:
        with contextlib.closing(sqlite3.connect(tmp_path / "data/ai_ops.db")) as broken:
            broken.execute("DROP TABLE model_calls")
        status, headers, _ = await it.said(body())
        assert (status, headers["x-should-retry"], it.double.requests) == (400, "false", [])
        assert refusal(it) == "storage_failed"


async def test_a_cost_that_cannot_be_settled_goes_on_counting_as_set_aside(
    tmp_path: Path, durable: Any, caplog: Any
) -> None:
    ledger = await durable()

    async def fails(number: int, usd: float) -> None:
        raise TemporaryError("storage_unavailable", "locked")

    ledger.settle = fails  # type: ignore[method-assign]
    async with child(tmp_path, {"text": "hi"}, ledger=ledger) as it:
        assert (await it.said(body()))[0] == 200
    assert "storage_unavailable" in caplog.text
    assert (await ledger.spent("r1")).run > it.session.usage.cost_usd


HELPER = """
import asyncio, sys
from pathlib import Path
import aiohttp
from ai_ops.core.budgets import Budgets, PlannedCall
from ai_ops.core.clock import SystemClock
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.store.database import open_database
from ai_ops.store.ledger import LedgerRepository

async def main(url, database, socket, body):
    ledger = LedgerRepository(await open_database(database), SystemClock(), Budgets(0.0, 1.0))
    async with ClaudeGateway(url, None, ledger).open(Path(socket), "r1", 1.0):
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as client:
            async with client.post("http://model.invalid/v1/messages", data=body) as response:
                await response.read()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_call_whose_end_a_kill_hid_counts_with_what_was_set_aside(
    tmp_path: Path, durable: Any
) -> None:
    async with MessagesDouble(conversation("fix", {"hang": True})) as double:
        words = [double.url, sqlite_url(tmp_path), str(tmp_path / "s"), json.dumps(body(max_tokens=20_000))]
        server = await asyncio.create_subprocess_exec(sys.executable, "-c", HELPER, *words, env=os.environ)
        while not double.requests:
            await asyncio.sleep(0.02)
        server.kill()
        await server.wait()
    ledger = await durable(day_usd=1.0)
    assert 20_000 * 20 / 1e6 < (await ledger.spent("r1")).day < 0.41
    (tmp_path / "s").unlink()
    async with child(tmp_path, {"text": "hi"}, ledger=ledger, run="r2") as it:
        await it.said(body(max_tokens=64_000))
        assert it.double.requests[0].body["max_tokens"] < 30_000  # 0.6 of the day's USD are left


async def test_output_is_lowered_to_what_the_budget_covers(tmp_path: Path) -> None:
    async with child(tmp_path, {"text": "hi"}, budget=0.1) as it:
        await it.said(body(max_tokens=128_000))
        sent = it.double.requests[0].body["max_tokens"]
        assert 4000 < sent < 5000
        assert it.session.refused is None


async def test_calls_at_the_same_time_share_the_budget(tmp_path: Path) -> None:
    async with child(tmp_path, {"hang": True}, budget=0.03) as it, it.post(body(max_tokens=128_000)) as first:
        await first.content.readline()
        status, _, _ = await it.said(body())
        assert (status, refusal(it)) == (400, "budget_spent")


async def test_thinking_that_would_not_fit_is_refused(tmp_path: Path) -> None:
    thinking = {"type": "enabled", "budget_tokens": 10_000}
    async with child(tmp_path, {"text": "hi"}, budget=0.1) as it:
        status, _, _ = await it.said(body(max_tokens=32_000, thinking=thinking))
        assert (status, refusal(it)) == (400, "budget_spent")


async def test_what_a_cut_call_had_used_is_paid_for(tmp_path: Path) -> None:
    async with child(tmp_path, {"drop": "middle"}) as it:
        with pytest.raises(aiohttp.ClientError):
            await it.said(body())
        assert it.session.usage.input_tokens > 0
        assert it.session.last_failure is not None
        assert it.session.last_failure.kind == "connection"


async def test_a_child_that_leaves_is_no_failure_of_the_api(tmp_path: Path) -> None:
    async with child(tmp_path, {"hang": True}) as it:
        async with it.post(body()) as response:
            await response.content.readline()
        await it.client.close()
        while it.session.usage.input_tokens == 0:  # settled once the call is given up
            await asyncio.sleep(0.01)
        assert it.session.last_failure is None


@pytest.mark.parametrize(
    ("model", "passes"), [("claude-haiku-4-5", True), ("claude-opus-5-5", False), ("", False), (None, False)]
)
async def test_only_listed_models_pass(tmp_path: Path, model: Any, passes: bool) -> None:
    async with child(tmp_path, {"text": "hi"}, allowed=("claude-haiku-*",)) as it:
        status, _, _ = await it.said(body(model=model))
        assert (status == 200, bool(it.double.requests)) == (passes, passes)


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        {"tools": [{"name": "Read", "input_schema": {}}, {"type": "web_search_20250305", "name": "s"}]},
        {"tools": [{"type": "code_execution_20250825", "name": "c"}]},
        {"mcp_servers": [{"type": "url", "url": "https://x.example"}]},
    ],
    ids=["fetch", "search", "code", "mcp"],
)
async def test_tools_that_would_reach_the_network_from_the_api_are_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    async with child(tmp_path, {"text": "hi"}) as it:
        status, _, _ = await it.said(body(**changes))
        assert (status, it.double.requests) == (403, [])


SOURCE = {"type": "url", "url": "https://x.example/?k=secret"}
IMAGE = {"type": "image", "source": SOURCE}


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": PROMPT}, IMAGE],
        [{"type": "document", "source": SOURCE}],
        [{"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}],
        [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}],
    ],
    ids=["image", "document", "in a tool's result", "in a document"],
)
async def test_content_that_the_api_would_fetch_is_refused(tmp_path: Path, content: Any) -> None:
    async with child(tmp_path, {"text": "hi"}) as it:
        status, _, _ = await it.said(body(messages=[{"role": "user", "content": content}]))
        assert (status, it.double.requests) == (403, [])


async def test_an_image_of_its_own_bytes_passes(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    content = [{"type": "text", "text": PROMPT}, image]
    async with child(tmp_path, {"text": "hi"}) as it:
        status, _, _ = await it.said(body(messages=[{"role": "user", "content": content}]))
        assert (status, len(it.double.requests)) == (200, 1)


async def test_a_netrc_file_does_not_replace_the_credential(tmp_path: Path, monkeypatch: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with child(tmp_path, {"text": "hi"}) as it:
        await it.said(body())
        headers = {name.lower(): value for name, value in it.double.requests[0].headers.items()}
        assert (headers["x-api-key"], headers.get("authorization")) == (KEY, None)


async def test_the_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: Any) -> None:
    seen = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        async with child(tmp_path, {"text": "hi"}, url="http://model.example.test") as it:
            assert (await it.said(body()))[0] == 502
    assert seen[0].startswith(b"POST http://model.example.test/v1/messages")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b"[" * 100_000, json.dumps(body(max_tokens="9")).encode(), b'{"model": []}'],
    ids=["empty", "cut", "list", "null", "deep", "text for a number", "list for a name"],
)
async def test_a_malformed_body_is_an_error_of_the_child(tmp_path: Path, raw: bytes) -> None:
    async with child(tmp_path, {"text": "hi"}) as it:
        status, _, text = await it.said(raw)
        assert (status, json.loads(text)["error"]["type"]) == (400, "invalid_request_error")


async def test_the_last_failure_is_kept_until_a_good_answer(tmp_path: Path) -> None:
    error = {"status": 529, "type": "overloaded_error", "message": "busy", "headers": {"retry-after": "3"}}
    async with child(tmp_path, {"error": error, "times": 1, "text": "hi"}) as it:
        status, headers, _ = await it.said(body())
        seen = it.session.last_failure
        assert seen is not None
        assert (status, headers["retry-after"]) == (529, "3")
        assert (seen.status, seen.kind, seen.message, seen.retry_after) == (
            529,
            "overloaded_error",
            "busy",
            3.0,
        )
        await it.said(body())
        assert it.session.last_failure is None


@pytest.mark.parametrize(
    ("headers", "again"),
    [
        ({"retry-after": "3"}, None),
        ({"retry-after": "3600"}, "false"),
        ({"anthropic-ratelimit-unified-status": "rejected"}, "false"),
    ],
    ids=["short wait", "long wait", "limit"],
)
async def test_the_cli_does_not_sit_out_a_long_wait(
    tmp_path: Path, headers: dict[str, str], again: str | None
) -> None:
    error = {"status": 429, "type": "rate_limit_error", "headers": headers}
    async with child(tmp_path, {"error": error}) as it:
        _, got, _ = await it.said(body())
        assert got.get("x-should-retry") == again


async def test_an_unreachable_api_is_remembered(tmp_path: Path) -> None:
    async with child(tmp_path, url="http://127.0.0.1:9") as it:
        status, _, _ = await it.said(body())
        assert status == 502
        assert it.session.last_failure is not None
        assert it.session.last_failure.kind == "connection"


async def test_the_socket_is_private_and_goes_away(tmp_path: Path) -> None:
    async with child(tmp_path):
        mode = (tmp_path / "s").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / "s").exists()
