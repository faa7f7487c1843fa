"""Rules: repositories, packages, containers and clouds, databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call

_USUAL_INDEX = re.compile(
    r"https?://(pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|rubygems\.org|proxy\.golang\.org|crates\.io)(/|$)"
)
_USUAL_SOURCE = re.compile(r"(git\+)?(https|ssh)://(git@)?(github\.com|gitlab\.com|bitbucket\.org)/")
_INSTALLERS = frozenset(
    {
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
    }
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
)


def packages(call: Call) -> Iterator[str]:
    """Find packages from elsewhere, and packages that go out."""
    name, text = call.name, call.text
    if name.startswith("python") and call.args[:2] in (("-m", "pip"), ("-m", "twine")):
        yield from packages(Call(call.args[1], call.args[2:]))
        return
    if name in _INSTALLERS and re.search(r"\b(install|add|i|ci|download|wheel|get|exec|sync)\b", text):
        given = [value for option in _INDEX_OPTIONS if (value := call.value(option)) and "://" in value]
        urls = [
            arg for arg in call.plain if re.search(r"^(\w+@)?(git\+)?(https?|ssh|git|ftp)(\+\w+)?://", arg)
        ]
        if (
            any(not _USUAL_INDEX.match(value) for value in given)
            or any(
                not _USUAL_SOURCE.search(url) and not _USUAL_INDEX.match(url)
                for url in urls
                if url not in given
            )
            or (
                call.has("--trusted-host")
                or (call.value("--git") and not _USUAL_SOURCE.search(call.value("--git")))
            )
        ):
            yield "package_source"
    if any(
        re.search(_INDEX_VARIABLES, name) and not _USUAL_INDEX.match(value) for name, value in _set(call)
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
    if re.search(
        r"^(npm|pnpm|yarn|cargo|poetry|uv|flit|hatch|gem|mvn|dotnet nuget) (publish|push|deploy)\b", text
    ) or (name == "twine" and call.at("upload")):
        yield "publish_package"


_INDEX_VARIABLES = (
    r"^((PIP|UV)_(EXTRA_)?INDEX_URL|UV_DEFAULT_INDEX|PIP_TRUSTED_HOST|GOPROXY"
    r"|NPM_CONFIG_REGISTRY|npm_config_registry)$"
)
_GIT_VARIABLES = (
    r"^GIT_(SSH|SSH_COMMAND|EXTERNAL_DIFF|PAGER|EDITOR|SEQUENCE_EDITOR|ASKPASS|PROXY_COMMAND|CONFIG_\w+)$"
)


def _set(call: Call) -> Iterator[tuple[str, str]]:
    """Yield the variables that a command is given, or sets for those after it."""
    yield from call.variables.items()
    if call.name in ("export", "env", "declare"):
        yield from (
            (name, value) for name, found, value in (arg.partition("=") for arg in call.args) if found
        )


def repositories(call: Call) -> Iterator[str]:
    """Find what loses commits or work, and what has git run a program."""
    if any(
        re.search(_GIT_VARIABLES, name) and value not in (":", "true", "cat", "")
        for name, value in _set(call)
    ):
        yield "git_program"
    if call.name in ("gh", "glab", "hub"):
        if re.search(r"\b(repo|release|secret|ssh-key) (delete|archive|edit|rename|set|add)\b", call.text):
            yield "history_rewrite"
        return
    if call.name != "git":
        return
    args = list(call.args)
    while args and args[0] in ("-C", "-c", "--git-dir", "--work-tree"):
        if args[0] == "-c" and _RUNS.search(" ".join(args[1:2])):
            yield "git_program"
        args = args[2:]
    rest = Call("git", tuple(args))
    text = " ".join(args)
    if "ext::" in text or "--upload-pack" in text or "--receive-pack" in text or "fd::" in text:
        yield "git_program"
    elif rest.at("config") and (found := _RUNS.search(text)) and not rest.has("--get", "--unset", "-l"):
        yield "git_program" if "credential" not in found[0] else "credential_read"
    elif rest.at("push"):
        yield from _pushes(rest)
    elif rest.args and _LOSES.search(text):
        yield "history_rewrite"
    elif rest.at("commit") and rest.has("--no-verify"):
        yield "defence_evasion"
    if rest.at("remote") and re.search(
        r"\b(add|set-url)\b.*(\w+@[\w.-]+:|://(?!github\.com|gitlab\.com|bitbucket\.org))", text
    ):
        yield "exfiltration"


_RUNS = re.compile(
    r"core\.(hooksPath|fsmonitor|sshCommand|editor|pager|gitProxy|askPass)|diff\.external|\.textconv|\.(clean|smudge)\b"
    r"|credential\.helper|alias\.\w+[ =]+!|protocol\.\w+\.allow|http\.sslVerify|url\..*insteadOf"
    r"|uploadpack\.packObjectsHook",
    re.IGNORECASE,
)
_LOSES = re.compile(
    r"""^( reset\ .*--hard | clean\ (?=.*-\w*f) | filter-branch | filter-repo | update-ref\ .*-d
    | reflog\ (expire|delete)
    | gc\ .*--prune | branch\ (.*\ )?(-D|--delete\ --force|-d\ -f) | checkout\ (--\ )?\.$ | checkout\ --\ \.
    | checkout\ (-f|--force) | restore\ \.$ | restore\ .*--worktree\ \.$ | stash\ (clear|drop)
    | tag\ (-d|--delete) | worktree\ remove\ .*--force
    | rm\ -rf?\ (?!--cached).*(\.|\*)$ | prune | replace )""",
    re.VERBOSE,
)


def _pushes(call: Call) -> Iterator[str]:
    refs = call.plain[2:]
    forced = call.has("--force", "--mirror", "--delete", "--prune") or any(
        re.fullmatch(r"-[a-z]*[fd][a-z]*", arg) for arg in call.args
    )
    if any(arg.startswith("--force-with-lease") for arg in call.args) and not call.has(
        "--mirror", "--delete"
    ):
        forced = "--force" in call.args or bool({"main", "master"} & set(refs))
    if forced or any(ref.startswith((":", "+")) for ref in refs):
        yield "history_rewrite"
    if (
        call.plain[1:2]
        and re.match(r"(https?|ssh|git|ftp)://|\w+@", call.plain[1])
        and not _USUAL_SOURCE.search(call.plain[1])
    ):
        yield "exfiltration"


def infrastructure(call: Call) -> Iterator[str]:
    """Find containers that reach the host, and what changes or removes clusters and clouds."""
    name, text = call.name, call.text
    if name in ("docker", "podman", "nerdctl", "ctr", "docker-compose"):
        yield from _containers(call)
    elif (
        (
            name in ("kubectl", "oc")
            and re.search(
                r"\b(delete|drain|cordon|taint)\b|\breplace --force|\bexec\b.*\b(ba)?sh\b|--replicas=0", text
            )
        )
        or (name == "helm" and re.search(r"\b(uninstall|delete|rollback)\b", text))
        or (
            name in ("terraform", "tofu", "pulumi", "terragrunt", "cdk", "serverless", "sls")
            and re.search(r"\b(destroy|apply|taint|state (rm|push)|force-unlock|remove)\b", text)
        )
        or (
            name
            in (
                "aws",
                "gcloud",
                "az",
                "gsutil",
                "doctl",
                "heroku",
                "flyctl",
                "fly",
                "eksctl",
                "oci",
                "s3cmd",
                "linode-cli",
            )
            and re.search(
                r"[\s:-](delete|terminate|rm|rb|remove|destroy|purge|put-bucket-policy|deregister)\b"
                r"|\bdelete-|\bterminate-|\bstop-|\bs3 sync .*--delete|apps:destroy|\biam (create"
                r"|attach|put|add|update)-|authorize-security-group-ingress",
                text,
            )
        )
    ):
        yield "infrastructure"


def _containers(call: Call) -> Iterator[str]:
    text = call.text
    if re.search(
        r"--privileged|--pid[= ]host|--net(work)?[= ]host|--ipc[= ]host|--cap-add|--userns[= ]host"
        r"|docker\.sock|--device[= ]/dev",
        text,
    ) or re.search(
        r"(-v|--volume|--mount)[= ]?(type=bind,)?(source=|src=)?(/|/(etc|root|home|var|usr|proc|sys)"
        r"|~|\$HOME):|src=/,",
        text,
    ):
        yield "container_escape"
    if re.search(r"(^|\s)(-H|--host)[= ]?(tcp|ssh)://", text) or re.search(
        r"\bsystem prune|\bvolume (prune|rm)\b|\bcontainer prune\b|\brmi?\b.*\$\(|\bswarm leave"
        r"|\bdown\b.*(-v|--volumes|--rmi)"
        r"|\bkill\b.*\$|\bstack rm|\bstop\b.*\$\(",
        text,
    ):
        yield "infrastructure"


_CLIENTS = frozenset(
    {
        "mysql",
        "mariadb",
        "psql",
        "sqlite3",
        "sqlite",
        "mongo",
        "mongosh",
        "redis-cli",
        "sqlcmd",
        "sqlplus",
        "cqlsh",
        "clickhouse-client",
    }
    | {"cockroach", "duckdb", "influx", "pgcli", "mycli", "litecli", "isql", "bq", "usql"}
)
_LOST = re.compile(
    r"\bdrop\s+(database|table|schema|user|role|view|index|keyspace|collection|owned)\b|\btruncate\s+(table\s+)?\w|\bdelete\s+from\s+[\w.\"`]+\s*(;|$|where\s+(1\s*=\s*1|true))"
    r"|\bupdate\s+[\w.\"`]+\s+set\s+(?!.*\bwhere\b)|\balter\s+table\s+\S+\s+drop\b|\b(dropDatabase|drop|deleteMany|remove)\(\s*(\{\s*\})?\s*\)|\bflush(all|db)\b"
    r"|\bgrant\s+all\b|\balter\s+(user|role)\b.*\b(superuser|password|identified)\b|\bcopy\b.*\bto\s+program\b|\bxp_cmdshell\b|\bload_extension\b"
    r"|into\s+outfile|\bconfig\s+set\s+(dir|dbfilename)|\bshutdown\b",
    re.IGNORECASE,
)


def databases(call: Call) -> Iterator[str]:
    """Find what drops, empties or rewrites a database."""
    text = " ".join([*call.args, call.given or ""])
    if (
        (call.name in _CLIENTS and _LOST.search(text.strip().rstrip("\"'")))
        or call.name in ("dropdb", "dropuser")
        or (call.name == "mysqladmin" and re.search("drop|shutdown|flush", text))
        or re.search(
            r"manage\.py (flush|reset_db|sqlflush|migrate \w+ zero)|\bdb:(drop|reset|purge"
            r"|schema:load|migrate:reset)|^alembic downgrade (base|-\d)|prisma (migrate reset"
            r"|db push.*--force)"
            r"|^flask db downgrade|sequelize.*db:drop|typeorm schema:drop|artisan (migrate:(fresh"
            r"|reset|refresh)|db:wipe)|^knex.*rollback --all|doctrine:(database|schema):drop"
            r"|^liquibase drop|^flyway clean|^ecto.drop|^mix ecto\.(drop|reset)",
            call.text,
        )
    ):
        yield "database_loss"
