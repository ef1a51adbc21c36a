"""The wait at the start of an interval: until landing has read everything that Kafka appended before its end."""

from airflow.sdk import BaseOperator, Context

from millrace_airflow.run_interval import interval_of
from millrace_airflow.triggers.landing import LandingTrigger, waits_for


class LandingWaitOperator(BaseOperator):
    """Succeeds when the run's interval is complete in bronze; defers, without a worker slot, until it is."""

    ui_color = "#d7e8f7"
    template_fields = ("source",)

    def __init__(self, *, source: str, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.source = source

    def execute(self, context: Context) -> None:
        interval = interval_of(context)
        waiting = waits_for(self.source, interval.end)
        self.log.info("%s, %s: %s", self.source, interval, waiting or "complete in bronze")
        if waiting:
            trigger = LandingTrigger(source=self.source, end=interval.end.isoformat())
            self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: object = None) -> None:
        """Airflow asks for the method's name; the trigger ends the task itself, without a worker."""
