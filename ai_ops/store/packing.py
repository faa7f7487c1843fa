"""Batches of events on their way to another process of ours: small to pickle, and quick to make again.

Nearly all events of a batch share their error, which is most of what there is of them. It is pickled once for
as long as it is remembered, and made again once for as long as it is remembered there.
"""

from __future__ import annotations

import functools
import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar

from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.repository import Repository

T = TypeVar("T")
_REMEMBERED = 1000
_LONGEST = 16_384
_Calls = list[list[tuple[Event, Repository]]]


class Packer:
    """Makes batches ready to be pickled; for one thread at a time."""

    def __init__(self) -> None:
        self._errors: OrderedDict[int, tuple[ErrorDetail, bytes]] = OrderedDict()

    def pack(self, calls: Sequence[Sequence[tuple[Event, Repository]]]) -> Packed:
        """Return batches in a form that, pickled and back, is a list of lists of the same events."""
        return Packed(calls, self._error)

    def _error(self, error: ErrorDetail) -> bytes:
        """Return an error as bytes. It is known by identity: to compare its frames costs as much."""
        known = self._errors.get(id(error))
        if known is not None:
            return known[1]
        frames = [(frame.file, frame.line, frame.function, frame.in_app) for frame in error.frames]
        others = [getattr(error, name) for name in _FIELDS]
        made = pickle.dumps((frames, others), pickle.HIGHEST_PROTOCOL)
        if len(made) <= _LONGEST:
            self._errors[id(error)] = error, made
            while len(self._errors) > _REMEMBERED:
                self._errors.popitem(last=False)
        return made


class Packed:
    """Batches; ``pickle.loads`` gives them back as lists."""

    def __init__(
        self, calls: Sequence[Sequence[tuple[Event, Repository]]], error: Callable[[ErrorDetail], bytes]
    ) -> None:
        self._calls = calls
        self._error = error

    def __reduce__(self) -> tuple[Callable[..., _Calls], tuple[Any, ...]]:
        """Return what makes the batches again: rows, and what they share by its number."""
        errors: _Numbered[ErrorDetail] = _Numbered()
        repos: _Numbered[EventRepo] = _Numbered()
        repositories: _Numbered[Repository] = _Numbered()
        rows = [
            [
                (
                    e.event_id, e.occurred_at, repos.of(e.repo), errors.of(e.error), e.node, e.service,
                    e.environment, e.release, e.source.path, e.source.offset, e.level, e.context, e.count,
                    e.schema_version, repositories.of(repository),
                )
                for e, repository in events
            ]
            for events in self._calls
        ]  # fmt: skip
        packed = [self._error(error) for error in errors.all]
        return _unpacked, (rows, packed, repos.all, repositories.all)


class _Numbered(Generic[T]):
    """Gives objects numbers, the same object always the same one."""

    def __init__(self) -> None:
        self.all: list[T] = []
        self._numbers: dict[int, int] = {}

    def of(self, one: T) -> int:
        number = self._numbers.get(id(one))
        if number is None:
            number = self._numbers[id(one)] = len(self.all)
            self.all.append(one)
        return number


def _unpacked(
    rows: Sequence[Sequence[tuple[Any, ...]]],
    packed: Sequence[bytes],
    repos: Sequence[EventRepo],
    repositories: Sequence[Repository],
) -> _Calls:
    errors = [_known_error(one) if len(one) <= _LONGEST else _error(one) for one in packed]
    return [
        [
            (
                Event(
                    event_id, at, repos[repo], errors[error], node, service, environment, release,
                    EventSource(path, offset), level, context, count, version,
                ),
                repositories[repository],
            )
            for (
                event_id, at, repo, error, node, service, environment, release,
                path, offset, level, context, count, version, repository,
            ) in events
        ]
        for events in rows
    ]  # fmt: skip


def _error(packed: bytes) -> ErrorDetail:
    frames, others = pickle.loads(packed)  # noqa: S301 - made above
    given = dict(zip(_FIELDS, others, strict=True))
    return ErrorDetail(**given, frames=tuple(Frame(*frame) for frame in frames))


_known_error = functools.lru_cache(_REMEMBERED)(_error)
_FIELDS = tuple(field.name for field in fields(ErrorDetail) if field.name != "frames")
