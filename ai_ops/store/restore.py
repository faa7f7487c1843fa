"""Puts a backup in the place of what is there, in two halves that a crash may come between.

First every file is unpacked beside its place and checked; only when all are whole ``restore.json`` says so.
From then on there is one way, which ``finish`` goes: what was there moves into ``before-restore-…``, and the
new files take their names. Whoever opens the data folder next finishes what a crash broke off.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ai_ops.core.audit import BEGINNING, Anchor
from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.store.audit import ANCHOR, write_anchor
from ai_ops.store.backup import FORMAT, MANIFEST, TABLES, Places, sync_folder
from ai_ops.store.migrate import knows

_MARK = "restore.json"
_CHUNK = 1 << 20
_SIDES = ("", "-wal", "-shm")
_MOST_MANIFEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in place. ``kept`` are the folders that hold what was there before."""

    schema: str
    created_at: str
    version: str
    files: tuple[str, ...]
    kept: tuple[Path, ...]


def restore(places: Places, file: Path) -> Restored:
    """Put a backup in place. The caller holds the data folder's lock.

    Raises:
        PermanentError: ``backup_damaged``, ``backup_newer``, ``restore_failed``. Nothing was changed.
    """
    try:
        finish(places.data_dir)  # of one that was killed
        with tarfile.open(file, "r:") as tar:
            manifest = _manifest(tar)
            staged = _unpacked(tar, manifest, places.by_name)
    except (tarfile.TarError, RecursionError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(f"it cannot be read ({type(error).__name__})") from error
    except (OSError, sqlite3.Error) as error:
        raise failed("restore_failed", f"The backup could not be unpacked: {error}") from error
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    _write_mark(places.data_dir, stamp, staged)
    kept = finish(places.data_dir)
    names = tuple(entry["name"] for entry in manifest["files"])
    return Restored(manifest["schema"], manifest["created_at"], manifest["version"], names, kept)


def finish(data_dir: Path) -> tuple[Path, ...]:
    """Finish a restoring that was broken off; return the folders that hold what was there before.

    The caller holds the data folder's lock. Harmless, and quick, when there is none.
    """
    mark = data_dir / _MARK
    if not mark.exists():
        return ()
    said = json.loads(mark.read_text(encoding="utf-8"))
    kept: set[Path] = set()
    for staged, target in ((Path(one), Path(other)) for one, other in said["files"]):
        folder = target.parent / f"before-restore-{said['stamp']}"
        if staged.exists():
            _set_aside(target, folder)
            staged.replace(target)
            sync_folder(target.parent)
        kept.add(folder)
    _anchor(data_dir, said)
    mark.unlink()
    sync_folder(data_dir)
    return tuple(folder for folder in sorted(kept) if folder.is_dir())


def _anchor(data_dir: Path, said: Mapping[str, Any]) -> None:
    """Let the audit log go on from the backup's last line, and say so in its next one."""
    folder = data_dir / f"before-restore-{said['stamp']}"
    tables = next(Path(target) for _, target in said["files"] if Path(target).name == TABLES)
    with contextlib.closing(sqlite3.connect(tables)) as connection:
        try:
            last = connection.execute("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            last = None  # of a version that kept none
    _set_aside(data_dir / ANCHOR, folder)
    seq, digest = last or (0, BEGINNING)
    write_anchor(data_dir / ANCHOR, Anchor(seq, digest, restored=folder.name))


def is_broken_off(data_dir: Path) -> bool:
    """Whether a restoring has to be finished before anything else."""
    return (data_dir / _MARK).exists()


def _set_aside(target: Path, folder: Path) -> None:
    """Move a file with its side files away. What was moved before a crash stays as it is there."""
    for side in _SIDES:
        old = target.with_name(target.name + side)
        if old.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            new = folder / old.name
            old.unlink() if new.exists() else old.rename(new)


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    entry = tar.next()
    if entry is None or entry.name != MANIFEST or not entry.isfile() or entry.size > _MOST_MANIFEST:
        raise _damaged("it is no backup of AI-Ops")
    stream = tar.extractfile(entry)
    manifest: dict[str, Any] = json.loads(stream.read() if stream else b"")
    schema = str(manifest["schema"])
    manifest |= {name: str(manifest[name]) for name in ("schema", "created_at", "version")}
    if manifest["format"] != FORMAT or not knows(schema):
        raise failed(
            "backup_newer",
            f"The backup is of version {manifest['version']} (schema {schema}), newer than this one.",
        )
    if TABLES not in [each["name"] for each in manifest["files"]]:
        raise _damaged("it holds no database")
    return manifest


def _unpacked(
    tar: tarfile.TarFile, manifest: Mapping[str, Any], by_name: Mapping[str, Path]
) -> list[tuple[Path, Path]]:
    """Unpack every file beside its place, and return (unpacked, place)."""
    names = [said["name"] for said in manifest["files"]]
    if strange := [name for name in names if name not in by_name or names.count(name) > 1]:
        raise _damaged(f"it holds {strange[0]!r}")
    staged: list[tuple[Path, Path]] = []
    for said in manifest["files"]:
        target = by_name[said["name"]].absolute()
        beside = target.with_name(f".{target.name}.restoring")
        try:
            _unpack(tar, said, beside)
        except BaseException:
            for path in (beside, *(one for one, _ in staged)):
                path.unlink(missing_ok=True)
            raise
        staged.append((beside, target))
    return staged


def _unpack(tar: tarfile.TarFile, said: Mapping[str, Any], beside: Path) -> None:
    stream = tar.extractfile(said["name"])
    beside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    found, left = hashlib.sha256(), int(said["bytes"])
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        while stream is not None and left > 0 and (chunk := stream.read(min(_CHUNK, left))):
            found.update(chunk)
            out.write(chunk)
            left -= len(chunk)
        out.flush()
        os.fsync(out.fileno())
    if left or found.hexdigest() != said["sha256"]:
        raise _damaged(f"{said['name']} is not what was backed up")
    if beside.name.endswith(".db.restoring"):
        _check(beside, said["name"])


def _check(database: Path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer[0] != "ok":
        raise _damaged(f"{name} is damaged: {answer[0]}")


def _write_mark(data_dir: Path, stamp: str, staged: list[tuple[Path, Path]]) -> None:
    said = {"stamp": stamp, "files": [[str(one), str(other)] for one, other in staged]}
    fresh = data_dir / f".{_MARK}"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(said, out)
        out.flush()
        os.fsync(out.fileno())
    for folder in {data_dir, *(one.parent for one, _ in staged)}:
        sync_folder(folder)
    fresh.replace(data_dir / _MARK)
    sync_folder(data_dir)


def _damaged(why: str) -> AiOpsError:
    return failed("backup_damaged", f"The backup cannot be used: {why}.")
