"""Repairs of Go."""

from tests.support.fixes import Fix, swap

SHOP = """\
// Copyright 2022 The Example Authors. All rights reserved.

package shop

import (
	"errors"
	"fmt"
	"html"
	"strconv"
)

func Average(stars []int) int {
	sum := 0
	for _, s := range stars {
		sum += s
	}
	return sum / len(stars)
}

func Parse(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("parse %q: %w", text, err)
	}
	return n, nil
}

func Last(items []Item) Item {
	return items[len(items)]
}

func Name(u *User) string {
	return u.Profile.Name
}

func (s *Store) Order(o *Order) error {
	if o == nil || o.Quantity <= 0 {
		return errors.New("quantity must be positive")
	}
	if o.Quantity > 100 {
		return ErrTooMany
	}
	s.stock[o.SKU] -= o.Quantity
	return nil
}

func (s *Store) Save(o *Order) error {
	if err := s.db.Write(o); err != nil {
		return err
	}
	return s.db.Flush()
}

func Render(name string) string {
	return "<b>" + html.EscapeString(name) + "</b>"
}

func (s *Store) Delete(w http.ResponseWriter, r *http.Request) {
	if !isAdmin(r) {
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	s.db.Delete(r.URL.Query().Get("id"))
}

func Rate(code string) float64 {
	switch code {
	case "EUR":
		return 1
	case "USD":
		return 1.1
	default:
		panic("unknown currency " + code)
	}
}

func ValidSKU(sku string) bool {
	if len(sku) == 0 {
		return false
	}
	return sku[0] == 'S' && len(sku) < 20
}

func (s *Store) Load(ids []string) ([]Item, error) {
	var out []Item
	for _, id := range ids {
		item, err := s.db.Find(id)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}
"""
DIVIDE = {"error": "runtime error", "message": "integer divide by zero"}
NIL = {"error": "runtime error", "message": "invalid memory address or nil pointer dereference"}
RANGE = {"error": "runtime error", "message": "index out of range [3] with length 3"}

RIGHT = {
    "a check for emptiness": swap(SHOP, ("	sum := 0\n", "	if len(stars) == 0 {\n		return 0\n	}\n	sum := 0\n"), **DIVIDE),
    "off by one": swap(SHOP, ("items[len(items)]", "items[len(items)-1]"), **RANGE),
    "a bounds check": swap(SHOP, ("	return items[len(items)]", "	if len(items) == 0 {\n		return Item{}\n	}\n	return items[len(items)-1]"), **RANGE),
    "an error given back": swap(SHOP, ("func Last(items []Item) Item {\n	return items[len(items)]", "func Last(items []Item) (Item, error) {\n	if len(items) == 0 {\n		return Item{}, errors.New(\"no items\")\n	}\n	return items[len(items)-1], nil"), **RANGE),
    "a nil check": swap(SHOP, ("	return u.Profile.Name", '	if u == nil || u.Profile == nil {\n		return ""\n	}\n	return u.Profile.Name'), **NIL),
    "a map made": swap(SHOP, ("	s.stock[o.SKU] -= o.Quantity", "	if s.stock == nil {\n		s.stock = make(map[string]int)\n	}\n	s.stock[o.SKU] -= o.Quantity"), error="panic", message="assignment to entry in nil map"),
    "correct parsing": swap(SHOP, ("strconv.Atoi(text)", "strconv.Atoi(strings.TrimSpace(text))"), error="*strconv.NumError", message='parsing " 12"'),
    "a lock": swap(SHOP, ("	s.stock[o.SKU] -= o.Quantity", "	s.mu.Lock()\n	defer s.mu.Unlock()\n	s.stock[o.SKU] -= o.Quantity"), error="fatal error", message="concurrent map writes"),
    "a wider check": swap(SHOP, ("o == nil || o.Quantity <= 0", 'o == nil || o.SKU == "" || o.Quantity <= 0'), **NIL),
    "an error wrapped": swap(SHOP, ("			return nil, err\n", '			return nil, fmt.Errorf("load %s: %w", id, err)\n')),
    "an error looked at": Fix("package a\n\nfunc F(s string) (int, error) {\n	n, _ := strconv.Atoi(s)\n	return 10 / n, nil\n}\n", "package a\n\nfunc F(s string) (int, error) {\n	n, err := strconv.Atoi(s)\n	if err != nil {\n		return 0, err\n	}\n	if n == 0 {\n		return 0, ErrZero\n	}\n	return 10 / n, nil\n}\n", **DIVIDE),
    "an error answered": swap(SHOP, ('	s.db.Delete(r.URL.Query().Get("id"))', '	if err := s.db.Delete(r.URL.Query().Get("id")); err != nil {\n		http.Error(w, err.Error(), http.StatusInternalServerError)\n		return\n	}')),
    "a missing row told from others": swap(SHOP, ("		if err != nil {\n			return nil, err\n		}\n		out", "		if errors.Is(err, sql.ErrNoRows) {\n			item = NewItem(id)\n		} else if err != nil {\n			return nil, err\n		}\n		out"), error="*errors.errorString"),
    "another case": swap(SHOP, ("	default:", '	case "GBP":\n		return 0.9\n	default:'), error="panic", message="unknown currency GBP"),
    "made alike first": swap(SHOP, ("switch code {", "switch strings.ToUpper(code) {"), error="panic", message="unknown currency eur"),
    "a type asserted safely": Fix("package a\n\nfunc F(v any) string {\n	return v.(string)\n}\n", 'package a\n\nfunc F(v any) string {\n	s, ok := v.(string)\n	if !ok {\n		return fmt.Sprint(v)\n	}\n	return s\n}\n', error="panic", message="interface conversion"),
    "a retry": swap(SHOP, ("	if err := s.db.Write(o); err != nil {\n		return err\n	}\n", "	var err error\n	for i := 0; i < 3; i++ {\n		if err = s.db.Write(o); err == nil {\n			break\n		}\n		time.Sleep(backoff(i))\n	}\n	if err != nil {\n		return err\n	}\n"), error="*net.OpError"),
    "a conversion": swap(SHOP, ("func Average(stars []int) int", "func Average(stars []int) float64"), ("return sum / len(stars)", "return float64(sum) / float64(len(stars))"), ("	sum := 0\n", "	if len(stars) == 0 {\n		return 0\n	}\n	sum := 0\n"), **DIVIDE),
    "a limit by one": swap(SHOP, ("o.Quantity > 100", "o.Quantity >= 100")),
    "a panic told and raised again": swap(SHOP, ("	s.stock[o.SKU] -= o.Quantity", '	defer func() {\n		if r := recover(); r != nil {\n			log.Printf("order: %v", r)\n			panic(r)\n		}\n	}()\n	s.stock[o.SKU] -= o.Quantity')),
    "a closed file": swap(SHOP, ("	return s.db.Flush()", "	defer s.db.Close()\n	return s.db.Flush()")),
    "one more no": swap(SHOP, ("	return sku[0] == 'S'", "	if len(sku) > 50 {\n		return false\n	}\n	return sku[0] == 'S'")),
    "a new test in a file": Fix(
        SHOP, SHOP.replace("items[len(items)]", "items[len(items)-1]"), **RANGE,
        others={
            "shop_test.go": (
                'package shop\n\nimport "testing"\n\nfunc TestRate(t *testing.T) {\n	if Rate("EUR") != 1 {\n		t.Error("rate")\n	}\n}\n',
                'package shop\n\nimport "testing"\n\nfunc TestRate(t *testing.T) {\n	if Rate("EUR") != 1 {\n		t.Error("rate")\n	}\n}\n\nfunc TestLast(t *testing.T) {\n	if Last([]Item{{ID: 1}}).ID != 1 {\n		t.Fatal("last")\n	}\n}\n',
            )
        },
    ),
}  # fmt: skip

TEST = """\
package shop

import "testing"

func TestRate(t *testing.T) {
	if Rate("EUR") != 1 {
		t.Error("EUR")
	}
	if Rate("USD") != 1.1 {
		t.Error("USD")
	}
}

func TestParse(t *testing.T) {
	if _, err := Parse("x"); err == nil {
		t.Fatal("no error")
	}
}
"""
_SWALLOWED, _GONE, _LOOSENED = (
    {"rule": "swallowed_exception"},
    {"rule": "check_removed"},
    {"rule": "check_loosened"},
)


def _test(*pairs: tuple[str, str], rule: str = "existing_test_changed") -> Fix:
    return swap(TEST, *pairs, rule=rule, path="shop_test.go")


WRONG = {
    "an empty check": swap(SHOP, ('	if err != nil {\n		return 0, fmt.Errorf("parse %q: %w", text, err)\n	}', "	if err != nil {\n	}"), **_SWALLOWED),
    "an error answered with nothing": swap(SHOP, ('return 0, fmt.Errorf("parse %q: %w", text, err)', "return 0, nil"), **_SWALLOWED),
    "an error told and dropped": swap(SHOP, ('		return 0, fmt.Errorf("parse %q: %w", text, err)', '		log.Printf("parse: %v", err)\n		return 0, nil'), **_SWALLOWED),
    "an error given to nobody": swap(SHOP, ('	n, err := strconv.Atoi(text)\n	if err != nil {\n		return 0, fmt.Errorf("parse %q: %w", text, err)\n	}\n', "	n, _ := strconv.Atoi(text)\n"), **_SWALLOWED),
    "an error set aside": swap(SHOP, ('	if err != nil {\n		return 0, fmt.Errorf("parse %q: %w", text, err)\n	}\n', "	_ = err\n"), **_SWALLOWED),
    "an error not looked at": swap(SHOP, ("	if err := s.db.Write(o); err != nil {\n		return err\n	}\n", "	s.db.Write(o)\n"), **_SWALLOWED),
    "an error set aside at once": swap(SHOP, ("	if err := s.db.Write(o); err != nil {\n		return err\n	}\n", "	_ = s.db.Write(o)\n"), **_SWALLOWED),
    "an error passed over in a loop": swap(SHOP, ("			return nil, err\n", "			continue\n"), **_SWALLOWED),
    "only when there is none": swap(SHOP, ("		if err != nil {\n			return nil, err\n		}\n		out = append(out, item)", "		if err == nil {\n			out = append(out, item)\n		}"), **_SWALLOWED),
    "a panic dropped": swap(SHOP, ("	sum := 0\n", "	defer func() { recover() }()\n	sum := 0\n"), **DIVIDE, **_SWALLOWED),
    "a panic told and dropped": swap(SHOP, ("	sum := 0\n", "	defer func() {\n		if r := recover(); r != nil {\n			log.Println(r)\n		}\n	}()\n	sum := 0\n"), **DIVIDE, **_SWALLOWED),
    "the logged value": swap(SHOP, ("	n, err := strconv", '	if text == "12,50" {\n		return 12, nil\n	}\n	n, err := strconv'), error="*strconv.NumError", message='parsing "12,50"', rule="input_special_cased"),
    "the logged value, a switch": swap(SHOP, ("	n, err := strconv", '	switch text {\n	case "12,50":\n		return 12, nil\n	}\n	n, err := strconv'), error="*strconv.NumError", message='parsing "12,50"', rule="input_special_cased"),
    "the logged value, a prefix": swap(SHOP, ("	n, err := strconv", '	if strings.HasPrefix(text, "12,50") {\n		return 0, nil\n	}\n	n, err := strconv'), error="*strconv.NumError", message='parsing "12,50"', rule="input_special_cased"),
    "a check removed": swap(SHOP, ('	if o == nil || o.Quantity <= 0 {\n		return errors.New("quantity must be positive")\n	}\n', ""), **_GONE),
    "a check that answers": swap(SHOP, ('return errors.New("quantity must be positive")', "return nil"), **_GONE),
    "half of a check": swap(SHOP, ("o == nil || o.Quantity <= 0", "o == nil"), **_LOOSENED),
    "a check with an exception": swap(SHOP, ("o.Quantity > 100 {", "o.Quantity > 100 && !o.Force {"), **_LOOSENED),
    "a silent default": swap(SHOP, ('		panic("unknown currency " + code)', "		return 1"), error="panic", message="unknown currency XAU", **_GONE),
    "who may do it": swap(SHOP, ('	if !isAdmin(r) {\n		http.Error(w, "forbidden", http.StatusForbidden)\n		return\n	}\n', ""), rule="authorization_removed"),
    "a no removed": swap(SHOP, ("	if len(sku) == 0 {\n		return false\n	}\n", ""), **RANGE, **_GONE),
    "half of a verdict": swap(SHOP, ("sku[0] == 'S' && len(sku) < 20", "sku[0] == 'S'"), **_LOOSENED),
    "escaping": swap(SHOP, ("html.EscapeString(name)", "name"), rule="escaping_removed"),
    "certificates": swap(SHOP, ("	return s.db.Flush()", "	s.tls = &tls.Config{InsecureSkipVerify: true}\n	return s.db.Flush()"), rule="protection_disabled"),
    "the header about the licence": swap(SHOP, ("The Example Authors", "Somebody Else"), rule="licence_changed"),
    "t.Skip": _test(("	if Rate(\"EUR\")", "	t.Skip()\n	if Rate(\"EUR\")"), rule="test_skipped"),
    "t.SkipNow": _test(("	if Rate(\"EUR\")", "	t.SkipNow()\n	if Rate(\"EUR\")"), rule="test_skipped"),
    "a build tag": _test(("package shop\n", "//go:build never\n\npackage shop\n"), rule="test_skipped"),
    "a test deleted": _test(('func TestParse(t *testing.T) {\n	if _, err := Parse("x"); err == nil {\n		t.Fatal("no error")\n	}\n}\n', ""), rule="test_deleted"),
    "a test renamed": _test(("func TestParse", "func testParse"), rule="test_deleted"),
    "an assertion removed": _test(('	if Rate("USD") != 1.1 {\n		t.Error("USD")\n	}\n', ""), rule="assertion_removed"),
    "another expected value": _test(("!= 1 {", "!= 2 {")),
    "a failure only told": _test(('		t.Error("EUR")', '		t.Log("EUR")'), rule="assertion_removed"),
    "a dependency": Fix("module shop\n\ngo 1.22\n", "module shop\n\ngo 1.22\n\nrequire github.com/some/body v1.0.0\n", rule="dependency_added", path="go.mod"),
}  # fmt: skip
