"""The folder that templates are read from, each time that they are asked for: a file may change meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.core.workflows import MOST_BYTES

_MOST_FILES = 500


class TemplateFolder:
    """Implements ``TemplateFiles``; a folder that is not there has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """The folder, whole."""
        return str(self._folder.absolute())

    def texts(self) -> Sequence[tuple[str, str]]:
        """Return each file's name and text, in the order of the names.

        Raises:
            TemporaryError: ``storage_unavailable``.
        """
        try:
            if not self._folder.is_dir():
                return ()
            names = sorted(
                path for path in self._folder.iterdir() if path.suffix in (".yml", ".yaml") and path.is_file()
            )
            return [(path.name, _text(path)) for path in names[:_MOST_FILES]]
        except OSError as error:
            words = f"the templates cannot be read: {error.strerror}"
            raise failed("storage_unavailable", words, next_step="Look at TEMPLATES_DIR.") from error


def _text(path: Path) -> str:
    """Return a file's text; of one that is too large, enough for whoever reads it to refuse it."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1).decode("utf-8", "replace")
