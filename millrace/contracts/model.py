"""A model: one SQL file that makes one table; its YAML header says inputs, keys, windows and serving."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from millrace import names
from millrace.contracts.problem import Wrong
from millrace.contracts.source import Duration, Name, Strict, TopicName

Kind = Literal["realtime", "stream", "gold"]

FROM_PLACE = ("name", "domain", "path", "sql", "sql_line", "kind")
"""What a model knows from its file; never written in the header."""

_PARTITION = "partition: event_date"


class _Model(Strict):
    """What every kind has in common. `name`, `domain`, `path` and `sql` come from the file."""

    name: Name
    domain: Name
    path: Path
    sql: str
    """The plain SELECT, without the header."""
    sql_line: int = 1
    """The line of the file on which the SELECT starts."""
    description: str = ""
    owner: str | None = None
    inputs: tuple[str, ...] = Field(min_length=1, examples=["[silver.user_events]"])


class RealtimeModel(_Model):
    """ClickHouse SQL over live tables; becomes `realtime.<name>`, kept fresh by a materialized view."""

    kind: Literal["realtime"] = "realtime"
    order_by: tuple[str, ...] = Field(min_length=1, examples=["[window_start, event_type]"])
    ttl: Duration = timedelta(days=90)

    @property
    def served_as(self) -> str:
        """Where analysts read it in ClickHouse."""
        return f"{names.REALTIME}.{self.name}"


class StreamModel(_Model):
    """Spark streaming SQL with state over one source; goes to `realtime.<name>` and, where named, to a topic."""

    kind: Literal["stream"] = "stream"
    watermark: Duration = Field(examples=["2 minutes"])
    key: tuple[str, ...] = Field(min_length=1, examples=["[window_start, window_end]"])
    """Identifies a result row: the sorting key in ClickHouse and the record key in the topic."""
    output: Literal["update", "append"] = Field(default="update", examples=["update"])
    topic: TopicName | None = None
    ttl: Duration = timedelta(days=90)
    trigger: Duration = timedelta(seconds=10)

    @property
    def served_as(self) -> str:
        """Where analysts read it in ClickHouse."""
        return f"{names.REALTIME}.{self.name}"


class Serve(Strict):
    """Where a gold table is published in ClickHouse."""

    database: Literal["gold"] = Field(default="gold", examples=["gold"])
    table: Name | None = None
    order_by: tuple[str, ...] = ()


class GoldModel(_Model):
    """Spark SQL over silver or gold tables; published to the lake, and to ClickHouse where `serve` says so.

    Three ways to stay O(new): `partition` alone recomputes the partitions whose inputs changed; `partition` with
    `insert_key` runs over the new rows only and inserts those whose key is not there; `key` recomputes the rows of
    the keys that occur in the changed input partitions.
    """

    kind: Literal["gold"] = "gold"
    partition: Name | None = Field(default=None, examples=["event_date"])
    key: tuple[Name, ...] = Field(default=(), examples=["[user_id]"])
    insert_key: tuple[Name, ...] = Field(default=(), examples=["[event_id]"])
    serve: Serve | None = Field(default=None, examples=["{database: gold}"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.key and (self.partition or self.insert_key):
            raise Wrong("'key' beside 'partition' or 'insert_key'", "'key' alone, or 'partition' with 'insert_key'")
        if not self.key and not self.partition:
            raise Wrong("neither 'partition' nor 'key'", "one, so that only what changed is recomputed", _PARTITION)
        return self

    @property
    def served_as(self) -> str | None:
        """Where analysts read it in ClickHouse; none when it stays in the lake."""
        return f"{self.serve.database}.{self.serve.table or self.name}" if self.serve else None


Model = RealtimeModel | StreamModel | GoldModel
KINDS: dict[str, type[RealtimeModel] | type[StreamModel] | type[GoldModel]] = {
    "realtime": RealtimeModel,
    "stream": StreamModel,
    "gold": GoldModel,
}


def model_from(raw: dict[str, Any], path: Path, sql: str, sql_line: int) -> Model:
    """Build the model that `path` (`models/<domain>/<kind>/<table>.sql`) holds; raises pydantic.ValidationError."""
    kind = KINDS[path.parent.name]
    place = {"name": path.stem, "domain": path.parent.parent.name, "path": path, "sql": sql, "sql_line": sql_line}
    return kind(**{**raw, **place})
