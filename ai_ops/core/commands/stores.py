"""Rules: containers and databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import is_credential, placed

MANAGERS = names("docker podman nerdctl docker-compose kubectl oc helm")
"""Programs that make containers after a description."""
_REACHES_HOST = re.compile(
    r"\bprivileged\"?:\s*true|\b(hostPID|hostNetwork|hostIPC)\"?:\s*true|\b(pid|network_mode|ipc|userns_mode):\s*"
    r"[\"']?host\b|docker\.sock|-\s*[\"']?/:/|\bpath\"?:\s*[\"']?/[\"']?\s*(\n|,|\}|$)|[\"']/:/|\bcluster-admin\b"
    r"|SYS_ADMIN"
)


def reaches_host(text: str) -> bool:
    """Whether a description of containers lets one of them reach its host."""
    return bool(_REACHES_HOST.search(text))


_MOUNTS = re.compile(r"(?:-v|--volume)[= ]?([^\s:,]+):|\b(?:source|src)=([^\s,]+)")


def _mounted(found: tuple[str, str]) -> str:
    return placed(found[0] or found[1], ".")


def containers(call: Call) -> Iterator[str]:
    """Find containers that reach the host, and what removes many of them or what they keep."""
    if call.name in ("lxc", "incus") and re.search(r"privileged[= ]true|\braw\.|\bsource=/( |$)", call.text):
        yield "container_escape"
    if call.name not in ("docker", "podman", "nerdctl", "ctr", "docker-compose", "crictl", "buildah"):
        return
    text = call.text
    if re.search(
        r"--privileged|--pid[= ]host|--net(work)?[= ]host|--ipc[= ]host|--cap-add|--userns[= ]host"
        r"|--uts[= ]host|--cgroupns[= ]host|unconfined|label[=:]disable"
        r"|docker\.sock|--device[= ]/dev",
        text,
    ) or re.search(
        r"(-v|--volume|--mount)[= ]?(type=bind,)?(source=|src=)?(/+|/+(etc|root|home|var|usr|proc|sys)"
        r"|~|\$HOME):|(source|src)=/(,|$|etc\b|root\b|home\b|var\b|usr\b|proc\b|sys\b)",
        text,
    ):
        yield "container_escape"
    if any(map(is_credential, map(_mounted, _MOUNTS.findall(text)))):
        yield "credential_read"
    if call.at("cp") and re.search(r":(/etc|/root|/usr|/bin|/var/spool|/lib)", call.plain[-1]):
        yield "infrastructure"
    if call.how in ("xargs", "read") and call.plain[:1] in (("rm",), ("rmi",), ("kill",), ("stop",)):
        yield "infrastructure"
    if re.search(r"(^|\s)(-H|--host)[= ]?(tcp|ssh)://", text) or re.search(
        r"\bsystem prune|\bvolume (prune|rm)\b|\bcontainer prune\b|\brmi?\b.*\$\(|\bswarm leave"
        r"|\bdown\b.*(-v|--volumes|--rmi)"
        r"|\bkill\b.*\$|\bstack rm|\bstop\b.*\$\(",
        text,
    ):
        yield "infrastructure"


_CLIENTS = names(
    "mysql mariadb psql sqlite3 sqlite mongo mongosh redis-cli sqlcmd sqlplus cqlsh clickhouse-client "
    "cockroach duckdb influx pgcli mycli litecli isql bq usql"
)
LOST = re.compile(
    r"\bdrop\s+(database|table|schema|user|role|view|index|keyspace|collection|owned)\b"
    r"|\btruncate\s+(table\s+)?\w|\bdelete\s+from\s+[\w.\"`]+\s*(;|$|['\"]|where\s+(1\s*=\s*1|true))"
    r"|\bupdate\s+[\w.\"`]+\s+set\s+(?!.*\bwhere\b)|\balter\s+table\s+\S+\s+drop\b|\b(dropDatabase|drop"
    r"|deleteMany|remove)\(\s*(\{\s*\})?\s*\)|\bflush(all|db)\b"
    r"|\bgrant\s+all\b|\balter\s+(user|role)\b.*\b(superuser|password|identified)\b"
    r"|\bcopy\b.*\bto\s+program\b|\bxp_cmdshell\b|\bload_extension\b"
    r"|into\s+outfile|\bconfig\s+set\s+(dir|dbfilename)|\bshutdown\b|\b(slaveof|replicaof)\b"
    r"|\bmodule\s+load\b",
    re.IGNORECASE,
)


_READS = re.compile(r"(?:-\w+\s+)*\"?select\b[^;]*;?\s*$", re.IGNORECASE)
_LITERAL = re.compile(r"(?:=|\blike)\s*'[^'\n]*'", re.IGNORECASE)


def _said(text: str) -> str:
    """Return a question to a database without the values that it compares with."""
    return _LITERAL.sub("", text) if _READS.match(text) else text


_EMPTIES = re.compile(
    r"objects\.(all|filter|exclude)\([^)]*\)\.delete\(|\b(delete_all|destroy_all|drop_all|drop_database"
    r"|drop_collection)\b"
    r"|::truncate\(|::query\(\)->delete\(|deleteMany\(\s*(\{\s*\})?\s*\)|\bdropDatabase\b|\bflushall\("
    r"|\bflushdb\("
)
_HOLDS_CODE = frozenset(
    {"rails", "php", "node", "ruby", "mix", "elixir", "mongosh", "mongo", "flask", "npx", "tsx"}
)


_OF_TESTS = "RAILS_ENV=test"


def databases(call: Call) -> Iterator[str]:
    """Find what drops, empties or rewrites a database."""
    text = " ".join([*call.args, call.given or ""])
    tests = any(name.endswith("_ENV") and value == "test" for name, value in call.sets()) or (
        call.name in ("rails", "rake", "bundle") and _OF_TESTS in call.args
    )
    if (call.name in ("alembic", "flask") and "--sql" in call.args) or (call.name not in _CLIENTS and tests):
        return  # it prints what it would do, or the database is that of the tests
    if (
        (
            call.name in _CLIENTS
            and any(LOST.search(_said(each).strip().rstrip("\"'")) for each in (text, *call.args))
        )
        or call.name in ("dropdb", "dropuser")
        or ((call.name in _HOLDS_CODE or call.name.startswith("python")) and _EMPTIES.search(text))
        or (call.name == "mongorestore" and call.has("--drop"))
        or (call.name == "redis-cli" and call.how == "xargs" and call.at("del"))
        or (call.name == "pg_restore" and call.has("-c", "--clean"))
        or (call.name == "mysqladmin" and re.search("drop|shutdown|flush", text))
        or re.search(
            r"manage\.py (flush|reset_db|sqlflush|migrate \w+ zero)|\bdb:(drop|reset|purge"
            r"|schema:load|migrate:reset)\b(?!:test)|^alembic downgrade (base|-\d)|prisma (migrate reset"
            r"|db push.*--force)"
            r"|^(npx )?knex.*rollback --all|^flask db downgrade|sequelize.*db:drop|typeorm schema:drop"
            r"|artisan (migrate:(fresh"
            r"|reset|refresh)|db:wipe)|^knex.*rollback --all|doctrine:(database|schema):drop"
            r"|^liquibase drop|^flyway clean|^ecto.drop|^mix ecto\.(drop|reset)",
            call.text,
        )
    ):
        yield "database_loss"
