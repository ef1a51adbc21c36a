"""Landing alone, as the stream application runs it, over a topic that is full already; started by spark-submit."""

import sys
from pathlib import Path

from bench.follow import follow
from bench.stack import SOURCE
from bench.topic import topic_end
from millrace.contracts.catalog import read_catalog
from millrace.contracts.source import Source
from millrace.settings import read_settings
from spark_jobs.edges.tenure import tenure
from spark_jobs.landing import landing
from spark_jobs.stream_group import application

GROUP = "bench"


def main(topic: str, out: str) -> None:
    settings = read_settings()
    catalog = read_catalog(settings.project_dir)
    source = reading(catalog.source(SOURCE), topic)
    with tenure(settings, GROUP, "bench") as heartbeat:
        app = application(settings, catalog, heartbeat)
        query = landing(app, source).start()
        follow(query, topic_end(settings.kafka_bootstrap, topic), Path(out))
        app.stopping.set()
        query.stop()


def reading(source: Source, topic: str) -> Source:
    """The source, but of another topic and with an id of its own, so that what it commits is not mistaken."""
    return source.model_copy(
        update={"topic": source.topic.model_copy(update={"name": topic}), "name": f"bench_{SOURCE}"}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
