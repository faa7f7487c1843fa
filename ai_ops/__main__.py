"""The ``ai-ops`` command. The agent starts without the rest, which would triple its memory."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:2] == ["agent"]:
        from ai_ops.agent.__main__ import main as agent

        return agent(sys.argv[2:])
    from ai_ops.garbage import loading

    try:
        with loading():
            from ai_ops.cli.app import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("ai_ops"):
            raise
        sys.stderr.write(
            f"ai-ops: this installation carries the agent only ({missing.name} is missing).\n"
            'For everything else: pip install "ai-ops[server]"\n'
        )
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
