"""An Avro record schema, and the column types that follow from it in Spark and ClickHouse."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from millrace.errors import ConfigError

_SPARK = {
    "string": "string", "int": "int", "long": "bigint", "float": "float", "double": "double",
    "boolean": "boolean", "bytes": "binary",
    "timestamp-millis": "timestamp", "timestamp-micros": "timestamp", "date": "date", "uuid": "string",
}  # fmt: skip
_CLICKHOUSE = {
    "string": "String", "int": "Int32", "bigint": "Int64", "float": "Float32", "double": "Float64",
    "boolean": "Bool", "binary": "String", "timestamp": "DateTime64(6, 'UTC')", "date": "Date32",
}  # fmt: skip


class Column(BaseModel):
    """One field: its Spark SQL type, whether null is allowed, the values of an enum, and its doc."""

    model_config = ConfigDict(frozen=True)

    name: str
    spark_type: str
    nullable: bool
    doc: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def clickhouse_type(self) -> str:
        """Column type in ClickHouse; nested types travel as JSON text."""
        if self.symbols:
            return "Nullable(String)" if self.nullable else "LowCardinality(String)"
        base = _decimal(self.spark_type) or _CLICKHOUSE.get(self.spark_type, "String")
        return f"Nullable({base})" if self.nullable else base


class Record(BaseModel):
    """A record schema: its fields in order, and the schema as registered."""

    model_config = ConfigDict(frozen=True)

    name: str
    doc: str
    fields: tuple[Column, ...]
    text: str
    """The .avsc file's text."""

    def column(self, name: str) -> Column | None:
        return next((f for f in self.fields if f.name == name), None)

    @property
    def spark_ddl(self) -> str:
        return ", ".join(f"`{f.name}` {f.spark_type}" for f in self.fields)


def read_record(path: Path) -> Record:
    """Read an .avsc file that holds one record; raises ConfigError naming the file and the field."""
    try:
        schema = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record" or not schema.get("fields"):
        raise ConfigError(f"{path}:1: expected an Avro schema of type 'record' with fields")
    fields = tuple(_column(path, field) for field in schema["fields"])
    return Record(name=schema["name"], doc=schema.get("doc", ""), fields=fields, text=json.dumps(schema))


def _column(path: Path, field: dict[str, Any]) -> Column:
    kind, nullable = _without_null(field["type"])
    try:
        spark_type = _spark_type(kind)
    except KeyError as error:
        known = ", ".join([*_SPARK, "enum", "array", "map", "record", "decimal"])
        raise ConfigError(f"{path}: field '{field['name']}' has type {error}; expected one of {known}") from error
    symbols = tuple(kind["symbols"]) if isinstance(kind, dict) and kind.get("type") == "enum" else ()
    return Column(
        name=field["name"], spark_type=spark_type, nullable=nullable, doc=field.get("doc", ""), symbols=symbols
    )


def _without_null(kind: Any) -> tuple[Any, bool]:
    """Split `["null", X]` into X and True. Unions of two real types are not supported."""
    if not isinstance(kind, list):
        return kind, False
    rest = [k for k in kind if k != "null"]
    if len(rest) != 1:
        raise KeyError(f"union {kind}")
    return rest[0], "null" in kind


def _spark_type(kind: Any) -> str:
    if isinstance(kind, str):
        return _SPARK[kind]
    if isinstance(kind, list):
        return _spark_type(_without_null(kind)[0])
    if kind.get("logicalType") == "decimal":
        return f"decimal({kind['precision']},{kind.get('scale', 0)})"
    if kind.get("logicalType") in _SPARK:
        return _SPARK[kind["logicalType"]]
    match kind["type"]:
        case "enum":
            return "string"
        case "array":
            return f"array<{_spark_type(kind['items'])}>"
        case "map":
            return f"map<string,{_spark_type(kind['values'])}>"
        case "record":
            inner = ",".join(f"{f['name']}:{_spark_type(f['type'])}" for f in kind["fields"])
            return f"struct<{inner}>"
        case plain:
            return _spark_type(plain) if not isinstance(plain, str) else _SPARK[plain]


def _decimal(spark_type: str) -> str | None:
    return spark_type.replace("decimal", "Decimal").replace(",", ", ") if spark_type.startswith("decimal") else None
