"""A real server as a subprocess, on the example shop behind a local code host, with scripted answers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/shop/ratings.py", line 12, in summary
    rating = average(product["stars"])
  File "/srv/app/shop/ratings.py", line 6, in average
    return round(sum(stars) / len(stars), 1)
ZeroDivisionError: division by zero
"""
TEST = """from shop.ratings import summary


def test_a_product_without_reviews_is_listed():
    assert summary({"name": "Infuser", "stars": []}).startswith("Infuser")
"""
FIXED = '''"""Ratings: the stars that customers gave."""


def average(stars):
    """Return the average number of stars, with one decimal; None when there are none."""
    if not stars:
        return None
    return round(sum(stars) / len(stars), 1)


def summary(product):
    """Return one line about a product for the listing."""
    rating = average(product["stars"])
    if rating is None:
        return f"{product['name']}: no reviews yet"
    return f"{product['name']}: {rating} stars"
'''
SCRIPT = {
    "reproduce": [
        {"files": {"tests/test_no_reviews.py": TEST}, "cause": "an empty list", "summary": "a test"}
    ],
    "fix": [
        {"files": {"shop/ratings.py": FIXED}, "cause": "an empty list", "summary": "no reviews, no average"}
    ],
    "task": [{"answer": "A shop."}],
}


def git(*arguments, cwd=None):
    """Run git with a fixed author, and return what it says."""
    author = ["-c", "user.name=A Developer", "-c", "user.email=developer@example.com"]
    done = subprocess.run(["git", *author, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def make_remote(folder, name="shop.git"):
    """Make a bare repository of the example shop below ``folder/remotes``."""
    work, remote = folder / "work", folder / "remotes" / name
    shutil.copytree(ROOT / "examples" / "shop", work, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "-q", "-b", "main", cwd=work)
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "A shop", cwd=work)
    remote.parent.mkdir(exist_ok=True)
    git("clone", "-q", "--bare", str(work), str(remote))
    return remote


class LocalServer:
    """Runs ``ai-ops server`` in ``folder`` while entered."""

    def __init__(self, folder, script=None, **environment):
        self.folder = folder
        self.remote = make_remote(folder)
        script_file = folder / "script.json"
        script_file.write_text(json.dumps(script or SCRIPT))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "PYTHONPATH": str(ROOT),
            "CODE_HOST": "local",
            "ALLOWED_REPOS": str(folder / "remotes"),
            "SCRIPTED_ANSWERS": str(script_file),
            **environment,
        }
        self.url = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start the server and wait until it answers."""
        self.log = (self.folder / "server.log").open("ab")
        begin = self.log.tell()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ai_ops", "server", "--port", "0"],
            env=self.environment,
            cwd=self.folder,
            stdout=self.log,
            stderr=self.log,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            said = (self.folder / "server.log").read_bytes()[begin:].decode()
            if "listens on " in said:
                self.url = said.split("listens on ")[1].split()[0]
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self, number=signal.SIGTERM):
        """Stop the server and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.log.close()
        return code

    def call(self, path, body=None):
        """Send a request and return the JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def finish_a_repair(self, seconds=60):
        """Ask for a repair of the example's error and wait for its end."""
        body = {"repo_url": str(self.remote), "error_content": TRACEBACK, "service": "shop"}
        task_id = self.call("/v1/tasks", body)["task_id"]
        return self.wait_for(task_id, seconds)

    def wait_for(self, task_id, seconds=60):
        """Return a task once nothing more happens to it by itself."""
        deadline = time.monotonic() + seconds
        task = {}
        while time.monotonic() < deadline:
            task = self.call(f"/v1/tasks/{task_id}")
            if task["state"] in ("completed", "failed", "cancelled", "needs_human_review"):
                return task
            time.sleep(0.05)
        raise AssertionError(task)

    def file_on_main(self, path):
        """Return a file of the remote's main branch."""
        return git("show", f"main:{path}", cwd=self.remote)
