"""What was rejected lies in files; a kill between file and database neither loses nor doubles it."""

import json
import stat
from pathlib import Path

import pytest

from ai_ops.agent.rejected import RejectedFolder
from ai_ops.agent.spool import Change, Outgoing, Spool
from ai_ops.agent.wire import addressed, encode
from ai_ops.errors import TemporaryError


class KilledError(BaseException):
    """Stands for a kill: no code of the spool catches it."""


def outgoing(name, count=1):
    event = {
        "event_id": name,
        "repo": {"repo_url": "https://old.example/a/b", "code_host": "github"},
        "source": {"path": "/logs/app.log", "offset": 0},
        "count": count,
    }
    return Outgoing(name, count, encode(event))


def as_it_is(event):
    return event


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(folder):
    made = Spool(folder, 5)
    yield made
    made.close()


def spooled(spool):
    return [waiting.event_id for waiting in spool.oldest(1000, 1 << 30)]


def kept(folder):
    return sorted(path.name for path in (folder / "rejected").iterdir())


def reject(spool, *names, count=1):
    spool.commit(Change(events=[outgoing(name, count) for name in names]))
    waiting = {w.event_id: w for w in spool.oldest(1000, 1 << 30)}
    spool.reject([(waiting[name], f"no {name}") for name in names])


def test_what_is_rejected_leaves_the_outbox_for_a_file_with_the_reason(spool, folder):
    reject(spool, "a", count=3)
    assert spooled(spool) == []
    assert kept(folder) == ["a.json"]
    file = folder / "rejected" / "a.json"
    assert json.loads(file.read_text())["reason"] == "no a"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert spool.stats().rejected == 3


def test_what_is_sent_again_is_in_the_outbox_once_and_no_longer_counted_as_rejected(spool, folder):
    reject(spool, "a", "b", count=2)
    assert spool.resend(as_it_is) == 2
    assert spooled(spool) == ["a", "b"]
    assert kept(folder) == []
    assert (spool.stats().waiting, spool.stats().rejected) == (2, 0)
    assert spool.resend(as_it_is) == 0


def test_what_is_sent_again_is_as_the_settings_say_now(spool):
    reject(spool, "a")
    spool.resend(lambda event: addressed(event, "https://new.example/a/b", "gitlab"))
    (waiting,) = spool.oldest(1, 1)
    assert json.loads(waiting.event)["repo"] == {"repo_url": "https://new.example/a/b", "code_host": "gitlab"}


def test_a_full_spool_takes_what_was_rejected(spool):
    reject(spool, "a")
    spool.commit(Change(events=[outgoing(f"n{n}") for n in range(5)]))
    assert spool.resend(as_it_is) == 1
    assert spool.stats().waiting == 6
    assert spool.room() == 0


def test_many_are_moved_in_bounded_batches(spool, folder, monkeypatch):
    monkeypatch.setattr("ai_ops.agent.rejected._BATCH", 2)
    for name in "abcde":
        reject(spool, name)
    sizes = []
    put_back = spool._put_back
    monkeypatch.setattr(spool, "_put_back", lambda events: (sizes.append(len(events)), put_back(events)))
    assert spool.resend(as_it_is) == 5
    assert sizes == [2, 2, 1]
    assert (spooled(spool), kept(folder)) == (list("abcde"), [])


def test_beyond_the_bound_events_are_only_counted(spool, folder, monkeypatch):
    monkeypatch.setattr("ai_ops.agent.rejected._MAX_FILES", 1)
    spool.commit(Change(events=[outgoing("a"), outgoing("b")]))
    assert spool.reject([(waiting, "no") for waiting in spool.oldest(10, 1 << 20)]) == 1
    assert kept(folder) == ["a.json"]
    assert (spool.stats().waiting, spool.stats().rejected) == (0, 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"event": {}}',
        '{"event": {"event_id": "b", "repo": {"repo_url": "u"}, "source": {"path": "p"}, "count": 1}}',
        '{"event": {"event_id": "x", "repo": {"repo_url": "u"}, "source": {"path": "p"}, "count": 0}}',
        '{"event": {"event_id": "x", "repo": {"repo_url": 7}, "source": {"path": "p"}, "count": 1}}',
        '{"event": {"event_id": "x", "repo": {"repo_url": "\\ud800"}, "source": {"path": "p"}, "count": 1}}',
    ],
    ids=["empty", "torn", "a list", "no event", "another id", "no count", "no address", "half a letter"],
)
def test_a_file_that_holds_no_event_stays_where_it_is(spool, folder, text):
    reject(spool, "a")
    (folder / "rejected" / "x.json").write_text(text)
    assert spool.resend(as_it_is) == 1
    assert kept(folder) == ["x.json"]
    assert spool.rejected.files() == 1


def die(*_):
    raise KilledError


MOMENTS = {
    "before the file is whole": (RejectedFolder, "sync"),
    "before the database": (Spool, "_transaction"),
    "after the database": (RejectedFolder, "settle"),
    "while names change": (Path, "replace"),
}


def kill_during(spool, monkeypatch, moment, act):
    """Do something that dies at a moment; leave the disk as it then is."""
    owner, name = MOMENTS[moment]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        if name != "settle":  # a killed process does not clean up
            patch.setattr(RejectedFolder, "settle", lambda *_: None)
        with pytest.raises(KilledError):
            act()
    spool.close()


@pytest.mark.parametrize("moment", [m for m in MOMENTS if m != "while names change"])
def test_a_kill_while_events_are_rejected_leaves_each_in_one_place(folder, monkeypatch, moment):
    spool = Spool(folder, 5)
    spool.commit(Change(events=[outgoing("a"), outgoing("b")]))
    refused = [(waiting, "no") for waiting in spool.oldest(10, 1 << 20)]
    kill_during(spool, monkeypatch, moment, lambda: spool.reject(refused))
    again = Spool(folder, 5)
    assert sorted([*spooled(again), *(name.removesuffix(".json") for name in kept(folder))]) == ["a", "b"]
    assert again.stats().rejected == len(kept(folder))
    again.close()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_events_are_sent_again_leaves_each_in_one_place(folder, monkeypatch, moment):
    spool = Spool(folder, 5)
    reject(spool, "a", "b")
    kill_during(spool, monkeypatch, moment, lambda: spool.resend(as_it_is))
    again = Spool(folder, 5)
    assert sorted([*spooled(again), *(name.removesuffix(".json") for name in kept(folder))]) == ["a", "b"]
    assert again.stats().rejected == len(kept(folder))
    again.resend(as_it_is)
    assert spooled(again) == ["a", "b"]
    assert kept(folder) == []
    again.close()


def test_a_kill_while_the_start_puts_things_right_is_put_right_by_the_next(folder, monkeypatch):
    spool = Spool(folder, 5)
    reject(spool, "a", "b")
    kill_during(spool, monkeypatch, "after the database", lambda: spool.resend(as_it_is))
    assert kept(folder) == ["a.moving", "b.moving"]
    unlink, seen = Path.unlink, []

    def once(path):
        if seen:
            raise KilledError
        seen.append(path)
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", once)
        with pytest.raises(KilledError):
            RejectedFolder(folder / "rejected").settle(lambda event_id: True)
    again = Spool(folder, 5)
    assert (spooled(again), kept(folder)) == (["a", "b"], [])
    again.close()


def test_a_disk_that_takes_no_file_keeps_the_events_waiting(spool, folder, monkeypatch):
    spool.commit(Change(events=[outgoing("a"), outgoing("b")]))
    refused = [(waiting, "no") for waiting in spool.oldest(10, 1 << 20)]
    begin, seen = RejectedFolder.begin_keeping, []

    def full(self, *event):
        if seen:
            raise OSError(28, "No space left on device")
        seen.append(event)
        begin(self, *event)

    monkeypatch.setattr(RejectedFolder, "begin_keeping", full)
    with pytest.raises(TemporaryError, match="spool_unavailable"):
        spool.reject(refused)
    assert spooled(spool) == ["a", "b"]
    assert kept(folder) == []
    assert spool.stats().rejected == 0
