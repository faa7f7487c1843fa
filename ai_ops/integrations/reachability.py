"""Whether a service answers, asked without a credential: any answer but a failure of its own will do."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp

from ai_ops.flow.health import Reached

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


async def reach(url: str) -> Reached:
    """Ask a web address. The environment's proxy is used, as the libraries of the code hosts do."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.head(url, allow_redirects=False) as answer,
        ):
            failure = f"it answers {answer.status}" if answer.status >= 500 else ""
            return Reached(failure, _moment(answer.headers.get("Date", "")))
    except TimeoutError:
        return Reached("no answer within 10 s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Reached(_reason(error))


def _reason(error: Exception) -> str:
    inner = getattr(error, "os_error", error)
    return str(getattr(inner, "strerror", None) or type(error).__name__)


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
