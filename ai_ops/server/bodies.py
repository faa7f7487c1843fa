"""Reading request bodies: capped, inflated under a cap, parsed, and checked against a schema."""

from __future__ import annotations

import zlib
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from ai_ops.server.problems import ProblemError, from_validation

MODEL = TypeVar("MODEL", bound=BaseModel)
BODY_LIMIT = 4 * 1024 * 1024
INFLATED_LIMIT = 64 * 1024 * 1024
_CHUNK = 256 * 1024


async def read_json(request: web.Request, *, limit: int = BODY_LIMIT, inflated: int = INFLATED_LIMIT) -> Any:
    """Return the parsed body.

    Raises:
        ProblemError: 400 ``malformed_json``, 413 ``too_large``, 415 ``unsupported_media_type``.
    """
    if request.content_type != "application/json":
        raise ProblemError(415, "unsupported_media_type", "Send Content-Type: application/json")
    raw = await _read(request, limit)
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding == "gzip":
        raw = _inflate(raw, inflated)
    elif encoding != "identity":
        raise ProblemError(415, "unsupported_encoding", "Only gzip is accepted as Content-Encoding")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, "malformed_json", f"The body is not JSON: {error}") from None


async def read_model(request: web.Request, model: type[MODEL]) -> MODEL:
    """Return the body as a model.

    Raises:
        ProblemError: 422 ``invalid_request`` with the path of each bad field.
    """
    value = await read_json(request)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise from_validation(error) from None


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise ProblemError(413, "too_large", f"The body is larger than {limit} bytes")
    parts: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise ProblemError(413, "too_large", f"The body is larger than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _inflate(raw: bytes, limit: int) -> bytes:
    """Inflate gzip, never beyond ``limit`` bytes."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        data = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise ProblemError(400, "malformed_gzip", f"The body is not gzip: {error}") from None
    if len(data) > limit:
        raise ProblemError(413, "too_large", f"The inflated body is larger than {limit} bytes")
    if not inflater.eof:
        raise ProblemError(400, "malformed_gzip", "The gzip stream is cut short")
    return data
