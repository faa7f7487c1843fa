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
    """Joins calls of ``submit`` into calls of ``commit``, in the order they came.

    There is one call of ``commit`` at a time. With ``ahead`` a second one begins when as much waits as is
    under way: it finds its turn taken, but what comes before its turn is done meanwhile, and its group would
    hardly become larger.

    Args:
        commit: writes all requests in one transaction and returns an answer for each, in order.
        weight: what one request counts towards ``limit``.
        limit: how much goes into one transaction; a single heavier request still goes alone.
        ahead: whether ``commit`` may be called again before it has returned.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[A]], Awaitable[Sequence[R]]],
        *,
        weight: Callable[[A], int] = lambda _: 1,
        limit: int = 2000,
        ahead: bool = False,
    ) -> None:
        self._commit = commit
        self._weight = weight
        self._limit = limit
        self._most = 2 if ahead else 1
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._waits = 0
        self._under_way: dict[asyncio.Task[None], int] = {}

    async def submit(self, request: A) -> R:
        """Return the answer once the request is durable; a cancelled caller does not take it back."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._waits += self._weight(request)
        self._begin()
        return await future

    def _begin(self) -> None:
        """Begin the next commit, if it is time."""
        under_way = self._under_way.values()
        if not self._waiting or (
            under_way and (len(under_way) >= self._most or self._waits < sum(under_way))
        ):
            return
        group = [self._waiting.popleft()]
        weight = self._weight(group[0][0])
        while self._waiting and weight + self._weight(self._waiting[0][0]) <= self._limit:
            group.append(self._waiting.popleft())
            weight += self._weight(group[-1][0])
        self._waits -= weight
        task = asyncio.create_task(self._settle_all(group))
        self._under_way[task] = weight
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._begin()

    async def _settle_all(self, group: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            await self._settle(group)
        except BaseException as error:  # the loop is ending; nobody may be left waiting
            for _, future in (*group, *self._waiting):
                future.cancel() if isinstance(error, asyncio.CancelledError) else _fail(future, error)
            self._waiting.clear()
            self._waits = 0
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
