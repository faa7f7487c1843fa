"""No git child ever gets the server's environment, not even the one that GitPython likes to start."""

import os
import shutil
import subprocess
import sys

from ai_ops.vcs import reading
from tests.support.git_server import create_repository, git

SECRET = "planted-0123456789"
SPY = """#!/bin/sh
env >> "{seen}"
exec {git} "$@"
"""
PROGRAM = """
import sys
from pathlib import Path
from ai_ops.vcs import reading
print(reading.list_files(Path(sys.argv[1]), sys.argv[2]))
"""


def test_reading_a_commit_shows_git_no_secret_of_the_server(tmp_path):
    bare = create_repository(tmp_path, "shop", {"a.py": "x = 1\n"})
    sha = git("rev-parse", "main", cwd=bare)
    seen, spy = tmp_path / "seen", tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(SPY.format(seen=seen, git=shutil.which("git")))
    spy.chmod(0o755)
    environment = {**os.environ, "PATH": f"{spy.parent}:{os.environ['PATH']}", "GITHUB_TOKEN": SECRET}
    argv = [sys.executable, "-c", PROGRAM, str(bare), sha]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['a.py']"
    assert "GIT_DIR" in seen.read_text()
    assert SECRET not in seen.read_text()


def test_importing_the_reader_leaves_the_environment_as_it_was():
    assert reading.git.Git.GIT_PYTHON_GIT_EXECUTABLE == "git"
    assert not [name for name in os.environ if name.startswith("GIT_PYTHON_")]
