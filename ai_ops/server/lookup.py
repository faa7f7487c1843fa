"""The id in a path or a body, whole or by its beginning: nobody types thirty-six characters."""

from __future__ import annotations

import re

from aiohttp import web

from ai_ops.server.paging import path_id
from ai_ops.server.problems import ProblemError
from ai_ops.server.services import SERVICES

_BEGINNING = re.compile(r"[0-9a-f-]{1,35}")
_LEAST = 6


async def whole_id(request: web.Request, noun: str, given: str | None = None) -> str:
    """Return the id of a task, issue, trace, pull_request or such: ``given``, or else the path's.

    A beginning of six characters or more stands for the one id that begins so. What names nothing is
    returned as it is: the caller knows how to say that it is not there.

    Raises:
        ProblemError: 409 ``ambiguous_id`` when several begin so; 422 ``id_too_short``.
    """
    given = path_id(request) if given is None else given
    if not _BEGINNING.fullmatch(given):
        return given
    if len(given) < _LEAST:
        words = f"An id may be shortened to {_LEAST} characters, not to {len(given)}"
        raise ProblemError(422, "id_too_short", words)
    found = await request.app[SERVICES].ids.beginning_with(noun, given)
    if len(found) > 1:
        words = f"Several ids begin with {given}: {', '.join(found)}. Give more characters"
        raise ProblemError(409, "ambiguous_id", words)
    return found[0] if found else given
