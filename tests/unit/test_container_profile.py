"""The command line of a container, decided before anything starts."""

import io
import tarfile

import pytest

from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.workspace import seccomp
from ai_ops.workspace.container import Runtime, container_argv, empty_image
from ai_ops.workspace.profile import SandboxLimits


def argv(*binds, limits=None, **changes):
    known = {
        "program": "docker",
        "podman": False,
        "user": "998:997",
        "image": "acme/tools",
        "own_tools": True,
    }
    used = {name: changes.pop(name) for name in list(changes) if name in Runtime.__dataclass_fields__}
    runtime = Runtime(**{**known, "owner": "me", **used})
    spec = SandboxSpec(**{"argv": ("true", "a b"), "binds": binds, **changes})
    return container_argv(spec, limits or SandboxLimits(), runtime, "ai-ops-1")


def values(words, flag):
    return [words[place + 1] for place, word in enumerate(words) if word == flag]


def test_a_container_is_shut_off():
    words = argv()
    assert values(words, "--network") == ["none"]
    assert values(words, "--cap-drop") == ["ALL"]
    assert "no-new-privileges" in values(words, "--security-opt")
    assert values(words, "--user") == ["998:997"]
    assert values(words, "--pull") == ["never"]
    assert {"--read-only", "--interactive"} <= set(words)
    assert values(words, "--log-driver") == ["none"]  # output is not kept on the host's disk
    assert not {"--privileged", "--volume", "-v", "--pid", "--ipc", "--env"} & set(words)


def test_its_limits_are_the_kernel_s():
    words = argv(
        limits=SandboxLimits(memory_bytes=1000, tmp_bytes=10, processes=400, file_bytes=7, cpu_seconds=3)
    )
    assert values(words, "--memory") == values(words, "--memory-swap") == ["1030"]  # with three file systems
    assert values(words, "--pids-limit") == ["600"]
    assert values(words, "--shm-size") == ["10"]
    assert {"core=0:0", "fsize=7:7", "cpu=8:8"} <= set(values(words, "--ulimit"))
    tmp, home = values(words, "--tmpfs")
    assert tmp.startswith("/tmp:") and home.startswith("/home/ai-ops:")
    assert all(place.endswith("size=10") and "nosuid,nodev" in place for place in (tmp, home))


def test_the_command_gets_the_given_variables_alone_and_no_word_is_taken_for_an_option():
    words = argv(env={"A": "b c"})
    assert words[words.index("--entrypoint") + 1 : words.index("--entrypoint") + 4] == [
        *("/bin/sh", "acme/tools", "-c"),
    ]
    inside = words[words.index("env") :]
    assert inside[:2] == ["env", "-i"]
    assert "A=b c" in inside
    assert inside[-2:] == ["true", "a b"]


def test_the_network_is_the_runtime_s_own_on_request():
    assert "--network" not in argv(network=True)


def test_binds_are_read_only_unless_they_are_writable(tmp_path):
    (tmp_path / ".git").mkdir()
    words = argv(Bind(tmp_path, "/workspace", writable=True), Bind(tmp_path / ".git", "/workspace/.git"))
    assert values(words, "--mount") == [
        f"type=bind,src={tmp_path},dst=/workspace",
        f"type=bind,src={tmp_path}/.git,dst=/workspace/.git,readonly",
    ]


def test_without_an_image_the_host_s_programs_are_shown_read_only():
    mounts = values(argv(own_tools=False), "--mount")
    assert "type=bind,src=/usr,dst=/usr,readonly" in mounts
    assert all(mount.endswith(",readonly") for mount in mounts)
    assert not [mount for mount in mounts if "/root" in mount or "/home" in mount or "shadow" in mount]


def test_a_home_that_is_bound_is_no_file_system_of_its_own(tmp_path):
    words = argv(Bind(tmp_path, "/home/ai-ops", writable=True))
    assert [place.partition(":")[0] for place in values(words, "--tmpfs")] == ["/tmp"]


@pytest.mark.parametrize("name", ["a,readonly=false", 'a"b', "a\nb"], ids=["comma", "quote", "line"])
def test_a_path_that_would_become_an_option_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(PermanentError, match="sandbox_refused"):
        argv(Bind(tmp_path / name, "/workspace", writable=True))


def test_what_bubblewrap_refuses_is_refused_here_too(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    for spec in (
        {"binds": (Bind(tmp_path / "link", "/workspace"),)},
        {"argv": ("a\0b",)},
        {"env": {"A=B": "c"}},
        {"argv": ()},
    ):
        binds = spec.pop("binds", ())
        with pytest.raises(PermanentError, match="sandbox_refused"):
            argv(*binds, **spec)


def test_podman_is_told_what_only_podman_knows(tmp_path):
    words = argv(podman=True, keep_id=True, seccomp=tmp_path / "calls.json")
    assert "--read-only-tmpfs=false" in words  # else /run and /var/tmp can be written, without a size
    assert values(words, "--userns") == ["keep-id"]
    assert f"seccomp={tmp_path}/calls.json" in values(words, "--security-opt")


def test_the_empty_image_has_links_and_names_and_no_program():
    with tarfile.open(fileobj=io.BytesIO(empty_image())) as archive:
        files = {entry.name for entry in archive if entry.isreg()}
        assert files == {"etc/passwd", "etc/group", "etc/hosts", "etc/nsswitch.conf"}
        assert all(not entry.mode & 0o022 for entry in archive if not entry.issym())


def test_the_empty_image_is_the_same_each_time():
    assert empty_image() == empty_image()


PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {"names": ["read", "clone", "clone3", "unshare", "mount"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["setns"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    ],
}


def test_the_filter_allows_the_rest_and_no_namespace():
    rules = seccomp.without_namespaces(PROFILE)["syscalls"]
    allowed = {name: rule for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert set(allowed) == {"read", "clone"}
    assert allowed["clone"]["args"][0]["value"] == 0x7E020000
    refused = [name for rule in rules if rule["action"] == "SCMP_ACT_ERRNO" for name in rule["names"]]
    assert {"unshare", "mount", "setns", "clone3"} <= set(refused)
    assert len(refused) == len(set(refused))


def test_a_filter_that_is_not_there_or_damaged_is_none(tmp_path, monkeypatch):
    (tmp_path / "bad").write_text("{")
    monkeypatch.setattr(seccomp, "PROFILES", (tmp_path / "none", tmp_path / "bad"))
    assert seccomp.find_profile() is None
