"""What the Airflow UI tells about a DAG or task: pages in Markdown, made from the contracts."""

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.model import GoldModel
from millrace.contracts.source import Source

_DOMAIN = """### {domain}: bronze to gold, every hour

Each run works on its data interval of Kafka append time. Running it again changes nothing that was right.

- **Trigger** it for a first result within the hour: `from` and `to` left empty mean the current hour up to now.
- **Backfill** past hours with Airflow's own backfill. One run takes the hours of several; the others wait for it, and
  skip their tasks.
- **Repair**: mend the cause, then clear the failed task with its downstream tasks.

| table | owner | holds |
|---|---|---|
{tables}

The task of a source in the group `ledger` comes last, whatever failed before it, and says what is missing.

A red `gate` task names the rule that broke, the number of rows and a sample. The page **Millrace** shows the recent
gates, the ledger and the quarantine.
"""

_SOURCE = """### {source.name}

{source.description}

- **owner**: {source.owner}
- **topic**: `{source.topic.name}` ({source.format}), dead letters in `{dead_letters}`
- **event**: id `{source.event.id}`, time `{source.event.time}`, lateness {source.event.lateness}
- **deduplicated over**: {source.dedup_window}
- **personal data**: {personal}
- **suites**: `{bronze_suite}`, `{silver_suite}`

| field | type | null | meaning |
|---|---|---|---|
{columns}

{where}
"""

_MODEL = """### {model.name}

{model.description}

- **reads**: {inputs}
- **recomputes**: {recomputes}
- **served by**: {served}
- **suite**: `{suite}`

```sql
{model.sql}
```
{where}
"""

_WHERE = """**Where to look**: in ClickHouse,
`SELECT * FROM ops.gate_results WHERE table = '{table}' ORDER BY 1 DESC LIMIT 10`."""

_STREAM_GROUP = """### Stream group {group}

One Spark application reads these topics. The task `supervise` launches it and then waits deferred, holding no worker
slot: it restarts a driver that died or stalled, and replaces one that runs an outdated set of sources or models.

**Pause, resume, drain**: trigger `{control}`, or use the page **Millrace**. Clearing or failing the task does not touch
the application; the next run finds it and attaches to it.

| topic | tables | owner |
|---|---|---|
{sources}

**Where to look**: the task's log; `logs/stream-{group}.log` under the state folder;
`ops.stream_progress` in ClickHouse; `SELECT * FROM ops.stream_groups` in PostgreSQL.
"""

STREAM_CONTROL = """### Start, pause or drain a stream group

- **running**: starts the application if it is down; earlier failures are forgiven.
- **paused**: queries stop after their current batch, the application stays.
- **drained**: queries stop after their current batch, and the application ends, until `running` is wished.

Nothing is lost in any of them: a query continues from its checkpoint.
"""

QUARANTINE = """### Replay or discard quarantined records, after approval

1. `dry_run` finds the records and says what would become of each. Nothing is changed. Its result is a plan.
2. `approve` shows the plan and waits for a person, under **Required Actions**; without an answer within a day it is
   rejected.
3. `carry_out` applies the plan, to exactly the records that were shown: it sends those that are good now through their
   topic again, under their own event ids, and writes down what became of each. What has landed meanwhile is closed and
   not sent, so that running it twice changes nothing.

The **fix** is a Spark SQL expression over one record that gives its new value, e.g.
`regexp_replace(text, '"source":"WEB"', '"source":"web"')`. It may use `value` (the bytes), `text`, `key`, `headers`,
`event` (what could be read of it) and `append_time`. Left empty, the records go as they were.

The same from the command line: `millrace quarantine`. **Where to look**: `ops.quarantine_groups` in ClickHouse.
"""

LEDGER = """### Count again what came in and what became of it

For one source, hour by hour from `from` to `to`: acked in Kafka = bronze + quarantined; bronze = silver + duplicates +
rejected; silver = gold's base = ClickHouse. Every table is counted afresh, and the ledger's lines are written anew.

An hour that does not balance fails the task, which says which hop lacks how many rows, and keeps an alert open; a count
that balances resolves it. Nothing else is changed: counting may be done at any time, any number of times.

**Where to look**: `millrace ledger --source <source>`; the page **Millrace**; `ops.ledger_unbalanced` in ClickHouse.
"""

MAINTENANCE = """### Upkeep of the lake, every day at 03:30 UTC

Compacts and vacuums silver, rejected and gold tables, and removes staging folders and half-done syncs that no run needs
any more. Bronze and quarantine are looked after by the stream application, which alone writes them.

Trigger it with `tables` to look after some tables only. Running it again, or beside other runs, is safe.
"""


def of_domain(catalog: Catalog, domain: str) -> str:
    """The page of a medallion DAG."""
    sources = [f"| `silver.{s.name}` | {s.owner} | {s.description} |" for s in catalog.sources if s.domain == domain]
    models = [f"| `gold.{m.name}` | {m.owner or ''} | {m.description} |" for m in catalog.gold if m.domain == domain]
    return _DOMAIN.format(domain=domain, tables="\n".join([*sources, *models]))


def of_source(catalog: Catalog, source: Source) -> str:
    """The page of a source's tasks."""
    columns = [
        f"| `{f.name}` | {f.spark_type} | {'yes' if f.nullable else 'no'} | {f.doc} |" for f in source.record.fields
    ]
    return _SOURCE.format(
        source=source,
        dead_letters=names.dead_letter_topic(source.topic.name),
        personal=", ".join(f"`{field}`: {rule}" for field, rule in source.pii.items()) or "none declared",
        bronze_suite=_suite(catalog, "bronze", source.name),
        silver_suite=_suite(catalog, "silver", source.name),
        columns="\n".join(columns),
        where=_WHERE.format(table=source.name),
    )


def of_model(catalog: Catalog, model: GoldModel) -> str:
    """The page of a gold model's tasks."""
    changed = f"partitions of `{model.partition}`" if model.partition else f"keys of `{', '.join(model.key)}`"
    return _MODEL.format(
        model=model,
        inputs=", ".join(f"`{name}`" for name in model.inputs),
        recomputes=f"the changed {changed}",
        served=f"`{model.served_as}` in ClickHouse" if model.served_as else "the lake only",
        suite=_suite(catalog, "gold", model.name),
        where=_WHERE.format(table=model.name),
    )


def of_stream_group(catalog: Catalog, group: str) -> str:
    """The page of a stream group's DAG."""
    sources = [f"| `{s.topic.name}` | `bronze.{s.name}`, `live.{s.name}` | {s.owner} |" for s in catalog.sources]
    return _STREAM_GROUP.format(group=group, control=names.STREAM_CONTROL_DAG, sources="\n".join(sources))


def _suite(catalog: Catalog, layer: str, table: str) -> str:
    return str(catalog.suite_path(layer, table).relative_to(catalog.project_dir))
