"""Choosing files: the traceback's files first, whatever root they had, within the room there is."""

import pytest

from ai_ops.core.context import choose, map_path, roots
from ai_ops.flow.event import Frame

PATHS = (
    "README.md",
    "src/shop/__init__.py",
    "src/shop/cart.py",
    "src/shop/models.py",
    "src/shop/web/views.py",
    "src/admin/views.py",
    "tests/conftest.py",
    "tests/test_cart.py",
    "tests/test_models.py",
)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("src/shop/cart.py", "src/shop/cart.py"),
        ("./src/shop/cart.py", "src/shop/cart.py"),
        ("/srv/app/src/shop/cart.py", "src/shop/cart.py"),
        ("/usr/lib/python3/site-packages/shop/cart.py", "src/shop/cart.py"),
        ("C:\\app\\src\\shop\\cart.py", "src/shop/cart.py"),
        ("/app/shop/web/views.py", "src/shop/web/views.py"),
        ("/app/admin/views.py", "src/admin/views.py"),
        ("views.py", None),
        ("/app/src/shop/carts.py", "src/shop/cart.py"),
        ("/usr/lib/python3.11/json/decoder.py", None),
        ("<string>", None),
        ("", None),
    ],
)
def test_a_traceback_path_leads_to_the_file_it_means(file, expected):
    assert map_path(file, PATHS) == expected


def test_the_file_at_the_root_is_found_beside_others_of_its_name():
    assert map_path("/app/main.py", ["main.py", "tools/main.py"]) == "main.py"


def test_the_roots_of_the_log_are_known_from_its_frames():
    frames = [
        Frame("/srv/app/src/shop/cart.py", 1, "f"),
        Frame("/usr/lib/x.py", 1, "g"),
        Frame("src/shop/cart.py", 1, "h"),
    ]
    assert roots(frames, PATHS) == ("/srv/app",)


FRAMES = (
    Frame("/srv/app/src/shop/web/views.py", 9, "view"),
    Frame("/srv/app/src/shop/cart.py", 3, "total"),
    Frame("/usr/lib/python3.11/statistics.py", 1, "mean", in_app=False),
)


def test_frames_come_first_innermost_first_then_tests_then_neighbours():
    choice = choose(FRAMES, PATHS, lambda _: 100)
    assert choice.paths[:3] == ("src/shop/cart.py", "src/shop/web/views.py", "tests/test_cart.py")
    assert set(choice.paths[3:]) == {"tests/conftest.py", "src/shop/__init__.py", "src/shop/models.py"}
    assert choice.left_out == ()


def test_what_does_not_fit_is_left_out_and_smaller_files_still_come():
    sizes = {"src/shop/cart.py": 500, "src/shop/web/views.py": 900}
    choice = choose(FRAMES, PATHS, lambda path: sizes.get(path, 200), budget=1000)
    assert choice.paths[:2] == ("src/shop/cart.py", "tests/test_cart.py")
    assert "src/shop/web/views.py" in choice.left_out


def test_without_frames_the_code_is_shown_as_far_as_there_is_room():
    choice = choose((), PATHS, lambda _: 100, budget=250)
    assert len(choice.paths) == 2
    assert "README.md" not in (*choice.paths, *choice.left_out)
