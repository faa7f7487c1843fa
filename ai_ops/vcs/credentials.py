"""Lend a token to one git child without writing it anywhere that can be read later.

git asks for a password through a small program (``GIT_ASKPASS``). Ours reads it from an inherited
file descriptor of a file that has no name. The token is in no URL, argument, environment, config
or file on disk.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

_USER_NAMES = {"github": "x-access-token", "gitlab": "oauth2"}


@dataclass(frozen=True, slots=True)
class Credential:
    """Who git says it is, and the token that proves it."""

    user_name: str
    token: str = field(repr=False)


def token_credential(code_host: str, token: str) -> Credential | None:
    """Return the credential for a host's token (``github``, ``gitlab``); None without a token."""
    token = token.strip()
    return Credential(_USER_NAMES.get(code_host, "git"), token) if token else None


@contextlib.contextmanager
def lent(credential: Credential) -> Iterator[int]:
    """Yield a descriptor that the child inherits and the askpass program reads the token from."""
    descriptor = _nameless_file()
    try:
        os.write(descriptor, credential.token.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("credential", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # no memfd on macOS: unlinked at once, gone when closed
        return os.dup(file.fileno())


def askpass_program(folder: Path) -> Path:
    """Return the askpass program; where the package lost its executable bit, a copy in ``folder``."""
    packaged = resources.files("ai_ops.vcs").joinpath("askpass.sh")
    if isinstance(packaged, Path) and os.access(packaged, os.X_OK):
        return packaged
    copy = folder / "askpass.sh"
    fresh = folder / f".askpass-{os.getpid()}"
    fresh.write_text(packaged.read_text())
    fresh.chmod(0o700)
    fresh.replace(copy)
    return copy
