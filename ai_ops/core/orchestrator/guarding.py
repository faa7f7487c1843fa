"""Judges a task before it runs and each tool call before it is made, and keeps what was decided.

The rules are pure (``core.commands``, ``core.policies``); here their answers are recorded, and what a person
let go on is let through: exactly that text, in exactly that task.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import posixpath
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from ai_ops.core import commands
from ai_ops.core.commands import RULES
from ai_ops.core.failures import failed
from ai_ops.core.policies import Policy, Violation, Wish, violation
from ai_ops.core.ports import Audit, Clock, Findings
from ai_ops.errors import AiOpsError
from ai_ops.flow.judgement import Decision, Finding, Judgement, Role, Severity, ToolJudge
from ai_ops.flow.task import Task

HELD: Final = "command_held"
"""The code of a run that waits for a person to look at a command."""

WORDS: Final = "words"
_HOSTS = re.compile(r"\b[a-z][a-z0-9+.-]*://([^/\\?#\s'\"<>|;]+)", re.IGNORECASE)
_WORKSPACE = "/workspace/"
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Guarding:
    """What guards the tasks of this server.

    ``decisions`` are the rules that the settings decide otherwise; ``redact`` masks what is kept.
    """

    findings: Findings
    audit: Audit
    clock: Clock
    redact: Callable[[str], str]
    policies: tuple[Policy, ...] = ()
    decisions: Mapping[str, Decision] | None = None

    async def admit(
        self, payload: Mapping[str, Any], repository: str, role: Role, *, at: datetime | None = None
    ) -> None:
        """Refuse a task that a policy or a rule forbids, before it is there.

        ``at`` is when it will be made, where that is not now.

        Raises:
            PermanentError: ``policy_violated``, ``command_blocked``.
        """
        await self._keep_policies(_wish(payload, repository, role), "", at)
        judged, found = await self._judge_words(payload)
        if judged.decision is Decision.BLOCK and found is not None:
            await self._keep(found, judged, WORDS, _text(payload), "", "")
            raise _blocked(judged)

    async def words(self, task: Task, run_id: str) -> Judgement:
        """Judge the words of a task that is about to run; where a person is wanted, that is on record.

        Raises:
            PermanentError: ``policy_violated``, ``command_blocked``.
        """
        role = _role(task)
        await self._keep_policies(_wish(task.payload, task.repo_key, role), task.id)
        judged, found = await self._judge_words(task.payload)
        text = _text(task.payload)
        if found is None or _digest(WORDS, text) in await self._unblocked(task.id):
            return Judgement()
        await self._keep(found, judged, WORDS, text, task.id, run_id)
        if judged.decision is Decision.BLOCK:
            raise _blocked(judged)
        return judged

    def tools(self, task: Task, run_id: str) -> ToolJudge:
        """Return who judges the tool calls of a run."""
        role = _role(task)

        async def judge(tool: str, given: dict[str, Any]) -> Judgement:
            text = _input(tool, given)
            wish = Wish(
                str(task.payload.get("type", "")),
                task.repo_key,
                role,
                (tool,),
                _folders(tool, given, str(task.payload.get("folder") or "")),
                await asyncio.to_thread(_hosts, tool, text) if any(p.hosts for p in self.policies) else (),
            )
            broken = violation(self.policies, wish, self.clock.now())
            if broken is not None:
                await self._keep(_of(broken), _refusal(broken), tool, text, task.id, run_id)
                return _refusal(broken)
            found_all = await asyncio.to_thread(_found, tool, given)
            decision, found = commands.strictest(found_all, self.decisions or {})
            if found is None:
                return Judgement()
            if _digest(tool, text) in await self._unblocked(task.id):
                return Judgement(Decision.ALLOW, found.rule, "unblocked by a person")
            judged = self._judged(decision, found)
            await self._keep(found, judged, tool, text, task.id, run_id)
            return judged

        return judge

    async def unblock(self, task_id: str, who: str, role: Role, reason: str) -> Sequence[Finding]:
        """Let what a task waits for go on, and return it.

        What a rule blocks takes an admin; what it asks for takes a reviewer.

        Raises:
            PermanentError: ``nothing_to_unblock``, ``role_too_low``.
        """
        held = [each for each in await self.findings.of_task(task_id) if _waits(each)]
        if not held:
            raise failed(
                "nothing_to_unblock", next_step="What was unblocked before goes on with ai-ops task retry."
            )
        strict = any(each.decision is Decision.BLOCK for each in held)
        needed = Role.ADMIN if strict else Role.REVIEWER
        if tuple(Role).index(role) < tuple(Role).index(needed):
            await self.audit.append(
                who, "security.unblock_refused", task_id, {"role": role, "needed": needed}
            )
            raise failed(
                "role_too_low", f"the role {role} may not; {needed} is needed", next_step=f"Ask an {needed}."
            )
        detail = {"role": role, "reason": self.redact(reason), "rules": sorted({each.rule for each in held})}
        await self.audit.append(who, "security.unblock", task_id, detail)
        await self.findings.unblock([each.id for each in held], f"{who} ({role})", self.redact(reason))
        return held

    async def _judge_words(self, payload: Mapping[str, Any]) -> tuple[Judgement, commands.Finding | None]:
        found_all = await asyncio.to_thread(commands.judge_words, _text(payload))
        decision, found = commands.strictest(found_all, self.decisions or {})
        if found is None:
            return Judgement(), None
        return self._judged(decision, found), found

    def _judged(self, decision: Decision, found: commands.Finding) -> Judgement:
        disguise = "disguised: " if found.obfuscated else ""
        return Judgement(decision, found.rule, disguise + self.redact(found.command)[:_SHOWN])

    async def _unblocked(self, task_id: str) -> frozenset[str]:
        return frozenset(each.digest for each in await self.findings.of_task(task_id) if each.unblocked_by)

    async def _keep_policies(self, wish: Wish, task_id: str, at: datetime | None = None) -> None:
        broken = violation(self.policies, wish, at or self.clock.now())
        if broken is None:
            return
        await self.audit.append(
            "policy", "policy.refused", task_id, {"policy": broken.policy, "why": broken.words}
        )
        raise failed(
            "policy_violated",
            f"the policy {broken.policy} forbids it: {broken.words}",
            next_step="See [[policy]] in ai-ops.toml.",
        )

    async def _keep(
        self, found: commands.Finding, judged: Judgement, place: str, text: str, task_id: str, run_id: str
    ) -> None:
        """Put a decision on record, in the findings and in the audit log."""
        rule = RULES.get(found.rule)
        finding = Finding(
            id=str(uuid.uuid4()),
            at=self.clock.now(),
            rule=found.rule,
            severity=rule.severity if rule else Severity.HIGH,
            decision=judged.decision,
            place=place,
            text=judged.text,
            digest=_digest(place, text),
            task_id=task_id,
            run_id=run_id,
        )
        kept = await self.findings.keep(finding)
        if kept.id == finding.id:
            detail = {"rule": found.rule, "place": place, "text": judged.text, "obfuscated": found.obfuscated}
            await self.audit.append("rule", f"command.{judged.decision}", task_id, detail)


def _waits(finding: Finding) -> bool:
    """Whether a task waits for a person because of this. A tool call that was blocked is refused for good."""
    asked = finding.decision is Decision.ASK or finding.place == WORDS
    return asked and not finding.unblocked_by


def _role(task: Task) -> Role:
    """Return whose wish a task is: a schedule's, or that of somebody with the key."""
    return Role.SCHEDULE if task.payload.get("schedule_id") else Role.ADMIN


def _blocked(judged: Judgement) -> AiOpsError:
    return failed(
        "command_blocked",
        f"the rule {judged.rule} forbids it: {judged.text}",
        next_step="Ask for something else, or change the rule's decision in ai-ops.toml.",
    )


def _refusal(broken: Violation) -> Judgement:
    return Judgement(Decision.BLOCK, f"policy {broken.policy}", broken.words)


def _of(broken: Violation) -> commands.Finding:
    return commands.Finding(f"policy {broken.policy}", broken.words)


def _wish(payload: Mapping[str, Any], repository: str, role: Role) -> Wish:
    folder = payload.get("folder")
    return Wish(
        str(payload.get("type", "")),
        repository,
        role,
        tuple(payload.get("allowed_tools") or ()),
        (posixpath.normpath(str(folder)),) if folder else (),
        (),
    )


def _text(payload: Mapping[str, Any]) -> str:
    return "\n".join(str(payload.get(name) or "") for name in ("name", "description", "prompt"))


def _input(tool: str, given: Mapping[str, Any]) -> str:
    return str(given.get("command", "")) if tool == "Bash" else json.dumps(given, sort_keys=True, default=str)


def _found(tool: str, given: Mapping[str, Any]) -> Sequence[commands.Finding]:
    """Find what is dangerous in a tool call: a command, a file that starts programs, one with credentials."""
    if tool == "Bash":
        return commands.analyse(str(given.get("command", "")))
    path = str(given.get("file_path") or given.get("notebook_path") or given.get("path") or "")
    return commands.judge_path(path.removeprefix(_WORKSPACE), writes=tool not in ("Read", "Glob", "Grep"))


def _folders(tool: str, given: Mapping[str, Any], folder: str) -> tuple[str, ...]:
    """Return where a file tool looks or writes: beneath the checkout, or in the server's ``folder``."""
    path = str(given.get("file_path") or given.get("notebook_path") or given.get("path") or "")
    if tool == "Glob":
        fixed = re.split(r"[*?\[{]", str(given.get("pattern") or ""), maxsplit=1)[0]
        path = posixpath.join(path, fixed if fixed == given.get("pattern") else posixpath.dirname(fixed))
    if not path and tool not in ("Glob", "Grep"):
        return ()
    real = posixpath.normpath(posixpath.join(_WORKSPACE, path))
    if posixpath.join(real, "") != _WORKSPACE and not real.startswith(_WORKSPACE):
        return (real,)
    beneath = posixpath.relpath(real, _WORKSPACE)
    return (posixpath.normpath(posixpath.join(folder, beneath)),)


def _hosts(tool: str, text: str) -> tuple[str, ...]:
    """Return the hosts that a text names in addresses, and as arguments of programs that connect."""
    named = [authority.rpartition("@")[2] for authority in _HOSTS.findall(text)]
    if tool == "Bash":
        named += commands.hosts_of(text)
    return tuple(dict.fromkeys(_host(each) for each in named))


def _host(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or authority
    except ValueError:
        return authority  # no address of anything, and among no policy's hosts


def _digest(place: str, text: str) -> str:
    return hashlib.sha256(f"{place}\0{text}".encode("utf-8", "replace")).hexdigest()
