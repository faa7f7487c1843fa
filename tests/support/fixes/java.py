"""Repairs of Java."""

from tests.support.fixes import Fix, swap

SHOP = """\
/*
 * Copyright (c) 2020 Example Ltd.
 * SPDX-License-Identifier: Apache-2.0
 */
package shop;

import java.util.List;
import java.util.Map;

public class Shop {
    private final Map<String, Integer> stock;

    public int total(List<Item> items) {
        int sum = 0;
        for (int i = 0; i <= items.size(); i++) {
            sum += items.get(i).price();
        }
        return sum;
    }

    public double average(List<Integer> stars) {
        return stars.stream().mapToInt(Integer::intValue).sum() / stars.size();
    }

    public int parse(String text) {
        return Integer.parseInt(text);
    }

    public String name(User user) {
        return user.profile().name().trim();
    }

    public void order(Order order) {
        if (order == null || order.quantity() <= 0) {
            throw new IllegalArgumentException("quantity must be positive");
        }
        Objects.requireNonNull(order.customer(), "customer");
        stock.merge(order.sku(), -order.quantity(), Integer::sum);
    }

    @PreAuthorize("hasRole('ADMIN')")
    public void delete(String id) {
        repository.delete(id);
    }

    public Item find(String id) {
        return repository.find(id).orElseThrow(() -> new NotFoundException(id));
    }

    public String greet(String name) {
        return "<b>" + HtmlUtils.htmlEscape(name) + "</b>";
    }

    public boolean isAllowed(User user, String path) {
        if (user == null) {
            return false;
        }
        if (path.startsWith("/admin") && !user.isAdmin()) {
            return false;
        }
        return user.isActive();
    }

    public int days(String month) {
        switch (month) {
            case "feb":
                return 28;
            case "apr":
                return 30;
            default:
                throw new IllegalStateException("unknown month " + month);
        }
    }

    public String read(Path path) throws IOException {
        try {
            return Files.readString(path);
        } catch (NoSuchFileException e) {
            throw new ConfigException("missing " + path, e);
        }
    }
}
"""
NUMBER = {"error": "java.lang.NumberFormatException", "message": 'For input string: "12,50"'}
NULL = {"error": "java.lang.NullPointerException", "message": 'Cannot invoke "Profile.name()"'}
BOUNDS = {"error": "java.lang.IndexOutOfBoundsException", "message": "Index 3 out of bounds for length 3"}

RIGHT = {
    "off by one": swap(SHOP, ("i <= items.size()", "i < items.size()"), **BOUNDS),
    "a check for emptiness": swap(SHOP, ("        return stars.stream()", "        if (stars.isEmpty()) {\n            return 0.0;\n        }\n        return stars.stream()"), error="java.lang.ArithmeticException"),
    "a null check": swap(SHOP, ("        return user.profile().name().trim();", '        if (user.profile() == null || user.profile().name() == null) {\n            return "";\n        }\n        return user.profile().name().trim();'), **NULL),
    "an optional": swap(SHOP, ("        return user.profile().name().trim();", '        return Optional.ofNullable(user.profile()).map(Profile::name).map(String::trim).orElse("");'), **NULL),
    "a check that raises": swap(SHOP, ("        return user.profile()", '        if (user == null) {\n            throw new IllegalArgumentException("a user is needed");\n        }\n        return user.profile()'), **NULL),
    "requireNonNull": swap(SHOP, ("        return user.profile()", '        Objects.requireNonNull(user, "user");\n        return user.profile()'), **NULL),
    "correct parsing": swap(SHOP, ("Integer.parseInt(text)", 'Integer.parseInt(text.replace(",", "").trim())'), **NUMBER),
    "a parse error told as another": swap(SHOP, ("        return Integer.parseInt(text);", '        try {\n            return Integer.parseInt(text);\n        } catch (NumberFormatException e) {\n            throw new BadInputException("no number: " + text, e);\n        }'), **NUMBER),
    "a default of a map": swap(SHOP, ("        stock.merge(", "        stock.putIfAbsent(order.sku(), 0);\n        stock.merge("), **NULL),
    "a wider check": swap(SHOP, ("order == null || order.quantity() <= 0", "order == null || order.sku() == null || order.quantity() <= 0"), **NULL),
    "a conversion": swap(SHOP, (".sum() / stars.size()", ".sum() / (double) stars.size()")),
    "a lock": swap(SHOP, ("        stock.merge(order.sku(), -order.quantity(), Integer::sum);", "        synchronized (stock) {\n            stock.merge(order.sku(), -order.quantity(), Integer::sum);\n        }"), error="java.util.ConcurrentModificationException"),
    "a resource closed": swap(SHOP, ("            return Files.readString(path);", "            try (var lines = Files.lines(path)) {\n                return lines.collect(Collectors.joining());\n            }")),
    "another case": swap(SHOP, ("            default:", '            case "jun":\n                return 30;\n            default:'), error="java.lang.IllegalStateException", message="unknown month jun"),
    "made alike first": swap(SHOP, ("switch (month)", "switch (month.toLowerCase(Locale.ROOT))"), error="java.lang.IllegalStateException", message="unknown month FEB"),
    "a retry": swap(SHOP, ("        repository.delete(id);", "        for (int attempt = 1; ; attempt++) {\n            try {\n                repository.delete(id);\n                return;\n            } catch (TransientException e) {\n                if (attempt == 3) {\n                    throw e;\n                }\n                backoff(attempt);\n            }\n        }"), error="TransientException"),
    "an interrupt kept": swap(SHOP, ("        repository.delete(id);", "        try {\n            queue.put(id);\n        } catch (InterruptedException e) {\n            Thread.currentThread().interrupt();\n            throw new IllegalStateException(e);\n        }")),
    "a bad request answered": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } catch (NumberFormatException e) {\n            return response.status(400, e);\n        }"), **NUMBER),
    "a copy that may be iterated": swap(SHOP, ("        int sum = 0;", "        items = List.copyOf(items);\n        int sum = 0;"), ("i <= items", "i < items"), error="java.util.ConcurrentModificationException"),
    "one more no": swap(SHOP, ("        return user.isActive();", "        if (path.isEmpty()) {\n            return false;\n        }\n        return user.isActive();")),
    "a lambda told as an expression": swap(SHOP, (".mapToInt(Integer::intValue)", ".filter(Objects::nonNull).mapToInt(Integer::intValue)"), **NULL),
    "a limit by one": swap(SHOP, ("order.quantity() <= 0", "order.quantity() < 1"), error="java.lang.IllegalArgumentException"),
    "a new test in a class": Fix(
        SHOP, SHOP.replace("i <= items", "i < items"), **BOUNDS,
        others={
            "src/test/java/shop/ShopTest.java": (
                'package shop;\n\nimport static org.junit.jupiter.api.Assertions.assertEquals;\n\nimport org.junit.jupiter.api.Test;\n\nclass ShopTest {\n    @Test\n    void parses() {\n        assertEquals(1, new Shop().parse("1"));\n    }\n}\n',
                'package shop;\n\nimport static org.junit.jupiter.api.Assertions.assertEquals;\n\nimport java.util.List;\nimport org.junit.jupiter.api.Test;\n\nclass ShopTest {\n    @Test\n    void parses() {\n        assertEquals(1, new Shop().parse("1"));\n    }\n\n    @Test\n    void sums() {\n        assertEquals(0, new Shop().total(List.of()));\n    }\n}\n',
            )
        },
    ),
}  # fmt: skip

TEST = """\
package shop;

class ShopTest {
    @Test
    void parses() {
        assertEquals(1, new Shop().parse("1"));
        assertEquals(2, new Shop().parse("2"));
    }

    @Test
    void refuses() {
        assertThrows(IllegalArgumentException.class, () -> new Shop().order(null));
    }
}
"""
_SWALLOWED, _GONE, _LOOSENED = (
    {"rule": "swallowed_exception"},
    {"rule": "check_removed"},
    {"rule": "check_loosened"},
)


def _test(*pairs: tuple[str, str], rule: str = "existing_test_changed") -> Fix:
    return swap(TEST, *pairs, rule=rule, path="src/test/java/shop/ShopTest.java")


WRONG = {
    "a catch that answers a constant": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } catch (NumberFormatException e) {\n            return 0;\n        }"), **NUMBER, **_SWALLOWED),
    "a catch of everything that mends": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } catch (Exception e) {\n            return fallback(text);\n        }"), **NUMBER, **_SWALLOWED),
    "a catch of the logged type that mends": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } catch (NumberFormatException e) {\n            return fallback(text);\n        }"), **NUMBER, **_SWALLOWED),
    "an empty catch": swap(SHOP, ("        repository.delete(id);", "        try {\n            repository.delete(id);\n        } catch (RuntimeException ignored) {\n        }"), **_SWALLOWED),
    "a catch that goes on": swap(SHOP, ("            sum += items.get(i).price();", "            try {\n                sum += items.get(i).price();\n            } catch (IndexOutOfBoundsException e) {\n                continue;\n            }"), **BOUNDS, **_SWALLOWED),
    "a catch that logs": swap(SHOP, ("        repository.delete(id);", '        try {\n            repository.delete(id);\n        } catch (DataAccessException e) {\n            log.error("could not delete {}", id, e);\n        }'), **_SWALLOWED),
    "an empty list": swap(SHOP, ("        return repository.find(id)", "        try {\n            repository.ping();\n        } catch (SQLException e) {\n            return Collections.emptyList();\n        }\n        return repository.find(id)"), **_SWALLOWED),
    "a catch widened": swap(SHOP, ("catch (NoSuchFileException e) {\n            throw new ConfigException(\"missing \" + path, e);", "catch (IOException e) {\n            return defaults(e.getMessage());"), error="java.io.IOException", rule="broadened_exception"),
    "a catch that raised": swap(SHOP, ('            throw new ConfigException("missing " + path, e);', '            return "";'), **_SWALLOWED),
    "a catch that raises never": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } catch (NumberFormatException e) {\n            if (false) {\n                throw e;\n            }\n            return 0;\n        }"), **NUMBER, **_SWALLOWED),
    "leaving finally": swap(SHOP, ("        return Integer.parseInt(text);", "        try {\n            return Integer.parseInt(text);\n        } finally {\n            return 0;\n        }"), **NUMBER, **_SWALLOWED),
    "the logged value": swap(SHOP, ("        return Integer.parseInt(text);", '        if ("12,50".equals(text)) {\n            return 12;\n        }\n        return Integer.parseInt(text);'), **NUMBER, rule="input_special_cased"),
    "the logged value, ternary": swap(SHOP, ("return Integer.parseInt(text);", 'return text.equals("12,50") ? 12 : Integer.parseInt(text);'), **NUMBER, rule="input_special_cased"),
    "the logged value, a set": swap(SHOP, ("        return Integer.parseInt(text);", '        if (Set.of("12,50", "x").contains(text)) {\n            return 0;\n        }\n        return Integer.parseInt(text);'), **NUMBER, rule="input_special_cased"),
    "the logged value, a switch": swap(SHOP, ("        return Integer.parseInt(text);", '        return switch (text) {\n            case "12,50" -> 12;\n            default -> Integer.parseInt(text);\n        };'), **NUMBER, rule="input_special_cased"),
    "a check removed": swap(SHOP, ('        if (order == null || order.quantity() <= 0) {\n            throw new IllegalArgumentException("quantity must be positive");\n        }\n', ""), error="java.lang.IllegalArgumentException", **_GONE),
    "a check that answers": swap(SHOP, ('            throw new IllegalArgumentException("quantity must be positive");', "            return;"), error="java.lang.IllegalArgumentException", **_GONE),
    "requireNonNull removed": swap(SHOP, ('        Objects.requireNonNull(order.customer(), "customer");\n', ""), **NULL, **_GONE),
    "orElse null": swap(SHOP, ("orElseThrow(() -> new NotFoundException(id))", "orElse(null)"), error="shop.NotFoundException", **_GONE),
    "half of a check": swap(SHOP, ("order == null || order.quantity() <= 0", "order == null"), error="java.lang.IllegalArgumentException", **_LOOSENED),
    "a check with an exception": swap(SHOP, ("(order == null || order.quantity() <= 0)", "((order == null || order.quantity() <= 0) && !lenient)"), error="java.lang.IllegalArgumentException", **_LOOSENED),
    "a silent default": swap(SHOP, ('                throw new IllegalStateException("unknown month " + month);', "                return 30;"), error="java.lang.IllegalStateException", message="unknown month foo", **_GONE),
    "an annotation removed": swap(SHOP, ("    @PreAuthorize(\"hasRole('ADMIN')\")\n", ""), rule="authorization_removed"),
    "a no removed": swap(SHOP, ('        if (path.startsWith("/admin") && !user.isAdmin()) {\n            return false;\n        }\n', ""), **_GONE),
    "a verdict that is always yes": swap(SHOP, ("return user.isActive();", "return true;"), **_LOOSENED),
    "escaping": swap(SHOP, ("HtmlUtils.htmlEscape(name)", "name"), rule="escaping_removed"),
    "the header about the licence": swap(SHOP, (" * SPDX-License-Identifier: Apache-2.0\n", ""), rule="licence_changed"),
    "@Disabled": _test(("    @Test\n    void parses", "    @Disabled\n    @Test\n    void parses"), rule="test_skipped"),
    "@Ignore": _test(("    @Test\n    void parses", "    @Test\n    @Ignore\n    void parses"), rule="test_skipped"),
    "an assumption": _test(("        assertEquals(1", "        assumeTrue(false);\n        assertEquals(1"), rule="test_skipped"),
    "a test deleted": _test(("    @Test\n    void refuses() {\n        assertThrows(IllegalArgumentException.class, () -> new Shop().order(null));\n    }\n", ""), rule="test_deleted"),
    "no test any more": _test(("    @Test\n    void refuses", "    void refuses"), rule="test_deleted"),
    "an assertion removed": _test(('        assertEquals(2, new Shop().parse("2"));\n', ""), rule="assertion_removed"),
    "another expected value": _test(("assertEquals(1,", "assertEquals(0,")),
    "an exception expected": _test(("    @Test\n    void parses", "    @Test(expected = Exception.class)\n    void parses")),
    "CI": Fix("x\n", "y\n", rule="protected_path", path="Jenkinsfile"),
}  # fmt: skip
