"""The search of chunks: both ways of it come to each line that holds a word."""

import threading

import hyperscan
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.monitoring.detect import DEFAULT_KEYWORDS, Detector
from ai_ops.monitoring.search import FoldedSearch, least, search_of

WORDS = [b"ERROR", b"EXCEPTION", b"FATAL", b"PANIC", "错误".encode(), b"a.b*", b"(most recent"]
SEARCHES = {"one pass": search_of(WORDS), "folded": FoldedSearch(word.upper() for word in WORDS)}

fragments = st.sampled_from(
    [*WORDS, *(word.lower() for word in WORDS), b"Error", b"eRrO", b"R", b"PATAL", b"aXb", b"\xff\x00", b" "]
)
lines = st.lists(st.lists(fragments, max_size=4).map(b"".join), max_size=12)


def lines_come_to(search, text):
    """Return the numbers of the lines that a scan by ``next`` looks at."""
    hits, looked, position = search.hits(text), [], 0
    while (hit := hits.next(position)) >= 0:
        end = text.find(b"\n", hit)
        looked.append(text.count(b"\n", 0, hit))
        if end < 0:
            break
        position = end + 1
    return looked


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@given(lines)
def test_each_line_that_holds_a_word_in_any_case_is_come_to_once(search, content):
    looked = lines_come_to(search, b"\n".join(content))
    holding = [n for n, line in enumerate(content) if any(word.upper() in line.upper() for word in WORDS)]
    assert sorted(set(looked)) == looked
    assert set(holding) <= set(looked)
    if search is SEARCHES["one pass"]:
        assert looked == holding


def test_hyperscan_is_what_searches_where_it_can_be_loaded():
    assert not isinstance(search_of(WORDS), FoldedSearch)


def test_a_word_that_hyperscan_refuses_is_searched_for_all_the_same():
    long = b"x" * 40_000
    with pytest.raises(hyperscan.HyperscanError):
        hyperscan.Database().compile(expressions=[long], literal=True)
    search = search_of([b"ERROR", long])
    assert lines_come_to(search, b"fine\n" + long + b"\nan error") == [1, 2]


def test_threads_can_share_one_search():
    search = search_of(WORDS)
    text = b"all is well with order 7\n" * 2000 + b"ERROR\n"
    wrong = []

    def scan():
        wrong.extend(n for n in range(200) if lines_come_to(search, text) != [2000])

    threads = [threading.Thread(target=scan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("word", ["CRITICAL", "Fatal", "panic", "error", "Exception"])
def test_trouble_is_come_to_whatever_the_keywords_are(word):
    for keywords in ((), DEFAULT_KEYWORDS, ("MY OWN",)):
        assert Detector(keywords).hits(f"12:00 {word}: x\n".encode()).next(0) >= 0


@given(st.sets(st.binary(min_size=1, max_size=6).map(bytes.upper), max_size=30))
def test_words_that_hold_others_are_left_to_those(words):
    found = least(words)
    assert found == sorted(w for w in words if not any(o != w and o in w for o in words))


def test_the_work_to_begin_grows_as_the_words_do():
    asked = []
    for count in (500, 1000):
        words = Counted(f"{number:08d}".encode() for number in range(count))
        least(words)
        asked.append(words.asked)
    assert asked[1] <= 2 * asked[0]


class Counted(set):
    """A set that counts how often it is asked."""

    asked = 0

    def __contains__(self, word):
        self.asked += 1
        return super().__contains__(word)

    def __iter__(self):
        for word in super().__iter__():
            self.asked += 1
            yield word
