"""Brings the process supervisor back when it was killed: a new one takes over the parts, which went on meanwhile."""

import logging
import os
import select

from deploy.local.run_part import shorten
from deploy.local.stack import Stack, this_stack
from deploy.local.supervision import Supervisor
from deploy.local.supervisor_config import GUARD
from millrace.settings import read_settings

log = logging.getLogger(__name__)
EVERY_SECONDS = 5.0


def main() -> None:
    stack = this_stack(read_settings(), os.environ)
    wanted = _until_it_ends(stack, os.pidfd_open(os.getppid()))
    log.warning("the supervisor is gone; starting another, for %s", ", ".join(wanted))
    supervisor = Supervisor(stack)
    supervisor.start_again()
    for name in wanted:
        supervisor.start(name)


def _until_it_ends(stack: Stack, supervisor_handle: int) -> tuple[str, ...]:
    """Watch the supervisor until it ends; the parts that it last kept running. Meanwhile, keep their logs short."""
    poll = select.poll()
    poll.register(supervisor_handle, select.POLLIN)
    wanted: tuple[str, ...] = ()
    while not poll.poll(EVERY_SECONDS * 1000 if wanted else 500):
        states = Supervisor(stack).states()
        wanted = tuple(n for n, s in states.items() if s.wanted and n != GUARD) if states else wanted
        for path in stack.logs.glob("*.log"):
            if not path.name.startswith("stream-"):  # a driver's log is put aside by the launch of the next
                shorten(path)
    return wanted


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main()
