"""``GET /v1/tasks/{id}/stream``: a run's history as it grows, as server-sent events."""

from __future__ import annotations

import asyncio
import logging

import orjson
from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from ai_ops.core.identity import run_id
from ai_ops.flow.task import Task
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.handlers.tasks import find_task
from ai_ops.server.services import SERVICES, Services

log = logging.getLogger(__name__)

STREAMS = web.AppKey("streams", set[EventSourceResponse])
"""The streams that are open now."""
PING_SECONDS = 15.0
_WAIT_SECONDS = 0.2


async def stream_task(request: web.Request) -> web.StreamResponse:
    """Send the present run's history until it is ``complete``; ``Last-Event-ID`` resumes."""
    services = request.app[SERVICES]
    task = await find_task(request)
    if request.method == "HEAD":
        return web.Response(content_type="text/event-stream")
    last = request.headers.get("Last-Event-ID", "")
    seq = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
    async with sse_response(request, ping_interval=PING_SECONDS) as response:
        sending = asyncio.create_task(_send(response, services, task, seq), name=f"stream of {task.id}")
        gone = asyncio.create_task(response.wait())  # a ping notices it, or the server stops
        request.app[STREAMS].add(response)
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            request.app[STREAMS].discard(response)
            sending.cancel()
            gone.cancel()
            ended, _ = await asyncio.gather(sending, gone, return_exceptions=True)
        # The headers have left, so no problem can be answered: a client without ``complete`` comes again.
        if isinstance(ended, Exception) and not isinstance(ended, ConnectionError | TimeoutError):
            log.error("the stream of task %s broke off", task.id, exc_info=ended)
    return response


async def end_streams(app: web.Application) -> None:
    """End every stream at once, so that a server that stops does not wait for its clients."""
    streams = app[STREAMS]
    for response in tuple(streams):
        response.stop_streaming()


async def _send(response: EventSourceResponse, services: Services, task: Task, seq: int) -> None:
    run = run_id(task.id, task.run_number)
    while await services.trace.find_run(run) is None:
        if task.state.final:  # it ended without a run
            await response.send(_json({"trace_id": None, "outcome": task.state}), event="complete")
            return
        await asyncio.sleep(_WAIT_SECONDS)
        task = await services.tasks.find(task.id) or task
    async for event in services.trace.follow(run, seq):
        data = {"trace_id": event.run_id, "at": views.moment(event.at), **event.data}
        await response.send(_json(data), event=event.kind, id=str(event.seq))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


ROUTES = (Route("GET", "/v1/tasks/{id}/stream", Scope.READ, stream_task),)
