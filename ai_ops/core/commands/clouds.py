"""Rules: clusters, clouds and hosted services, by what a verb does rather than by whose program it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import LOCAL
from ai_ops.core.commands.unwrapping import SHELLS

_CLIENTS: Final = names(
    "aws gcloud az gsutil bq doctl heroku flyctl fly eksctl oci s3cmd s5cmd mc linode-cli aliyun "
    "ibmcloud hcloud scw openstack eb sam copilot amplify ecs-cli cf vercel netlify firebase supabase "
    "railway render wrangler pscale atlas databricks kubectl oc helm k9s argocd flux istioctl velero "
    "kops kubeadm rancher nomad consul vault etcdctl rabbitmqctl rabbitmqadmin influx confluent "
    "kafka-topics kafka-topics.sh kafka-configs.sh kafka-delete-records.sh kafka-consumer-groups "
    "kafka-consumer-groups.sh zkCli.sh nats terraform tofu pulumi terragrunt cdk serverless sls cdktf "
    "packer vagrant multipass lxc incus virsh VBoxManage qm pct govc ansible-vault restic borg "
    "duplicity stripe twilio okta auth0 cloudflared gitlab-rails sentry-cli ceph rbd juju snapctl "
    "elasticdump curator solr nodetool mongodump pg_dropcluster pg_ctlcluster rclone b2 azcopy "
    "systemd-nspawn machinectl launchctl auditctl minikube kind k3d dokku caprover"
)
_LOCAL_CLUSTERS = frozenset({"minikube", "kind", "k3d", "vagrant", "multipass"})
_WORDS = (
    "delete|destroy|terminate|remove|rm|rb|rmi|purge|drop|wipe|uninstall|deregister|drain|cordon|taint"
    "|nuke|reset|undelete"
    "|force-unlock|forget|detach|revoke|disable|deactivate|stop|shutdown|poweroff|rollback|teardown|down"
    "|undeploy|suspend"
    "|flush|truncate|clear|evict|decommission|removenode|disassociate|unseal|seal|rotate|expunge|unset"
    "|prune|obliterate|erase|del|yank|deletion|change-resource-record-sets"
)
_LOSES = re.compile(
    rf"(^|[\s:_/-])({_WORDS})(s|-[\w-]+|:\w+|_\w+)?(?=\s|$)"
    r"|(^|\s)--(delete|destroy|purge|remove|replicas[= ]0)\b"
)
_GRANTS = re.compile(
    r"put-\w+-policy|\b(attach|put|add|set)-(\w+-)?(iam-)?(role|policy|user|acl|member)\w*"
    r"|\b(add|set|remove)-iam-policy-binding|role assignment create|cluster-admin|--acl[= ]public"
    r"|authorize-security-group|update-assume-role|create-access-key|create-login-profile|\bkeys create\b"
    r"|service-accounts? keys|put-public-access-block|PublicAccess|\biam (create|attach|put|add|update)-"
    r"|firewall-rules create"
    r"|credential reset|\bcreate-for-rbac\b|\bset-user-permissions\b|\badm policy\b|\btokens? create\b"
    r"|s3api put-|\biam ch\b|\bacl (ch|set)\b"
    r"|modify-(db|instance|snapshot|image)|update-function-(code|configuration)|\bset-password\b"
    r"|change_password"
)
_RUNS = re.compile(
    r"send-command|run-command|start-session|execute-command|\bvm run|cmd\.run|\bssh\b(?!-)|\bcompute ssh\b"
    r"|\bssh console\b|\brun (bash|sh)\b|\bdebug node/|hostPID|hostNetwork|--privileged"
    r"|\"?privileged\"?[:=]\s*true|lambda invoke"
)
_APPLIES = {
    "terraform": "apply|import|state (rm|push|mv)|taint|workspace delete",
    "tofu": "apply|import|state (rm|push|mv)|taint",
    "terragrunt": r"(run-all )?apply",
    "pulumi": "up|import|state delete|refresh",
    "cdk": "deploy|bootstrap",
    "serverless": "deploy",
    "sls": "deploy",
    "cdktf": "deploy",
    "sam": "deploy",
    "copilot": r"\w+ deploy",
    "amplify": "push|publish",
    "nomad": "job (stop|run)",
    "kubectl": r"replace --force|(patch|edit|set|autoscale)\b.*|cp\b.*|certificate (approve|deny)"
    r"|proxy\b.*0\.0\.0\.0.*",
    "vercel": ".*--prod",
    "netlify": "deploy.*--prod",
    "fly": "deploy|scale count 0",
    "flyctl": "deploy|scale count 0",
    "heroku": "(ps:scale|config:(set|unset)|run|pg:(reset|push|copy)|maintenance:on|releases:rollback"
    "|access:add)",
    "firebase": "deploy",
    "argocd": "app (sync|delete)",
    "ansible-playbook": r".*\.ya?ml.*",
}
_TELLS = re.compile(
    r"print-(access|identity)-token|get-(session|federation|caller-cred)\w*|assume-role|get-login-password"
    r"|get-parameters?(-by-path)?\b|get-secret-value|get-authorization-token|create-token\b|\bauth:token"
    r"|\bconfig:get\b"
    r"|\bstate (pull|show)\b|\benv (pull|ls)\b|^config( (-a|-s|--app|get|-j)\b.*)?$|config view --raw|--raw\b"
)
_VERBS = re.compile(
    r"(^|[\s:-])(get|show|read|list|view|access|print|export|fetch|reveal|describe|download|display|dump"
    r"|cat|pull|decrypt|value)(?=[\s:-]|$)"
)
_SECRETS = re.compile(
    r"(^|[\s:-])(secrets?|secretsmanager|keyvault|tokens?|credentials?|passwords?|keys|access-keys?"
    r"|api-?keys?|private-keys?"
    r"|connection-string|kv|login)(?=[\s:-]|$)"
)
_NAMES_ONLY = re.compile(
    r"\b(list-secrets|secrets? list|auth list|config (get-contexts|current-context|list))\b|--dry-run"
    r"|\bkv list"
)
_TRIES = re.compile(r"--help|--dry-?run(=(client|server|true))?")
_REMOTE_FILE = re.compile(r"(-f|--filename|-k|--values|--from-file)[= ]?https?://(?!localhost|127\.)")
_PROGRAMS_OF_MANY = frozenset(
    {"ansible", "salt", "salt-ssh", "pdsh", "clush", "pssh", "parallel-ssh", "dsh", "knife", "bolt", "mco"}
)
_LOOKS_AT_MANY = re.compile(r"-m (ping|setup|debug)\b|test\.ping|--list|--check|--syntax-check|grains\.")
_SENDS_METHOD = re.compile(r"(-X|--request|--method)[= ]?(DELETE|PUT|PATCH|POST)\b", re.IGNORECASE)


def infrastructure(call: Call) -> Iterator[str]:
    """Find what changes or removes clusters, clouds and what is hosted, or reads their secrets."""
    asked = " ".join(call.args)
    tries = any(map(_TRIES.fullmatch, call.args)) or call.plain[:1] in (
        ("plan",),
        ("preview",),
        ("diff",),
        ("validate",),
    )
    if call.name in _CLIENTS and not tries:
        if (
            (
                call.name not in _LOCAL_CLUSTERS
                and (
                    _LOSES.search(_words(call))
                    or _GRANTS.search(asked)
                    or _RUNS.search(asked)
                    or _starts_shell(call)
                )
            )
            or _REMOTE_FILE.search(asked)
            or (call.source and call.source[0] in ("curl", "wget"))
        ):
            yield "infrastructure"
        if _tells(_words(call)) and not _NAMES_ONLY.search(asked):
            yield "credential_read"
    applies = _APPLIES.get(call.name)
    if (
        applies is not None
        and re.match(rf"(-\S+ )*({applies})(\s|$)", f"{asked} ")
        and "--check" not in asked
    ):
        yield "infrastructure"
    if call.name in _PROGRAMS_OF_MANY and call.plain and not _LOOKS_AT_MANY.search(asked):
        yield "infrastructure"
    if call.name in ("curl", "http", "https", "xh", "wget") and _removes_elsewhere(call):
        yield "infrastructure"


def _starts_shell(call: Call) -> bool:
    return "exec" in call.args and bool(SHELLS & set(call.args))


def _tells(words: str) -> bool:
    """Whether what is asked for is a secret."""
    return bool(_TELLS.search(words) or (_VERBS.search(words) and _SECRETS.search(words)))


def _words(call: Call) -> str:
    """Return the arguments without addresses, files and texts: those are names, no verbs."""
    return " ".join(
        arg for arg in call.args if not re.search(r"[\s.=]|://", arg) or arg.startswith("--") or ".sh" in arg
    )


def _removes_elsewhere(call: Call) -> bool:
    """Whether a request asks another machine to delete, or this one to delete everything."""
    asked = " ".join(call.args)
    method = re.search(r"(-X|--request|--method)[= ]?(DELETE|PURGE)\b", asked, re.I)
    if not (method or call.args[:1] == ("DELETE",)):
        return bool(re.search(r"/_(delete_by_query|shutdown|all/_close)\b", asked))
    return not LOCAL.search(
        next((arg for arg in call.plain if re.search(r"[:/.]|localhost", arg)), "")
    ) or bool(re.search(r":9200/(_all|\*)", asked))
