"""Real-time models: the aggregating table, the view that feeds it, and the plain view that people read."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clickhouse_connect.driver.binding import format_str
from clickhouse_connect.driver.client import Client

from millrace import names
from millrace.clickhouse.live import DEDUP_WINDOW, interval
from millrace.contracts.model import RealtimeModel
from millrace.errors import ConfigError

_SIMPLE = re.compile(r"^SimpleAggregateFunction\((?P<f>\w+), ")
_FULL = re.compile(r"^AggregateFunction\((?P<f>\w+(\([^)]*\))?)(, .*)?\)$")


@dataclass(frozen=True)
class Tables:
    """The three names of one model."""

    state: str
    feed: str
    view: str


def tables_of(model: RealtimeModel) -> Tables:
    base = f"{names.REALTIME}.`{{}}`".format
    return Tables(base(names.realtime_state(model.name)), base(names.realtime_feed(model.name)), base(model.name))


def version_of(model: RealtimeModel) -> str:
    """Changes when the table has to be built anew: kept as the table's comment."""
    text = "\n".join([model.sql, *model.order_by])
    return f"millrace {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def outdated(client: Client, model: RealtimeModel) -> bool:
    """True when the model is not there, half built, or built from other SQL."""
    rows = client.query(
        "SELECT name, comment FROM system.tables WHERE database = %(d)s",
        parameters={"d": names.REALTIME},
    ).result_rows
    comments = {row[0]: row[1] for row in rows}
    built = comments.get(names.realtime_state(model.name)) == version_of(model)
    return not (built and names.realtime_feed(model.name) in comments and model.name in comments)


def create_realtime(client: Client, model: RealtimeModel, coming_again: Mapping[str, str] | None = None) -> None:
    """Bring the model's tables up to date, filling a new or changed one from the live tables.

    `coming_again`: by live table, the condition of rows whose batch has not ended. It is inserted once more: the live
    table knows the block, and this one would count its rows a second time.
    `client` must have the database `live` as its default, since the models name live tables bare.
    Nothing may be written to the live tables meanwhile: a row that arrives between the fill and the feed would be
    missed. The comment that marks the table as built is set last, so that a crash on the way starts over.
    """
    tables = tables_of(model)
    if not outdated(client, model):
        client.command(f"ALTER TABLE {tables.state} MODIFY TTL {_ttl(model, _describe(client, model))}")
        return
    columns = _describe(client, model)
    for kind, name in (("VIEW", tables.view), ("TABLE", tables.feed), ("TABLE", tables.state)):
        client.command(f"DROP {kind} IF EXISTS {name} SYNC")
    client.command(state_ddl(model, columns))
    _fill(client, model, coming_again or {})
    client.command(f"CREATE MATERIALIZED VIEW {tables.feed} TO {tables.state} AS\n{model.sql}")
    client.command(view_ddl(model, columns))
    client.command(f"ALTER TABLE {tables.state} MODIFY COMMENT '{version_of(model)}'")


def state_ddl(model: RealtimeModel, columns: dict[str, str]) -> str:
    lines = ",\n".join(f"    `{name}` {kind}" for name, kind in columns.items())
    return f"""CREATE TABLE {tables_of(model).state}
(
{lines}
)
ENGINE = AggregatingMergeTree
ORDER BY ({", ".join(f"`{c}`" for c in sorting_key(model, columns))})
TTL {_ttl(model, columns)}
SETTINGS non_replicated_deduplication_window = {DEDUP_WINDOW}, allow_nullable_key = 1"""


def sorting_key(model: RealtimeModel, columns: dict[str, str]) -> list[str]:
    """What the contract orders by, then the other plain columns: rows that differ in them must not be merged."""
    return [*model.order_by, *(c for c, kind in columns.items() if c not in model.order_by and not _aggregate(kind))]


def view_ddl(model: RealtimeModel, columns: dict[str, str]) -> str:
    """A view that finalises the aggregates, so that a dashboard sees ordinary numbers."""
    tables = tables_of(model)
    selected = ",\n".join(f"    {finalised(name, kind)} AS `{name}`" for name, kind in columns.items())
    plain = ", ".join(f"s.`{name}`" for name, kind in columns.items() if not _aggregate(kind))
    return f"CREATE VIEW {tables.view} AS\nSELECT\n{selected}\nFROM {tables.state} AS s\nGROUP BY {plain}"


def finalised(name: str, kind: str) -> str:
    """The expression that turns a state column into its value."""
    if simple := _SIMPLE.match(kind):
        return f"{simple['f']}(s.`{name}`)"
    if full := _FULL.match(kind):
        function, _, parameters = full["f"].partition("(")
        return f"{function}Merge{'(' + parameters if parameters else ''}(s.`{name}`)"
    return f"s.`{name}`"


def _aggregate(kind: str) -> bool:
    return bool(_SIMPLE.match(kind) or _FULL.match(kind))


def _ttl(model: RealtimeModel, columns: dict[str, str]) -> str:
    for name in model.order_by:
        if columns.get(name, "").startswith("Date"):
            return f"toDateTime(`{name}`) + {interval(model.ttl)}"
    raise ConfigError(
        f"{model.path}: none of order_by {list(model.order_by)} is a date or time, so 'ttl' has nothing to count "
        f"from; e.g. order_by: [window_start, event_type]"
    )


def _describe(client: Client, model: RealtimeModel) -> dict[str, str]:
    rows = client.query(f"DESCRIBE TABLE (\n{model.sql}\n)").result_rows
    return {row[0]: row[1] for row in rows}


def _fill(client: Client, model: RealtimeModel, left_out: Mapping[str, str]) -> None:
    filters = [f"{format_str(f'{names.LIVE}.{table}')}: {format_str(f'NOT ({r})')}" for table, r in left_out.items()]
    settings = {"additional_table_filters": f"{{{', '.join(filters)}}}"} if filters else {}
    client.command(f"INSERT INTO {tables_of(model).state}\n{model.sql}", settings=settings)
