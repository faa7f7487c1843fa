"""Rules: containers, clusters, clouds, databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call


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
        or (call.name == "pg_restore" and call.has("-c", "--clean"))
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
