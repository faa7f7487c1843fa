"""Looks for planted secrets in everything that an installation left behind."""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.scenario import Scenario

_FURTHEST = 64_000_000


def spellings(secret: str) -> list[bytes]:
    """Return a secret as it is, and as it is in an Authorization header."""
    raw = secret.encode()
    basic = base64.b64encode(f"x-access-token:{secret}".encode())
    return [raw, base64.b64encode(raw).rstrip(b"="), basic.rstrip(b"=")]


def contents(path: Path) -> Iterator[bytes]:
    """Yield a file as it is, and what git packed in it."""
    raw = path.read_bytes()
    yield raw
    if "objects" in path.parts:
        at = raw.find(b"\x78")
        while at >= 0:
            inflating = zlib.decompressobj()
            with contextlib.suppress(zlib.error):
                yield inflating.decompress(raw[at : at + _FURTHEST])
            at = raw.find(b"\x78", at + 1)


def found_in_files(folder: Path, secret: str, *, apart_from: tuple[str, ...] = ()) -> list[str]:
    """Return the files below a folder that hold a secret in any spelling."""
    wanted = spellings(secret)
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file() or name.startswith(apart_from):
            continue
        if "toolbox" in path.parts or "site-packages" in path.parts:
            continue  # the server's own pytest, which was there before
        if any(spelling in content for content in contents(path) for spelling in wanted):
            found.append(name)
    return found


async def assert_no_secret(scenario: Scenario, trace_id: str, *, apart_from: tuple[str, ...] = ()) -> None:
    """Neither what is shown nor what lies on a disk holds a secret of the server or of the application."""
    shown = await everything_shown(scenario, trace_id)
    for secret in (*scenario.planted.all(), *scenario.logged.all()):
        assert secret not in shown
        found = found_in_files(scenario.folder, secret, apart_from=apart_from)
        assert not found, found


async def everything_shown(scenario: Scenario, trace_id: str) -> str:
    """Return what people can read about a run: by API, on the code host, by mail."""
    shown = [str(await scenario.get(path)) for path in ("/v1/tasks", "/v1/issues", "/v1/pull-requests")]
    shown.append(str(await scenario.get(f"/v1/traces/{trace_id}")))
    shown += (await scenario.artifacts(trace_id)).values()
    shown += [str(pull) for pull in scenario.pulls()]
    shown += [str(exchange.body) + str(exchange.answer) for exchange in scenario.github.exchanges]
    for message in scenario.mail.messages:
        parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
        shown.append("\n".join([str(message), *map(str, parts)]))
    return "\n".join(shown)
