"""What may be shown inside, decided before anything starts."""

from pathlib import Path

import pytest

from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.workspace.choosing import AutoSandbox, choose
from ai_ops.workspace.confinement import join_cgroup, leave_cgroup, namespaced_pid_max
from ai_ops.workspace.profile import SandboxLimits, bubblewrap_argv, check_binds
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox


def argv(**changes):
    spec = SandboxSpec(**{"argv": ("true",), "binds": (), **changes})
    return bubblewrap_argv(spec, SandboxLimits(), prlimit="/usr/bin/prlimit")


def test_the_profile_isolates_everything():
    words = argv()
    for flag in ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"):
        assert flag in words
    assert words[words.index("--cap-drop") + 1] == "ALL"
    assert "--share-net" not in words
    assert "--clearenv" in words
    assert words.index("--clearenv") < words.index("--setenv")


def test_a_command_stands_back_for_the_server_unless_somebody_waits_for_its_words():
    words = argv()
    assert words[words.index("nice") :][:3] == ["nice", "-n", "10"]
    assert "nice" not in argv(niceness=0)


def test_the_network_is_shared_only_on_request():
    assert "--share-net" in argv(network=True)


def test_binds_keep_their_order_and_their_mode(tmp_path):
    (tmp_path / ".git").mkdir()
    binds = (Bind(tmp_path, "/workspace", writable=True), Bind(tmp_path / ".git", "/workspace/.git"))
    words = argv(binds=binds)
    first = words.index(str(tmp_path))
    assert words[first - 1 : first + 5] == [
        *("--bind", str(tmp_path), "/workspace"),
        *("--ro-bind", str(tmp_path / ".git"), "/workspace/.git"),
    ]


@pytest.mark.parametrize("target", ["workspace", "/", "/usr", "/etc", "/proc", "/a/../etc", "/a//b", "/a/"])
def test_mount_points_that_would_open_the_profile_are_refused(tmp_path, target):
    with pytest.raises(PermanentError, match="sandbox_refused"):
        check_binds([Bind(tmp_path, target)])


def test_a_link_is_never_mounted(tmp_path):
    (tmp_path / ".git").symlink_to("/root")
    with pytest.raises(PermanentError, match="sandbox_refused"):
        check_binds([Bind(tmp_path / ".git", "/workspace/.git")])


def test_a_mount_point_behind_a_link_of_the_checkout_is_refused(tmp_path):
    checkout, other = tmp_path / "checkout", tmp_path / "other"
    checkout.mkdir()
    other.mkdir()
    (checkout / "inner").symlink_to("/etc")
    with pytest.raises(PermanentError, match="sandbox_refused"):
        check_binds([Bind(checkout, "/workspace", writable=True), Bind(other, "/workspace/inner/x")])


def test_a_missing_or_relative_source_is_refused(tmp_path):
    for source in (tmp_path / "none", Path("relative")):
        with pytest.raises(PermanentError, match="sandbox_refused"):
            check_binds([Bind(source, "/x")])


@pytest.mark.parametrize("name", ["", "A=B", "A B", "1A", "A\n"])
def test_odd_variable_names_are_refused(name):
    with pytest.raises(PermanentError, match="sandbox_refused"):
        argv(env={name: "x"})


def test_a_nul_is_refused():
    with pytest.raises(PermanentError, match="sandbox_refused"):
        argv(argv=("a\0b",))
    with pytest.raises(PermanentError, match="sandbox_refused"):
        argv(env={"A": "a\0b"})


@pytest.mark.parametrize(
    ("setting", "kind"), [("bwrap", BubblewrapSandbox), ("auto", AutoSandbox), ("off", OffSandbox)]
)
def test_off_is_chosen_only_when_it_is_written_out(setting, kind):
    assert type(choose(setting)) is kind


def test_an_unknown_setting_is_a_named_failure():
    with pytest.raises(PermanentError, match="config_invalid"):
        choose("")


@pytest.mark.parametrize(
    ("release", "answer"),
    [
        ("6.14.0", True),
        ("6.18.44-fc", True),
        ("7.0", True),
        ("6.13.9", False),
        ("5.15.0-91", False),
        ("?", False),
    ],
)
def test_the_host_s_own_pid_max_is_left_alone_by_older_kernels(release, answer):
    assert namespaced_pid_max(release) is answer


def test_a_cgroup_that_cannot_be_made_is_none(tmp_path):
    assert join_cgroup(tmp_path / "missing", [1], SandboxLimits()) is None
    leave_cgroup(tmp_path / "missing")


def test_a_cgroup_gets_its_limits_before_its_process(tmp_path):
    folder = join_cgroup(tmp_path, [4242], SandboxLimits(processes=400))
    assert (folder / "pids.max").read_text() == "600"
    assert (folder / "cgroup.procs").read_text() == "4242"
