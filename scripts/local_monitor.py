"""Run the whole loop in one process: the same as ``ai-ops local``."""

import sys

from ai_ops.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "local")
    sys.exit(main())
