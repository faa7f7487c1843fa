"""A PostgreSQL server of one's own for a test run, where its programs are installed."""

from __future__ import annotations

import contextlib
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


def installed() -> bool:
    """Return whether a server can be started here."""
    return bool(shutil.which("initdb") and shutil.which("postgres"))


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server on loopback and give the URL of its empty database; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ai-ops-pg-", ignore_cleanup_errors=True) as name:
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


def emptied(url: str) -> str:
    """Return the URL of a server's database after everything in it was dropped."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


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
