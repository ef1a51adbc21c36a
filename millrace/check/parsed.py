"""The catalog with its SQL parsed, and what columns each table has."""

from dataclasses import dataclass

from sqlglot import exp

from millrace.contracts.catalog import Catalog
from millrace.contracts.columns import bronze_columns, live_columns, silver_columns
from millrace.contracts.model import GoldModel, Model
from millrace.contracts.problem import ContractError, Problem
from millrace.contracts.sql import outputs_of, parse_model

UPDATED_AT = "updated_at"
"""What publishing adds to each row of a gold table."""


@dataclass(frozen=True)
class Parsed:
    """A catalog and the query of each model that parses, by the model's path."""

    catalog: Catalog
    queries: dict[str, exp.Query]
    problems: tuple[Problem, ...]

    def query(self, model: Model) -> exp.Query | None:
        return self.queries.get(str(model.path))

    def made_by(self, model: Model) -> tuple[str, ...] | None:
        """Names of the columns that a model's SELECT makes; None when that cannot be said."""
        query = self.query(model)
        names = tuple(output.name for output in outputs_of(query)) if query else ("",)
        return None if {"", "*"} & set(names) else names

    def table_columns(self, layer: str, table: str) -> tuple[str, ...] | None:
        """Names of a table's columns; None when the table is unknown or its columns cannot be said."""
        for source in self.catalog.sources:
            if source.name == table and layer in _OF_SOURCE:
                return tuple(column.name for column in _OF_SOURCE[layer](source))
        for model in self.catalog.models:
            if model.name == table and layer == ("gold" if isinstance(model, GoldModel) else "realtime"):
                made = self.made_by(model)
                return (*made, UPDATED_AT) if made and layer == "gold" else made
        return None

    def input_columns(self, model: Model, reference: str) -> tuple[str, ...] | None:
        """Columns of one declared input, as the model's SELECT sees them."""
        layer, _, table = reference.rpartition(".")
        return self.table_columns(layer or {"realtime": "live", "stream": "stream"}.get(model.kind, ""), table)


_OF_SOURCE = {
    "bronze": bronze_columns, "live": live_columns, "stream": live_columns, "silver": silver_columns,
}  # fmt: skip


def parse_all(catalog: Catalog) -> Parsed:
    """Parse each model's SQL; what does not parse becomes a problem."""
    queries: dict[str, exp.Query] = {}
    problems: list[Problem] = []
    for model in catalog.models:
        try:
            queries[str(model.path)] = parse_model(model)
        except ContractError as error:
            problems.extend(error.problems)
    return Parsed(catalog=catalog, queries=queries, problems=tuple(problems))
