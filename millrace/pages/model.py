"""The section of one model: where it is read, its columns and its SQL."""

from millrace.contracts.duration import format_duration
from millrace.contracts.model import GoldModel, Model, RealtimeModel
from millrace.contracts.sql import outputs_of, parse_model
from millrace.pages.markdown import code, codes
from millrace.pages.source import suite_link


def model_section(model: Model) -> str:
    return "\n\n".join(
        [
            f"### {model.name} ({model.kind})",
            model.description,
            "\n".join(f"- {fact}" for fact in [*_shared(model), *_own(model)]),
            f"```sql\n{model.sql}\n```",
        ]
    )


def _shared(model: Model) -> list[str]:
    read_in = f"Read it in ClickHouse as {code(model.served_as)}." if model.served_as else "It stays in the lake."
    columns = codes(output.name for output in outputs_of(parse_model(model)))
    return [f"{read_in} Inputs: {codes(model.inputs)}.", f"Columns: {columns}."]


def _own(model: Model) -> list[str]:
    if isinstance(model, GoldModel):
        return [
            f"In the lake: {code(f'gold/{model.name}')}. {_narrowing(model)} Suite: {suite_link('gold', model.name)}."
        ]
    kept = f"Rows are kept {format_duration(model.ttl)}"
    if isinstance(model, RealtimeModel):
        return [f"Kept fresh by a materialized view, one row per {codes(model.order_by)}. {kept}."]
    topic = f", and published to the topic {code(model.topic)}" if model.topic else ""
    waits = format_duration(model.watermark)
    return [f"Kept by a Spark query with a watermark of {waits}, one row per {codes(model.key)}{topic}. {kept}."]


def _narrowing(model: GoldModel) -> str:
    if model.insert_key:
        return f"New rows are added to their {code(str(model.partition))}, once per {codes(model.insert_key)}."
    if model.key:
        return f"The rows of each {codes(model.key)} that occurs in new data are recomputed."
    return f"Each {code(str(model.partition))} that new data touched is recomputed."
