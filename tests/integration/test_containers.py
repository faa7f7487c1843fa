"""The life of containers: how docker is asked, what is left after a kill, and what stands in for bubblewrap.

Docker has no daemon here, so its client is a double that writes down how it is called; podman is real where
it works.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ai_ops.core.ports import SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace import oci
from ai_ops.workspace.choosing import AutoSandbox, choose, toolchains_of
from ai_ops.workspace.oci import OciSandbox, client_environment
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.containers import DockerDouble, podman_works

TRUE = SandboxSpec(("true",), (), cwd="/")
needs_podman = pytest.mark.skipif(not podman_works(), reason="podman does not run containers here")


@pytest.fixture
def docker(tmp_path):
    folder = tmp_path / "docker"
    folder.mkdir()
    return DockerDouble(folder)


def sandbox_of(docker, tmp_path, **options):
    return OciSandbox(program=str(docker.program), owner=tmp_path / "workspaces", **options)


def state(**changes):
    known = {"StartedAt": "2026-11-26T05:20:55Z", "Pid": 0, "OOMKilled": False}
    return json.dumps([{"Id": "0123abcd", "State": {**known, **changes}}])


async def test_a_container_is_removed_by_its_name_when_its_command_ended(docker, tmp_path):
    docker.answer(["run"], out="words\n", code=3)
    result = await sandbox_of(docker, tmp_path).run(TRUE)
    assert (result.end, result.exit_code, result.output) == (RunEnd.EXITED, 3, "words\n")
    ran = next(call for call in docker.calls if call[0] == "run")
    assert docker.calls[-1] == ["rm", "--force", "--volumes", ran[ran.index("--name") + 1]]


@pytest.mark.parametrize("end", ["limit", "cancel"])
async def test_a_container_is_removed_however_its_command_ends(docker, tmp_path, end):
    docker.answer(["run"], sleep="60")
    docker.answer(["inspect"], out=state())
    spec = SandboxSpec(("true",), (), cwd="/", wall_seconds=1 if end == "limit" else 60)
    running = asyncio.create_task(sandbox_of(docker, tmp_path).run(spec))
    if end == "cancel":
        while "run" not in [call[0] for call in docker.calls]:
            await asyncio.sleep(0.02)
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert docker.calls[-1][:3] == ["rm", "--force", "--volumes"]


@pytest.mark.parametrize(
    ("options", "user"),
    [("[]", "998:997"), ('["name=seccomp,profile=builtin","name=rootless"]', "0:0")],
    ids=["of root", "rootless"],
)
async def test_files_are_written_as_the_server_s_user_whoever_runs_the_daemon(
    docker, tmp_path, monkeypatch, options, user
):
    monkeypatch.setattr(oci, "own_user", lambda: "998:997")
    docker.answer(["info"], out=options)
    await sandbox_of(docker, tmp_path).run(TRUE)
    ran = next(call for call in docker.calls if call[0] == "run")
    assert ran[ran.index("--user") + 1] == user


async def test_the_empty_image_is_made_once(docker, tmp_path):
    docker.answer(["image", "inspect"], code=1)
    await sandbox_of(docker, tmp_path).run(TRUE)
    made = [call for call in docker.calls if call[0] == "import"]
    ran = next(call for call in docker.calls if call[0] == "run")
    assert len(made) == 1
    assert made[0][2] in ran
    docker.answer(["image", "inspect"])
    await sandbox_of(docker, tmp_path).run(TRUE)
    assert len([call for call in docker.calls if call[0] == "import"]) == 1


REFUSALS = {
    "no daemon": ([(["info"], {"err": "Cannot connect to the Docker daemon", "code": 1})], "Cannot connect"),
    "no image": ([(["image", "inspect"], {"code": 1})], "pull or build it first"),
    "not started": (
        [
            (["run"], {"err": "docker: no such device", "code": 125}),
            (["inspect"], {"out": state(StartedAt="0001-01-01T00:00:00Z")}),
        ],
        "no such device",
    ),
    "never created": (
        [(["run"], {"err": "docker: bad option", "code": 125}), (["inspect"], {"code": 1})],
        "bad option",
    ),
}


@pytest.mark.parametrize(("answers", "words"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_runtime_that_cannot_isolate_refuses_and_says_why(docker, tmp_path, answers, words):
    for beginning, answer in answers:
        docker.answer(beginning, **answer)
    with pytest.raises(PermanentError, match=words) as caught:
        await sandbox_of(docker, tmp_path, image="acme/tools").run(TRUE)
    assert caught.value.code == "sandbox_unavailable"


async def test_a_command_that_ends_like_a_runtime_s_failure_is_no_such_failure(docker, tmp_path):
    docker.answer(["run"], code=125)
    docker.answer(["inspect"], out=state())
    assert (await sandbox_of(docker, tmp_path).run(TRUE)).exit_code == 125


async def test_memory_that_ran_out_inside_is_named(docker, tmp_path):
    docker.answer(["run"], out="Killed\nNAME\n", code=137)
    result = await sandbox_of(docker, tmp_path).run(TRUE)
    assert (result.end, result.exit_code, result.output) == (RunEnd.MEMORY_LIMIT, None, "Killed\n")


async def test_a_daemon_that_does_not_see_our_files_fails_the_probe(docker, tmp_path):
    docker.answer(["run"], out="another word\n1\n")
    with pytest.raises(PermanentError, match="self-test"):
        await sandbox_of(docker, tmp_path).probe()


async def test_only_this_server_s_containers_are_removed_at_the_start(docker, tmp_path):
    docker.answer(["ps"], out="aaa\nbbb\n")
    assert await sandbox_of(docker, tmp_path).clear() == ("aaa", "bbb")
    asked, removed = docker.calls
    label = asked[asked.index("--filter") + 1]
    assert removed == ["rm", "--force", "--volumes", "aaa", "bbb"]
    other = OciSandbox(program=str(docker.program), owner=tmp_path / "other")
    await other.clear()
    assert label not in docker.calls[-2]


def test_the_client_is_told_where_its_daemon_is_and_no_secret_of_ours(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    monkeypatch.setenv("GITHUB_TOKEN", "planted-secret")
    environment = client_environment()
    assert environment["DOCKER_HOST"] == "unix:///run/user/1000/docker.sock"
    assert "planted-secret" not in environment.values()


# --- what stands in for bubblewrap -----------------------------------------------------------------


async def test_bubblewrap_is_used_where_it_works(docker, tmp_path):
    auto = AutoSandbox([BubblewrapSandbox(), sandbox_of(docker, tmp_path)])
    assert "bubblewrap" in await auto.probe()
    assert isinstance(auto.chosen, BubblewrapSandbox)
    assert docker.calls == []


async def test_a_container_stands_in_and_says_why(docker, tmp_path):
    class Works(OciSandbox):
        async def probe(self):
            return "docker 29"

    spare = Works(program=str(docker.program), owner=tmp_path)
    docker.answer(["run"], code=4)
    auto = AutoSandbox([BubblewrapSandbox(program="no-such-bwrap"), spare])
    assert await auto.probe() == "docker 29; not bubblewrap: bubblewrap: no-such-bwrap is not installed"
    assert (await auto.run(TRUE)).exit_code == 4
    async with auto.prepare(TRUE) as prepared:
        assert prepared.argv[prepared.argv.index(str(docker.program)) + 1] == "run"


async def test_where_nothing_isolates_every_run_is_refused(docker, tmp_path):
    docker.answer(["info"], err="no daemon", code=1)
    auto = AutoSandbox([BubblewrapSandbox(program="no-such-bwrap"), sandbox_of(docker, tmp_path)])
    for attempt in (auto.probe(), auto.run(TRUE), auto.prepare(TRUE).__aenter__()):
        with pytest.raises(PermanentError, match=r"no-such-bwrap is not installed.*no daemon") as caught:
            await attempt
        assert caught.value.code == "sandbox_unavailable"
        assert "bubblewrap" in caught.value.next_step


async def test_what_is_mended_is_used_without_a_restart(docker, tmp_path):
    docker.answer(["info"], err="no daemon", code=1)
    auto = AutoSandbox([sandbox_of(docker, tmp_path)])
    with pytest.raises(PermanentError):
        await auto.run(TRUE)
    docker.answer(["info"], out="[]")

    async def works():
        return "docker 29"

    auto._candidates[0].probe = works
    assert (await auto.run(TRUE)).exit_code == 0


@pytest.mark.parametrize(("image", "missing"), [("", ("no-such-tool",)), ("acme/tools", ())])
async def test_an_image_has_its_own_tools(docker, tmp_path, image, missing):
    sandbox = sandbox_of(docker, tmp_path, image=image)
    assert toolchains_of(sandbox)(["no-such-tool"]).missing == missing


def test_auto_knows_all_three_and_never_off(tmp_path):
    auto = choose("auto", owner=tmp_path, image="acme/tools")
    assert [type(each).__name__ for each in auto._candidates] == [
        *("BubblewrapSandbox", "OciSandbox", "OciSandbox"),
    ]


# --- podman ----------------------------------------------------------------------------------------

SERVER = """
import asyncio, sys
from pathlib import Path
from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.workspace.oci import OciSandbox
binds = (Bind(Path(sys.argv[2]), "/workspace", writable=True),)
spec = SandboxSpec(("sh", "-c", "touch began; sleep 300"), binds)
asyncio.run(OciSandbox(program="podman", owner=Path(sys.argv[1])).run(spec))
"""


@needs_podman
async def test_the_next_start_removes_what_a_killed_server_left(tmp_path):
    owner, checkout = tmp_path / "workspaces", tmp_path / "checkout"
    checkout.mkdir()
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(owner), str(checkout)], cwd=root)
    while not (checkout / "began").exists():
        assert server.poll() is None
        await asyncio.sleep(0.05)
    server.kill()
    server.wait()
    assert await OciSandbox(program="podman", owner=tmp_path / "other").clear() == ()
    again = OciSandbox(program="podman", owner=owner)
    left = await again.clear()
    assert len(left) == 1
    assert await again.state(left[0]) == {}
    assert await again.clear() == ()


@needs_podman
async def test_an_image_s_own_tools_are_used_and_the_host_s_are_not_there(tmp_path):
    # An image made here: the host's shell and libraries as a tar archive, and nothing else of it.
    tag, env = "localhost/ai-ops-test-tools:1", client_environment()
    root = tmp_path / "root"
    wanted = subprocess.run(
        "ldd /bin/sh /bin/cat /usr/bin/env /bin/grep /bin/sleep | grep -o '/[^ ]*' | grep -v ':$'",
        shell=True, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for place in sorted({*wanted, "/bin/sh", "/bin/cat", "/usr/bin/env", "/bin/grep", "/bin/sleep"}):
        target = root / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(place).read_bytes())
        target.chmod(0o755)
    (root / "tool").write_text("the image's\n")
    packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
    subprocess.run(["podman", "import", "-", tag], input=packed, capture_output=True, env=env, check=True)
    try:
        sandbox = OciSandbox(program="podman", owner=tmp_path / "workspaces", image=tag)
        assert tag in await sandbox.probe()
        spec = SandboxSpec(("sh", "-c", "cat /tool; python3 -c 1"), (), cwd="/")
        result = await sandbox.run(spec)
        assert (result.exit_code, result.output.splitlines()[0]) == (127, "the image's")
    finally:
        subprocess.run(["podman", "rmi", "--force", tag], capture_output=True, env=env, check=True)
