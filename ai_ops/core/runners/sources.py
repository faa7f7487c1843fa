"""From a class or module name in a report to the file that holds it."""

from __future__ import annotations

from collections.abc import Iterable


class Sources:
    """Finds files by the dotted name that their path ends with."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Index the paths; of two with one name the one nearest to the root counts."""
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(paths, key=lambda path: (path.count("/"), path)):
            stem = path.rpartition("/")[2].partition(".")[0]
            self._by_name.setdefault(stem, []).append(path)

    def file_of(self, dotted: str) -> tuple[str, str]:
        """Return the file, and what of the name is left beneath it; ("", the whole name) when none fits.

        ``com.acme.CartTest`` is ``…/com/acme/CartTest.java``; ``tests.test_cart.TestCart`` is the class
        ``TestCart`` of ``tests/test_cart.py``.
        """
        parts = dotted.split("$", 1)[0].split(".")
        for length in range(len(parts), 0, -1):
            wanted = parts[:length]
            for path in self._by_name.get(wanted[-1], ()):
                folders = path.split("/")[:-1]
                if folders[max(0, len(folders) - length + 1) :] == wanted[:-1]:
                    return path, dotted[len(".".join(wanted)) :].lstrip(".$")
        return "", dotted
