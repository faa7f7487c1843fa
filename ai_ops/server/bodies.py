"""Reading request bodies: capped, inflated under a cap, parsed, and checked against a schema."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from ai_ops.server.problems import ProblemError, from_validation

MODEL = TypeVar("MODEL", bound=BaseModel)
BODY_LIMIT = 4 * 1024 * 1024
BODY_SECONDS = 60.0
_CHUNK = 256 * 1024


async def read_json(request: web.Request, *, limit: int = BODY_LIMIT) -> Any:
    """Return the parsed body of at most ``limit`` bytes, before and after inflating.

    Raises:
        ProblemError: 400 ``malformed_json``, ``malformed_gzip`` or ``malformed_body``, 408 ``too_slow``,
            413 ``too_large``, 415 ``unsupported_media_type`` or ``unsupported_encoding``.
    """
    return parse_json(await read_bytes(request, limit=limit))


async def read_model(request: web.Request, model: type[MODEL]) -> MODEL:
    """Return the body as a model; a name given twice is refused, because nobody knows which was meant.

    Raises:
        ProblemError: as ``read_json``; 422 ``invalid_request`` with the path of each bad field.
    """
    raw = await read_bytes(request, limit=BODY_LIMIT)
    value = parse_json(raw)
    _refuse_repeated_names(raw)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise from_validation(error) from None


async def read_bytes(
    request: web.Request, *, limit: int, types: Sequence[str] = ("application/json",)
) -> bytes:
    """Return the body of at most ``limit`` bytes, inflated, when it is of one of the ``types``.

    Raises:
        ProblemError: as ``read_json``, but for ``malformed_json``.
    """
    if request.content_type not in types:
        raise ProblemError(415, "unsupported_media_type", f"Send Content-Type: {' or '.join(types)}")
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity"):
        raise ProblemError(415, "unsupported_encoding", "Only gzip is accepted as Content-Encoding")
    raw = await _receive(request, limit)
    return _inflate(raw, limit) if encoding == "gzip" else raw


async def _receive(request: web.Request, limit: int) -> bytes:
    too_large = ProblemError(413, "too_large", f"The body is larger than {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise too_large
                parts.append(chunk)
    except TimeoutError:
        raise ProblemError(408, "too_slow", f"The body took longer than {BODY_SECONDS:g} seconds") from None
    except (web.RequestPayloadError, ConnectionError):
        raise ProblemError(400, "malformed_body", "The body ended early or is framed wrongly") from None
    return b"".join(parts)


def _inflate(raw: bytes, limit: int) -> bytes:
    """Inflate one gzip member, never beyond ``limit`` bytes."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise ProblemError(400, "malformed_gzip", f"The body is not gzip: {error}") from None
    if len(data) > limit:
        raise ProblemError(413, "too_large", f"The inflated body is larger than {limit} bytes")
    if not inflater.eof:
        raise ProblemError(400, "malformed_gzip", "The gzip stream is cut short")
    if inflater.unused_data:
        raise ProblemError(400, "malformed_gzip", "There is something after the gzip stream")
    return data


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ProblemError: 400 ``malformed_json``.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, "malformed_json", f"The body is not JSON: {error}") from None


def _refuse_repeated_names(raw: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ProblemError(400, "malformed_json", "The body names a field twice")

    try:
        json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise ProblemError(400, "malformed_json", "The body is nested too deep or has huge numbers") from None
