"""The only place that constructs adapters: settings in, a running server or local monitor out."""

from ai_ops.wiring.adapters import chosen_sandbox, claude_credential, redactor, secret, with_free_port
from ai_ops.wiring.serving import services, serving
from ai_ops.wiring.system import System, WrapWorker, build

__all__ = [
    "System",
    "WrapWorker",
    "build",
    "chosen_sandbox",
    "claude_credential",
    "redactor",
    "secret",
    "services",
    "serving",
    "with_free_port",
]
