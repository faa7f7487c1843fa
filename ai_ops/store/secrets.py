"""Secrets that the product is given and has to keep: AES-256-GCM under a key that lies elsewhere.

The name is bound to the value, so that a row cannot be put in another's place. Of several keys the first one
seals and all open: to change the key, put the new one in front, start once (everything is sealed anew), and
take the old one away.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select, update

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock
from ai_ops.errors import AiOpsError
from ai_ops.store.database import Database
from ai_ops.store.tables import secrets as table

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretKey:
    """A key, and the short digest by which a row names it.

    Args:
        text: 32 bytes in base64 or hexadecimal; or any text of 32 characters or more, which is hashed.

    Raises:
        PermanentError: ``secret_key_invalid``.
    """

    def __init__(self, text: str) -> None:
        material = _bytes_of(text.strip())
        self.id = hashlib.sha256(b"ai-ops key id\0" + material).hexdigest()[:16]
        self._cipher = AESGCM(material)

    def seal(self, name: str, value: str) -> bytes:
        """Encrypt a value for a name."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), name.encode())

    def open(self, name: str, sealed: bytes) -> str:
        """Decrypt it.

        Raises:
            PermanentError: ``secret_unreadable``.
        """
        try:
            opened = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise _unreadable(name, "it was changed, or put under another name") from error
        return opened.decode()


class SecretStore:
    """Keeps secrets by name.

    Args:
        database: where they are kept.
        clock: when they were.
        keys: the first one seals, all of them open.
    """

    def __init__(self, database: Database, clock: Clock, keys: Sequence[SecretKey]) -> None:
        self._database = database
        self._clock = clock
        self._keys = {key.id: key for key in keys}
        self._first = keys[0]

    async def put(self, name: str, value: str) -> None:
        """Keep a value, in the place of an older one."""
        now = self._clock.now()
        row = {"key_id": self._first.id, "sealed": self._first.seal(name, value), "updated_at": now}
        async with self._database.write() as connection:
            changed = await connection.execute(update(table).where(table.c.name == name).values(row))
            if not changed.rowcount:
                await connection.execute(insert(table), {"name": name, "created_at": now, **row})

    async def get(self, name: str) -> str | None:
        """Return a value, None when there is none.

        Raises:
            PermanentError: ``secret_unreadable``.
        """
        query = select(table.c.key_id, table.c.sealed).where(table.c.name == name)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else self._open(name, row[0], row[1])

    async def delete(self, name: str) -> None:
        """Forget a value; harmless when there is none."""
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.name == name))

    async def names(self) -> Sequence[str]:
        """Return what is kept, without the values."""
        async with self._database.read() as connection:
            return list((await connection.execute(select(table.c.name).order_by(table.c.name))).scalars())

    async def rotate(self) -> int:
        """Seal with the first key what another one sealed, all or nothing; return how much that was.

        Raises:
            PermanentError: ``secret_unreadable``.
        """
        c = table.c
        async with self._database.write() as connection:
            query = select(c.name, c.key_id, c.sealed).where(c.key_id != self._first.id)
            rows = (await connection.execute(query)).all()
            for name, key_id, sealed in rows:
                anew = self._first.seal(name, self._open(name, key_id, sealed))
                values = {"key_id": self._first.id, "sealed": anew}
                await connection.execute(update(table).where(c.name == name).values(values))
        return len(rows)

    def _open(self, name: str, key_id: str, sealed: bytes) -> str:
        key = self._keys.get(key_id)
        if key is None:
            raise _unreadable(name, f"it was sealed with the key {key_id}, which is not among the keys")
        return key.open(name, sealed)


def key_file(data_dir: Path) -> str:
    """Return the key that lies in the data folder, made when there is none; its owner's alone (0600).

    Raises:
        PermanentError: ``secret_key_invalid``, for a file that others may read.
    """
    path = data_dir / "secret.key"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = data_dir / f".secret-{os.getpid()}.key"
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
        try:
            os.link(fresh, path)  # another process may win; then its key counts
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise failed(
            "secret_key_invalid",
            f"{path} can be read by others",
            next_step=f"chmod 600 {path}, and change the key",
        )
    return path.read_text(encoding="ascii")


def _bytes_of(text: str) -> bytes:
    for decode in (bytes.fromhex, lambda given: base64.b64decode(given, validate=True)):
        try:
            found = decode(text)
        except ValueError:
            continue
        if len(found) == _KEY_BYTES:
            return found
    if len(text) < _KEY_BYTES:
        raise failed(
            "secret_key_invalid",
            "AI_OPS_SECRET_KEY is too short",
            next_step="Make one: openssl rand -base64 32",
        )
    return hashlib.sha256(text.encode()).digest()


def _unreadable(name: str, why: str) -> AiOpsError:
    return failed("secret_unreadable", f"the secret {name} cannot be opened: {why}")
