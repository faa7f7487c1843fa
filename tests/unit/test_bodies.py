"""Bodies without a socket: the rules of inflating, parsing and names."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel

from ai_ops.server.bodies import read_json, read_model
from ai_ops.server.problems import ProblemError


class Point(BaseModel):
    """A small model."""

    x: int
    inner: dict[str, int] = {}


async def request(body, **headers):
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), limit=2**16, loop=loop)
    content.feed_data(body)
    content.feed_eof()
    sent = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return make_mocked_request("POST", "/", headers=sent, payload=content)


async def refused(awaitable):
    with pytest.raises(ProblemError) as caught:
        await awaitable
    return caught.value.status, caught.value.code


async def test_json_is_read_plain_and_compressed():
    assert await read_json(await request(b'{"x": 1}')) == {"x": 1}
    packed = gzip.compress(b'{"x": 1}', mtime=0)
    assert await read_json(await request(packed, Content_Encoding="GZIP")) == {"x": 1}
    assert await read_json(await request(b"1", Content_Type="application/json; charset=utf-8")) == 1


async def test_the_limit_counts_before_and_after_inflating():
    body = b" " * 99 + b"1"
    assert await read_json(await request(body), limit=100) == 1
    assert await refused(read_json(await request(body + b" "), limit=100)) == (413, "too_large")
    packed = gzip.compress(body, mtime=0)
    assert await read_json(await request(packed, Content_Encoding="gzip"), limit=100) == 1
    over = gzip.compress(body + b" ", mtime=0)
    assert await refused(read_json(await request(over, Content_Encoding="gzip"), limit=100)) == (
        413, "too_large",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"", b"x", gzip.compress(b"1", mtime=0)[:-1], gzip.compress(b"1", mtime=0) + b"x", zlib.compress(b"1")],
)
async def test_gzip_is_one_whole_stream(body):
    assert await refused(read_json(await request(body, Content_Encoding="gzip"))) == (400, "malformed_gzip")


async def test_a_bomb_is_never_inflated_whole():
    bomb = gzip.compress(b" " * 50_000_000, mtime=0)
    tracemalloc.start()
    try:
        refusal = await refused(read_json(await request(bomb, Content_Encoding="gzip"), limit=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refusal == (413, "too_large")
    assert peak < 10_000_000


async def test_a_name_given_twice_is_refused_at_any_depth():
    assert (await read_model(await request(b'{"x": 1, "inner": {"x": 2}}'), Point)).x == 1
    for body in (b'{"x": 1, "x": 1}', b'{"x": 1, "inner": {"a": 1, "a": 2}}', b'{"x": 1, "\\u0078": 2}'):
        assert await refused(read_model(await request(body), Point)) == (400, "malformed_json")


async def test_a_field_that_does_not_fit_is_named_by_its_path():
    with pytest.raises(ProblemError) as caught:
        await read_model(await request(b'{"x": "one", "inner": {"a": "b"}}'), Point)
    assert caught.value.status == 422
    assert [error["field"] for error in caught.value.errors] == ["x", "inner.a"]
    assert "one" not in str(caught.value.errors)
