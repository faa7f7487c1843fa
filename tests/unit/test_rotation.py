"""Which names rotation makes of which."""

import pytest

from ai_ops.monitoring.rotation import is_between, originals


@pytest.mark.parametrize(
    "name",
    [
        *(
            "app.log.1",
            "app.log.1.gz",
            "app.log.gz",
            "app.log-20260301",
            "app.log-20260301.gz",
            "app.log.bak",
        ),
        *(
            "app.log.2026-03-01",
            "app.log.2026-03-01_12",
            "app.log.20260301-120000",
            "app.log.2026-03-01T12:00:00Z",
        ),
        *("app.1.log", "app-20260301.log", "app-20260301.log.gz", "app-2026-03-01-1.log", "app.log.old"),
        *("app.log.2026-03-01T12:00:00Z", "app.log.Mar-01", "app.log-2026.03.01-1772366400"),
    ],
)
def test_a_rotated_form_is_known(name):
    assert "/logs/app.log" in originals(f"/logs/{name}")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "app.log",
            "app.log.pos",
            "app.log.wf",
            "app.logger",
            "app.log.1.zst",
            "app.log.1.tmp",
            "myapp.log.1",
        ),
        *("app.old.log", "app-errors.log", "app.log.wf.1", "app"),
    ],
)
def test_another_file_is_no_rotated_form(name):
    assert "/logs/app.log" not in originals(f"/logs/{name}")


@pytest.mark.parametrize(
    ("name", "between"),
    [
        ("part-2.log", True),
        ("part-2.log.gz", True),
        ("part-10.log", True),
        ("part-1.log", False),
        ("part-11.log", False),
        ("other-2.log", False),
        ("part-2.txt", False),
        ("part-2-1.log", False),
    ],
)
def test_between_two_of_a_series_lie_those_with_numbers_between(name, between):
    assert is_between(f"/l/{name}", "/l/part-1.log", "/l/part-11.log") is between
