"""Records the state that a person wishes for a stream group."""

from airflow.sdk import BaseOperator, Context


class StreamWishOperator(BaseOperator):
    """Reads the params `group` and `desired` of its run."""

    ui_color = "#f7ead7"

    def execute(self, context: Context) -> str:
        from millrace.control.database import connect
        from millrace.settings import settings
        from millrace_airflow.wishes import wish

        params = context["params"]
        by = getattr(context["dag_run"], "triggering_user_name", None) or "airflow"
        with connect(settings()) as conn:
            group = wish(conn, params["group"], params["desired"], by)
        self.log.info("%s: wished %s by %s; it is %s now", group.group, group.desired, by, group.state)
        return group.desired
