"""What lies inside the fields of a record: records, lists and maps, down to plain values, each with its own rules."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from millrace.contracts.avro import Column, Named, spark_type_of, without_null


@dataclass(frozen=True)
class Shape:
    """One value: its own rules, then what a record has as fields, or what each item of a list or map is."""

    column: Column
    fields: tuple["Shape", ...] = ()
    items: "Shape | None" = None

    @property
    def holds_records(self) -> bool:
        """True when there is a record somewhere in it: only a record has fields that may be unknown."""
        return bool(self.fields) or (self.items is not None and self.items.holds_records)


@cache
def shapes(text: str) -> tuple[Shape, ...]:
    """Of each field of the record schema in `text`, as `Record.text` has it."""
    named: Named = {}
    return tuple(_shape(field["name"], field["type"], named) for field in json.loads(text)["fields"])


def _shape(name: str, kind: Any, named: Named) -> Shape:
    """`named` gets what is declared on the way: a later field may refer to it."""
    bare, nullable = without_null(kind)
    spark_type = spark_type_of(bare, named)
    bare = named.get(bare, {"type": bare}) if isinstance(bare, str) else bare
    symbols = tuple(bare["symbols"]) if bare["type"] == "enum" else ()
    column = Column(name=name, spark_type=spark_type, nullable=nullable, symbols=symbols)
    if bare["type"] == "record":
        return Shape(column, fields=tuple(_shape(f["name"], f["type"], named) for f in bare["fields"]))
    inner = bare.get({"array": "items", "map": "values"}.get(bare["type"], ""))
    return Shape(column, items=None if inner is None else _shape("", inner, named))
