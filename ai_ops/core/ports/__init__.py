"""The ports: what the rules and the orchestrator need from the outside, as small Protocols.

An adapter implements one of them and knows none of the others. Every port ships an honest twin
(in-memory or scripted), and one contract suite in ``tests/contract`` runs over every implementation.
All failures are ``TemporaryError`` or ``PermanentError`` with the codes named here.
"""

from ai_ops.core.ports.asking import Fixer, Granted, Ledger, Pauses
from ai_ops.core.ports.bug_cases import BugCaseFilter, BugCases
from ai_ops.core.ports.crew import ChildTree, Nursery, TreeUse, WorkerLosses
from ai_ops.core.ports.health import AlertLog, Alerts, Figures, Gauges, StoredFigures
from ai_ops.core.ports.hosts import CodeHost
from ai_ops.core.ports.publishing import (
    Comments,
    Deliveries,
    Place,
    Places,
    PullRequests,
    SeenComment,
    SeenComments,
)
from ai_ops.core.ports.queueing import Maintenance, MaintenanceSwitch, QueueGate
from ai_ops.core.ports.records import Created, Ids, Ingested, Issues, Merged, NewTask, Page, TaskFilter, Tasks
from ai_ops.core.ports.repositories import Git, History, Workspaces
from ai_ops.core.ports.running import Clock, Engine, Fail, Outcome, Steps, Trace, Worker
from ai_ops.core.ports.sandbox import Bind, Prepared, Sandbox, SandboxResult, SandboxSpec
from ai_ops.core.ports.schedules import Schedules
from ai_ops.core.ports.security import Audit, Findings
from ai_ops.core.ports.telling import Notifier, Outbox
from ai_ops.core.ports.watches import Builds, FixWatches

__all__ = [
    "AlertLog",
    "Alerts",
    "Audit",
    "Bind",
    "BugCaseFilter",
    "BugCases",
    "Builds",
    "ChildTree",
    "Clock",
    "CodeHost",
    "Comments",
    "Created",
    "Deliveries",
    "Engine",
    "Fail",
    "Figures",
    "Findings",
    "FixWatches",
    "Fixer",
    "Gauges",
    "Git",
    "Granted",
    "History",
    "Ids",
    "Ingested",
    "Issues",
    "Ledger",
    "Maintenance",
    "MaintenanceSwitch",
    "Merged",
    "NewTask",
    "Notifier",
    "Nursery",
    "Outbox",
    "Outcome",
    "Page",
    "Pauses",
    "Place",
    "Places",
    "Prepared",
    "PullRequests",
    "QueueGate",
    "Sandbox",
    "SandboxResult",
    "SandboxSpec",
    "Schedules",
    "SeenComment",
    "SeenComments",
    "Steps",
    "StoredFigures",
    "TaskFilter",
    "Tasks",
    "Trace",
    "TreeUse",
    "Worker",
    "WorkerLosses",
    "Workspaces",
]
