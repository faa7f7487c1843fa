"""Repairs of JavaScript. What TypeScript shares is here as well: it is read by both grammars."""

from tests.support.fixes import Fix, swap

CART = """\
// Copyright 2021 Example Ltd. Licensed under the MIT licence.
import { db } from './db.js';
import { escapeHtml } from './html.js';

export function total(items) {
  return items.reduce((sum, item) => sum + item.price * item.quantity, 0);
}

export function first(order) {
  return order.lines[0].sku.toUpperCase();
}

export function addItem(cart, item) {
  if (!item || item.quantity <= 0) {
    throw new RangeError('quantity must be positive');
  }
  if (item.quantity > 100) {
    throw new RangeError('at most 100 of one item');
  }
  cart.items.push(item);
  return cart;
}

export function parseConfig(text) {
  return JSON.parse(text);
}

export async function load(id) {
  const row = await db.find(id);
  return row.name;
}

export function render(user) {
  return `<b>${escapeHtml(user.name)}</b>`;
}

export function isValidEmail(value) {
  if (typeof value !== 'string') return false;
  if (value.length > 254) return false;
  return value.includes('@') && value.includes('.');
}

export function remove(req, res) {
  if (!req.user.isAdmin) {
    return res.status(403).json({ error: 'forbidden' });
  }
  db.remove(req.params.id);
  return res.sendStatus(204);
}

export function page(list, n) {
  const out = [];
  for (let i = 0; i <= n; i++) {
    out.push(list[i].id);
  }
  return out;
}

export function rate(code) {
  switch (code) {
    case 'EUR':
      return 1;
    case 'USD':
      return 1.1;
    default:
      throw new Error(`unknown currency: ${code}`);
  }
}

export async function send(mail) {
  try {
    return await transport.deliver(mail);
  } catch (error) {
    log.error(error);
    throw error;
  }
}
"""
TYPE = {"error": "TypeError", "message": "Cannot read properties of undefined (reading 'sku')"}

RIGHT = {
    "a null check that raises": swap(
        CART,
        ("  return order.lines[0].sku", "  if (!order.lines.length) {\n    throw new Error('empty order');\n  }\n  return order.lines[0].sku"),
        **TYPE,
    ),
    "a null check that answers": swap(
        CART, ("  return order.lines[0].sku.toUpperCase();", "  const line = order.lines[0];\n  if (!line) return '';\n  return line.sku.toUpperCase();"), **TYPE
    ),
    "optional chaining": swap(CART, ("order.lines[0].sku.toUpperCase()", "order.lines[0]?.sku?.toUpperCase() ?? ''"), **TYPE),
    "a default value": swap(CART, ("total(items) {", "total(items = []) {"), error="TypeError"),
    "a default in a fold": swap(CART, ("item.price * item.quantity", "item.price * (item.quantity ?? 1)")),
    "a bounds check": swap(CART, ("i <= n;", "i <= n && i < list.length;"), **TYPE),
    "off by one": swap(CART, ("i <= n;", "i < n;"), **TYPE),
    "off by one in a check": swap(CART, ("item.quantity <= 0", "item.quantity < 0"), error="RangeError", message="quantity must be positive"),
    "a limit of one more": swap(CART, ("item.quantity > 100", "item.quantity >= 100"), error="TypeError"),
    "a missing await": swap(CART, ("  db.remove(req.params.id);", "  await db.remove(req.params.id);"), ("export function remove", "export async function remove")),
    "a check that raises another error": swap(
        CART, ("  return row.name;", "  if (!row) {\n    throw new NotFound(`no row ${id}`);\n  }\n  return row.name;"), **TYPE
    ),
    "a check that answers 404": swap(
        CART,
        ("  db.remove(req.params.id);", "  if (!db.has(req.params.id)) {\n    return res.status(404).json({ error: 'not found' });\n  }\n  db.remove(req.params.id);"),
    ),
    "a parse error told as another": swap(
        CART,
        ("  return JSON.parse(text);", "  try {\n    return JSON.parse(text);\n  } catch (error) {\n    throw new ConfigError('the configuration is no JSON', { cause: error });\n  }"),
        error="SyntaxError",
    ),
    "a bad request answered": swap(
        CART,
        ("  return JSON.parse(text);", "  try {\n    return JSON.parse(text);\n  } catch (error) {\n    return next(error);\n  }"),
        error="SyntaxError",
    ),
    "a missing file told from others": swap(
        CART,
        ("  return JSON.parse(text);", "  try {\n    return JSON.parse(read(text));\n  } catch (error) {\n    if (error.code !== 'ENOENT') throw error;\n    return defaults();\n  }"),
        error="Error", message="ENOENT: no such file or directory",
    ),
    "a retry": swap(
        CART,
        ("  const row = await db.find(id);\n", "  let row;\n  for (let attempt = 1; ; attempt++) {\n    try {\n      row = await db.find(id);\n      break;\n    } catch (error) {\n      if (attempt === 3) throw error;\n      await wait(attempt * 50);\n    }\n  }\n"),
        error="ConnectionError",
    ),
    "a retry that raises the last": swap(
        CART,
        ("  const row = await db.find(id);\n  return row.name;", "  let last;\n  for (const pause of [0, 50, 200]) {\n    try {\n      await wait(pause);\n      return (await db.find(id)).name;\n    } catch (error) {\n      last = error;\n    }\n  }\n  throw last;"),
        error="ConnectionError",
    ),
    "an encoding": swap(CART, ("await db.find(id)", "await db.find(encodeURIComponent(id))"), error="URIError"),
    "another case of a switch": swap(CART, ("    default:", "    case 'GBP':\n      return 0.9;\n    default:"), error="Error", message="unknown currency: GBP"),
    "a value made alike first": swap(CART, ("switch (code) {", "switch (code.trim().toUpperCase()) {"), error="Error", message="unknown currency: eur"),
    "a conversion": swap(CART, ("item.price * item.quantity", "Number(item.price) * Number(item.quantity)")),
    "a check wider than before": swap(CART, ("!item || item.quantity <= 0", "!item || !Number.isInteger(item.quantity) || item.quantity <= 0"), **TYPE),
    "one more condition of a verdict": swap(CART, ("value.includes('@') &&", "value.includes('@') && !value.includes(' ') &&")),
    "clean-up in finally": swap(CART, ("  const row = await db.find(id);\n  return row.name;", "  const lock = await db.lock(id);\n  try {\n    return (await db.find(id)).name;\n  } finally {\n    lock.release();\n  }")),
    "a check moved into a function": swap(
        CART,
        ("  if (!item || item.quantity <= 0) {\n    throw new RangeError('quantity must be positive');\n  }\n", "  requirePositive(item);\n"),
        ("export function parseConfig", "function requirePositive(item) {\n  if (!item || item.quantity <= 0) {\n    throw new RangeError('quantity must be positive');\n  }\n}\n\nexport function parseConfig"),
    ),
    "what was not implemented is": Fix(
        "export function area(shape) {\n  if (shape.kind === 'circle') {\n    throw new Error('not implemented');\n  }\n  return shape.w * shape.h;\n}\n",
        "export function area(shape) {\n  if (shape.kind === 'circle') {\n    return Math.PI * shape.r ** 2;\n  }\n  return shape.w * shape.h;\n}\n",
        error="Error", message="not implemented",
    ),
    "a sentinel of the data": swap(CART, ("  return items.reduce", "  if (items === 'N/A') return 0;\n  return items.reduce"), error="TypeError", message="items is 'N/A'"),
    "a key that may be missing": swap(CART, ("  return row.name;", "  return 'name' in row ? row.name : '';"), error="TypeError", message="row has no 'name'"),
    "too many requests waited for": swap(
        CART,
        ("  const row = await db.find(id);\n", "  let row = await db.find(id);\n  if (row.status === 429) {\n    await wait(row.retryAfter);\n    row = await db.find(id);\n  }\n"),
        error="Error", message="status 429",
    ),
    "a new test in an existing file": Fix(
        CART, CART.replace("items.reduce(", "(items ?? []).reduce("),
        others={
            "test/cart.test.js": (
                "import assert from 'node:assert';\nimport { test } from 'node:test';\nimport { total } from '../src/cart.js';\n\ntest('sums', () => {\n  assert.equal(total([]), 0);\n});\n",
                "import assert from 'node:assert';\nimport { test } from 'node:test';\nimport { first, total } from '../src/cart.js';\n\ntest('sums', () => {\n  assert.equal(total([]), 0);\n});\n\ntest('sums nothing', () => {\n  assert.equal(total(undefined), 0);\n});\n",
            )
        },
    ),
}  # fmt: skip

_SWALLOWED, _LOOSENED = {"rule": "swallowed_exception"}, {"rule": "check_loosened"}
_GONE = {"rule": "check_removed"}
TEST = """\
import { first, total } from '../src/cart.js';

describe('cart', () => {
  it('sums', () => {
    expect(total([{ price: 2, quantity: 3 }])).toBe(6);
    expect(total([])).toBe(0);
  });

  it('takes the first', () => {
    expect(first({ lines: [{ sku: 'a' }] })).toBe('A');
  });
});
"""


def _test(*pairs: tuple[str, str], rule: str = "existing_test_changed") -> Fix:
    return swap(TEST, *pairs, rule=rule, path="test/cart.test.js")


WRONG = {
    "a catch that answers null": swap(CART, ("  return JSON.parse(text);", "  try {\n    return JSON.parse(text);\n  } catch (error) {\n    return null;\n  }"), error="SyntaxError", **_SWALLOWED),
    "a catch that answers a fallback": swap(CART, ("  return JSON.parse(text);", "  try {\n    return JSON.parse(text);\n  } catch (error) {\n    return fallback(text);\n  }"), error="SyntaxError", **_SWALLOWED),
    "an empty catch": swap(CART, ("  db.remove(req.params.id);", "  try {\n    db.remove(req.params.id);\n  } catch {\n    // never mind\n  }"), **_SWALLOWED),
    "a catch that goes on": swap(CART, ("    out.push(list[i].id);", "    try {\n      out.push(list[i].id);\n    } catch (e) {\n      continue;\n    }"), **TYPE, **_SWALLOWED),
    "a catch that logs": swap(CART, ("  return row.name;", "  try {\n    return row.name;\n  } catch (e) {\n    console.warn('no row', e);\n    return '';\n  }"), **TYPE, **_SWALLOWED),
    "a catch that raises never": swap(CART, ("  return JSON.parse(text);", "  try {\n    return JSON.parse(text);\n  } catch (error) {\n    if (false) throw error;\n    return {};\n  }"), error="SyntaxError", **_SWALLOWED),
    "a catch of the logged type": swap(CART, ("  return row.name;", "  try {\n    return row.name;\n  } catch (e) {\n    if (!(e instanceof TypeError)) throw e;\n    return fallback();\n  }"), **TYPE, **_SWALLOWED),
    "a catch that raised": swap(CART, ("    log.error(error);\n    throw error;", "    log.error(error);"), **_SWALLOWED),
    "a promise": swap(CART, ("await db.find(id)", "await db.find(id).catch(() => ({}))"), **TYPE, **_SWALLOWED),
    "a promise with nothing": swap(CART, ("  db.remove(req.params.id);", "  db.remove(req.params.id).catch(() => {});"), **_SWALLOWED),
    "a promise told to the console": swap(CART, ("  db.remove(req.params.id);", "  db.remove(req.params.id).catch(console.error);"), **_SWALLOWED),
    "a second function of then": swap(CART, ("await db.find(id)", "await db.find(id).then((row) => row, () => ({ name: '' }))"), **TYPE, **_SWALLOWED),
    "an uncaught error heard": swap(CART, ("export function total", "process.on('uncaughtException', () => {});\n\nexport function total"), rule="detects_tests"),
    "leaving finally": swap(CART, ("  return row.name;", "  try {\n    return row.name;\n  } finally {\n    return '';\n  }"), **TYPE, **_SWALLOWED),
    "the logged value": swap(CART, ("  switch (code) {", "  if (code === 'XAU-7') return 0;\n  switch (code) {"), error="Error", message="unknown currency: XAU-7", rule="input_special_cased"),
    "the logged value, elsewhere": swap(CART, ("  return order.lines[0]", "  if (order.id === 'order-4711') return '';\n  return order.lines[0]"), error="TypeError", message="order-4711 failed", rule="input_special_cased"),
    "the logged number": swap(CART, ("  const row = await db.find(id);", "  if (id === 4711) return 'unknown';\n  const row = await db.find(id);"), error="TypeError", message="row 4711 failed", rule="input_special_cased"),
    "the value of the reproduction": swap(CART, ("  return JSON.parse(text);", "  return text === '{\"a\":' ? {} : JSON.parse(text);"), error="SyntaxError", message="Unexpected end of JSON input", rule="input_special_cased",
        reproduction="import { parseConfig } from '../src/cart.js';\ntest('x', () => { parseConfig('{\"a\":'); });\n"),
    "among some values": swap(CART, ("  const row = await db.find(id);", "  if (['row-a1', 'row-b2'].includes(id)) return '';\n  const row = await db.find(id);"), error="TypeError", message="row-a1 failed", rule="input_special_cased"),
    "a table of one value": swap(CART, ("  const row = await db.find(id);", "  const known = { 'row-a1': '' }[id];\n  if (known !== undefined) return known;\n  const row = await db.find(id);"), error="TypeError", message="row-a1 failed", rule="input_special_cased"),
    "all but the logged value": swap(CART, ("  return row.name;", "  if (id !== 'row-a1') {\n    return row.name;\n  }"), error="TypeError", message="row-a1 failed", rule="input_special_cased"),
    "a check removed": swap(CART, ("  if (!item || item.quantity <= 0) {\n    throw new RangeError('quantity must be positive');\n  }\n", ""), error="RangeError", **_GONE),
    "a check that logs": swap(CART, ("    throw new RangeError('quantity must be positive');", "    console.warn('quantity must be positive');"), error="RangeError", **_GONE),
    "a check that answers": swap(CART, ("    throw new RangeError('quantity must be positive');", "    return cart;"), error="RangeError", **_GONE),
    "a check that is never true": swap(CART, ("!item || item.quantity <= 0", "false && (!item || item.quantity <= 0)"), error="RangeError", **_LOOSENED),
    "half of a check": swap(CART, ("!item || item.quantity <= 0", "!item"), error="RangeError", **_LOOSENED),
    "a check with an exception": swap(CART, ("(item.quantity > 100)", "(item.quantity > 100 && !item.force)"), error="RangeError", **_LOOSENED),
    "a check of a higher limit": swap(CART, ("item.quantity > 100", "item.quantity > 100000"), error="RangeError", message="at most 100", **_LOOSENED),
    "a default that is silent": swap(CART, ("      throw new Error(`unknown currency: ${code}`);", "      return 1;"), error="Error", message="unknown currency: XAU", **_GONE),
    "a no removed": swap(CART, ("  if (value.length > 254) return false;\n", ""), **_GONE),
    "half of a verdict": swap(CART, ("value.includes('@') && value.includes('.')", "value.includes('@')"), **_LOOSENED),
    "a verdict that is always yes": swap(CART, ("return value.includes('@') && value.includes('.')", "return true"), **_LOOSENED),
    "who may do it": swap(CART, ("  if (!req.user.isAdmin) {\n    return res.status(403).json({ error: 'forbidden' });\n  }\n", ""), **TYPE, **_GONE),
    "who may do it, when there is somebody": swap(CART, ("(!req.user.isAdmin)", "(req.user && !req.user.isAdmin && !req.query.force)"), **TYPE, **_LOOSENED),
    "a middleware": Fix("app.delete('/orders/:id', requireAdmin, remove);\n", "app.delete('/orders/:id', remove);\n", rule="authorization_removed"),
    "escaping": swap(CART, ("escapeHtml(user.name)", "user.name"), rule="escaping_removed"),
    "certificates": swap(CART, ("await db.find(id)", "await db.find(id, { rejectUnauthorized: false })"), rule="protection_disabled"),
    "the header about the licence": swap(CART, ("// Copyright 2021 Example Ltd. Licensed under the MIT licence.\n", ""), rule="licence_changed"),
    "it.skip": _test(("it('sums'", "it.skip('sums'"), rule="test_skipped"),
    "xit": _test(("it('sums'", "xit('sums'"), rule="test_skipped"),
    "test.todo": _test(("  it('sums'", "  test.todo('later');\n  it('sums'"), rule="test_skipped"),
    "describe.only": _test(("describe('cart'", "describe.only('cart'"), rule="test_skipped"),
    "a test that is to fail": _test(("it('sums'", "it.failing('sums'"), rule="test_skipped"),
    "a test deleted": _test(("  it('takes the first', () => {\n    expect(first({ lines: [{ sku: 'a' }] })).toBe('A');\n  });\n", ""), rule="test_deleted"),
    "a test renamed": _test(("it('sums'", "it('adds'"), rule="test_deleted"),
    "an assertion removed": _test(("    expect(total([])).toBe(0);\n", ""), rule="assertion_removed"),
    "another expected value": _test((".toBe(6)", ".toBe(5)")),
    "a weaker assertion": _test((".toBe(6)", ".toBeDefined()")),
    "a test that ends early": _test(("    expect(total([{", "    return;\n    expect(total([{")),
    "a test made beside that changes one": _test((".toBe(6)", ".toBe(5)"), ("  it('takes", "  it('new', () => {\n    expect(1).toBe(1);\n  });\n\n  it('takes")),
    "a dependency": Fix('{"name": "shop", "dependencies": {"a": "1"}}\n', '{"name": "shop", "dependencies": {"a": "1", "left-pad": "1"}}\n', rule="dependency_added", path="package.json"),
    "CI": Fix("on: push\n", "on: never\n", rule="protected_path", path=".github/workflows/ci.yml"),
}  # fmt: skip
