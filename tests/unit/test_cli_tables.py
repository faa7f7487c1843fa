"""Tables: ids and links are whole or not there, whatever the width."""

import pytest

from ai_ops.cli.tables import Column, fit, lay_out

ID = "adb2f327-338b-4de4-bfbf-82c0c19b233c"
COLUMNS = (
    Column("id", "TASK"),
    Column("state", "STATE"),
    Column("reason", "REASON", least=10, rank=1),
    Column("link", "LINK", rank=2),
)
ROW = (ID, "needs_human_review", "the fix is refuted: it still fails", "https://git.example/acme/shop/pull/7")


def lines(width, columns=COLUMNS, *rows):
    return lay_out(rows or [ROW], columns, width).lines


def test_a_pipe_gets_everything_whole_and_a_row_on_a_line():
    laid = lay_out([ROW, ROW], COLUMNS, None)
    assert len(laid.lines) == 3
    assert all(cell in laid.lines[1] for cell in ROW)
    assert laid.left_out == ()


@pytest.mark.parametrize("width", range(20, 200))
def test_an_id_is_never_cut_and_a_link_is_whole_or_not_there(width):
    laid = lay_out([ROW], COLUMNS, width)
    assert ID in laid.lines[1]
    assert ("https" in laid.lines[1]) is (ROW[3] in laid.lines[1])
    assert max(map(len, laid.lines)) <= max(width, len(ID) + 2 + len(ROW[1]))
    assert len(laid.lines) == 2


def test_columns_leave_by_rank_and_are_named():
    assert lay_out([ROW], COLUMNS, 140).left_out == ()
    assert lay_out([ROW], COLUMNS, 80).left_out == ("LINK",)
    assert lay_out([ROW], COLUMNS, 60).left_out == ("REASON", "LINK")


def test_a_column_that_may_be_cut_shows_that_it_is():
    assert lines(80)[1].endswith("the fix is refuted: i…")
    assert len(lines(80)[1]) == 80


def test_a_column_that_wraps_loses_nothing():
    columns = (Column("id", "TASK"), Column("reason", "REASON", least=10, wraps=True))
    told = lines(50, columns, (ID, "the fix is refuted " + "x" * 30))
    assert [line[38:] for line in told] == ["REASON", "the fix is", "refuted", "x" * 12, "x" * 12, "x" * 6]
    assert {line[:36] for line in told[2:]} == {" " * 36, ""} - {""}


@pytest.mark.parametrize("wraps", [True, False])
def test_wide_characters_count_twice(wraps):
    columns = (Column("a", "A", least=6, wraps=wraps), Column("b", "B"))
    told = lines(9, columns, ("漢字漢字漢字", "x"))
    assert told[1] == ("漢字漢  x" if wraps else "漢字…   x")


def test_the_widest_column_gives_first():
    columns = (Column("a", "A", least=5), Column("b", "B", least=5))
    assert fit(columns, [30, 10], 22) == {0: 10, 1: 10}
    assert fit(columns, [30, 10], 10) == {0: 5, 1: 5}


def test_a_table_without_rows_has_its_head():
    assert lay_out([], COLUMNS, 80).lines == ("TASK  STATE  REASON  LINK",)
