"""A thousand agents on connections that stay open, each with a small batch every so often."""

import asyncio
import time
from urllib.parse import urlsplit

_AT_ONCE = 50


async def offer(url, bodies, headers, *, agents, per_second):
    """Send the bodies at a steady pace, each agent in its turn; return the seconds of each, sorted.

    They count from the moment at which a request was due: a server that falls behind is not spared.
    """
    address = urlsplit(url)
    turns = asyncio.Semaphore(_AT_ONCE)  # connecting is not what is measured

    async def connect():
        async with turns:
            return await asyncio.open_connection(address.hostname, address.port)

    connections = await asyncio.gather(*(connect() for _ in range(agents)))
    locks = [asyncio.Lock() for _ in connections]
    requests = [_request(address.netloc, body, headers) for body in bodies]
    began = time.perf_counter() + 0.5

    async def send(number):
        due = began + number / per_second
        await asyncio.sleep(due - time.perf_counter())
        async with locks[number % agents]:
            await _exchange(*connections[number % agents], requests[number])
        return time.perf_counter() - due

    times = await asyncio.gather(*(send(number) for number in range(len(requests))))
    for _, writer in connections:
        writer.close()
    return sorted(times)


def _request(host, body, headers):
    lines = [
        f"{name}: {value}" for name, value in {"Host": host, **headers, "Content-Length": len(body)}.items()
    ]
    return "\r\n".join(["POST /v1/events HTTP/1.1", *lines, "", ""]).encode() + body


async def _exchange(reader, writer, request):
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
