"""What differs from record to record in a reason: without it, records that failed alike make one group.

The view ops.quarantine_records (clickhouse/ops/quarantine_views.sql) has the same rules, for the index.
"""

FOUND, NOTHING = ", found ", "nothing"
"""A field that is missing is a group of its own: where nothing is all that was found, nothing is cut."""
VARIABLE = (
    ("(?s), found .*", ", found ..."),
    ("(?s)the key .* twice", "the key ... twice"),
    ("schema id [0-9]+", "schema id ..."),
    ("record of [0-9]+ bytes", "record of ... bytes"),
)
"""Patterns, understood by Java's and by ClickHouse's regular expressions alike, and what replaces the first match."""
ID_LENGTH = 8
"""A group's id: so many hex digits of the SHA-256 of `source|stage|group`."""
