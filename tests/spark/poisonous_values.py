"""Values for the fields of a contract that has every type: field, JSON text, part of the reason or None."""

GOOD, BAD = None, ": expected "
DIGITS = "a number of more than 1000 digits"
BROKEN = "not a JSON object: broken"
RANGE = ": expected 1900-01-01 to 2299-01-01"
INSIDE = '{"x": %s, "price": %s}'

TYPED: list[tuple[str, str, str | None]] = [
    *[("n", text, f"n: expected int, found {text}") for text in ("1.0", '"1"', "true", "[]", "{}", "2147483648")],
    ("n", "null", GOOD),
    ("n", "-2147483648", GOOD),
    ("big", "9223372036854775807", GOOD),
    *[("big", text, f"big: expected long, found {text}") for text in ("9223372036854775808", '"5"', "1.5")],
    *[("real", text, GOOD) for text in ("1", "1.5", "-0.0", "1e-50")],
    *[("real", text, "real: expected float") for text in ("1e39", "1e400", '"NaN"', '"Infinity"', '"1.5"', "true")],
    ("real", "NaN", BROKEN),
    *[("precise", text, GOOD) for text in ("1", "0." + "1" * 900, "1e308")],
    *[("precise", text, "precise: expected double") for text in ("1e400", '"-Infinity"', '"1"', '""', "{}")],
    ("precise", "9" * 1001, DIGITS),
    ("yes", "true", GOOD),
    *[("yes", text, f"yes: expected boolean, found {text}") for text in ('"true"', "1", '"no"')],
    *[("blob", text, GOOD) for text in ('"aGk="', '""')],
    *[("blob", text, f"blob: expected binary, found {text}") for text in ('"not base64!"', '"a"', "5", "[1]")],
    *[("price", text, GOOD) for text in ("1", "-1.5", '"1.5"', "1.239", "1e7", "99999999.99", "1e-5")],
    *[("price", text, f"price: expected decimal(10,2), found {text}")
      for text in ("1000000000", '"x"', '""', "true", "{}", "[1]", '"1e-3000000"',
                   '"1e999999999"', '"+1e50000000"', '"1,e50000000"', '".5e50000000"', '"1,50"', '".5"', '"5."',
                   '"+1.5"', '" 1.5"', '"1.5\\n"', '"\u0661"')],
    *[("price", text, "price: expected decimal(10,2), found ")
      for text in ("123456789.00", "1e9", "1e400", "1e999999999")],
    ("price", "1e-3000000", GOOD),
    ("price", r'"\u0031e50000000"', 'price: expected decimal(10,2), found "1e50000000"'),
    *[("day", text, GOOD) for text in ('"2026-01-31"', '"1900-01-01"', '"2298-12-31"')],
    *[("day", text, f"day: expected date like 2026-01-31, found {text}")
      for text in ('"2026-02-30"', "5", '"2026-01-31T00:00:00Z"', '"20260131"', '"today"')],
    *[("day", text, "day" + RANGE) for text in ('"9999-12-31"', '"0001-01-01"', '"1899-12-31"')],
    *[("note", text, GOOD) for text in ('"x"', '""', "null", '"null"', '"true"', '"x,1e1234"')],
    ("id", '"7e123456-0000-4000-8000-000000000000"', GOOD),
    *[("note", text, f"note: expected string, found {text}") for text in ("1", "true", "{}", "[]", "-0.5")],
    *[("counts", text, GOOD) for text in ("[1,2]", "[]", "null")],
    *[("counts", text, f"counts: expected array<int>, found {text}")
      for text in ('[1,"2"]', "[1.5]", "1", "{}", '"[1]"', "[[1]]")],
    *[("scores", text, GOOD) for text in ('{"a":1.5}', '{"":1}')],
    ("counts", "[1,null]", "counts: []: expected int, found nothing"),
    ("scores", '{"a":null}', "scores: []: expected double, found nothing"),
    ("scores", '{"a":1e400}', "scores: []: expected double, found"),
    ("inside", '{"x": 1}', "inside: .price: expected decimal(10,2), found nothing"),
    *[("scores", text, f"scores: expected map<string,double>, found {text}") for text in ('{"a":"1"}', "[]", "5")],
    ("scores", '{"a":1,"a":2}', "a key twice in an object inside the record"),
    ("inside", INSIDE % ("1", "1.5"), GOOD),
    *[("inside", INSIDE % ("1", text), "inside: expected struct<")
      for text in ("1e999999999", '"+1e50000000"', r'"\u0031e50000000"', '"1,50"', "true", "{}")],
    ("inside", INSIDE % ('"1"', "1.5"), "inside: expected struct"),
    ("inside", '{"x": 1, "x": 2}', "a key twice in an object inside the record"),
]  # fmt: skip
