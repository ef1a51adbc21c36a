"""The lineage of a domain as a Mermaid graph: topics, layers, models, and what they feed."""

from collections.abc import Iterator

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.model import GoldModel, Model, StreamModel
from millrace.contracts.source import Source


def lineage(catalog: Catalog, domain: str) -> str:
    """A fenced Mermaid block; inputs from other domains appear as plain nodes."""
    lines = ["```mermaid", "flowchart LR"]
    for source in catalog.sources:
        if source.domain == domain:
            lines += _of_source(source)
    for model in catalog.models:
        if model.domain == domain:
            lines += _of_model(model)
    return "\n".join([*lines, "```"])


def _of_source(source: Source) -> Iterator[str]:
    topic, name = f"topic.{source.topic.name}", source.name
    yield _edge(topic, f"bronze.{name}")
    yield _edge(f"bronze.{name}", f"silver.{name}")
    yield _edge(topic, f"{names.LIVE}.{name}")


def _of_model(model: Model) -> Iterator[str]:
    target = f"lake gold.{model.name}" if isinstance(model, GoldModel) else str(model.served_as)
    for reference in model.inputs:
        yield _edge(_input(model, reference), target)
    if isinstance(model, GoldModel) and model.served_as:
        yield _edge(target, f"ClickHouse {model.served_as}")
    if isinstance(model, StreamModel) and model.topic:
        yield _edge(target, f"topic.{model.topic}")


def _input(model: Model, reference: str) -> str:
    if isinstance(model, GoldModel):
        return reference if reference.startswith("silver.") else f"lake {reference}"
    return f"{names.LIVE}.{reference}"


def _edge(start: str, end: str) -> str:
    return f"    {_node(start)} --> {_node(end)}"


def _node(label: str) -> str:
    shown = label.replace("topic.", "topic ")
    return f'{label.replace(" ", "_").replace(".", "_").replace("-", "_")}["{shown}"]'
