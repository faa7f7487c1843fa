"""Write the parts of the documentation that the code knows better: the table of failures."""

from __future__ import annotations

from pathlib import Path

from ai_ops.core.failures.page import with_tables

PAGE = Path(__file__).parents[1] / "doc" / "operations.md"


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
