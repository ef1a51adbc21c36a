"""Brings the parts of a stack up and down."""

from collections.abc import Collection, Iterable
from functools import partial

import psycopg
from rich.console import Console
from tenacity import RetryError, Retrying, retry_if_not_exception_type, stop_after_delay, wait_exponential

from deploy.local import downloads
from deploy.local.first_run import create_lake_tables, create_tables, trigger_medallion
from deploy.local.flow import Step, run_steps
from deploy.local.leftovers import end, end_leftovers, end_part, stream_drivers
from deploy.local.part_process import running
from deploy.local.parts import all_parts
from deploy.local.preflight import check_machine
from deploy.local.stack import Part, Stack
from deploy.local.stream_groups import await_driver, drain
from deploy.local.supervision import Supervisor
from deploy.local.supervisor_config import log_file
from deploy.local.turn import turn
from millrace.errors import MillraceError, TransientError
from millrace.settings import ROOT

DEPLOY, LAKE_TABLES, STREAMS, FIRST_RUN = "deploy", "lake-tables", "streams", "first-run"
MOST_STARTS = 4
"""Starts of a part after which waiting for it is given up."""
PATIENCE = 60.0
"""Seconds after which `down` no longer waits for a command that hangs."""
USED_BY_STREAMS = ("postgres", "kafka", "registry", "clickhouse")


def up(stack: Stack, wanted: Collection[str], console: Console) -> None:
    """Start the wanted parts and steps, and wait until each answers. What runs already is only asked.

    Raises ConfigError before anything starts, when the machine cannot run it.
    """
    with turn(stack, "up", console):
        _up(stack, wanted, console)


def _up(stack: Stack, wanted: Collection[str], console: Console) -> None:
    supervisor, parts = Supervisor(stack), all_parts(stack)
    take_over(supervisor, parts, console)
    chosen = [part for part in parts if part.name in wanted]
    check_machine(stack, chosen)
    supervisor.ensure(parts, ROOT)
    bundles = sorted({bundle for part in chosen if not part.external for bundle in part.downloads})
    fetch = [Step(_download(b), partial(_fetch, stack, b)) for b in bundles]
    start = [Step(p.name, partial(_bring_up, supervisor, p), _needs(p)) for p in chosen]
    after = [step for step in later_steps(stack) if step.name in wanted]
    run_steps([*fetch, *start, *after], console)


def take_over(supervisor: Supervisor, parts: Iterable[Part], console: Console) -> None:
    """Parts that went on when their supervisor was killed go on under a new one."""
    if supervisor.is_up():
        return
    parts = tuple(parts)
    left = [part.name for part in parts if not part.external and running(supervisor.stack.state, part.name)]
    if not left:
        end_leftovers(supervisor.stack)
        return
    supervisor.ensure(parts, ROOT)
    for name in left:
        supervisor.start(name)
    console.print(f"the supervisor had been killed; a new one took over {', '.join(left)}")


def later_steps(stack: Stack) -> tuple[Step, ...]:
    """What is no process: tables, the stream group that Airflow starts, and a first medallion run."""
    airflow = tuple(part.name for part in all_parts(stack) if part.name.startswith("airflow-"))
    return (
        Step(DEPLOY, partial(create_tables, stack), ("postgres", "kafka", "registry", "clickhouse")),
        Step(LAKE_TABLES, partial(create_lake_tables, stack), (DEPLOY, "spark-connect")),
        Step(STREAMS, partial(await_driver, stack), (DEPLOY, "spark-connect", *airflow)),
        Step(FIRST_RUN, partial(trigger_medallion, stack), (STREAMS, LAKE_TABLES)),
    )


def everything(stack: Stack) -> tuple[str, ...]:
    """Names of all parts and steps."""
    return (*(part.name for part in all_parts(stack)), *(step.name for step in later_steps(stack)))


def down(stack: Stack, console: Console) -> None:
    """Stop every part, those that need others first, then the supervisor; nothing of the stack is left running."""
    with turn(stack, "down", console, patience=PATIENCE):
        _down(stack, console)


def _down(stack: Stack, console: Console) -> None:
    supervisor = Supervisor(stack)
    take_over(supervisor, all_parts(stack), console)
    states = supervisor.states()
    up_now = [part for part in all_parts(stack) if part.name in states and states[part.name].wanted]
    stops = [Step(p.name, partial(_stop, supervisor, p), _stops_after(p, up_now)) for p in up_now]
    if any(part.name == "postgres" for part in up_now):
        stops.append(Step(STREAMS, partial(_drain, stack)))
    run_steps(stops, console)
    end(stream_drivers(stack))
    supervisor.shutdown()
    end_leftovers(stack)


def restart(stack: Stack, name: str, console: Console) -> None:
    """Stop one part and start it again."""
    part = next(part for part in all_parts(stack) if part.name == name)
    supervisor = Supervisor(stack)
    with turn(stack, "restart", console):
        supervisor.stop(part.name)
        run_steps([Step(part.name, partial(_bring_up, supervisor, part))], console)


def _download(bundle: str) -> str:
    return f"download {bundle}"


def _fetch(stack: Stack, bundle: str) -> str:
    downloads.ensure(bundle, stack.downloads)
    return str(stack.downloads / bundle)


def _needs(part: Part) -> tuple[str, ...]:
    return (*part.needs, *map(_download, part.downloads))


def _stops_after(part: Part, running: Iterable[Part]) -> tuple[str, ...]:
    """What has to stop first: parts that need this one, and the streams."""
    others = tuple(other.name for other in running if part.name in other.needs)
    return (*others, STREAMS) if part.name in USED_BY_STREAMS else others


def _bring_up(supervisor: Supervisor, part: Part) -> str:
    if part.external:
        await_answer(supervisor, part)
        return f"{part.address} (yours, by {part.external})"
    state = supervisor.states().get(part.name)
    if state is None or not state.runs:
        part.prepare()
        supervisor.start(part.name)
    await_answer(supervisor, part)
    part.finish()
    return part.address


def _drain(stack: Stack) -> str:
    """Drain the streams; a stack without tables has none, and one whose database is broken must still come down."""
    try:
        return drain(stack)
    except (psycopg.Error, TransientError) as error:
        return f"not asked to drain: {str(error).splitlines()[0]}"


def _stop(supervisor: Supervisor, part: Part) -> str:
    """Stop a part, also where the process that stood in for it had no time to pass the signal on."""
    supervisor.stop(part.name)
    end_part(supervisor.stack, part)
    return "stopped"


def await_answer(supervisor: Supervisor, part: Part) -> None:
    """Poll a part's health check until it passes; MillraceError names the log when it does not in time, or crashed."""
    waits = Retrying(
        stop=stop_after_delay(part.deadline),
        wait=wait_exponential(0.1, max=1),
        retry=retry_if_not_exception_type(MillraceError),
    )
    starts: set[int] = set()
    try:
        waits(_check, supervisor, part, starts)
    except RetryError as late:
        reason = late.last_attempt.exception()
        raise MillraceError(
            _failure(supervisor.stack, part, f"gave no answer in {part.deadline:.0f} s: {reason}")
        ) from reason


def _check(supervisor: Supervisor, part: Part, starts: set[int]) -> None:
    """`starts` collects the moments at which the part was started while we wait."""
    state = None if part.external else supervisor.states().get(part.name)
    try:
        part.check()
        if state and not state.stays:
            raise ConnectionError(f"{part.name} is {state.state}")
    except Exception:
        starts.add(state.started if state else 0)
        if len(starts) > MOST_STARTS:
            what = f"ended {MOST_STARTS} times at once; the supervisor goes on trying, `make down` stops it"
            raise MillraceError(_failure(supervisor.stack, part, what)) from None
        raise


def answer_of(part: Part) -> str:
    """`yes`, or why a part does not answer."""
    try:
        part.check()
    except Exception as error:  # noqa: BLE001 - whatever a client library raises is the answer
        return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    return "yes"


def _failure(stack: Stack, part: Part, what: str) -> str:
    log = log_file(stack, part.name)
    tail = (
        "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-12:]) if log.exists() else ""
    )
    return f"{part.name} ({part.address}) {what}\nits log is {log}:\n{tail}"
