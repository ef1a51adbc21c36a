"""Airflow assets of the tables, so that the asset graph shows how bronze becomes silver, gold and ClickHouse."""

from airflow.sdk import Asset

from millrace import names
from millrace.contracts.model import GoldModel

CLICKHOUSE = "clickhouse"


def table_asset(layer: str, table: str) -> Asset:
    return Asset(name=f"{layer}.{table}", uri=names.asset_uri(layer, table), group=layer)


def input_assets(model: GoldModel) -> list[Asset]:
    """Assets of the tables that a model reads; its inputs are written `layer.table`."""
    return [table_asset(*name.split(".", 1)) for name in model.inputs]


def served_asset(model: GoldModel) -> Asset | None:
    """Asset of the ClickHouse table that a model is synced to, if it is."""
    return table_asset(CLICKHOUSE, model.served_as) if model.served_as else None
