"""Follows the path of an event, hop by hop, and says which hop fails, why, and what to do next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.table import Table

from deploy.local.airflow_api import AirflowApi
from deploy.local.lifecycle import answer_of
from deploy.local.parts import all_parts
from deploy.local.stack import Part, Stack
from millrace.clickhouse.client import connect as connect_clickhouse
from millrace.completeness import acked, missing
from millrace.contracts.catalog import Catalog, read_catalog
from millrace.contracts.source import Source
from millrace.control.database import connect as connect_postgres
from millrace.control.groups import read_group
from millrace.intervals import Interval
from millrace.names import LIVE, STREAM_GROUP, medallion_dag, stream_dag

RECENT = timedelta(minutes=10)
LANDING_TIME = timedelta(seconds=15)
"""Landing runs every few seconds; what Kafka took before this long ago has to be in bronze."""
LIVE_AGE = 30.0
HEARTBEAT_AGE = 15.0


@dataclass(frozen=True)
class Hop:
    """One step of an event's way: what was found there, and what to do if that is not right."""

    name: str
    fine: bool
    found: str
    next_command: str = ""


Check = Callable[[], Iterator[Hop]]


def examine(stack: Stack) -> list[Hop]:
    """All hops, in the order of the way. After one that cannot be looked at, those that depend on it are left out."""
    ill = [_ill(part, answer) for part in all_parts(stack) if (answer := answer_of(part)) != "yes"]
    if ill:
        return ill
    catalog = read_catalog(stack.settings.project_dir)
    checks: tuple[tuple[str, Check], ...] = (
        ("Kafka", lambda: _produced(stack, catalog)),
        ("stream group", lambda: _driven(stack)),
        ("landing", lambda: _landed(stack, catalog)),
        ("live", lambda: _live(stack, catalog)),
        ("real-time", lambda: _counted(stack, [m.served_as for m in catalog.realtime], "make logs PART=stream")),
        ("medallion", lambda: _refined(stack, catalog)),
        ("gold", lambda: _counted(stack, [m.served_as for m in catalog.gold if m.served_as], _airflow(stack))),
    )
    well = Hop("parts", fine=True, found=f"all {len(all_parts(stack))} answer")
    return [well, *(hop for name, check in checks for hop in _guarded(name, check))]


def hops_table(hops: list[Hop]) -> Table:
    """The hops as people read them: what fails first is the cause of what fails after it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("hop", "", "found", "next"):
        table.add_column(column, overflow="fold")
    for hop in hops:
        table.add_row(hop.name, "[green]✓[/]" if hop.fine else "[red]✗[/]", hop.found, hop.next_command)
    return table


def _guarded(name: str, check: Check) -> list[Hop]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - a doctor reports every illness, expected or not
        return [Hop(name, fine=False, found=f"{type(error).__name__}: {error}", next_command="make status")]


def _ill(part: Part, answer: str) -> Hop:
    return Hop(
        part.name, fine=False, found=f"{part.address}: {answer}", next_command=f"make logs PART={part.name}, make up"
    )


def _airflow(stack: Stack) -> str:
    return f"see {stack.settings.airflow_url}"


def _produced(stack: Stack, catalog: Catalog) -> Iterator[Hop]:
    """Has anybody published lately?"""
    now = datetime.now(UTC)
    for source in catalog.sources:
        count = acked(stack.settings, source, Interval(now - RECENT, now))[0] or 0
        found = f"{count:,} records in {RECENT.seconds // 60} minutes in topic {source.topic.name}"
        yield Hop(f"Kafka: {source.name}", count > 0, found, "" if count else f"make logs PART=simulator-{source.name}")


def _driven(stack: Stack) -> Iterator[Hop]:
    with connect_postgres(stack.settings) as conn:
        group = read_group(conn, STREAM_GROUP)
    age = group.heartbeat_age if group.heartbeat_age is not None else float("inf")
    found = f"wished {group.desired}, is {group.state}, heartbeat {age:.0f} s ago, {group.attempts} launches since well"
    fine = group.alive and group.state == "running" and age < HEARTBEAT_AGE
    error = f"; last error: {group.last_error.strip().splitlines()[-1]}" if group.last_error and not fine else ""
    look = f"make logs PART=stream; DAG {stream_dag(STREAM_GROUP)}"
    wish = look if group.desired == "running" else f"wished by {group.desired_by}; DAG stream_control resumes it"
    yield Hop("stream group", fine, found + error, "" if fine else wish)


def _landed(stack: Stack, catalog: Catalog) -> Iterator[Hop]:
    with connect_postgres(stack.settings) as conn:
        for source in catalog.sources:
            lag = sum(missing(stack.settings, conn, source, datetime.now(UTC) - LANDING_TIME).values())
            found = f"{lag:,} records older than {LANDING_TIME.seconds} s are not in bronze yet"
            yield Hop(f"landing: {source.name}", lag == 0, found, "" if lag == 0 else "make logs PART=stream")


def _live(stack: Stack, catalog: Catalog) -> Iterator[Hop]:
    client = connect_clickhouse(stack.settings)
    for source in catalog.sources:
        query = f"SELECT count(), dateDiff('millisecond', max(append_time), now64(3)) / 1000 FROM {LIVE}.{source.name}"
        count, age = client.query(query).result_rows[0]
        fine = count > 0 and (age < LIVE_AGE or not _flows(stack, source))
        found = f"{count:,} rows, the newest {age:.1f} s old" if count else "no rows"
        yield Hop(f"live: {source.name}", fine, found, "" if fine else "make logs PART=stream")


def _flows(stack: Stack, source: Source) -> bool:
    """Whether Kafka took records late enough that live should show them."""
    now = datetime.now(UTC)
    return bool(acked(stack.settings, source, Interval(now - timedelta(seconds=LIVE_AGE), now))[0])


def _counted(stack: Stack, tables: list[str], look: str) -> Iterator[Hop]:
    client = connect_clickhouse(stack.settings)
    for table in tables:
        if not client.query(f"EXISTS TABLE {table}").result_rows[0][0]:
            yield Hop(table, fine=False, found="is not there yet", next_command=look)
            continue
        count = client.query(f"SELECT count() FROM {table}").result_rows[0][0]
        yield Hop(table, count > 0, f"{count:,} rows", "" if count else look)


def _refined(stack: Stack, catalog: Catalog) -> Iterator[Hop]:
    """The newest run of each domain's medallion DAG, and what failed in it."""
    api = AirflowApi(stack.settings)
    for dag in (medallion_dag(domain) for domain in catalog.domains):
        runs = api.runs(dag) if api.has_dag(dag) else []
        if not runs:
            yield Hop(f"medallion: {dag}", fine=False, found="has never run", next_command=f"trigger {dag} in Airflow")
            continue
        run = runs[0]
        failed = ", ".join(api.failed_tasks(dag, str(run["dag_run_id"])))
        found = f"newest run is {run['state']}" + (f"; failed: {failed}" if failed else "")
        url = f"{stack.settings.airflow_url}/dags/{dag}/runs/{run['dag_run_id']}"
        yield Hop(f"medallion: {dag}", run["state"] != "failed", found, url if failed else "")
