"""Runs inside the sandbox: a port on its own loopback that leads to the egress proxy's unix socket.

Programs know proxies by ``host:port`` alone, and the sandbox has no network but an empty loopback. It is
started as a script by its path, with the standard library and nothing of the product:
``python -I -S egress_bridge.py <socket> <program> <arguments …>``. The program takes this process's place; a
child of it serves the port until the sandbox ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

_CHUNK = 65536
_UNPROXIED = "model.invalid,localhost,127.0.0.1"  # the model has a socket of its own


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _bridge(inner: socket.socket, path: str) -> None:
    with inner, socket.socket(socket.AF_UNIX) as outer:
        try:
            outer.connect(path)
        except OSError:
            return
        back = threading.Thread(target=_carry, args=(outer, inner), daemon=True)
        back.start()
        _carry(inner, outer)
        back.join()


def _serve(listener: socket.socket, path: str) -> None:
    while True:
        inner, _ = listener.accept()
        threading.Thread(target=_bridge, args=(inner, path), daemon=True).start()


def main(path: str, command: list[str]) -> None:
    """Open the port, leave a child there that serves it, and become the command."""
    listener = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):  # its pipes are the command's alone
            os.dup2(silence, stream)
        _serve(listener, path)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = os.environ[name.lower()] = address
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = _UNPROXIED
    os.execv(command[0], command)  # noqa: S606 # nosec B606 - the sandbox's own program, without a shell


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
