"""What the bytes of a log say: true text where it can be known, replaced where it cannot, never dropped."""

import pytest

from ai_ops.monitoring.encoding import cleaned, decode, encoding_of, shortened


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("支付失败: größe".encode(), "支付失败: größe"),
        ("2026 ERROR 订单处理失败：库存不足".encode("gbk"), "2026 ERROR 订单处理失败：库存不足"),
        ("ERROR 错误\n  at 商店.java:1".encode("gbk"), "ERROR 错误\n  at 商店.java:1"),
        ("ERROR 错误\n".encode("gbk") + "größe".encode(), "ERROR 错误\ngröße"),
        ("ERROR größe Müller".encode("latin-1"), "ERROR gr��e M�ller"),
        ("ERROR Ошибка сервера".encode("cp1251"), "ERROR " + "�" * 6 + " " + "�" * 7),
        (b"ERROR \xff\xfe\x00 end", "ERROR ��\0 end"),
        (b"ERROR \xe6\x94 cut", "ERROR � cut"),
        (b"\xed\xa0\x80 lone surrogate", "��� lone surrogate"),
    ],
    ids=[
        "UTF-8",
        "GBK",
        "GBK trace",
        "mixed lines",
        "Latin-1",
        "Cyrillic",
        "binary",
        "cut UTF-8",
        "surrogate",
    ],
)
def test_text_is_decoded_line_by_line_and_never_dropped(raw, text):
    assert decode(raw) == text


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        (b"\x1b[1;31mERROR\x1b[0m \x1b[38;5;12mx\x1b[K failed\r", b"ERROR x failed"),
        (b"\x1b]0;title\x07ERROR x", b"ERROR x"),
        (b"\xef\xbb\xbfERROR x", b"ERROR x"),
        (b"\0\0\0ERROR a\0b", b"ERROR a\0b"),
        (b"\xefERROR", b"\xefERROR"),
        (b"an escape \x1b that orders nothing", b"an escape \x1b that orders nothing"),
    ],
    ids=["colours", "window title", "mark", "NUL", "no mark", "lone escape"],
)
def test_what_is_no_text_is_taken_off(line, clean):
    assert cleaned(line) == clean


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\xff\xfeE\0", "utf-16-le"),
        (b"\xfe\xff\0E", "utf-16-be"),
        ("2026-03-01 12:00:00 ERROR".encode("utf-16-le"), "utf-16-le"),
        ("2026-03-01 12:00:00 ERROR".encode("utf-16-be"), "utf-16-be"),
        (b"2026-03-01 12:00:00 ERROR failed in some way", "ascii"),
        (b"\0" * 64, "ascii"),
        (b"\xff", "ascii"),
        (b"", "ascii"),
    ],
    ids=["LE", "BE", "LE without a mark", "BE without a mark", "ASCII", "a hole", "half a mark", "nothing"],
)
def test_the_first_bytes_tell_the_encoding(beginning, name):
    assert encoding_of(beginning).name == name


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"key ghp_a1B2c3", b"key ghp_a1B2c3"),
        (b"sent key ghp_a1B2c3", b"sent key "),
        (b'{"key":"ghp_a1B2c3"}', b'{"key":"'),
        (b"ghp_a1B2c3d4e5f6", b""),
        (b"fourteen bytes; and more", b"fourteen "),
    ],
    ids=["short", "word", "quoted", "one word", "end of a word"],
)
def test_a_line_is_cut_between_words_so_that_half_a_secret_never_looks_like_none(line, kept):
    assert shortened(line, 14) == kept
