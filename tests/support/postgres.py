"""A PostgreSQL server of one's own for a test run, where its programs are installed."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine

from ai_ops.store.migrate import upgrade
from tests.support.scratch import scratch


def installed() -> bool:
    """Return whether a server can be started here."""
    return bool(shutil.which("initdb") and shutil.which("postgres"))


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server on loopback and give the URL of its empty database; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ai-ops-pg-", dir=scratch(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        owner: dict[str, Any] = {}
        if os.getuid() == 0:  # the server refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **owner}
        data = folder / "data"
        make = [
            "initdb",
            "-D",
            str(data),
            "-U",
            "test",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        ]
        subprocess.run(make, check=True, **quiet)
        options = ["-c", "fsync=off", "-c", "max_connections=60"]
        child = subprocess.Popen(
            ["postgres", "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", name, *options], **quiet
        )
        try:
            url = f"postgresql://test@127.0.0.1:{port}/postgres"
            _wait(url, child)
            yield url
        finally:
            child.terminate()
            child.wait(20)


def renewed(url: str) -> str:
    """Return the URL of a database with its tables and nothing in them; what was there before is dropped."""
    mold = _with_tables(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS renewed WITH (FORCE)")
        connection.execute(f"CREATE DATABASE renewed TEMPLATE {mold}")
    return _beside(url, "renewed")


@functools.cache
def _with_tables(url: str) -> str:
    """Return the name of a database as the migrations make it; they take longer than most tests."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE mold")
    engine = create_engine(_beside(url, "mold").replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    return "mold"


def _beside(url: str, name: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{name}"


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if child.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
