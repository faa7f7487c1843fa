"""Rules: packages from elsewhere, and packages that go out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import LOCAL

_USUAL_INDEX = re.compile(
    r"https?://((pypi|files\.pythonhosted|registry\.npmjs|rubygems|proxy\.golang)\.org"
    r"|(registry\.yarnpkg)\.com|(crates)\.io)(/|$)"
)
USUAL_SOURCE = re.compile(r"(git\+)?(https|ssh)://(git@)?(github\.com|gitlab\.com|bitbucket\.org)/")
_INSTALLERS = names("pip pip3 uv poetry npm yarn pnpm gem cargo go bun pipx conda composer bundle uvx")
_INSTALLS = re.compile(
    r"\b(install|add|i|ci|download|wheel|get|exec|sync|run|x|dlx|config|sources?|repo|require|create"
    r"|update)\b"
)
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
    "--from",
    "--spec",
)


def packages(call: Call) -> Iterator[str]:
    """Find packages from elsewhere, and packages that go out."""
    name, text = call.name, call.text
    if name.startswith("python") and call.args[:2] in (("-m", "pip"), ("-m", "twine")):
        yield from packages(Call(call.args[1], call.args[2:]))
        return
    runs = name in ("npx", "bunx", "pnpx", "uvx") or (name in _INSTALLERS and _INSTALLS.search(text))
    if runs and (call.has("--trusted-host") or any(map(_is_elsewhere, _addresses(call)))):
        yield "package_source"
    if (
        name == "go"
        and call.plain[:1] in (("install",), ("get",), ("run",))
        and any(map(_is_foreign_module, call.plain))
    ):
        yield "package_source"
    if any(
        re.search(_INDEX_VARIABLES, name)
        and not _USUAL_INDEX.match(value)
        and value not in ("off", "direct", "")
        for name, value in call.sets()
    ) or (name == "easy_install" and "://" in text):
        yield "package_source"
    if call.name in ("docker", "podman", "nerdctl") and any(
        _IMAGE.fullmatch(arg) and not LOCAL.search(arg) for arg in call.plain[1:]
    ):
        yield "package_source"
    if _by_file(call):
        yield "package_source"
    if (
        re.search(r"^(npm|pnpm|yarn) config set (registry|\S*:registry|strict-ssl|_auth)", text)
        or re.search(r"^pip3? config set .*(index|trusted)", text)
        or (name == "go" and any("-insecure" in each for each in (text, *call.variables.values())))
        or re.search(r"^go env -w .*(GOPROXY|GONOSUM|GOFLAGS|GOINSECURE|GONOSUMDB)", text)
        or (
            name in ("apt", "apt-get", "yum", "dnf")
            and re.search("allow-unauthenticated|nogpgcheck|AllowInsecure|force-yes|trusted=yes", text)
        )
        or (
            name in ("apt-key", "add-apt-repository", "rpm")
            and re.search(r"\badd\b|ppa:|--import|https?:", text)
        )
        or (name == "helm" and _charts_elsewhere(call))
        or (name == "brew" and call.at("tap") and "://" in text)
    ):
        yield "package_source"
    if _TRIES not in call.args and (
        _PUBLISHES.search(text)
        or (name in _BUILDERS and any(map(_TASKS.fullmatch, call.plain)))
        or (name in _RELEASERS and not call.has("--help", "--version", "--snapshot"))
        or (name in ("npx", "bunx", "pnpx") and call.plain and call.plain[0] in _RELEASERS)
        or (name == "helm" and call.at("push"))
        or (name == "twine" and call.at("upload"))
        or (name in ("docker", "podman") and call.at("push"))
    ):
        yield "publish_package"


_CHART = re.compile(r"http://\S+|https://\S+\.tgz")
_TAKES_CHARTS = frozenset({"add", "install", "upgrade", "pull"})


def _charts_elsewhere(call: Call) -> bool:
    """Whether a chart comes from an address of its own, or from a repository that nothing protects."""
    return bool(_TAKES_CHARTS & set(call.plain)) and any(
        _CHART.fullmatch(arg) and not LOCAL.search(arg) for arg in call.plain
    )


_IMAGE = re.compile(r"(\d{1,3}(\.\d{1,3}){3}(:\d+)?|[\w.-]+:\d+)/[a-z][\w./-]*(:[\w.-]+)?(@sha256:\w+)?")
"""An image whose registry is named by its address or its port."""
_TRIES = "--dry-run"
_PUBLISHES = re.compile(
    r"^(npm|pnpm|yarn|bun|deno|jsr|cargo|poetry|uv|flit|hatch|pdm|maturin|gem|dotnet nuget|mix hex|dart pub"
    r"|flutter pub|pod trunk|((npx|pnpx|bunx) )?(lerna|changeset|vsce|ovsx|jsr))"
    r"( --?\S+( [^\s-]\S*)?){0,4}( npm)?[ .]"
    r"(publish|unpublish|owner|deprecate|yank|retire|push|deploy|dist-tag (add|rm)|access)(?=[\s.]|$)"
)
_BUILDERS = names("gradle gradlew mvn mvnw sbt mill lein ant")
"""Programs that build, of whose tasks some publish."""
_TASKS = re.compile(
    r"(\S*[:.])?(publish(?!\w*(Local|local|M2)\b)\w*|closeAndRelease\w*|uploadArchives|deploy)"
    r"|release:perform"
)
_RELEASERS = names("semantic-release goreleaser release-it np cargo-release jreleaser")
"""Programs that are there to make a release."""
_INDEX_VARIABLES = (
    r"^((PIP|UV)_(EXTRA_)?INDEX_URL|UV_DEFAULT_INDEX|UV_INDEX|PIP_TRUSTED_HOST|PIP_FIND_LINKS|GOPROXY"
    r"|GOINSECURE|GONOSUMDB"
    r"|GONOSUMCHECK|NPM_CONFIG_REGISTRY|npm_config_registry|YARN_REGISTRY|CARGO_REGISTRIES_\w+"
    r"|BUNDLE_MIRROR\w*"
    r"|NODE_TLS_REJECT_UNAUTHORIZED|RUBYGEMS_HOST)$"
)


_MODULE_HOSTS = re.compile(
    r"(github\.com|gitlab\.com|bitbucket\.org|golang\.org|gopkg\.in|google\.golang\.org|cloud\.google\.com"
    r"|go\.\w+\.(org|dev|io)"
    r"|(sigs\.)?k8s\.io|honnef\.co|mvdan\.cc|gotest\.tools|gorm\.io|modernc\.org|rsc\.io|codeberg\.org"
    r"|git\.sr\.ht|gitea\.com"
    r"|[\w-]+\.(googlesource|google)\.com|dario\.cat|filippo\.io|oras\.land|helm\.sh|knative\.dev"
    r"|istio\.io|entgo\.io"
    r"|go4\.org|gocloud\.dev|connectrpc\.com|buf\.build|nhooyr\.io|gvisor\.dev|4d63\.com|mellium\.im"
    r"|tailscale\.com|maunium\.net"
    r"|sourcegraph\.com|gonum\.org|lukechampine\.com|zombiezen\.com|pault\.ag|src\.techknowlogick\.com"
    r"|cel\.dev"
    r"|dagger\.io|encore\.dev|layeh\.com|software\.sslmate\.com|storj\.io|vitess\.io|v\.io"
    r"|opentelemetry\.io|cuelang\.org)(/|@|$)"
)


def _is_foreign_module(path: str) -> bool:
    """Whether a path of a Go module lies with a host that few modules come from."""
    first = re.split(r"[/@]", path, maxsplit=1)[0]
    named = "." in first.strip(".") and ("/" in path or "@" in path)
    return (named and not _MODULE_HOSTS.match(path)) or bool(re.match(r"[\w-]+/[^@]*@", path))


def _by_file(call: Call) -> bool:
    """Whether a package of the system comes from a file or an address, past the index and its signatures."""
    if call.name == "dpkg":
        return call.has("-i", "--install", "--unpack")
    if call.name in (
        "apt",
        "apt-get",
        "yum",
        "dnf",
        "zypper",
        "rpm",
        "apk",
        "pacman",
        "flatpak",
        "snap",
        "brew",
    ):
        return any(
            re.search(r"\.(deb|rpm|apk|pkg\.tar\.\w+|snap|flatpak|rb)$|^https?://", arg) for arg in call.plain
        ) or call.has("--dangerous", "--allow-untrusted", "--nodeps")
    return False


def _addresses(call: Call) -> Iterator[str]:
    """Yield the indexes and the addresses of packages that an installer is given."""
    for value in (call.value("--git"), *(call.value(option) for option in _INDEX_OPTIONS), *call.plain):
        if re.search(r"^(\S+ @ |[\w.-]+@)?(git\+|hg\+|svn\+)?(https?|ssh|git|ftp|file)(\+\w+)?://", value):
            yield value


def _is_elsewhere(address: str) -> bool:
    return not (_USUAL_INDEX.match(address) or USUAL_SOURCE.search(address) or LOCAL.search(address))
