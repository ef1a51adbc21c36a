"""ClickHouse clients for the threads of the stream application: one each, made when first needed."""

import threading

from clickhouse_connect.driver.client import Client

from millrace.clickhouse.client import SOON, connect
from millrace.settings import Settings


class Clients:
    """One client per thread: they are not made to be shared."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = threading.local()

    def mine(self) -> Client:
        """The calling thread's client; raises TransientError while ClickHouse is away."""
        client: Client | None = getattr(self._threads, "client", None)
        if client is None:
            client = self._threads.client = connect(self._settings, answers_within=SOON)
        return client
