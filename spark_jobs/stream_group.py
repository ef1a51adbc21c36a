"""The stream application of one group: landing and live for each source, and the stream models, behind one lease."""

import logging
import sys
from collections.abc import Collection
from functools import partial

from millrace import names
from millrace.check.healthy import streamable
from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.deploy import Refused, deploy_realtime, deploy_subjects, deploy_tables, deploy_topics
from millrace.errors import TransientError
from millrace.launch import fingerprint, out_of_memory_mark
from millrace.settings import Settings, read_settings
from spark_jobs.attempts import Prerequisite
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.health import Health
from spark_jobs.edges.lease import Heartbeat
from spark_jobs.edges.live_stream import LiveStream
from spark_jobs.edges.progress import ProgressListener
from spark_jobs.edges.session import is_alive, stream_session
from spark_jobs.edges.slowness import Slowness, after
from spark_jobs.edges.tenure import tenure
from spark_jobs.landing import landing
from spark_jobs.left_out import left_out
from spark_jobs.live import coming_again, live
from spark_jobs.stream_app import QuerySpec, StreamApp
from spark_jobs.stream_model import stream_model
from spark_jobs.supervision import Supervisor

log = logging.getLogger(__name__)


def main(group: str) -> None:
    settings = read_settings()
    catalog, problems = streamable(settings.project_dir)
    for problem in problems:
        log.error("left out: %s", problem.render(settings.project_dir))
    with tenure(settings, group, fingerprint(catalog)) as heartbeat:
        app = application(settings, catalog, heartbeat)
        topics = Prerequisite("Kafka", lambda _: prepare_topics(app))
        tables = Prerequisite("ClickHouse", lambda running: prepare_tables(app, running))
        specs = queries(app)
        specs += left_out(problems, settings.project_dir, taken={spec.name for spec in specs})
        supervisor = Supervisor(app, specs, topics, tables)
        supervisor.run_until_drained()
        app.spark.stop()


def prepare_topics(app: StreamApp) -> Refused:
    """Topics, and the schemas beside them; a registry that is away holds up nobody who reads JSON."""
    deploy_topics(app.settings, app.catalog)
    refused: Refused = {}
    try:
        deploy_subjects(app.settings, app.catalog, refused)
    except TransientError as error:
        log.warning("schemas are not registered: %s", error)
    return refused


def application(settings: Settings, catalog: Catalog, heartbeat: Heartbeat) -> StreamApp:
    """The Spark session, its progress reports, and what the queries share."""
    spark = stream_session(settings, heartbeat.fence.lease.group)
    clients = Clients(settings)
    health: Health = heartbeat.health
    spark.dataSource.register(LiveStream)
    ProgressListener(heartbeat.fence.lease, health, clients).listen(spark)
    heartbeat.jvm_alive = lambda: is_alive(spark)
    slowness = Slowness(after(out_of_memory_mark(settings, heartbeat.fence.lease.group)))
    return StreamApp(settings, catalog, spark, heartbeat, clients, slowness)


def queries(app: StreamApp) -> list[QuerySpec]:
    """Landing first: nothing else may keep records from the lake."""
    return [
        *(landing(app, source) for source in app.catalog.sources),
        *(live(app, source) for source in app.catalog.sources),
        *(stream_model(app, model) for model in app.catalog.streams),
    ]


def prepare_tables(app: StreamApp, running: Collection[str]) -> Refused:
    """Live tables, and the real-time models of those that no query writes: each is filled without missing a row."""
    refused = deploy_tables(app.settings, app.catalog)

    def is_written(source: Source) -> bool:
        return names.live_query(source.name) in running

    return deploy_realtime(app.settings, app.catalog, is_written, partial(coming_again, app)) | refused


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    main(sys.argv[1] if len(sys.argv) > 1 else names.STREAM_GROUP)
