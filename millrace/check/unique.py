"""Names that may be taken once only: sources, models, topics and ClickHouse tables."""

from collections.abc import Iterable, Iterator

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.explain import Loc
from millrace.contracts.model import GoldModel, Model, RealtimeModel
from millrace.contracts.problem import Problem
from millrace.contracts.read import problem_at
from millrace.contracts.source import Source

Claim = tuple[str, Source | Model, Loc]
"""A name, who takes it, and the key that does so."""


def unique_problems(catalog: Catalog) -> Iterator[Problem]:
    yield from _taken_twice("table name", _lake_tables(catalog))
    yield from _taken_twice("topic", _topics(catalog))
    yield from _taken_twice("ClickHouse table", _served_tables(catalog))


def _lake_tables(catalog: Catalog) -> Iterator[Claim]:
    """Sources and gold models: a SELECT names both bare, so they share one set of names."""
    yield from ((source.name, source, ()) for source in catalog.sources)
    yield from ((model.name, model, ()) for model in catalog.gold)


def _topics(catalog: Catalog) -> Iterator[Claim]:
    """Kafka keeps '.' and '_' apart in names but not in its metrics, and refuses a topic that differs only there."""
    for source in catalog.sources:
        for topic in (source.topic.name, names.dead_letter_topic(source.topic.name)):
            yield topic.replace(".", "_"), source, ("topic", "name")
    yield from ((m.topic.replace(".", "_"), m, ("topic",)) for m in catalog.streams if m.topic)


def _served_tables(catalog: Catalog) -> Iterator[Claim]:
    for model in catalog.models:
        if isinstance(model, GoldModel):
            if model.served_as:
                yield model.served_as, model, ("serve",)
            continue
        yield model.served_as, model, ()
        behind = (
            (names.realtime_state(model.name), names.realtime_feed(model.name))
            if isinstance(model, RealtimeModel)
            else (names.stream_rows(model.name),)
        )
        yield from ((f"{names.REALTIME}.{table}", model, ()) for table in behind)


def _taken_twice(what: str, claims: Iterable[Claim]) -> Iterator[Problem]:
    first: dict[str, Source | Model] = {}
    for name, taker, loc in claims:
        owner = first.setdefault(name, taker)
        if owner is not taker:
            found = f"{what} '{name}', which {owner.domain}/{owner.name} has already"
            yield problem_at(taker, loc, found, "a name of its own", f"{taker.domain}_{taker.name}")
