"""What of the host a language's tools bring into the sandbox: their installation, and nothing beside it."""

from pathlib import Path

import pytest

from ai_ops.workspace.toolchains import find_toolchain, tool_environment


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home" / "ada"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def find(home, *folders, tools=("tool",), **more):
    return find_toolchain(tools, {"PATH": ":".join(map(str, folders)), "HOME": str(home), **more})


def mounted(toolchain):
    return [str(bind.source) for bind in toolchain.binds]


def test_an_installation_is_mounted_read_only_at_its_own_place(home):
    tool = program(home / ".nvm/versions/v20/bin/tool")
    found = find(home, tool.parent)
    (bind,) = found.binds
    assert (bind.source, bind.target, bind.writable) == (tool.parent.parent, str(tool.parent.parent), False)
    assert found.folders == (str(tool.parent),)


def test_a_link_in_the_path_leads_to_the_installation(home):
    tool = program(home / "sdk/go/bin/tool")
    (home / "bin").mkdir()
    (home / "bin/tool").symlink_to(tool)
    assert mounted(find(home, home / "bin")) == [str(home / "sdk/go")]


@pytest.mark.parametrize("folder", ["bin", ".local/bin"])
def test_a_folder_of_one_s_own_programs_is_not_mounted_with_what_lies_around_it(home, folder):
    tool = program(home / folder / "tool")
    assert mounted(find(home, tool.parent)) == [str(tool)]


def test_a_program_of_the_system_needs_no_mount(home):
    assert find(home, "/usr/bin", tools=("env",)).binds == ()


def test_what_is_not_there_is_named(home):
    assert find(home, home, tools=("tool", "other")).missing == ("tool", "other")


def test_behind_rustup_it_is_the_default_toolchain_alone(home):
    proxy = program(home / ".cargo/bin/rustup")
    for tool in ("cargo", "rustc"):
        (proxy.parent / tool).symlink_to("rustup")
        program(home / ".rustup/toolchains/stable-x/bin" / tool)
        program(home / ".rustup/toolchains/nightly-x/bin" / tool)
    (home / ".rustup/settings.toml").write_text('default_toolchain = "stable-x"\n')
    found = find(home, proxy.parent, tools=("cargo", "rustc"))
    assert mounted(found) == [str(home / ".rustup/toolchains/stable-x")]
    named = find(home, proxy.parent, tools=("cargo",), RUSTUP_TOOLCHAIN="nightly")
    assert mounted(named) == [str(home / ".rustup/toolchains/nightly-x")]
    (home / ".rustup/settings.toml").write_text("broken [")
    assert find(home, proxy.parent, tools=("cargo",)).missing == ("cargo",)


def test_another_version_has_another_key(home):
    tool = program(home / "sdk/go/bin/tool")
    before = find(home, tool.parent).key
    tool.write_text("#!/bin/sh\n# another version\n")
    assert find(home, tool.parent).key != before


@pytest.mark.parametrize("ready", [True, False])
def test_each_tool_looks_into_the_set_up_layer_and_never_into_a_home(ready):
    tools = ("cargo", "go", "gradle", "mvn", "node")
    words = tool_environment(tools, ready=ready)
    assert words["CARGO_HOME"] == ("/opt/setup/cargo" if ready else "/tmp/cargo")
    assert not any("/home" in value or "/root" in value for value in words.values())
    assert tool_environment((), ready=ready) == {}
