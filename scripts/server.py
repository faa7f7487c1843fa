"""Run the server: the same as ``ai-ops server``."""

import sys

from ai_ops.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "server")
    sys.exit(main())
