"""A task that works through a Spark Connect session of its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from millrace.settings import Settings


class SparkTaskOperator(BaseOperator):
    """Opens the session when it is needed, ends it with the task, and cancels its work when the task is killed."""

    ui_color = "#e8f3e1"

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self._session: SparkSession | None = None

    @contextmanager
    def spark(self, settings: "Settings") -> "Iterator[SparkSession]":
        """A session for as long as the block runs."""
        from spark_jobs.edges.session import connect_session

        # A session that ends warns of results that it had no time to release; the server releases them with it.
        logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.ERROR)
        self._session = connect_session(settings)
        try:
            yield self._session
        finally:
            self._session.stop()

    def on_kill(self) -> None:
        """Cancel what the Connect server still computes for this task."""
        if self._session is not None:
            self._session.interruptAll()
