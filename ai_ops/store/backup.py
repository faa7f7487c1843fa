"""One file that holds all that must not be lost: made while the server runs, and whole or not there.

It is a tar: ``manifest.json`` (format, version, schema, and size and SHA-256 of each file), then the files.
The databases are SQLite's own snapshots, the queue's first: an older queue is mended from the tables at the
start, an older table would fail what the queue calls over. Restoring is in ``store.restore``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ai_ops
from ai_ops.core.failures import failed

FORMAT = 1
MANIFEST = "manifest.json"
TABLES, QUEUE, SALT = "ai_ops.db", "engine.db", "salt"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of an installation lie. ``tables`` is a SQLite file, by name ``ai_ops.db``."""

    data_dir: Path
    tables: Path

    @property
    def by_name(self) -> Mapping[str, Path]:
        """Return the path of each file by its name in a backup, in the order in which they are taken."""
        return {QUEUE: self.data_dir / QUEUE, TABLES: self.tables, SALT: self.data_dir / SALT}


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds. ``files``: name → bytes; ``schema`` is the revision of the tables."""

    file: Path
    schema: str
    created_at: datetime
    files: Mapping[str, int]


def back_up(places: Places, file: Path) -> BackedUp:
    """Make a backup. The server may run meanwhile.

    Raises:
        PermanentError: ``backup_exists``, ``backup_failed``.
    """
    if file.exists():
        raise failed("backup_exists", f"{file} is there already.")
    if not places.tables.is_file():
        raise failed("backup_failed", f"There is no database at {places.tables}.", next_step="See DATA_DIR.")
    partial = file.with_name(f".{file.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of one that was killed
        partial.mkdir(mode=0o700)
        return _made(places, file, partial)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise failed("backup_failed", f"The backup could not be made: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _made(places: Places, file: Path, partial: Path) -> BackedUp:
    taken: dict[str, Path] = {}
    for name, path in places.by_name.items():
        if path.is_file():
            taken[name] = partial / name
            (_snapshot if name.endswith(".db") else shutil.copyfile)(path, taken[name])
    created, schema = datetime.now(UTC), revision(taken[TABLES])
    manifest = {
        "format": FORMAT,
        "version": ai_ops.__version__,
        "created_at": created.isoformat(),
        "schema": schema,
        "files": [
            {"name": name, "bytes": path.stat().st_size, "sha256": digest(path)}
            for name, path in taken.items()
        ],
    }
    packed = partial / "backup.tar"
    handle = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, json.dumps(manifest, indent=1).encode())
            for name, path in taken.items():
                tar.add(path, name, filter=_plain)
        stream.flush()
        os.fsync(stream.fileno())
    os.link(packed, file)  # unlike a rename it replaces nothing that came meanwhile
    sync_folder(file.parent)
    return BackedUp(file, schema, created, {name: path.stat().st_size for name, path in taken.items()})


def _snapshot(source: Path, target: Path) -> None:
    """Copy a database as it is in one moment; its writers go on meanwhile."""
    target.touch(mode=0o600)
    with (
        contextlib.closing(sqlite3.connect(source, timeout=30)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without side files


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def revision(database: Path) -> str:
    """Return the schema's revision of a database of ours; empty when it has none."""
    with contextlib.closing(sqlite3.connect(database)) as connection, contextlib.suppress(sqlite3.Error):
        row: Any = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""
    return ""


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
