"""One git child: what it may see, what it may do, and for how long.

Nothing of the machine's or the user's git set-up applies, and no repository's own config is read but
that of mirrors we made: the work tree of a run is untrusted, so it is looked at through a private
``GIT_DIR`` (see ``checkout``). What git could be talked into running is switched off here as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.process import Completed, Limits, clean_environment, run
from ai_ops.vcs.credentials import Credential, lent
from ai_ops.vcs.failures import failure_of

OUTPUT_LIMIT = 64_000_000

# In force for every command, above any config file.
SAFE_CONFIG: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.trustctime": "true",
    "core.checkStat": "default",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "false",
    "core.sshCommand": "false",
    "credential.helper": "",
    "safe.bareRepository": "explicit",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "push.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # A redirect would take the token to another host.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}

# The strongest attributes file of a repository. It undoes every conversion the work tree's own
# .gitattributes asks for: what is in the tree is what is in the file, byte for byte.
NEUTRAL_ATTRIBUTES = "* -text -filter -ident !eol !working-tree-encoding !diff !merge !whitespace\n"


@dataclass(frozen=True, slots=True)
class Place:
    """The repository a command works on. ``index`` and ``objects`` are kept outside when given."""

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None
    borrowed_objects: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that name it."""
        named = {"GIT_DIR": self.git_dir, "GIT_WORK_TREE": self.work_tree, "GIT_INDEX_FILE": self.index}
        environment = {name: str(path) for name, path in named.items() if path is not None}
        if self.borrowed_objects is not None:  # quoted, as it is a list parted by colons
            escaped = str(self.borrowed_objects).replace("\\", "\\\\").replace('"', '\\"')
            environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{escaped}"'
        return environment


@dataclass(frozen=True, slots=True)
class GitRunner:
    """Runs git. ``askpass`` is the program that hands out a lent token."""

    askpass: Path
    timeout_seconds: float

    async def run(
        self,
        action: str,
        arguments: Sequence[str],
        place: Place,
        *,
        protocol: str = "",
        credential: Credential | None = None,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> Completed:
        """Run one git command and return it when its exit code is one of ``accept``.

        Args:
            action: what is being done, for the message of a failure.
            arguments: the sub-command and its arguments.
            place: the repository.
            protocol: the only transport allowed; none when empty.
            credential: lent to this child alone.
            stdin: what it reads.
            extra: more environment.
            config: config on top of ``SAFE_CONFIG``.
            accept: exit codes that are answers.

        Raises:
            TemporaryError, PermanentError: as ``failures.failure_of`` names it.
        """
        environment = child_environment(place, protocol, config or {}) | dict(extra or {})
        with ExitStack() as stack:
            descriptors: list[int] = []
            if credential is not None:
                descriptors.append(stack.enter_context(lent(credential)))
                environment |= {
                    "GIT_ASKPASS": str(self.askpass),
                    "AI_OPS_GIT_USER": credential.user_name,
                    "AI_OPS_GIT_TOKEN_FD": str(descriptors[0]),
                }
            try:
                done = await run(
                    ["git", *arguments],
                    env=environment,
                    cwd=place.work_tree or place.git_dir,
                    stdin=stdin,
                    limits=Limits(wall_seconds=self.timeout_seconds, output_bytes=OUTPUT_LIMIT),
                    pass_fds=descriptors,
                )
            except FileNotFoundError:
                raise _missing(place) from None
        failure = failure_of(done, action, accept)
        if failure is not None:
            raise failure
        return done


def _missing(place: Place) -> AiOpsError:
    if place.work_tree is not None and not place.work_tree.is_dir():
        return failed("checkout_missing", "the checkout is gone")
    if place.git_dir.is_dir():
        return failed("git_missing")
    return failed("git_damaged", f"{place.git_dir.name} is gone")


def child_environment(
    place: Place, protocol: str = "", config: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the whole environment of a git child; ``config`` comes on top of ``SAFE_CONFIG``."""
    safe = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocol or "none",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ADVICE": "0",
        "HOME": "/nonexistent",
    }
    pairs = {**SAFE_CONFIG, **(config or {})}
    safe["GIT_CONFIG_COUNT"] = str(len(pairs))
    for number, (key, value) in enumerate(pairs.items()):
        safe[f"GIT_CONFIG_KEY_{number}"] = key
        safe[f"GIT_CONFIG_VALUE_{number}"] = value
    return clean_environment(safe | place.environment)
