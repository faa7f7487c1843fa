"""Group commit: callers that arrive while a commit is under way share the next one.

An fsync costs the same for one row as for a thousand, so a storm of small writers is joined without
any of them waiting for a timer: the first finds the writer idle and goes at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from ai_ops.errors import TemporaryError

A = TypeVar("A")
R = TypeVar("R")


class GroupCommit(Generic[A, R]):
    """Joins calls of ``submit`` into calls of ``commit``, one at a time, in the order they came.

    Args:
        commit: writes all requests in one transaction and returns an answer for each, in order.
        weight: what one request counts towards ``limit``.
        limit: how much goes into one transaction; a single heavier request still goes alone.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[A]], Awaitable[Sequence[R]]],
        *,
        weight: Callable[[A], int] = lambda _: 1,
        limit: int = 2000,
    ) -> None:
        self._commit = commit
        self._weight = weight
        self._limit = limit
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, request: A) -> R:
        """Return the answer once the request is durable; a cancelled caller does not take it back."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft()]
            weight = self._weight(group[0][0])
            while self._waiting and (weight := weight + self._weight(self._waiting[0][0])) <= self._limit:
                group.append(self._waiting.popleft())
            try:
                await self._settle(group)
            except BaseException as error:  # the loop is ending; nobody may be left waiting
                for _, future in (*group, *self._waiting):
                    future.cancel() if isinstance(error, asyncio.CancelledError) else _fail(future, error)
                self._waiting.clear()
                raise

    async def _settle(self, group: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._commit([request for request, _ in group])
        except TemporaryError as error:  # the storage is away for all of them
            for _, future in group:
                _fail(future, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to one caller alone
            if len(group) == 1:
                _fail(group[0][1], error)
                return
            for one in group:
                await self._settle([one])
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(future: asyncio.Future[R], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
