"""What the analyser of commands may find: the rules with what is done about each, and a finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ai_ops.flow.judgement import Decision, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what it finds, how bad that is, and what is done about it unless the settings say otherwise."""

    name: str
    severity: Severity
    decision: Decision
    words: str


_ASK, _BLOCK = Decision.ASK, Decision.BLOCK
_MEDIUM, _HIGH, _CRITICAL = Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule("destructive_delete", _CRITICAL, _BLOCK, "deletes what cannot be made again"),
        Rule("disk_write", _CRITICAL, _BLOCK, "writes to a disk or changes its partitions"),
        Rule("system_write", _HIGH, _BLOCK, "changes files, settings or packages of the system"),
        Rule("privilege", _HIGH, _BLOCK, "gains rights, or gives them to others"),
        Rule("elevated", _MEDIUM, _ASK, "runs with the rights of root"),
        Rule("container_escape", _CRITICAL, _BLOCK, "leaves a container or a namespace"),
        Rule("persistence", _HIGH, _BLOCK, "has something run later, unseen"),
        Rule("remote_code", _CRITICAL, _BLOCK, "runs what was just downloaded"),
        Rule("reverse_shell", _CRITICAL, _BLOCK, "opens a shell to somebody else"),
        Rule("exfiltration", _CRITICAL, _BLOCK, "sends files or secrets away"),
        Rule("credential_read", _HIGH, _BLOCK, "reads credentials"),
        Rule("trace_removal", _HIGH, _BLOCK, "removes traces: histories, logs, audits"),
        Rule("defence_evasion", _HIGH, _BLOCK, "switches a protection off"),
        Rule("resource_exhaustion", _HIGH, _BLOCK, "uses the machine up"),
        Rule("machine_stop", _HIGH, _BLOCK, "stops the machine, or processes at large"),
        Rule("attack_tool", _HIGH, _BLOCK, "scans, listens to or attacks other machines"),
        Rule("package_source", _HIGH, _ASK, "installs from an index or address that is not the usual one"),
        Rule("publish_package", _HIGH, _ASK, "publishes a package"),
        Rule("history_rewrite", _HIGH, _ASK, "rewrites or deletes commits, branches or work in git"),
        Rule("git_program", _CRITICAL, _BLOCK, "has git start a program"),
        Rule("infrastructure", _HIGH, _ASK, "changes or removes containers, clusters or clouds"),
        Rule("database_loss", _CRITICAL, _ASK, "drops, empties or rewrites a database"),
        Rule("obfuscated", _HIGH, _ASK, "hides what it runs"),
        Rule("hidden_command", _MEDIUM, _ASK, "runs what cannot be known before"),
        Rule("dangerous_words", _HIGH, _ASK, "asks in plain words for what could not be undone"),
        Rule("too_long", _MEDIUM, _ASK, "is longer than a command that could be read whole"),
    )
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a command met, and the part that met it, as it reads without its disguise."""

    rule: str
    command: str
    obfuscated: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it would be."""
        return RULES[self.rule].severity

    @property
    def words(self) -> str:
        """What it would do, for people."""
        return RULES[self.rule].words


_ORDER = (Decision.ALLOW, Decision.ASK, Decision.BLOCK)


def decision_of(finding: Finding, changed: Mapping[str, Decision]) -> Decision:
    """Return what is done about a finding; ``changed`` are the rules that the settings decide otherwise."""
    return changed.get(finding.rule, RULES[finding.rule].decision)


def strictest(
    findings: Iterable[Finding], changed: Mapping[str, Decision]
) -> tuple[Decision, Finding | None]:
    """Return the strictest decision and the first finding that it came from; allow and None for none.

    That one is ``obfuscated`` where any of them says that something is hidden.
    """
    worst: tuple[Decision, Finding | None] = (Decision.ALLOW, None)
    findings = tuple(findings)
    disguised = any(finding.obfuscated or finding.rule == "obfuscated" for finding in findings)
    for finding in findings:
        decision = decision_of(finding, changed)
        if _ORDER.index(decision) > _ORDER.index(worst[0]):
            worst = (decision, replace(finding, obfuscated=disguised))
    return worst
