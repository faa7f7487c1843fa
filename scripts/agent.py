"""Run the agent from a checkout; takes the flags of ``ai-ops agent``."""

import sys

from ai_ops.agent.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
