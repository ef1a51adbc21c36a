"""What gold tables were last made of, kept in PostgreSQL for the runs to come."""

from collections.abc import Mapping

from millrace.control.database import connect
from millrace.control.gold import Made, read_made, write_made
from millrace.settings import Settings


class GoldMemory:
    """Forgetting costs work and nothing else: what is not known is made again."""

    def recall(self, settings: Settings, table_path: str) -> dict[str, Made]:
        """What is known of a table's partitions."""
        with connect(settings) as conn:
            return read_made(conn, table_path)

    def remember(self, settings: Settings, table_path: str, made: Mapping[str, Made]) -> None:
        """What a run has just made."""
        with connect(settings) as conn:
            write_made(conn, table_path, made)
