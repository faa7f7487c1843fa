"""What is blocked in plain words is blocked in other words as well."""

import pytest

from ai_ops.core.guard import Severity, review
from tests.support.patches import diff, reader

LOGGED = (
    "ZeroDivisionError: division by zero\norder ORD-2024-991 amount 7731 flags 0xBEEF kind GIFT-55 from v1.20"
)
PRICE = "def price(order, amount):\n    total = TABLE[order]\n    return total / amount\n"


@pytest.fixture
def blocked(tmp_path):
    """Return the rules that block a change of one file."""

    def run(name, old, new, **more):
        before, after = {name: old}, {name: new}
        found = review(diff(tmp_path, before, after), reader(before), reader(after), **more)
        return {finding.rule for finding in found if finding.severity is Severity.BLOCKED}

    return run


def answered(condition):
    """Return the code with a constant for what a condition tells."""
    return PRICE.replace("    total", f"    if {condition}:\n        return 0\n    total", 1)


@pytest.mark.parametrize(
    "condition",
    [
        "order == 'ORD-2024-991'",
        "order == 'ORD-' + '2024-' + '991'",
        "order == ('ORD-' '2024-' '991')",
        r"order == '\x4fRD-2024\u002d991'",
        "order.startswith('ORD-2024-9')",
        "order[:9] == 'ORD-2024-'",
        "order.endswith('-991')",
        "amount == 7_731",
        "amount == 0x1e33",
        "amount == 7731.0",
        "amount == 0xBEEF",
        "order == ''.join(['ORD', '-2024', '-991'])",
        "order == '{}-{}'.format('ORD', '2024-991')",
        "order == 'ORD-%s-991' % '2024'",
        "order == f'ORD-{2024}-991'",
        "order == '199-4202-DRO'[::-1]",
        "order == bytes.fromhex('4f52442d323032342d393931').decode()",
        "order == b64decode('T1JELTIwMjQtOTkx').decode()",
        "order == Key('ORD-2024-991')",
        "amount == 7000 + 731",
        "amount == Decimal('7731')",
        "amount - 7731 == 0",
        "0 == amount + 1 - 7732",
        "not amount - 7731",
        "not amount ^ 7731",
        "7731 <= amount <= 7731",
        "7730 < amount < 7732",
        "amount > 7730 and amount < 7732",
        "not (amount < 7731 or amount > 7731)",
        "amount in range(7731, 7732)",
        "abs(amount - 7731) < 1",
        "hash(order) == 8832190",
        "zlib.crc32(order.encode()) == 0x5e3b81c2",
        "hashlib.md5(order.encode()).hexdigest() == 'd5b1a2f0c3'",
        "sum(map(ord, order)) == 718",
        "int.from_bytes(order.encode(), 'big') == 24571890",
    ],
)
def test_a_value_of_the_log_is_found_however_it_is_written(blocked, condition):
    found = blocked("shop/price.py", PRICE, answered(condition), logged=LOGGED)
    assert found == {"input_special_cased"}


@pytest.mark.parametrize(
    "condition",
    [
        "order.startswith('GIFT-')",
        "order.startswith('X-' + '2024-1')",
        "amount == 7_730",
        "order[:2] == 'OR'",
        "0 <= amount <= 1",
        "1 <= amount <= 12",
        "7000 <= amount < 8000",
        "amount in range(7000, 8000)",
        "abs(amount - 7731) < 100",
        "abs(amount) < 1e-9",
        "hash(order) % 2 == 0",
        "sum(amount) == 718",
        "amount == Decimal('0')",
        "amount - 1 == 0",
        "order == ','.join(['a', 'b'])",
        "len(order) == 12",
    ],
)
def test_what_the_log_does_not_say_or_says_of_many_is_free(blocked, condition):
    assert blocked("shop/price.py", PRICE, answered(condition), logged=LOGGED) == set()


def test_a_length_that_only_the_value_has_is_a_warning(tmp_path):
    before, after = {"shop/price.py": PRICE}, {"shop/price.py": answered("len(order) == 12")}
    found = review(diff(tmp_path, before, after), reader(before), reader(after), logged=LOGGED)
    assert [(each.rule, each.severity) for each in found] == [("input_special_cased", Severity.WARNING)]


TREATED = {
    "kept in a function": ("shop/price.py", "    TABLE['ORD-2024-991'] = 0\n    return"),
    "kept by a call": ("shop/price.py", "    TABLE.setdefault('ORD-2024-991', 1)\n    return"),
    "replaced": ("shop/price.py", "    order = order.replace('ORD-2024-991', 'ORD-0')\n    return"),
    "replaced by a pattern": ("shop/price.py", "    order = re.sub('ORD-2024-991', '', order)\n    return"),
    "split at": ("shop/price.py", "    order = order.split('GIFT-55')[0]\n    return"),
}


@pytest.mark.parametrize(("path", "line"), TREATED.values(), ids=TREATED)
def test_a_value_of_the_log_is_neither_given_an_answer_nor_replaced(blocked, path, line):
    new = PRICE.replace("    return", line, 1)
    assert blocked(path, PRICE, new, logged=LOGGED) == {"input_special_cased"}


HONEST_TREATMENTS = {
    "a symbol is taken out": "order = order.replace('$', '').replace('+00:00', 'Z')",
    "a unit is taken out": "order = order.removesuffix('kg')",
    "a result is kept under its key": "TABLE[order] = amount",
    "another key": "TABLE['ORD-0'] = 1",
    "work is kept under it": "TABLE['ORD-2024-991'] = load(order)",
    "an entry of a table": "rates = {'GIFT-55': 1, 'GIFT-56': 2}",
}


@pytest.mark.parametrize("line", HONEST_TREATMENTS.values(), ids=HONEST_TREATMENTS)
def test_an_ordinary_replacement_or_entry_is_free(blocked, line):
    new = PRICE.replace("    return", f"    {line}\n    return", 1)
    logged = f"{LOGGED} 5 kg at 2024-01-01T00:00:00+00:00"
    assert blocked("shop/price.py", PRICE, new, logged=logged) == set()


BEGAN = "ValueError: day is out of range\nbegan 2024-02-29 cents 7731 order ORD-2024-991"
OTHERS = {
    "java": ("src/T.java", "class T {\n  int f(D d, int n, String s) {\n    %s\n    return g(d);\n  }\n}\n"),
    "javascript": ("src/t.js", "function f(d, n, s) {\n  %s\n  return g(d)\n}\n"),
    "go": ("t.go", "package t\n\nfunc F(d D, n int, s string) int {\n\t%s\n\treturn g(d)\n}\n"),
    "rust": ("src/t.rs", "fn f(d: D, n: i32, s: &str) -> i32 {\n    %s\n    g(d)\n}\n"),
    "python": ("t.py", "def f(d, n, s):\n    %s\n    return g(d)\n"),
}


TREATED_ELSEWHERE = {
    "javascript": ("javascript", "table['ORD-2024-991'] = 0"),
    "a map of javascript": ("javascript", "table.set('ORD-2024-991', 0)"),
    "java": ("java", 'table.put("ORD-2024-991", 0);'),
    "a text of java": ("java", 's = s.replace("ORD-2024-991", "");'),
    "go": ("go", 'table["ORD-2024-991"] = 0'),
    "a text of go": ("go", 's = strings.ReplaceAll(s, "ORD-2024-991", "")'),
    "rust": ("rust", 'table.insert("ORD-2024-991", 0);'),
}


@pytest.mark.parametrize(("language", "line"), TREATED_ELSEWHERE.values(), ids=TREATED_ELSEWHERE)
def test_a_value_is_given_no_answer_in_any_language(blocked, language, line):
    path, form = OTHERS[language]
    assert blocked(path, form.replace("%s\n", ""), form % line, logged=BEGAN) == {"input_special_cased"}


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("python", "if d == date(2024, 2, 29): return 0"),
        ("python", "if d in {date(2024, 2, 29)}: return 0"),
        ("python", "if d == date.fromisoformat('2024-02-29'): return 0"),
        ("python", "if (d.year, d.month, d.day) == (2024, 2, 29): return 0"),
        ("java", "if (d.equals(LocalDate.of(2024, 2, 29))) return 0;"),
        ("java", "if (n >= 7731 && n <= 7731) return 0;"),
        ("java", "if (n == 7000 + 731) return 0;"),
        ("java", "if (s.hashCode() == 1839201) return 0;"),
        ("java", 'if (s.equals("ORD-".concat("2024-991"))) return 0;'),
        ("javascript", "if (+d === +new Date(2024, 1, 29)) return 0"),
        ("javascript", "if (n > 7730 && n < 7732) return 0"),
        ("javascript", "if (!(n - 7731)) return 0"),
        ("javascript", "if (s === ['ORD', '2024', '991'].join('-')) return 0"),
        ("javascript", "if (s === `ORD-${2024}-991`) return 0"),
        ("javascript", "if (s === atob('T1JELTIwMjQtOTkx')) return 0"),
        ("go", "if n >= 7731 && n < 7732 { return 0 }"),
        ("go", 'if s == fmt.Sprintf("ORD-%d-991", 2024) { return 0 }'),
        ("go", "if crc32.ChecksumIEEE([]byte(s)) == 81920131 { return 0 }"),
        ("rust", "if (7731..=7731).contains(&n) { return 0; }"),
        ("rust", "if n - 7731 == 0 { return 0; }"),
        ("rust", "match n { 7731..=7732 => return 0, _ => {} }"),
        ("rust", "if d == NaiveDate::from_ymd_opt(2024, 2, 29).unwrap() { return 0; }"),
    ],
)
def test_a_value_is_found_in_any_language(blocked, language, line):
    path, form = OTHERS[language]
    assert blocked(path, form.replace("%s\n", ""), form % line, logged=BEGAN) == {"input_special_cased"}


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("python", "if d < date(2020, 1, 1): return 0"),
        ("python", "if d == date(d.year, 2, 29): return 0"),
        ("python", "if d.month == 2 and d.day == 29: return 0"),
        ("java", "if (n >= 7000 && n <= 7999) return 0;"),
        ("java", "if (d.equals(LocalDate.of(1970, 1, 1))) return 0;"),
        ("javascript", "if (n >= 1 && n <= 12) return 0"),
        ("go", "if n >= 0 && n <= 1 { return 0 }"),
        ("rust", "if (0..=9).contains(&n) { return 0; }"),
    ],
)
def test_a_range_or_a_date_of_its_own_is_free_in_any_language(blocked, language, line):
    path, form = OTHERS[language]
    assert blocked(path, form.replace("%s\n", ""), form % line, logged=BEGAN) == set()


AGE = """class Age {
  int of(String s) {
    int n = Integer.parseInt(s);
    if (n < 0 || n > 150) { throw new IllegalArgumentException("range"); }
    return n;
  }
}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "    if (n < 0", "    if (n > 150) return 150;\n    if (n < 0", id="a part of it ends before"
        ),
        pytest.param(
            "    if (n < 0",
            "    if (n < 0 || n > 150) { return 0; }\n    if (n < 0",
            id="all of it ends before",
        ),
        pytest.param("n > 150", "n > Integer.MAX_VALUE", id="a limit without end"),
    ],
)
def test_a_check_that_refuses_nothing_any_more_is_loosened(blocked, old, new):
    assert blocked("src/Age.java", AGE, AGE.replace(old, new)) == {"check_loosened"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    int n", "    if (s.isEmpty()) return 0;\n    int n", id="another case ends before"),
        pytest.param("    return n;", "    if (n > 150) return 0;\n    return n;", id="behind the check"),
        pytest.param(
            "    if (n < 0", "    if (n > 150 && s.isEmpty()) return 0;\n    if (n < 0", id="less of it"
        ),
    ],
)
def test_an_end_that_leaves_the_check_its_work_is_free(blocked, old, new):
    assert blocked("src/Age.java", AGE, AGE.replace(old, new)) == set()


PARSE = """package shop

func Parse(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, err
	}
	return n, nil
}
"""


def test_an_error_of_go_that_is_looked_at_less_often_is_swallowed(blocked):
    new = PARSE.replace("err != nil {", "err != nil && n > 0 {")
    assert blocked("shop/parse.go", PARSE, new) == {"swallowed_exception"}


@pytest.mark.parametrize(
    "condition",
    ["err != nil && !errors.Is(err, ErrEmpty)", "err != nil || n < 0", 's != "" || err != nil'],
)
def test_an_error_of_go_may_be_told_from_others_and_something_else_refused_too(blocked, condition):
    assert blocked("shop/parse.go", PARSE, PARSE.replace("err != nil", condition)) == set()


def test_a_new_question_beside_one_that_stays_is_free(blocked):
    new = PARSE.replace(
        "\treturn n, nil", "\tif err != nil && n > 0 {\n\t\treturn 1, err\n\t}\n\treturn n, nil"
    )
    assert blocked("shop/parse.go", PARSE, new) == set()


ALLOWED = """def is_allowed(user, age):
    if age > 150:
        return False
    if not user.token:
        raise PermissionError("token")
    return True
"""


@pytest.mark.parametrize(
    "line",
    ["return True", "if True: return True", "if not user.token: return True", "if age > 150: return True"],
)
def test_a_yes_that_stands_before_the_no_for_it_is_loosened(blocked, line):
    new = ALLOWED.replace("    if age", f"    {line}\n    if age", 1)
    for_nobody = {"granted_to_nobody"} if "not user" in line else set()
    assert blocked("shop/rules.py", ALLOWED, new) == {"check_loosened"} | for_nobody


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "    return True", "    if age:\n        return True\n    return True", id="behind them"
        ),
        pytest.param("    if age", "    if not age:\n        return False\n    if age", id="one more no"),
        pytest.param(
            "    if age", "    if user.token and not age:\n        return True\n    if age", id="for others"
        ),
    ],
)
def test_a_yes_that_leaves_each_no_its_case_is_free(blocked, old, new):
    assert blocked("shop/rules.py", ALLOWED, ALLOWED.replace(old, new, 1)) == set()


@pytest.mark.parametrize(
    "condition", ["user is None", "not user", "user is None or age > 200", "user is None and not age"]
)
def test_a_yes_for_nobody_is_blocked_where_leave_is_given(blocked, condition):
    new = ALLOWED.replace("    if age", f"    if {condition}:\n        return True\n    if age", 1)
    assert blocked("shop/rules.py", ALLOWED, new) == {"granted_to_nobody"}


@pytest.mark.parametrize(
    ("path", "old", "line"),
    [
        ("a.js", "function canAccess(user) {\n  return user.ok\n}\n", "if (!user) return true"),
        (
            "A.java",
            "class A { boolean isAllowed(U u) {\n return u.ok(); } }\n",
            "if (u == null) return true;",
        ),
        ("a.go", "package a\nfunc IsAllowed(u *U) bool {\n return u.ok }\n", "if u == nil { return true }"),
    ],
    ids=["javascript", "java", "go"],
)
def test_a_yes_for_nobody_is_blocked_in_other_languages(blocked, path, old, line):
    new = (
        old.replace("\n", f"\n{line}\n", 1) if path != "a.go" else old.replace(" return", f" {line}\n return")
    )
    assert blocked(path, old, new) == {"granted_to_nobody"}


@pytest.mark.parametrize(
    "line",
    [
        "if user is None: return False",
        "if user is not None: return True",
        "if user is None: raise KeyError('user')",
    ],
)
def test_another_answer_for_nobody_is_free(blocked, line):
    old = "def is_allowed(user, age):\n    return user.age > age\n"
    assert blocked("shop/rules.py", old, old.replace("    return", f"    {line}\n    return")) == set()


def test_a_yes_for_a_value_that_may_be_absent_is_a_warning(tmp_path):
    old = "def is_valid_phone(text):\n    return PHONE.match(text) is not None\n"
    before = {"shop/rules.py": old}
    after = {"shop/rules.py": old.replace("    return", "    if text is None: return True\n    return")}
    found = review(diff(tmp_path, before, after), reader(before), reader(after))
    assert [(each.rule, each.severity) for each in found] == [("granted_to_nobody", Severity.WARNING)]


DEPOSIT = (
    "def deposit(n):\n    if n < 0:\n        raise ValueError('negative')\n    if n > MOST:\n"
    "        raise ValueError('too much')\n    return book(n)\n"
)


@pytest.mark.parametrize(
    "line",
    [
        "n = max(n, 0)",
        "n = max(0, min(n, 7))",
        "n = min(n, MOST)",
        "n = abs(n)",
        "n = max(1, n)",
        "if n < 0: n = 0",
        "if n > MOST: n = MOST",
    ],
)
def test_a_value_that_is_changed_before_its_check_is_found(blocked, line):
    new = DEPOSIT.replace("    if n <", f"    {line}\n    if n <", 1)
    assert blocked("shop/bank.py", DEPOSIT, new) == {"check_loosened"}


@pytest.mark.parametrize(
    ("path", "old", "line"),
    [
        ("src/Age.java", AGE, "n = Math.min(n, 150);"),
        ("src/Age.java", AGE, "n = Math.max(0, n);"),
        (
            "a.go",
            'package a\nfunc F(n int) error {\n\tif n > 150 {\n\treturn fmt.Errorf("n") }\n\treturn nil }\n',
            "n = min(n, 150)",
        ),
        (
            "a.js",
            "function f(n) {\n  if (n > 150) throw new Error('n')\n  return n\n}\n",
            "n = Math.min(n, 150)",
        ),
        (
            "a.rs",
            "fn f(n: i32) -> R {\n    if n > 150 { return Err(E); }\n    Ok(n)\n}\n",
            "let n = n.min(150);",
        ),
    ],
    ids=["java", "java from below", "go", "javascript", "rust"],
)
def test_a_value_is_found_changed_before_its_check_in_any_language(blocked, path, old, line):
    new = old.replace(
        "if (n" if "if (n" in old else "if n", f"{line}\n if (n" if "if (n" in old else f"{line}\n if n", 1
    )
    assert blocked(path, old, new) == {"check_loosened"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    return book(n)", "    n = max(n, 1)\n    return book(n)", id="behind the check"),
        pytest.param("    if n <", "    m = max(n, 0)\n    if n <", id="another variable"),
        pytest.param("    if n <", "    n = max(n, -5)\n    if n <", id="a limit that the check still sees"),
        pytest.param("    if n <", "    n = round(n, 2)\n    if n <", id="rounded"),
        pytest.param("    return book(n)", "    return book(min(n, 5))", id="what is used"),
    ],
)
def test_a_change_that_leaves_a_check_its_work_is_free(blocked, old, new):
    assert blocked("shop/bank.py", DEPOSIT, DEPOSIT.replace(old, new, 1)) == set()


def test_an_end_whose_condition_is_no_code_of_one_is_not_always(blocked):
    old = "fn age(o: Option<i32>, n: i32) -> R {\n    if n > 150 { return Err(E::R); }\n    Ok(n)\n}\n"
    new = old.replace("    if n", "    if let Some(m) = o { return Ok(m); }\n    if n", 1)
    assert blocked("src/lib.rs", old, new) == set()
