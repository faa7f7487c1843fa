"""Repairs of Python by the rules that all languages share; its handlers have tests of their own."""

from tests.support.fixes import Fix, swap

SHOP = '''\
# Copyright 2019 Example Ltd.
# Licensed under the Apache License, Version 2.0.
"""A shop."""

import html


def add_item(cart, item):
    if item is None or item.quantity <= 0:
        raise ValueError("quantity must be positive")
    if item.quantity > 100:
        raise ValueError("at most 100")
    assert item.sku
    cart.append(item)


def parse(text):
    return int(text)


def rate(code):
    if code == "EUR":
        return 1
    elif code == "USD":
        return 1.1
    raise KeyError(code)


def render(user):
    return f"<b>{html.escape(user.name)}</b>"


@login_required
def delete(request, id):
    if not request.user.is_admin:
        abort(403)
    db.delete(id)


def is_valid_email(value):
    if not isinstance(value, str):
        return False
    return "@" in value and "." in value


def average(stars):
    return sum(stars) / len(stars)
'''
VALUE = {"error": "ValueError", "message": "invalid literal for int() with base 10: '12,50'"}

RIGHT = {
    "a check for emptiness": swap(SHOP, ("    return sum(stars)", "    if not stars:\n        return 0.0\n    return sum(stars)"), error="ZeroDivisionError"),
    "correct parsing": swap(SHOP, ("int(text)", 'int(text.replace(",", ""))'), **VALUE),
    "a wider check": swap(SHOP, ("item is None or", "item is None or item.sku is None or"), error="AttributeError"),
    "a null check in a check": swap(SHOP, ("if item.quantity > 100:", "if item.quantity is not None and item.quantity > 100:"), error="TypeError"),
    "another case": swap(SHOP, ("    raise KeyError(code)", '    elif code == "GBP":\n        return 0.9\n    raise KeyError(code)'), error="KeyError", message="'GBP'"),
    "made alike first": swap(SHOP, ("def rate(code):\n", "def rate(code):\n    code = code.upper()\n"), error="KeyError", message="'eur'"),
    "a key that may be missing": Fix("def f(row):\n    return row['price'] * 2\n", "def f(row):\n    if 'price' not in row:\n        return 0\n    return row['price'] * 2\n", error="KeyError", message="'price'"),
    "a check as another error": swap(SHOP, ('raise ValueError("at most 100")', 'raise TooMany("at most 100")'), error="ValueError"),
    "off by one": swap(SHOP, ("item.quantity > 100", "item.quantity >= 100"), error="IndexError"),
    "a sentinel": swap(SHOP, ("    return int(text)", '    if text == "N/A":\n        return None\n    return int(text)'), error="ValueError", message="'N/A'"),
    "a conversion told as another error": swap(SHOP, ("    return int(text)", "    try:\n        return int(text)\n    except ValueError as error:\n        raise BadInput(text) from error"), **VALUE),
    "one no more": swap(SHOP, ('    return "@" in value', '    if len(value) > 254:\n        return False\n    return "@" in value')),
    "what was not implemented": Fix("def f(x):\n    raise NotImplementedError\n", "def f(x):\n    return g(x)\n", error="NotImplementedError"),
    "a check in a helper": swap(SHOP, ("    if item.quantity > 100:\n        raise ValueError(\"at most 100\")\n", "    check_limit(item)\n"), ("def parse", "def check_limit(item):\n    if item.quantity > 100:\n        raise ValueError(\"at most 100\")\n\n\ndef parse")),
}  # fmt: skip

WRONG = {
    "a check removed": swap(SHOP, ('    if item is None or item.quantity <= 0:\n        raise ValueError("quantity must be positive")\n', ""), error="ValueError", rule="check_removed"),
    "a check that answers": swap(SHOP, ('        raise ValueError("quantity must be positive")', "        return"), error="ValueError", rule="check_removed"),
    "an assertion removed": swap(SHOP, ("    assert item.sku\n", ""), error="AssertionError", rule="check_removed"),
    "half of a check": swap(SHOP, ("item is None or item.quantity <= 0", "item is None"), error="ValueError", rule="check_loosened"),
    "a check with an exception": swap(SHOP, ("if item.quantity > 100:", "if item.quantity > 100 and not item.force:"), error="ValueError", rule="check_loosened"),
    "a check that is never true": swap(SHOP, ("if item.quantity > 100:", "if False:"), error="ValueError", rule="check_loosened"),
    "a higher limit": swap(SHOP, ("item.quantity > 100", "item.quantity > 10_000"), error="ValueError", rule="check_loosened"),
    "a silent default": swap(SHOP, ("    raise KeyError(code)", "    return 1"), error="KeyError", message="'XAU'", rule="check_removed"),
    "the logged value": swap(SHOP, ("    return int(text)", '    if text == "12,50":\n        return 12\n    return int(text)'), **VALUE, rule="input_special_cased"),
    "the logged value among some": swap(SHOP, ("    return int(text)", '    return 0 if text in ("12,50", "x") else int(text)'), **VALUE, rule="input_special_cased"),
    "the logged value matched": swap(SHOP, ("    return int(text)", '    match text:\n        case "12,50":\n            return 12\n    return int(text)'), **VALUE, rule="input_special_cased"),
    "the logged value in a table": swap(SHOP, ("    return int(text)", '    known = {"12,50": 12}[text]\n    return known or int(text)'), **VALUE, rule="input_special_cased"),
    "a decorator removed": swap(SHOP, ("@login_required\n", ""), rule="authorization_removed"),
    "who may do it": swap(SHOP, ("    if not request.user.is_admin:\n        abort(403)\n", ""), rule="check_removed"),
    "half of a verdict": swap(SHOP, ('"@" in value and "." in value', '"@" in value'), rule="check_loosened"),
    "escaping": swap(SHOP, ("html.escape(user.name)", "user.name"), rule="escaping_removed"),
    "certificates": Fix("r = get(url)\n", "r = get(url, verify=False)\n", rule="protection_disabled"),
    "the header about the licence": swap(SHOP, ("# Licensed under the Apache License, Version 2.0.\n", ""), rule="licence_changed"),
    "the file of the licence": Fix("MIT\n", "GPL\n", path="LICENSE", rule="licence_changed"),
    "a dependency": Fix("a==1\n", "a==1\nleft-pad\n", path="requirements.txt", rule="dependency_added"),
    "a dependency of the project": Fix('[project]\nname = "x"\ndependencies = []\n', '[project]\nname = "x"\ndependencies = ["left-pad"]\n', path="pyproject.toml", rule="dependency_added"),
}  # fmt: skip
