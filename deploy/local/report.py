"""What the stack tells a person: the state of its parts, and where to look."""

from collections.abc import Iterable
from datetime import timedelta
from time import time

import psutil
from rich.table import Table

from deploy.local.leftovers import stream_drivers
from deploy.local.lifecycle import answer_of
from deploy.local.part_process import running
from deploy.local.stack import Part, Stack
from deploy.local.supervision import PartState, Supervisor

MEGABYTE = 1_000_000
UNSUPERVISED = "UNSUPERVISED"


def status_table(stack: Stack, parts: Iterable[Part]) -> tuple[Table, bool]:
    """A row for each part and stream driver; and whether all of them answer."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("part", "state", "pid", "up", "ended", "memory", "address", "answers"):
        table.add_column(
            column, justify="right" if column in ("pid", "up", "ended", "memory") else "left", no_wrap=True
        )
    supervisor = Supervisor(stack)
    states, ends, healthy = supervisor.states() or _unsupervised(stack, parts), supervisor.restarts(), True
    for part in parts:
        state = states.get(part.name)
        answer = answer_of(part) if part.external or (state and state.pid) else "not running"
        healthy &= answer == "yes"
        cells = _process_cells(part, state, ends[part.name])
        table.add_row(part.name, *cells, part.address, _coloured(answer))
    for driver in stream_drivers(stack)[:1]:
        age, memory = _age(driver.create_time()), _memory(driver.pid)
        table.add_row("stream driver", "running", str(driver.pid), age, "", memory, "", "")
    if any(state.state == UNSUPERVISED for state in states.values()):
        healthy = False
        table.caption = "The supervisor is gone: `make up` starts another, which takes these processes over."
    return table, healthy


def _unsupervised(stack: Stack, parts: Iterable[Part]) -> dict[str, PartState]:
    """Parts that go on without a supervisor."""
    found = ((part.name, running(stack.state, part.name)) for part in parts)
    return {name: PartState(UNSUPERVISED, p.pid, int(_started(p.pid)), "") for name, p in found if p is not None}


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return time()


def _process_cells(part: Part, state: PartState | None, ends: int) -> tuple[str, str, str, str, str]:
    """State, pid, age, how often it ended by itself in the last hour, and memory."""
    if part.external:
        return "yours", "", "", "", ""
    ended = f"[red]{ends}x[/]" if ends else ""
    if state is None or not state.pid:
        return (state.state.lower() if state else "stopped"), "", "", ended, ""
    return state.state.lower(), str(state.pid), _age(state.started), ended, _memory(state.pid)


def _age(started: float) -> str:
    return str(timedelta(seconds=int(time() - started)))


def _memory(pid: int) -> str:
    """Memory of a process and its children; a page that several share counts once."""
    try:
        top = psutil.Process(pid)
        total = sum(process.memory_full_info().pss for process in (top, *top.children(recursive=True)))
    except psutil.Error:
        return ""
    return f"{total // MEGABYTE:,} MB"


def _coloured(answer: str) -> str:
    return f"[green]{answer}[/]" if answer == "yes" else f"[red]{answer}[/]"


def where_to_look(stack: Stack) -> Table:
    """The addresses, the Airflow login, and queries to begin with."""
    s = stack.settings
    table = Table(box=None, show_header=False)
    table.add_row("[bold]Airflow[/]", s.airflow_url)
    table.add_row("  login", f"{s.airflow_user} / {s.airflow_password.get_secret_value()}")
    table.add_row("  streams", f"{s.airflow_url}/dags?search=stream_group")
    table.add_row("  hourly run", f"{s.airflow_url}/dags?search=medallion")
    table.add_row("[bold]ClickHouse[/]", f"{s.clickhouse_url}/play, native port {s.clickhouse_tcp_port}")
    table.add_row(
        "  login", f"dashboard (reads), {s.clickhouse_user} (all); passwords in {stack.state / 'secrets.env'}"
    )
    table.add_row("  try", "SELECT * FROM realtime.events_per_minute ORDER BY window_start DESC LIMIT 10")
    table.add_row("", "SELECT * FROM gold.daily_active_users")
    table.add_row("[bold]Kafka[/]", s.kafka_bootstrap)
    table.add_row("[bold]Registry[/]", s.registry_url)
    table.add_row(
        "[bold]PostgreSQL[/]", f"{s.postgres_host}:{s.postgres_port}, databases {s.postgres_database}, airflow"
    )
    table.add_row("[bold]Spark Connect[/]", s.spark_connect_url)
    table.add_row("[bold]Lake[/]", s.lake)
    table.add_row("[bold]Then[/]", "make status, make doctor, make logs PART=kafka, make down")
    return table
