"""Starts the server of ``crashing``; it takes its settings from the environment like ``ai-ops server``.

And like that it forgets the secrets before it imports the rest: importing croniter starts a program.
"""

from __future__ import annotations

import os

from ai_ops.config_loading import forget_secrets, load


def main() -> None:
    """Run the server."""
    settings = load().settings
    forget_secrets(os.environ)
    from tests.support import crashing

    crashing.run(settings)


if __name__ == "__main__":
    main()
