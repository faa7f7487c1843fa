"""The small HTTP client: what it asks, what it takes for an answer, and what it does when there is none."""

import asyncio

import pytest

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.monitoring.sources.http import Endpoint, ask, request

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def answering():
    """Serve fixed bytes; return how, and what was asked."""
    servers, asked = [], []

    async def serve(answer):
        async def on_connect(reader, writer):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for part in answer if isinstance(answer, list) else [answer]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
        servers.append(server)
        return Endpoint.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/root/"), asked

    yield serve
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[1,2,3]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n4;x=y\r\n2,3]\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n[1,2,3]",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:7\r\n\r\n[1,2,3]",
        [b"HTTP/1.1 200", b" OK\r\nContent-Le", b"ngth: 7\r\n\r", b"\n[1,2", b",3]"],
    ],
    ids=["length", "chunked", "until it closes", "after an interim answer", "in pieces"],
)
async def test_an_answer_is_read_however_it_is_framed(answering, answer):
    endpoint, asked = await answering(answer)
    assert await ask(endpoint, "GET", "/x", limit=100) == [1, 2, 3]
    assert asked[0].startswith(b"GET /root/x HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n[1", TemporaryError, "source_unreachable"),
        (CHUNKED + b"5\r\n[1", TemporaryError, "source_unreachable"),
        (CHUNKED + b"zz\r\n", TemporaryError, "source_unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", TemporaryError, "source_unreachable"),
        (b"SSH-2.0-x\r\n\r\n", TemporaryError, "source_unreachable"),
        (b"", TemporaryError, "source_unreachable"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, TemporaryError, "source_unreachable"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", PermanentError, "source_refused"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * 2000, PermanentError, "source_refused"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", PermanentError, "source_refused"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", TemporaryError, "source_busy"),
    ],
    ids=[
        "cut",
        "cut chunk",
        "bad chunk",
        "bad length",
        "no HTTP",
        "nothing",
        "endless head",
        "no JSON",
        "too much",
        "redirect",
        "bad gateway",
    ],
)
async def test_what_is_no_good_answer_is_a_named_failure(answering, answer, kind, code):
    endpoint, _ = await answering(answer)
    with pytest.raises(kind) as failure:
        await ask(endpoint, "GET", "/x", limit=1000)
    assert failure.value.code == code


async def test_the_other_side_may_say_how_long_to_wait(answering):
    endpoint, _ = await answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n")
    with pytest.raises(TemporaryError) as failure:
        await ask(endpoint, "GET", "/x", limit=1000)
    assert failure.value.delay == 7


async def test_an_endless_answer_can_be_left_at_any_time(answering):
    endpoint, _ = await answering([b"HTTP/1.1 200 OK\r\n\r\n", b"first"])
    async with request(endpoint, "GET", "/x", endless=True) as response:
        assert await anext(response.body) == b"first"


@pytest.mark.parametrize(
    ("url", "name", "header"),
    [
        ("https://es.example", "https://es.example:443", None),
        ("http://u%40x:p%3A@es.example:9200/es/", "http://es.example:9200/es", "Basic dUB4OnA6"),
        ("http://[::1]:9200", "http://[::1]:9200", None),
        ("unix:///run/docker.sock", "unix:///run/docker.sock", None),
    ],
)
def test_an_address_is_parsed_and_shown_without_its_password(url, name, header):
    endpoint = Endpoint.parse(url)
    assert endpoint.name == name
    assert endpoint.headers.get("Authorization") == header


@pytest.mark.parametrize(
    "url", ["", "es.example", "ftp://x", "http://", "http://x:99999", "http://x/?a=b", "tcp://x"]
)
def test_what_is_no_address_is_refused_without_being_repeated(url):
    with pytest.raises(ValueError) as failure:
        Endpoint.parse(url)
    assert not url or url not in str(failure.value)
