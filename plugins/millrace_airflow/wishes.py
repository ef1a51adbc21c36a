"""What a person wishes for a stream group, from the DAG stream_control or the page."""

from psycopg import Connection

from millrace.control.groups import Desired, GroupState, reset_attempts, set_desired


def wish(conn: Connection, group: str, desired: Desired, by: str) -> GroupState:
    """Record the wish; to wish `running` also forgives earlier failures, so that the next launch comes at once."""
    if desired == "running":
        reset_attempts(conn, group)
    return set_desired(conn, group, desired, by)
