"""Brings the parts of a stack up and down."""

from collections.abc import Iterable
from functools import partial

from rich.console import Console
from tenacity import RetryError, Retrying, retry_if_not_exception_type, stop_after_delay, wait_exponential

from deploy.local import downloads
from deploy.local.flow import Step, run_steps
from deploy.local.leftovers import end_leftovers
from deploy.local.stack import Part, Stack
from deploy.local.supervision import Supervisor, log_file
from millrace.errors import MillraceError
from millrace.settings import ROOT


def up(stack: Stack, parts: Iterable[Part], wanted: Iterable[Part], console: Console) -> None:
    """Start the wanted parts and wait until each answers. What runs already is only asked whether it answers."""
    supervisor = Supervisor(stack)
    if not supervisor.is_up() and (ended := end_leftovers(stack)):
        console.print(f"ended {ended} processes that an earlier supervisor had left behind")
    supervisor.ensure(parts, ROOT)
    chosen = list(wanted)
    bundles = sorted({bundle for part in chosen if not part.external for bundle in part.downloads})
    fetch = [Step(_download(b), partial(_fetch, stack, b)) for b in bundles]
    start = [Step(p.name, partial(_bring_up, supervisor, p), _needs(p)) for p in chosen]
    run_steps([*fetch, *start], console)


def down(stack: Stack, parts: Iterable[Part], console: Console) -> None:
    """Stop every part, those that need others first, then the supervisor; nothing of the stack is left running."""
    supervisor = Supervisor(stack)
    running = [p for p in parts if p.name in supervisor.states() and supervisor.states()[p.name].runs]
    stops = [Step(p.name, partial(_stop, supervisor, p), _needed_by(p, running)) for p in running]
    run_steps(stops, console)
    supervisor.shutdown()
    end_leftovers(stack)


def _download(bundle: str) -> str:
    return f"download {bundle}"


def _fetch(stack: Stack, bundle: str) -> str:
    downloads.ensure(bundle, stack.downloads)
    return str(stack.downloads / bundle)


def _needs(part: Part) -> tuple[str, ...]:
    return (*part.needs, *map(_download, part.downloads))


def _needed_by(part: Part, running: Iterable[Part]) -> tuple[str, ...]:
    return tuple(other.name for other in running if part.name in other.needs)


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


def _stop(supervisor: Supervisor, part: Part) -> str:
    supervisor.stop(part.name)
    return "stopped"


def await_answer(supervisor: Supervisor, part: Part) -> None:
    """Poll a part's health check until it passes; MillraceError names the log when it does not in time, or crashed."""
    waits = Retrying(
        stop=stop_after_delay(part.deadline),
        wait=wait_exponential(0.1, max=1),
        retry=retry_if_not_exception_type(MillraceError),
    )
    try:
        waits(_check, supervisor, part)
    except RetryError as late:
        reason = late.last_attempt.exception()
        raise MillraceError(_failure(supervisor.stack, part, f"gave no answer in {part.deadline:.0f} s: {reason}")) from reason


def _check(supervisor: Supervisor, part: Part) -> None:
    try:
        part.check()
    except Exception:
        state = supervisor.states().get(part.name)
        if state and state.state in ("FATAL", "EXITED"):
            raise MillraceError(_failure(supervisor.stack, part, "could not be started, it ends at once")) from None
        raise


def _failure(stack: Stack, part: Part, what: str) -> str:
    log = log_file(stack, part.name)
    tail = "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-12:]) if log.exists() else ""
    return f"{part.name} ({part.address}) {what}\nits log is {log}:\n{tail}"
