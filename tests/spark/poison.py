"""Hostile records: each with the reason for which quarantine must hold it, or none where it is good after all."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.spark.poisonous_values import TYPED


class Poison(NamedTuple):
    name: str
    value: bytes | None
    reason: str | None
    """Part of the reason; None for a record that is good, odd as it looks."""


EVENT: dict[str, Any] = {
    "event_id": "550e8400-e29b-41d4-a716-446655440000",
    "user_id": 123,
    "event_type": "click",
    "page": "/products/detail",
    "timestamp": "2026-01-01T12:00:00.000000+00:00",
    "source": "mobile",
}
LINE = json.dumps(EVENT).encode()
WIDE: dict[str, Any] = {"id": "a", "at": "2026-01-01T12:00:00Z"}

BROKEN = "not a JSON object: broken, or cut off"
NO_OBJECT = "not a JSON object"
NOT_WHOLE = "not one whole JSON object"
DEEP = "nested deeper than 100 levels"
DIGITS = "a number of more than 1000 digits"
HALF = "half a character"
TIME = "timestamp: expected ISO-8601 timestamp, found "


def raw(event: dict[str, Any], **members: str) -> bytes:
    """The event with members given as JSON text."""
    marks = {name: f"@{name}@" for name in members}
    text = json.dumps(event | marks)
    for name, mark in marks.items():
        text = text.replace(json.dumps(mark), members[name])
    return text.encode("utf-8", "surrogatepass")


def with_(**members: Any) -> bytes:
    return json.dumps(EVENT | members).encode()


def renamed(old: str, new: str) -> bytes:
    return json.dumps({new if key == old else key: value for key, value in EVENT.items()}).encode()


def arrays(levels: int) -> str:
    return "[" * levels + "]" * levels


def objects(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def user_events() -> Iterator[Poison]:
    """Everything for the contract of `user_events`."""
    for name, value, reason in [*_shapes(), *_characters(), *_keys(), *_numbers(), *_times(), *_odd_but_good()]:
        yield Poison(name, value, reason)
    for cut in range(len(LINE)):
        yield Poison(f"cut at byte {cut}", LINE[:cut], "empty value" if cut == 0 else NO_OBJECT)
    for levels in (500, 2_000, 100_000):
        for field in ("unknown", "page", "user_id"):
            yield Poison(f"{levels} arrays in {field}", raw(EVENT, **{field: arrays(levels)}), DEEP)
            yield Poison(f"{levels} objects in {field}", raw(EVENT, **{field: objects(levels)}), DEEP)
        yield Poison(f"{levels} arrays", arrays(levels).encode(), NO_OBJECT)
        yield Poison(f"{levels} objects", objects(levels).encode(), DEEP)
        yield Poison(f"{levels} objects, open", objects(levels)[: 5 * levels].encode(), BROKEN)


def wide() -> Iterator[Poison]:
    """Values of every type, for a contract that has them all."""
    for field, value, reason in TYPED:
        yield Poison(f"{field}: {value[:30]}", raw(WIDE, **{field: value}), reason)


def _shapes() -> list[tuple[str, bytes | None, str | None]]:
    return [
        ("tombstone", None, "no value (a tombstone)"),
        ("10 MB", with_(page="x" * 10_000_000), "record of 10000172 bytes, the contract allows 1048576"),
        ("white space", b"\t\r\n ", "empty value"),
        ("text", b'"x"', NO_OBJECT),
        ("number", b"1", NO_OBJECT),
        ("list that stays open", b"[" + LINE, NO_OBJECT),
        ("list", b"[" + LINE + b"]", NO_OBJECT),
        ("empty object", b"{}", "event_id: expected string, found nothing"),
        ("two objects", LINE + LINE, NOT_WHOLE),
        ("two objects with a comma", LINE + b"," + LINE, NOT_WHOLE),
        ("two lines", LINE + b"\n" + LINE, NOT_WHOLE),
        ("one brace too many", LINE + b"}", NOT_WHOLE),
        ("one bracket too many", LINE + b"]", NOT_WHOLE),
        ("a bracket and rubbish", LINE + b"] rubbish", NOT_WHOLE),
        ("two objects with a bracket", LINE + b"]" + LINE, NOT_WHOLE),
        ("two objects with a list's end", LINE + b" ]\n," + LINE, NOT_WHOLE),
        ("end of a longer list", LINE + b"],0]", NOT_WHOLE),
        ("end and start of a list", LINE + b"],[", NOT_WHOLE),
        ("end and start of an object", LINE + b"},{", NOT_WHOLE),
        ("end of an object with a key", LINE + b'],"":{}}', NOT_WHOLE),
        ("a list's end, and all closed", LINE + b"]}", NOT_WHOLE),
        ("NUL at the end", LINE + b"\0", NOT_WHOLE),
        ("NUL at the start", b"\0" + LINE, NO_OBJECT),
        ("comma at the end", LINE[:-1] + b",}", BROKEN),
        ("comment inside", LINE[:-1] + b"/* x */}", BROKEN),
        ("comment before", b"// x\n" + LINE, NO_OBJECT),
        ("single quotes", str(EVENT).encode(), BROKEN),
    ]


def _characters() -> list[tuple[str, bytes | None, str | None]]:
    return [
        ("not UTF-8", b'{"event_id": "\xff"}', "not UTF-8"),
        ("surrogate as UTF-8", raw(EVENT, page='"\ud800"'), "not UTF-8"),
        ("overlong UTF-8", LINE.replace(b"/products", b"\xc0\xaf"), "not UTF-8"),
        ("UTF-16", LINE.decode().encode("utf-16"), "not UTF-8"),
        ("UTF-16 without its mark", LINE.decode().encode("utf-16-le"), BROKEN),
        ("byte order mark", b"\xef\xbb\xbf" + LINE, "byte order mark"),
        ("bare control character", raw(EVENT, page='"a\tb"'), BROKEN),
        ("bare NUL", raw(EVENT, page='"a\0b"'), BROKEN),
        ("no such escape", raw(EVENT, page='"\\x"'), BROKEN),
        ("high surrogate alone", raw(EVENT, page='"\\ud800"'), HALF),
        ("low surrogate alone", raw(EVENT, event_id='"x\\uDC00y"'), HALF),
        ("surrogates the wrong way round", raw(EVENT, page='"\\udc00\\ud800"'), HALF),
        ("two halves with a backslash between", raw(EVENT, page='"\\ud83d\\\\\\udc00"'), HALF),
        ("surrogate alone in an unknown field", raw(EVENT, more='"\\ud800"'), HALF),
    ]


def _keys() -> list[tuple[str, bytes | None, str | None]]:
    return [
        ("field twice, same value", LINE[:-1] + b', "page": "/products/detail"}', "the key 'page' twice"),
        ("field twice", LINE[:-1] + b', "user_id": 5}', "the key 'user_id' twice"),
        ("id twice", LINE[:-1] + b', "event_id": "b"}', "the key 'event_id' twice"),
        ("field twice, first wrong", b'{"user_id": "x",' + LINE[1:], "the key 'user_id' twice"),
        ("field twice, then null", LINE[:-1] + b', "page": null}', "the key 'page' twice"),
        ("field twice, by an escape", LINE[:-1] + b', "p\\u0061ge": "/"}', "the key 'page' twice"),
        ("unknown field twice", LINE[:-1] + b', "x": 1, "x": 2}', "the key 'x' twice"),
        ("key twice inside", raw(EVENT, x='{"a": 1, "a": 2}'), "a key twice in an object inside"),
        ("a million keys", b'{"' + b'":1,"'.join(b"%d" % n for n in range(100_000)) + b'":1}', "event_id: expected"),
        ("long key", with_(**{"k" * 60_000: 1}), "a key of more than 50000 characters"),
        ("other case", renamed("event_id", "EVENT_ID"), "event_id: expected string, found nothing"),
        ("space in a key", renamed("page", "page "), "page: expected string, found nothing"),
    ]


def _numbers() -> list[tuple[str, bytes | None, str | None]]:
    given = "user_id: expected int, found "
    wrong = ["1.0", "1.5", "true", '"12"', '"12abc"', "[]", "{}", str(2**31), "9" * 30]
    return [
        *[(f"user_id {text}", raw(EVENT, user_id=text), given + text) for text in wrong],
        ("user_id null", raw(EVENT, user_id="null"), given + "nothing"),
        *[(f"user_id {text}", raw(EVENT, user_id=text), BROKEN) for text in ("NaN", "-Infinity", "+1", "007", "0x1")],
        ("1,001 digits", raw(EVENT, user_id="9" * 1001), DIGITS),
        ("100,000 digits in an unknown field", raw(EVENT, x="9" * 100_000), DIGITS),
        ("number for a text", raw(EVENT, page="5"), "page: expected string, found 5"),
        ("boolean for a text", raw(EVENT, page="false"), "page: expected string, found false"),
        ("list for a symbol", raw(EVENT, event_type='["click"]'), 'event_type: expected string, found ["click"]'),
        ("other case of a symbol", with_(event_type="Click"), "event_type: expected one of login, click"),
    ]


def _times() -> list[tuple[str, bytes | None, str | None]]:
    texts = [
        "2026-01-01T24:00:00Z", "2026-12-31T23:59:60Z", "2026-01-01T12:00:00+19:00", "2026-01-01T12:00:00+99:99",
        "10000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "12:00", "2026", "now", "",
        "1704110400", "2026-01-01T12:00:00 Europe/Paris",
    ]  # fmt: skip
    numbers = ["1704110400", "1704110400000", "-1", "0.5"]
    years = ["0000-01-01", "0001-01-01", "1969-12-31", "2100-01-01", "9999-12-31"]
    return [
        *[(f"time {text}", with_(timestamp=text), f'{TIME}"{text}"') for text in texts],
        *[(f"time {number}", raw(EVENT, timestamp=number), TIME + number) for number in numbers],
        *[
            (f"time {day}", with_(timestamp=f"{day}T00:00:00Z"), "timestamp: expected 1970-01-01 to 2100-01-01")
            for day in years
        ],
        ("time with a line's end", with_(timestamp="2026-01-01T12:00:00Z\n"), TIME),
        ("time with a NUL", with_(timestamp="2026-01-01T12:00:00\0Z"), TIME),
    ]


def _odd_but_good() -> list[tuple[str, bytes | None, str | None]]:
    names = {"a.b": 1, "a`b": 2, 'a"b': 3, "": 4, "a'b": 5, "a\x01": 6, "EVENT_ID": "x", "__proto__": {"a": 1}}
    return [
        ("minus zero", raw(EVENT, user_id="-0"), None),
        ("NUL in a text", with_(page="a\0b"), None),
        ("text of 900 kB", with_(page="x" * 900_000), None),
        ("SQL and HTML", with_(page="'; DROP TABLE silver; --<script>alert(1)</script>"), None),
        ("odd names of unknown fields", with_(**names), None),
        ("nulls in an unknown field", with_(more={"a": None, "b": [None]}), None),
        ("99 levels", raw(EVENT, more=arrays(99)), None),
        ("a pair after a backslash", raw(EVENT, page='"\\\\\\ud83d\\ude00"'), None),
        ("a half after an escaped backslash is text", raw(EVENT, page='"\\ud83d\\ude00\\\\udc00"'), None),
        ("list of objects in an unknown field", with_(more=[{"a": 1}, {}]), None),
        ("end of a list in a text", with_(page="}]", more={}), None),
        ("braces in a text", with_(page='}}{"}'), None),
        ("escaped key", LINE.replace(b'"page"', b'"p\\u0061ge"'), None),
        ("a pair of surrogates", with_(page="\U0001f600"), None),
        ("text that looks like an escape", with_(page="\\ud800"), None),
        ("text that looks like a number", with_(page="-1.5e3"), None),
        ("id that is no UUID", with_(event_id="order 1 ä"), None),
        ("offset of 18 hours", with_(timestamp="2026-01-01T12:00:00+18:00"), None),
        ("1e400 in an unknown field", raw(EVENT, more="1e400"), None),
        ("compact", json.dumps(EVENT, separators=(",", ":")).encode(), None),
        ("compact, and one unknown field", json.dumps(EVENT | {"": 1}, separators=(",", ":")).encode(), None),
    ]
