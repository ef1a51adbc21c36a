"""Records that cannot be an event of a lab, one of each kind."""

from functools import cache

from tests.faults.load import encoded, tick

MEGABYTES_10 = 10_000_000
DEEP = 500
ALLOWED_DEPTH = 80


@cache
def poison() -> dict[str, bytes | None]:
    """One record of each kind that cannot be an event of the lab."""
    good = encoded(tick(1))
    return {
        "broken": good[:-5],
        "two objects": good + good,
        "10 MB of no JSON": b"[" * MEGABYTES_10,
        "10 MB of a wrong type": encoded(tick(1, number="9" * MEGABYTES_10)),
        "500 levels deep, and unclosed": good[:-1] + b', "deep": ' + b"[" * DEEP,
        "500 levels deep in a number": encoded(tick(1, number=nested(DEEP))),
        "500 levels deep in a field that nobody knows": encoded(tick(1, deep=nested(DEEP))),
        "a list for a text": encoded(tick(1, kind=["a"])),
        "a text for a number": encoded(tick(1, number="one")),
        "a fraction for a long": encoded(tick(1, number=1.5)),
        "beyond a long": encoded(tick(1, number=2**63)),
        "invalid UTF-8": good.replace(b'"kind": "', b'"kind": "\xff\xfe'),
        "no value": None,
        "no bytes": b"",
        "white space": b" \n\t ",
        "not an object": b'["id", 1]',
        "NaN": good.replace(b'"size": 0.125', b'"size": NaN'),
        "infinity": good.replace(b'"size": 0.125', b'"size": 1e999'),
        "year 9999": encoded(tick(1, at="9999-12-31T23:59:59Z")),
        "year 1": encoded(tick(1, at="0001-01-01T00:00:00Z")),
        "no such day": encoded(tick(1, at="2026-02-30T00:00:00Z")),
        "no id": encoded({k: v for k, v in tick(1).items() if k != "id"}),
        "null for an id": encoded(tick(1, id=None)),
        "wrong schema id": b"\x00\x7f\xff\xff\xff" + good,
        "text after its end": good + b" and more",
        "a NUL": good + b"\x00",
    }


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value
