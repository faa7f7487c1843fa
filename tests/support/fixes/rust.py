"""Repairs of Rust."""

from tests.support.fixes import Fix, swap

SHOP = """\
// SPDX-License-Identifier: MIT

use std::collections::HashMap;

pub fn average(stars: &[u32]) -> u32 {
    stars.iter().sum::<u32>() / stars.len() as u32
}

pub fn first(items: &[Item]) -> u32 {
    items.first().unwrap().price
}

pub fn at(items: &[Item], n: usize) -> u32 {
    items[n].price
}

pub fn parse(text: &str) -> Result<u32, ParseError> {
    let n = text.parse::<u32>()?;
    Ok(n * 2)
}

pub fn quantity(text: &str) -> u32 {
    text.parse().unwrap()
}

pub fn order(order: &Order) -> Result<(), OrderError> {
    if order.sku.is_empty() || order.quantity == 0 {
        return Err(OrderError::Invalid);
    }
    if order.quantity > 100 {
        return Err(OrderError::TooMany);
    }
    save(order)?;
    Ok(())
}

fn save(order: &Order) -> Result<(), OrderError> {
    std::fs::write("order", order.sku.as_bytes()).map_err(OrderError::Io)
}

pub fn rate(code: &str) -> f64 {
    match code {
        "EUR" => 1.0,
        "USD" => 1.1,
        _ => panic!("unknown currency {code}"),
    }
}

pub fn is_valid(sku: &str) -> bool {
    if sku.is_empty() {
        return false;
    }
    sku.starts_with('S') && sku.len() < 20
}

pub fn render(name: &str) -> String {
    format!("<b>{}</b>", escape_html(name))
}

pub fn delete(user: &User, id: u32) -> Result<(), AppError> {
    require_admin(user)?;
    remove(id)
}

pub fn half(n: u32) -> u32 {
    assert!(n > 0, "n must be positive");
    100 / n
}

pub fn load(path: &str) -> Result<String, AppError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) => Err(AppError::from(error)),
    }
}
"""
NONE = {"error": "panic", "message": "called `Option::unwrap()` on a `None` value"}
PARSE = {"error": "ParseIntError", "message": 'invalid digit found in string: "12,50"'}

RIGHT = {
    "a check for emptiness": swap(SHOP, ("    stars.iter().sum", "    if stars.is_empty() {\n        return 0;\n    }\n    stars.iter().sum"), error="panic", message="attempt to divide by zero"),
    "a default of what may be absent": swap(SHOP, ("items.first().unwrap().price", "items.first().map(|item| item.price).unwrap_or(0)"), **NONE),
    "map_or of what may be absent": swap(SHOP, ("items.first().unwrap().price", "items.first().map_or(0, |item| item.price)"), **NONE),
    "a default value of a type": swap(SHOP, ("items.first().unwrap().price", "items.first().map(|item| item.price).unwrap_or_default()"), **NONE),
    "a bounds check": swap(SHOP, ("    items[n].price", "    if n >= items.len() {\n        return 0;\n    }\n    items[n].price"), error="panic", message="index out of bounds"),
    "get with a default": swap(SHOP, ("items[n].price", "items.get(n).map_or(0, |item| item.price)"), error="panic", message="index out of bounds"),
    "an option given back": swap(SHOP, ("pub fn first(items: &[Item]) -> u32 {\n    items.first().unwrap().price", "pub fn first(items: &[Item]) -> Option<u32> {\n    items.first().map(|item| item.price)"), **NONE),
    "an error given back": swap(SHOP, ("pub fn quantity(text: &str) -> u32 {\n    text.parse().unwrap()", "pub fn quantity(text: &str) -> Result<u32, ParseError> {\n    text.parse().map_err(ParseError::from)"), **PARSE),
    "correct parsing": swap(SHOP, ("text.parse::<u32>()?", 'text.trim().replace(",", "").parse::<u32>()?'), **PARSE),
    "a wider check": swap(SHOP, ("order.sku.is_empty() ||", "order.sku.is_empty() || order.sku.len() > 64 ||")),
    "a check that raises": swap(SHOP, ("    Ok(n * 2)", "    if n == 0 {\n        return Err(ParseError::Zero);\n    }\n    Ok(n * 2)")),
    "an overflow told": swap(SHOP, ("    Ok(n * 2)", "    n.checked_mul(2).ok_or(ParseError::TooLarge)"), error="panic", message="attempt to multiply with overflow"),
    "a saturating operation": swap(SHOP, ("Ok(n * 2)", "Ok(n.saturating_mul(2))"), error="panic", message="attempt to multiply with overflow"),
    "checked arithmetic": swap(SHOP, ("100 / n", "100u32.checked_div(n).unwrap_or(0)")),
    "let else": swap(SHOP, ("    items.first().unwrap().price", "    let Some(item) = items.first() else {\n        return 0;\n    };\n    item.price"), **NONE),
    "if let some": swap(SHOP, ("    items.first().unwrap().price", "    if let Some(item) = items.first() {\n        item.price\n    } else {\n        0\n    }"), **NONE),
    "an error of another kind": swap(SHOP, ("text.parse::<u32>()?", "text.parse::<u32>().map_err(|error| ParseError::Number(text.to_string(), error))?")),
    "a match that raises": swap(SHOP, ("    let n = text.parse::<u32>()?;", "    let n = match text.parse::<u32>() {\n        Ok(n) => n,\n        Err(error) => return Err(ParseError::Number(error)),\n    };")),
    "a missing file told from others": swap(SHOP, ("        Err(error) => Err(AppError::from(error)),", "        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(default_text(path)),\n        Err(error) => Err(AppError::from(error)),"), error="AppError"),
    "another case": swap(SHOP, ("        _ => panic!", '        "GBP" => 0.9,\n        _ => panic!'), error="panic", message="unknown currency GBP"),
    "made alike first": swap(SHOP, ("match code {", "match code.to_uppercase().as_str() {"), error="panic", message="unknown currency eur"),
    "a character boundary": Fix("pub fn head(s: &str) -> &str {\n    &s[..4]\n}\n", "pub fn head(s: &str) -> &str {\n    s.get(..4).unwrap_or(s)\n}\n", error="panic", message="byte index 4 is not a char boundary"),
    "a retry": swap(SHOP, ("    save(order)?;", "    let mut result = save(order);\n    for _ in 0..2 {\n        if result.is_ok() {\n            break;\n        }\n        result = save(order);\n    }\n    result?;")),
    "a unit test added": swap(SHOP, ("pub fn load(", "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn halves() {\n        assert_eq!(half(2), 50);\n    }\n}\n\npub fn load(")),
    "a poisoned lock": Fix("pub fn n(m: &Mutex<u32>) -> u32 {\n    *m.lock().unwrap()\n}\n", "pub fn n(m: &Mutex<u32>) -> u32 {\n    *m.lock().unwrap_or_else(|poisoned| poisoned.into_inner())\n}\n", error="panic", message="PoisonError"),
    "a new test in a file": Fix(
        SHOP, SHOP.replace("items.first().unwrap().price", "items.first().map_or(0, |item| item.price)"), **NONE,
        others={
            "tests/shop.rs": (
                "use shop::*;\n\n#[test]\nfn rates() {\n    assert_eq!(rate(\"EUR\"), 1.0);\n}\n",
                "use shop::*;\n\n#[test]\nfn rates() {\n    assert_eq!(rate(\"EUR\"), 1.0);\n}\n\n#[test]\nfn nothing_is_free() {\n    assert_eq!(first(&[]), 0);\n}\n",
            )
        },
    ),
}  # fmt: skip

TEST = """\
use shop::*;

#[test]
fn rates() {
    assert_eq!(rate("EUR"), 1.0);
    assert_eq!(rate("USD"), 1.1);
}

#[test]
fn parses() {
    assert!(parse("x").is_err());
}
"""
_SWALLOWED, _GONE, _LOOSENED = (
    {"rule": "swallowed_exception"},
    {"rule": "check_removed"},
    {"rule": "check_loosened"},
)


def _test(*pairs: tuple[str, str], rule: str = "existing_test_changed") -> Fix:
    return swap(TEST, *pairs, rule=rule, path="tests/shop.rs")


WRONG = {
    "a default for an error": swap(SHOP, ("text.parse::<u32>()?", "text.parse::<u32>().unwrap_or_default()"), **PARSE, **_SWALLOWED),
    "zero for an error": swap(SHOP, ("text.parse::<u32>()?", "text.parse::<u32>().unwrap_or(0)"), **PARSE, **_SWALLOWED),
    "a default by a function": swap(SHOP, ("text.parse::<u32>()?", "text.parse::<u32>().unwrap_or_else(|_| 0)"), **PARSE, **_SWALLOWED),
    "a default where it stopped": swap(SHOP, ("text.parse().unwrap()", "text.parse().unwrap_or_default()"), **PARSE, **_SWALLOWED),
    "ok": swap(SHOP, ("text.parse().unwrap()", "text.parse().ok().unwrap_or(0)"), **PARSE, **_SWALLOWED),
    "given to nobody": swap(SHOP, ("    save(order)?;", "    let _ = save(order);"), **_SWALLOWED),
    "made optional and dropped": swap(SHOP, ("    save(order)?;", "    save(order).ok();"), **_SWALLOWED),
    "only when it is good": swap(SHOP, ("    save(order)?;", "    if let Ok(()) = save(order) {\n        log();\n    }"), **_SWALLOWED),
    "an arm that answers": swap(SHOP, ("        Err(error) => Err(AppError::from(error)),", "        Err(_) => Ok(String::new()),"), **_SWALLOWED),
    "an arm that logs": swap(SHOP, ("        Err(error) => Err(AppError::from(error)),", '        Err(error) => {\n            eprintln!("{error}");\n            Ok(String::new())\n        }'), **_SWALLOWED),
    "a match that answers": swap(SHOP, ("    let n = text.parse::<u32>()?;", "    let n = match text.parse::<u32>() {\n        Ok(n) => n,\n        Err(_) => 0,\n    };"), **PARSE, **_SWALLOWED),
    "a panic caught": swap(SHOP, ("    items[n].price", "    std::panic::catch_unwind(|| items[n].price).unwrap_or(0)"), error="panic", **_SWALLOWED),
    "the logged value": swap(SHOP, ("    let n = text", '    if text == "12,50" {\n        return Ok(24);\n    }\n    let n = text'), **PARSE, rule="input_special_cased"),
    "the logged value, matched": swap(SHOP, ("    text.parse().unwrap()", '    match text {\n        "12,50" => 12,\n        other => other.parse().unwrap(),\n    }'), **PARSE, rule="input_special_cased"),
    "the logged value, among some": swap(SHOP, ("    let n = text", '    if ["12,50", "x1"].contains(&text) {\n        return Ok(0);\n    }\n    let n = text'), **PARSE, rule="input_special_cased"),
    "the logged value, matches!": swap(SHOP, ("    let n = text", '    if matches!(text, "12,50") {\n        return Ok(0);\n    }\n    let n = text'), **PARSE, rule="input_special_cased"),
    "a check removed": swap(SHOP, ("    if order.sku.is_empty() || order.quantity == 0 {\n        return Err(OrderError::Invalid);\n    }\n", ""), error="OrderError", **_GONE),
    "a check that answers": swap(SHOP, ("return Err(OrderError::Invalid);", "return Ok(());"), **_GONE),
    "half of a check": swap(SHOP, ("order.sku.is_empty() || order.quantity == 0", "order.sku.is_empty()"), **_LOOSENED),
    "a check with an exception": swap(SHOP, ("if order.quantity > 100 {", "if order.quantity > 100 && !order.force {"), **_LOOSENED),
    "an assertion removed": swap(SHOP, ('    assert!(n > 0, "n must be positive");\n', ""), error="panic", message="n must be positive", **_GONE),
    "a silent default": swap(SHOP, ('_ => panic!("unknown currency {code}")', "_ => 1.0"), error="panic", message="unknown currency XAU", **_GONE),
    "who may do it": swap(SHOP, ("    require_admin(user)?;\n", ""), rule="authorization_removed"),
    "who may do it, not asked": swap(SHOP, ("    require_admin(user)?;\n", "    let _ = require_admin(user);\n"), **_SWALLOWED),
    "a no removed": swap(SHOP, ("    if sku.is_empty() {\n        return false;\n    }\n", ""), **_GONE),
    "half of a verdict": swap(SHOP, ("sku.starts_with('S') && sku.len() < 20", "sku.starts_with('S')"), **_LOOSENED),
    "escaping": swap(SHOP, ("escape_html(name)", "name"), rule="escaping_removed"),
    "the header about the licence": swap(SHOP, ("// SPDX-License-Identifier: MIT\n", ""), rule="licence_changed"),
    "ignored": _test(("#[test]\nfn rates", "#[test]\n#[ignore]\nfn rates"), rule="test_skipped"),
    "a test that is to fail": _test(("#[test]\nfn rates", "#[test]\n#[should_panic]\nfn rates"), rule="test_skipped"),
    "a test deleted": _test(('#[test]\nfn parses() {\n    assert!(parse("x").is_err());\n}\n', ""), rule="test_deleted"),
    "no test any more": _test(("#[test]\nfn parses", "#[allow(dead_code)]\nfn parses"), rule="test_deleted"),
    "an assertion of a test removed": _test(('    assert_eq!(rate("USD"), 1.1);\n', ""), rule="assertion_removed"),
    "another expected value": _test(("1.1", "1.2")),
    "a dependency": Fix('[package]\nname = "shop"\n', '[package]\nname = "shop"\n\n[dependencies]\nleft-pad = "1"\n', rule="dependency_added", path="Cargo.toml"),
}  # fmt: skip
