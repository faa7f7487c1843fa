"""Signs our commits with the operator's key: an SSH key, or an exported OpenPGP one, in a file.

Nothing of the user's own key rings is used. An OpenPGP key is imported into a folder that lives as long as
one signature; its agent ends with it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.process import Limits, clean_environment, run

_PGP = b"-----BEGIN PGP PRIVATE KEY BLOCK-----"
_LIMITS = Limits(wall_seconds=60.0, output_bytes=1_000_000)


@dataclass(frozen=True, slots=True)
class Ready:
    """What git needs to sign once: config, and more environment."""

    config: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with the key in a file, which needs no pass phrase."""

    key_file: Path

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Ready]:
        """Yield how git signs with the key.

        Raises:
            PermanentError: ``commit_signing_failed``.
        """
        path = self.key_file.absolute()
        try:
            key = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise unsigned(f"{path} cannot be read: {error.strerror}") from None
        if _PGP not in key:
            yield Ready({"gpg.format": "ssh", "user.signingKey": str(path)}, {})
            return
        with tempfile.TemporaryDirectory(prefix="ai-ops-gpg-") as home:
            try:
                name = await _imported(key, home)
                yield Ready({"gpg.format": "openpgp", "user.signingKey": name}, {"GNUPGHOME": home})
            finally:
                await _tool("gpgconf", "--homedir", home, "--kill", "all", home=home)


async def _imported(key: bytes, home: str) -> str:
    """Import a secret key and return its fingerprint."""
    taken = await _tool("gpg", "--batch", "--quiet", "--import", home=home, stdin=key)
    listed = await _tool("gpg", "--batch", "--with-colons", "--list-secret-keys", home=home)
    rows = (line.split(":") for line in listed.splitlines())
    name = next((row[9] for row in rows if row[0] == "fpr" and len(row) > 9), "")
    if not name:
        raise unsigned(f"gpg took no secret key from the file: {' '.join(taken.split())[:200]}")
    return name


async def _tool(*argv: str, home: str, stdin: bytes = b"") -> str:
    environment = clean_environment({"GNUPGHOME": home, "HOME": home})
    try:
        done = await run(argv, env=environment, cwd=Path(home), stdin=stdin, limits=_LIMITS)
    except FileNotFoundError:
        raise unsigned(f"there is no {argv[0]} program") from None
    return done.text or done.complaint


def unsigned(why: str) -> AiOpsError:
    """Return the failure of a signature."""
    return failed("commit_signing_failed", why)
