"""OCI runtimes in tests: podman where it works, and a double of docker's client."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from ai_ops.workspace.container import empty_image
from ai_ops.workspace.oci import client_environment

_DOUBLE = """#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys
home = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
if words[0] == "import":
    sys.stdin.buffer.read()
answers = json.loads((home / "answers").read_text())
for beginning, answer in answers:
    if words[: len(beginning)] == beginning:
        sys.stderr.write(answer.get("err", ""))
        sys.stdout.write(answer.get("out", "").replace("NAME", words[words.index("--name") + 1])
                         if "--name" in words else answer.get("out", ""))
        sys.stdout.flush()
        if "sleep" in answer:
            os.execvp("sleep", ["sleep", answer["sleep"]])
        sys.exit(answer.get("code", 0))
"""


@cache
def podman_works() -> bool:
    """Whether this user can run containers here."""
    if shutil.which("podman") is None:
        return False
    tag, env = "localhost/ai-ops-test-empty", client_environment()
    made = subprocess.run(
        ["podman", "import", "-", tag], input=empty_image(), capture_output=True, env=env, check=False
    )
    argv = ["podman", "run", "--rm", "--network", "none", "-v", "/usr:/usr:ro", "--ulimit", "nofile=1024"]
    argv += ["--ulimit", "nproc=4096", tag, "/bin/true"]
    if made.returncode:
        return False
    ran = subprocess.run(argv, capture_output=True, env=env, check=False)
    subprocess.run(["podman", "rmi", "--force", tag], capture_output=True, env=env, check=False)
    return ran.returncode == 0


class DockerDouble:
    """A docker without a daemon: it writes down how it was called and answers as it was told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers: list[tuple[list[str], dict[str, Any]]] = []
        self.program = folder / "docker"
        self.program.write_text(_DOUBLE)
        self.program.chmod(0o755)
        self.answer(["--version"], out="Docker version 29.1.0, build 1\n")

    def answer(self, beginning: list[str], **answer: Any) -> None:
        """Answer a command that begins so with ``out``, ``err`` and ``code``, or ``sleep``."""
        self._answers.insert(0, (beginning, answer))
        (self._folder / "answers").write_text(json.dumps(self._answers))

    @property
    def calls(self) -> list[list[str]]:
        """How it was called."""
        place = self._folder / "calls"
        return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []
