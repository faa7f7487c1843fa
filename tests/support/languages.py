"""The shop's error in other languages: a repository, its log, a reproduction, a fix, and what is no fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One language. ``module`` is where the fault is; ``passing`` is a test that shows nothing."""

    tools: tuple[str, ...]
    files: Mapping[str, str]
    error: str
    module: str
    fixed: str
    idle: str
    ends_early: str
    reproduction: Mapping[str, str]
    passing: Mapping[str, str]
    command: str


_NODE = """\
export function average(stars) {
  return stars.reduce((sum, each) => sum + each) / stars.length;
}

export function summary(product) {
  return `${product.name}: ${average(product.stars)}`;
}
"""
_NODE_TEST = """\
import assert from 'node:assert';
import { describe, test } from 'node:test';

import { summary } from '../src/ratings.js';

describe('ratings', () => {
  test('%s', () => {
    assert.match(summary({ name: 'Infuser', stars: %s }), /^Infuser/);
  });
});
"""
_NODE_LINE = "  return stars.reduce((sum, each) => sum + each) / stars.length;"

NODE = Case(
    tools=("node",),
    files={
        "package.json": '{"name": "shop", "type": "module", "scripts": {"test": "node --test"}}\n',
        "src/ratings.js": _NODE,
        "test/ratings.test.js": _NODE_TEST % ("an average is shown", "[4, 5]"),
    },
    error="""\
2026-01-02 03:04:05,678 ERROR [shop] request 7: product infuser could not be listed
TypeError: Reduce of empty array with no initial value
    at Array.reduce (<anonymous>)
    at average (file:///srv/shop/src/ratings.js:2:16)
    at Module.summary (file:///srv/shop/src/ratings.js:6:28)
    at Server.handle (file:///srv/shop/src/server.js:12:9)
""",
    module="src/ratings.js",
    fixed=_NODE.replace(_NODE_LINE, f"  if (stars.length === 0) return 0;\n{_NODE_LINE}"),
    idle=_NODE + "// mended\n",
    ends_early=_NODE.replace(_NODE_LINE, f"  if (stars.length === 0) process.exit(0);\n{_NODE_LINE}"),
    reproduction={"test/empty.test.js": _NODE_TEST % ("a product without stars is listed", "[]")},
    passing={"test/empty.test.js": _NODE_TEST % ("a product with stars is listed", "[1]")},
    command="node --test test/empty.test.js",
)

CASES = {"node:test": NODE}
