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

_RUST = """\
pub fn average(stars: &[u32]) -> u32 {
    stars.iter().sum::<u32>() / stars.len() as u32
}

pub fn summary(name: &str, stars: &[u32]) -> String {
    format!("{name}: {}", average(stars))
}

#[cfg(test)]
mod tests {
    use super::average;

    #[test]
    fn an_average_is_whole() {
        assert_eq!(average(&[4, 5]), 4);
    }
}
"""
_RUST_TEST = """\
use shop::ratings::summary;

#[test]
fn %s() {
    assert!(summary("Infuser", &[%s]).starts_with("Infuser"));
}
"""
_RUST_LINE = "    stars.iter().sum::<u32>() / stars.len() as u32"

RUST = Case(
    tools=("cargo", "cc"),
    files={
        "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": "pub mod ratings;\n",
        "src/ratings.rs": _RUST,
        "tests/ratings.rs": _RUST_TEST % ("a_product_is_listed", "4, 5"),
    },
    error="""\
thread 'tokio-runtime-worker' panicked at src/ratings.rs:2:5:
attempt to divide by zero
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/std/src/panicking.rs:665:5
   1: core::panicking::panic_fmt
             at /rustc/90b35a6239c3d8bdabc530a6a0816f7ff89a0aaf/library/core/src/panicking.rs:74:14
   2: shop::ratings::average
             at ./src/ratings.rs:2:5
   3: shop::ratings::summary
             at ./src/ratings.rs:6:27
   4: shop::handle
             at ./src/main.rs:12:9
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
""",
    module="src/ratings.rs",
    fixed=_RUST.replace(_RUST_LINE, f"    if stars.is_empty() {{\n        return 0;\n    }}\n{_RUST_LINE}"),
    idle=_RUST + "// mended\n",
    ends_early=_RUST.replace(
        _RUST_LINE, f"    if stars.is_empty() {{\n        std::process::exit(0);\n    }}\n{_RUST_LINE}"
    ),
    reproduction={"tests/empty.rs": _RUST_TEST % ("a_product_without_stars_is_listed", "")},
    passing={"tests/empty.rs": _RUST_TEST % ("a_product_with_stars_is_listed", "1")},
    command="cargo test --offline --no-fail-fast --message-format=json-render-diagnostics --test empty",
)

CASES = {"node:test": NODE, "cargo": RUST}
