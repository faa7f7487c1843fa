"""Rules: packages from elsewhere, and packages that go out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call

_USUAL_INDEX = re.compile(
    r"https?://(pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org"
    r"|registry\.yarnpkg\.com"
    r"|rubygems\.org|proxy\.golang\.org|crates\.io)(/|$)"
)
USUAL_SOURCE = re.compile(r"(git\+)?(https|ssh)://(git@)?(github\.com|gitlab\.com|bitbucket\.org)/")
_INSTALLERS = frozenset(
    [
        "pip",
        "pip3",
        "uv",
        "poetry",
        "npm",
        "yarn",
        "pnpm",
        "gem",
        "cargo",
        "go",
        "bun",
        "pipx",
        "conda",
        "composer",
    ]
)
_INSTALLS = re.compile(r"\b(install|add|i|ci|download|wheel|get|exec|sync|run)\b")
_INDEX_OPTIONS = (
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
    "--registry",
    "--source",
    "--default-index",
    "--index",
)


def packages(call: Call) -> Iterator[str]:
    """Find packages from elsewhere, and packages that go out."""
    name, text = call.name, call.text
    if name.startswith("python") and call.args[:2] in (("-m", "pip"), ("-m", "twine")):
        yield from packages(Call(call.args[1], call.args[2:]))
        return
    runs = name in ("npx", "bunx", "pnpx") or (name in _INSTALLERS and _INSTALLS.search(text))
    if runs and (call.has("--trusted-host") or any(map(_is_elsewhere, _addresses(call)))):
        yield "package_source"
    if any(
        re.search(_INDEX_VARIABLES, name) and not _USUAL_INDEX.match(value) for name, value in call.sets()
    ) or (name == "easy_install" and "://" in text):
        yield "package_source"
    if (
        re.search(r"^(npm|pnpm|yarn) config set (registry|\S*:registry|strict-ssl|_auth)", text)
        or re.search(r"^pip3? config set .*(index|trusted)", text)
        or re.search(r"^go env -w .*(GOPROXY|GONOSUM|GOFLAGS|GOINSECURE|GONOSUMDB)", text)
        or (
            name in ("apt", "apt-get", "yum", "dnf")
            and re.search("allow-unauthenticated|nogpgcheck|AllowInsecure|force-yes|trusted=yes", text)
        )
        or (
            name in ("apt-key", "add-apt-repository", "rpm")
            and re.search(r"\badd\b|ppa:|--import|https?:", text)
        )
        or (name == "brew" and call.at("tap") and "://" in text)
    ):
        yield "package_source"
    if (
        re.search(
            r"^(npm|pnpm|yarn|cargo|poetry|uv|flit|hatch|gem|mvn|dotnet nuget) (publish|push|deploy)\b", text
        )
        or (name == "twine" and call.at("upload"))
        or (name in ("docker", "podman") and call.at("push"))
    ):
        yield "publish_package"


_INDEX_VARIABLES = (
    r"^((PIP|UV)_(EXTRA_)?INDEX_URL|UV_DEFAULT_INDEX|PIP_TRUSTED_HOST|GOPROXY"
    r"|NPM_CONFIG_REGISTRY|npm_config_registry)$"
)


def _addresses(call: Call) -> Iterator[str]:
    """Yield the indexes and the addresses of packages that an installer is given."""
    for value in (call.value("--git"), *(call.value(option) for option in _INDEX_OPTIONS), *call.plain):
        if re.search(r"^(\w+@)?(git\+)?(https?|ssh|git|ftp)(\+\w+)?://", value):
            yield value


def _is_elsewhere(address: str) -> bool:
    return not (_USUAL_INDEX.match(address) or USUAL_SOURCE.search(address))
