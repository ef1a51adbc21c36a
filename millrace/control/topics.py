"""Which topic each query has read, by the id that Kafka gives it: a name can be used again."""

from psycopg import Connection


def topic_read(conn: Connection, query: str, topic: str) -> str | None:
    """The id of the topic that `query` reads under this name; None where it has not said so yet."""
    row = conn.execute(
        "SELECT topic_id FROM ops.topics_read WHERE query = %s AND topic = %s", (query, topic)
    ).fetchone()
    return row[0] if row else None


def remember_topic(conn: Connection, query: str, topic: str, topic_id: str) -> None:
    """From now on `query` reads the topic of this id."""
    conn.execute(
        """INSERT INTO ops.topics_read (query, topic, topic_id) VALUES (%s, %s, %s)
           ON CONFLICT (query, topic) DO UPDATE SET topic_id = excluded.topic_id, since = now()""",
        (query, topic, topic_id),
    )
