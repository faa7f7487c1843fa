"""A repair whose test eats memory, on a whole server: its worker is replaced, then a person is asked."""

import time
from pathlib import Path

from tests.support.local_server import SCRIPT, LocalServer

GREEDY = """import time

from shop.ratings import summary


def test_a_product_without_reviews_is_listed():
    kept = bytearray(400_000_000)
    time.sleep(60)
    assert summary({"name": "Infuser", "stars": []}).startswith("Infuser")
"""


def processes_below(folder):
    """Return the command lines of processes that show a folder below this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if f"{folder}/workspaces/".encode() in words:
            found.append(words)
    return found


def until_idle(server):
    """Return the workers once none is at work: the task has its state before its run has let go."""
    deadline = time.monotonic() + 30
    while True:
        workers = server.call("/v1/workers")["items"]
        if {each["state"] for each in workers} == {"idle"}:
            return workers
        assert time.monotonic() < deadline, workers
        time.sleep(0.05)


def test_a_run_that_outgrows_its_workers_is_left_to_a_person_and_nothing_of_it_stays(tmp_path):
    [reproduce] = SCRIPT["reproduce"]
    script = {**SCRIPT, "reproduce": [{**reproduce, "files": {"tests/test_no_reviews.py": GREEDY}}] * 3}
    limits = {"WORKER_MEMORY_MB": "250", "WORKER_MOST_LOSSES": "2", "HEARTBEAT_SECONDS": "0.3"}
    with LocalServer(tmp_path, script=script, **limits) as server:
        task = server.finish_a_repair(seconds=90)
        assert task["state"] == "needs_human_review"
        assert task["error"]["code"] == "worker_poisoned" and "250 MB" in task["error"]["message"]
        workers = until_idle(server)
        assert sum(each["replaced"] for each in workers) == 2
        assert processes_below(tmp_path) == []
        left = [path.name for path in (tmp_path / "workspaces").glob("*") if not path.name.startswith(".")]
        assert left == []
        [told] = server.call("/v1/notifications")["items"]
        assert "worker_poisoned" in server.call(f"/v1/notifications/{told['notification_id']}")["text"]
