"""`millrace quarantine`: what could not go on, and why; sent again, mended if need be, or discarded."""

import getpass
import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown

from millrace.cli.quarantine_tables import groups_table, plans_table, records_table
from millrace.clickhouse.client import connect as connect_clickhouse
from millrace.control.database import connect
from millrace.control.quarantine import read_plans
from millrace.errors import ConfigError
from millrace.quarantine.index import GroupLine, as_json, find_group, read_groups, read_records
from millrace.quarantine.job import run_job
from millrace.quarantine.report import Applied, Report, markdown
from millrace.quarantine.request import Request, Selection, request_from
from millrace.settings import settings

commands = typer.Typer(name="quarantine", help="Records that could not go on: list, show, export, replay, discard.")
app = typer.Typer()
app.add_typer(commands)


class _Stage(StrEnum):
    landing = "landing"
    silver = "silver"


GroupId = Annotated[str, typer.Argument(help="Id of a group, as `millrace quarantine list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[datetime | None, typer.Option(help="Only records appended at or after this time (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Only records appended before this time (UTC).")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the oldest so many: try a few first.")]
Again = Annotated[bool, typer.Option("--again", help="Also those that were replayed or discarded before.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@commands.command("list")
def list_groups(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stage: Annotated[_Stage | None, typer.Option(help="Only what this stage refused.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also groups of which nothing is open any more.")] = False,
    as_json_lines: AsJson = False,
) -> None:
    """List the groups: records of one source that one stage refused for the same reason."""
    found = read_groups(connect_clickhouse(settings()), source=source, stage=stage)
    groups = [group for group in found if every or group.open]
    if as_json_lines:
        _print_json([as_json(group) for group in groups])
    else:
        Console().print(groups_table(groups) if groups else "quarantine holds nothing that is open")


@commands.command()
def show(
    group: GroupId,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    content: Annotated[bool, typer.Option("--content", help="With what they hold, which may be personal.")] = False,
    as_json_lines: AsJson = False,
) -> None:
    """Show records of a group: the newest from the index, or with --content the oldest from the lake."""
    client = connect_clickhouse(settings())
    found = find_group(client, group)
    if content:
        for line in _contents(found, limit=limit):
            Console(soft_wrap=True, highlight=False).print(json.dumps(line), markup=False)
        return
    records = read_records(client, group, limit)
    if as_json_lines:
        _print_json([as_json(record) for record in records])
    else:
        Console().print(records_table(found, records))


@commands.command()
def export(
    group: GroupId,
    to: Annotated[Path, typer.Argument(help="File to write, one JSON object per line.")],
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> None:
    """Write the records of a group with all they hold to a file that only you can read."""
    if to.exists():
        raise ConfigError(f"{to} exists; give another name")
    found = find_group(connect_clickhouse(settings()), group)
    lines = _contents(found, since=since, until=until, limit=limit)
    to.touch(mode=0o600)
    to.write_text("".join(json.dumps(line) + "\n" for line in lines))
    Console().print(f"wrote {len(lines):,} records to {to}")


@commands.command()
def replay(  # noqa: PLR0913, PLR0917 - the options of a command line
    group: GroupId,
    fix: Annotated[str | None, typer.Option(help="Spark SQL over the original that gives the new value.")] = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="Send them as they were, e.g. after a new contract.")] = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    again: Again = False,
    why: Annotated[str, typer.Option(help="For those who look later.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json_lines: AsJson = False,
) -> None:
    """Send a group through its topic again, as it is or after a fix; shows first what would become of it."""
    if as_is == (fix is not None):
        raise ConfigError("give either --fix with an SQL expression, or --as-is")
    found = find_group(connect_clickhouse(settings()), group)
    request = _request(found, action="replay", fix=fix, why=why, since=since, until=until, limit=limit, again=again)
    _carry_out(request, dry_run, yes, as_json_lines)


@commands.command()
def discard(
    group: GroupId,
    why: Annotated[str, typer.Option(help="Why nobody needs them.")],
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json_lines: AsJson = False,
) -> None:
    """Close a group without sending it; its records stay in the lake."""
    found = find_group(connect_clickhouse(settings()), group)
    request = _request(found, action="discard", why=why, since=since, until=until, limit=limit)
    _carry_out(request, dry_run, yes, as_json_lines)


@commands.command()
def plans(limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20) -> None:
    """List what was planned, by whom, and what came of it."""
    with connect(settings()) as conn:
        Console().print(plans_table(read_plans(conn, limit=limit)))


def _carry_out(request: Request, dry_run: bool, yes: bool, as_json_lines: bool) -> None:
    """Plan, show, ask, apply."""
    report = Report.model_validate(run_job("plan", request)[0])
    stops = dry_run or report.nothing_to_do
    if not as_json_lines:
        Console().print(Markdown(markdown(report)))
    elif stops:
        _print_json(report.model_dump(mode="json"))
    if stops:
        return
    if not yes:
        typer.confirm("Apply this plan?", abort=True)
    applied = Applied.model_validate(run_job("apply", {"plan_id": report.plan_id, "by": request.by})[0])
    if as_json_lines:
        _print_json(report.model_dump(mode="json") | applied.model_dump())
    else:
        Console().print(
            f"[green]plan {applied.plan_id}[/]: {applied.replayed:,} replayed, {applied.superseded:,} had landed "
            f"meanwhile, {applied.discarded:,} discarded"
        )


def _request(group: GroupLine, **wanted: Any) -> Request:
    zoned = {name: _utc(wanted.pop(name)) for name in ("since", "until")}
    return request_from(
        source=group.source, stage=group.stage, group=group.group_id, by=getpass.getuser(), **zoned, **wanted
    )


def _contents(
    group: GroupLine, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    chosen = {"source": group.source, "stage": group.stage, "group": group.group_id}
    selection = Selection.model_validate(chosen | {"since": _utc(since), "until": _utc(until), "limit": limit})
    return run_job("records", selection)


def _utc(moment: datetime | None) -> datetime | None:
    """Times on the command line are UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))
