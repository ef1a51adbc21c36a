"""The hourly DAG of a domain: every source to silver, every gold model in the order of its inputs, then the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, TaskGroup, TriggerRule

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.model import GoldModel
from millrace.contracts.source import Source
from millrace_airflow import steps
from millrace_airflow.builders import documents
from millrace_airflow.builders.assets import input_assets, served_asset, table_asset
from millrace_airflow.builders.defaults import dag_arguments, domain_owner
from millrace_airflow.failures import task_succeeded
from millrace_airflow.operators.batch_step import BatchStepOperator
from millrace_airflow.operators.landing_wait import LandingWaitOperator
from millrace_airflow.operators.settled_models import SettledModelsOperator, model_group
from millrace_airflow.operators.take_hours import DONE, TakeHoursOperator
from millrace_airflow.run_interval import TAKE_HOURS, interval_params
from millrace_airflow.steps import Step
from millrace_airflow.timetable import GaplessTimetable

_SILVER_FIRST = 1_000
"""Above all of gold: of hours that wait for one another's machine, all are refined to silver before gold begins, so
that gold is made once of all of them."""
_OF_TASKS: dict[str, Any] = {"weight_rule": "absolute", "on_skipped_callback": task_succeeded}
"""A task of these DAGs skips itself when its work is done already, which is as good as having done it."""


@dataclass(frozen=True)
class Gate:
    """The ends of a table's task group: what comes after its inputs, what its readers wait for, and its last task."""

    first: BatchStepOperator
    published: BatchStepOperator
    last: BatchStepOperator


def medallion_dags(catalog: Catalog) -> list[DAG]:
    """One DAG for each domain that has sources or gold models."""
    domains = sorted({s.domain for s in catalog.sources} | {m.domain for m in catalog.gold})
    return [medallion_dag(catalog, domain) for domain in domains]


def medallion_dag(catalog: Catalog, domain: str) -> DAG:
    sources = [s for s in catalog.sources if s.domain == domain]
    models = [m for m in catalog.gold if m.domain == domain]
    owner = domain_owner(catalog, domain)
    with DAG(
        dag_id=names.medallion_dag(domain),
        description=f"Refines {domain} hour by hour: bronze, silver, gold, ClickHouse.",
        schedule=GaplessTimetable("0 * * * *", "UTC", refines=[source.name for source in sources]),
        doc_md=documents.of_domain(catalog, domain),
        params=interval_params(),
        **dag_arguments(owner, names.BATCH_POOL, [domain, "medallion"], **_OF_TASKS),
    ) as dag:
        tables = {f"silver.{source.name}": _source_group(catalog, source) for source in sources}
        tables |= {f"gold.{model.name}": _model_group(catalog, model, owner) for model in models}
        for model in models:
            _link(model, tables)
        for source in sources:
            _leave_out_settled(catalog, source, tables)
        _end(catalog, domain, tables, owner)
        _begin(catalog, domain, dag, owner)
    return dag


def _source_group(catalog: Catalog, source: Source) -> Gate:
    """Wait, gate, stage, gate, publish."""
    bronze, silver = table_asset("bronze", source.name), table_asset("silver", source.name)
    shared: dict[str, Any] = {"owner": source.owner, "doc_md": documents.of_source(catalog, source)}
    further = count(_SILVER_FIRST)
    with TaskGroup(f"silver_{source.name}", tooltip=source.description):
        wait = LandingWaitOperator(task_id="wait_complete", source=source.name, priority_weight=next(further), **shared)
        gate_bronze = _step("gate_bronze", steps.GATE_BRONZE, source.name, further, shared, outlets=[bronze])
        stage = _step("stage", steps.STAGE_SILVER, source.name, further, shared, inlets=[bronze])
        gate = _step("gate", steps.GATE_SILVER, source.name, further, shared)
        publish = _step(
            "publish", steps.PUBLISH_SILVER, source.name, further, shared, inlets=[bronze], outlets=[silver]
        )
        wait >> gate_bronze >> stage >> gate >> publish
    return Gate(first=gate_bronze, published=publish, last=publish)


def _model_group(catalog: Catalog, model: GoldModel, domain_owner: str) -> Gate:
    """Stage, gate, publish, and sync where the model is served.

    An interval for which the table holds everything already skips the first three; those who wait for them go on.
    """
    inputs, gold, served = input_assets(model), table_asset("gold", model.name), served_asset(model)
    shared: dict[str, Any] = {"owner": model.owner or domain_owner, "doc_md": documents.of_model(catalog, model)}
    further, go_on = count(_SILVER_FIRST - 10 * _depth(catalog, model)), TriggerRule.NONE_FAILED
    with TaskGroup(model_group(model.name), tooltip=model.description):
        stage = _step("stage", steps.STAGE_GOLD, model.name, further, shared, inlets=inputs, trigger_rule=go_on)
        gate = _step("gate", steps.GATE_GOLD, model.name, further, shared)
        publish = _step("publish", steps.PUBLISH_GOLD, model.name, further, shared, inlets=inputs, outlets=[gold])
        stage >> gate >> publish
        last = publish
        if served is not None:
            last = _step("sync", steps.SYNC_GOLD, model.name, further, shared, [gold], [served], trigger_rule=go_on)
            publish >> last
    return Gate(first=stage, published=publish, last=last)


def _depth(catalog: Catalog, model: GoldModel) -> int:
    """How many tables of gold come one after the other up to this one."""
    reads = [catalog.gold_model(ref.removeprefix("gold.")) for ref in model.inputs if ref.startswith("gold.")]
    return 1 + max((_depth(catalog, each) for each in reads), default=0)


def _link(model: GoldModel, tables: dict[str, Gate]) -> None:
    """Start a model once everything it reads is published."""
    for name in model.inputs:
        tables[name].published >> tables[f"gold.{model.name}"].first


def _leave_out_settled(catalog: Catalog, source: Source, tables: dict[str, Gate]) -> None:
    """Between silver and the models that only this source feeds: those that other hours' runs have made already.

    It comes after whatever gold there is to make, of any hour.
    """
    if models := catalog.fed_alone_by(source):
        settled = SettledModelsOperator(
            task_id=f"settled_{source.name}",
            step=steps.SETTLED_MODELS,
            table=source.name,
            priority_weight=1,
            owner=source.owner,
            doc_md=documents.of_source(catalog, source),
        )
        tables[f"silver.{source.name}"].published >> settled >> [tables[f"gold.{m.name}"].first for m in models]


def _begin(catalog: Catalog, domain: str, dag: DAG, owner: str) -> None:
    """Before everything else, which hours the run works for."""
    others = dag.roots
    sources = [source.name for source in catalog.sources if source.domain == domain]
    page = documents.of_domain(catalog, domain)
    take = TakeHoursOperator(
        task_id=TAKE_HOURS, sources=sources, priority_weight=_SILVER_FIRST - 1, owner=owner, doc_md=page
    )
    take >> others


def _end(catalog: Catalog, domain: str, tables: dict[str, Gate], owner: str) -> None:
    """A ledger per source, once everything it feeds has ended, well or not; the run is red where any task was.

    A ledger that succeeds after a failed gate would be the last word on the run: hence a task after all of them.
    """
    page = documents.of_domain(catalog, domain)
    done = EmptyOperator(
        task_id=DONE, owner=owner, doc_md=page, on_success_callback=None, trigger_rule=TriggerRule.NONE_FAILED
    )
    with TaskGroup("ledger", tooltip="What came in, what became of it, and whether it adds up."):
        for source in (s for s in catalog.sources if s.domain == domain):
            shared: dict[str, Any] = {"owner": source.owner, "doc_md": documents.of_source(catalog, source)}
            ledger = _step(
                source.name, steps.WRITE_LEDGER, source.name, count(1), shared, trigger_rule=TriggerRule.ALL_DONE
            )
            _lasts(source, catalog, tables) >> ledger >> done
    [table.last for table in tables.values()] >> done


def _lasts(source: Source, catalog: Catalog, tables: dict[str, Gate]) -> list[BatchStepOperator]:
    fed = catalog.fed_by(source)
    return [tables[f"silver.{source.name}"].last, *(tables[f"gold.{model.name}"].last for model in fed)]


def _step(
    task_id: str,
    step: Step,
    table: str,
    further: Iterator[int],
    shared: dict[str, Any],
    inlets: Sequence[Asset] = (),
    outlets: Sequence[Asset] = (),
    **options: Any,
) -> BatchStepOperator:
    """A task; `further` gives its priority, for what is further along goes first."""
    given = shared | options | {"inlets": list(inlets), "outlets": list(outlets)}
    return BatchStepOperator(task_id=task_id, step=step, table=table, priority_weight=next(further), **given)
