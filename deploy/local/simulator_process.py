"""The simulators: one process for each source of the project, sending events as its users would."""

import sys

from deploy.local.stack import Part, Stack

FAULTS = ("--late", "0.01", "--duplicates", "0.01", "--malformed", "0.001")
"""A stack to look at shows late, doubled and broken events too: that is what the platform is for."""


def simulator_processes(stack: Stack) -> tuple[Part, ...]:
    """A part per source folder; folders are enough, so that a broken contract cannot hide a running simulator."""
    if stack.settings.simulator_rate <= 0:
        return ()
    folders = sorted(path.parent for path in (stack.settings.project_dir / "sources").glob("*/*/source.yaml"))
    return tuple(_simulator(stack, folder.name) for folder in folders)


def _simulator(stack: Stack, source: str) -> Part:
    rate = str(stack.settings.simulator_rate)
    return Part(
        name=f"simulator-{source}",
        address=f"topic of {source}, {rate} events/s",
        command=(sys.executable, "-m", "simulators", source, "--rate", rate, *FAULTS),
        needs=("deploy",),
        check=lambda: None,
        stop_seconds=10,
    )
