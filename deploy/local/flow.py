"""Runs steps that depend on each other, as many at a time as can, and shows what is going on."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


@dataclass(frozen=True)
class Step:
    """Something to do once the steps that it needs are done. Its action may return a word on how it went."""

    name: str
    action: Callable[[], str | None]
    needs: tuple[str, ...] = ()


def run_steps(steps: Iterable[Step], console: Console) -> None:
    """Run all steps. After a failure nothing new starts; what runs is awaited; the first error is raised."""
    by_name = {step.name: step for step in steps}
    order = TopologicalSorter({n: [need for need in s.needs if need in by_name] for n, s in by_name.items()})
    order.prepare()
    running: dict[Future[str | None], str] = {}
    errors: list[BaseException] = []
    with _Board(console) as board, ThreadPoolExecutor(max_workers=max(1, len(by_name))) as pool:
        while order.is_active() and not (errors and not running):
            for name in () if errors else order.get_ready():
                board.started(name)
                running[pool.submit(by_name[name].action)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                error = future.exception()
                board.ended(name, str(future.result() or "") if error is None else "failed")
                if error is None:
                    order.done(name)
                else:
                    errors.append(error)
    if errors:
        raise errors[0]


class _Board:
    """One line per step: a spinner with its seconds while it runs, then how it ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._lines: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> "_Board":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, name: str) -> None:
        self._lines[name] = self._progress.add_task(name, total=None), monotonic()

    def ended(self, name: str, word: str) -> None:
        line, since = self._lines.pop(name)
        self._progress.remove_task(line)
        mark = "[red]✗[/]" if word == "failed" else "[green]✓[/]"
        self._console.print(f"{mark} {name:<28} {monotonic() - since:6.1f} s  [dim]{escape(word)}[/]", highlight=False)
