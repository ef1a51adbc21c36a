"""A lab with its driver, its steady load and a proxy before ClickHouse; tests share it for as long as it is sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.driver import Driver
from tests.faults.lab import Lab, make_lab
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.reconcile import Counted, reconcile
from tests.faults.recovery import recovery
from tests.stack import TestStack


@dataclass
class Bench:
    """What a test may harm. `check` counts all that was ever sent here; a bench that fails is not used again."""

    stack: TestStack
    lab: Lab
    driver: Driver
    load: Load
    proxy: Proxy
    refused: set[bytes | None] = field(default_factory=set)
    """Values that were sent, and belong in quarantine."""
    sound: bool = True

    def recover(self, within: float = 120) -> float:
        """Seconds until everything that is acknowledged by now can be read, in the lake and in ClickHouse."""
        return recovery(self.lab, self.load, within)

    def check(self) -> Counted:
        """Stop the load, wait until all of it has arrived, and compare everything; then the load goes on."""
        self.load.stop()
        counted = reconcile(self.lab, self.load, refused=self.refused)
        self.load.go_on()
        self.sound = True
        return counted


@contextmanager
def new_bench(stack: TestStack, folder: Path) -> Iterator[Bench]:
    """A bench whose driver runs, and has read everything so far."""
    settings = stack.settings
    with Proxy(settings.clickhouse_host, settings.clickhouse_http_port) as proxy:
        through = proxy.port - settings.port_offset
        lab = make_lab(settings, folder / "project", "bench", lateness="3 minutes", clickhouse_http_port=through)
        with Driver(lab, stack.environment) as driver, Load(lab) as load:
            driver.await_running()
            bench = Bench(stack, lab, driver, load, proxy)
            bench.recover(within=300)
            yield bench
