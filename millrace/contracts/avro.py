"""An Avro record schema, and the column types that follow from it in Spark and ClickHouse."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from millrace.contracts.lines import line_of
from millrace.contracts.problem import ContractError, Problem, Wrong

_SPARK = {
    "string": "string", "int": "int", "long": "bigint", "float": "float", "double": "double",
    "boolean": "boolean", "bytes": "binary",
}  # fmt: skip
_LOGICAL = {
    "timestamp-millis": ("long", "timestamp"), "timestamp-micros": ("long", "timestamp"),
    "date": ("int", "date"), "uuid": ("string", "string"),
}  # fmt: skip
_CLICKHOUSE = {
    "string": "String", "int": "Int32", "bigint": "Int64", "float": "Float32", "double": "Float64",
    "boolean": "Bool", "binary": "String", "timestamp": "DateTime64(6, 'UTC')", "date": "Date32",
    "tinyint": "Int8", "smallint": "Int16", "timestamp_ntz": "DateTime64(6)",
}  # fmt: skip
_TYPES = ", ".join([*_SPARK, "enum", "array", "map", "record", "fixed", "decimal", *_LOGICAL])
_FIELD_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,62}$")
_EXAMPLE = '{"type": "record", "name": "Order", "fields": [{"name": "order_id", "type": "string"}]}'
_COMPLETE = '{"type": "enum", "name": "Color", "symbols": ["red", "blue"]}'

Named = dict[str, dict[str, Any]]
"""Enums and records by the name they were declared with, since a later field may refer to them."""


class Column(BaseModel):
    """One column: its Spark SQL type, whether null is allowed, the values of an enum, and its doc."""

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
    """The schema as one line of JSON."""

    def column(self, name: str) -> Column | None:
        return next((f for f in self.fields if f.name == name), None)

    @property
    def spark_ddl(self) -> str:
        return ", ".join(f"`{f.name}` {f.spark_type}" for f in self.fields)


def read_record(path: Path) -> Record:
    """Read an .avsc file that holds one record; raises ContractError naming every wrong field with its line."""
    text = path.read_text()
    schema = _parse(path, text)
    problems: list[Problem] = []
    columns: dict[str, Column] = {}
    named: Named = {}
    for number, field in enumerate(schema["fields"]):
        try:
            column = _column(field, named)
            if column.name.lower() in columns:
                raise Wrong(f"field '{column.name}' twice", "names that differ in more than upper and lower case")
            columns[column.name.lower()] = column
        except Wrong as wrong:
            line = line_of(text, ("fields", number))
            problems.append(Problem(path, line, wrong.found, wrong.expected, wrong.example))
    if problems:
        raise ContractError(problems)
    _parse_as_avro(path, schema)
    return Record(
        name=schema["name"], doc=str(schema.get("doc", "")), fields=tuple(columns.values()), text=json.dumps(schema)
    )


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise ContractError([Problem(path, error.lineno, f"broken JSON ({error.msg})", "an Avro schema")]) from error
    record = isinstance(schema, dict) and schema.get("type") == "record" and isinstance(schema.get("name"), str)
    if not record or not isinstance(schema.get("fields"), list) or not schema["fields"]:
        raise ContractError([Problem(path, 1, "no record", "one Avro record with a name and fields", _EXAMPLE)])
    return dict(schema)


def _parse_as_avro(path: Path, schema: dict[str, Any]) -> None:
    """Let an Avro library judge what the walk over the fields does not look at: names, defaults, symbols."""
    from fastavro import parse_schema
    from fastavro.schema import SchemaParseException, UnknownType

    try:
        parse_schema(json.loads(json.dumps(schema)))
    except (SchemaParseException, UnknownType, ValueError, TypeError) as error:
        raise ContractError(
            [Problem(path, 1, f"a schema that Avro refuses ({error})", "a valid Avro schema")]
        ) from error


def _column(field: Any, named: Named) -> Column:
    name = field.get("name") if isinstance(field, dict) else None
    if not isinstance(name, str) or "type" not in field:
        raise Wrong(f"field {json.dumps(field)}", "a field with name and type", '{"name": "page", "type": "string"}')
    if not _FIELD_NAME.match(name):
        raise Wrong(f"field name '{name}'", "a letter, then letters, digits and '_'", "page_url")
    try:
        kind, nullable = without_null(field["type"])
        spark_type = spark_type_of(kind, named)
    except Wrong as wrong:
        raise Wrong(f"field '{name}' of {wrong.found}", wrong.expected, wrong.example) from wrong
    kind = named.get(kind, kind) if isinstance(kind, str) else kind
    symbols = tuple(kind["symbols"]) if isinstance(kind, dict) and kind.get("type") == "enum" else ()
    return Column(name=name, spark_type=spark_type, nullable=nullable, doc=str(field.get("doc", "")), symbols=symbols)


def without_null(kind: Any) -> tuple[Any, bool]:
    """Split `["null", X]` into X and True. Unions of two real types have no column type."""
    if not isinstance(kind, list):
        return kind, False
    rest = [k for k in kind if k != "null"]
    if len(rest) != 1:
        raise Wrong(f"union type {json.dumps(kind)}", "a union of null and one type", '["null", "string"]')
    return rest[0], "null" in kind


def spark_type_of(kind: Any, named: Named) -> str:
    kind = without_null(kind)[0]
    if isinstance(kind, str) and kind in named:
        kind = named[kind]
    if isinstance(kind, str) and kind in _SPARK:
        return _SPARK[kind]
    if not isinstance(kind, dict) or "type" not in kind:
        raise Wrong(f"type {json.dumps(kind)}", f"one of {_TYPES}")
    try:
        return _logical_type(kind) or _complex_type(kind, named)
    except (KeyError, TypeError, AttributeError) as error:
        raise Wrong(f"type {json.dumps(kind)}", "a complete Avro type", _COMPLETE) from error


def _logical_type(kind: dict[str, Any]) -> str | None:
    logical = kind.get("logicalType")
    if logical == "decimal":
        return f"decimal({kind['precision']},{kind.get('scale', 0)})"
    if logical is None:
        return None
    if logical not in _LOGICAL:
        raise Wrong(f"logical type '{logical}'", f"one of {', '.join(_LOGICAL)}, decimal")
    base, spark_type = _LOGICAL[logical]
    if kind["type"] != base:
        raise Wrong(f"logical type '{logical}' on '{kind['type']}'", f"it on '{base}'")
    return spark_type


def _complex_type(kind: dict[str, Any], named: Named) -> str:
    build = _COMPLEX.get(kind["type"]) if isinstance(kind["type"], str) else None
    spark_type = build(kind, named) if build else spark_type_of(kind["type"], named)
    if "name" in kind:
        named[kind["name"]] = kind
    return spark_type


def _enum(kind: dict[str, Any], named: Named) -> str:
    symbols = kind["symbols"]
    if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise Wrong(f"symbols {json.dumps(symbols)}", "a list of names", '"symbols": ["red", "blue"]')
    return "string"


def _struct(kind: dict[str, Any], named: Named) -> str:
    inner = ",".join(f"`{f['name']}`:{spark_type_of(f['type'], named)}" for f in kind["fields"])
    return f"struct<{inner}>"


_COMPLEX: dict[str, Callable[[dict[str, Any], Named], str]] = {
    "enum": _enum,
    "fixed": lambda kind, named: "binary",
    "array": lambda kind, named: f"array<{spark_type_of(kind['items'], named)}>",
    "map": lambda kind, named: f"map<string,{spark_type_of(kind['values'], named)}>",
    "record": _struct,
}


def _decimal(spark_type: str) -> str | None:
    return spark_type.replace("decimal", "Decimal").replace(",", ", ") if spark_type.startswith("decimal") else None
