"""A source's records as a stream: from its checkpoint, or after what its tables already hold."""

import json
from collections.abc import Mapping

from confluent_kafka import KafkaException
from pyspark.sql import DataFrame, SparkSession

from millrace.contracts.source import Source
from millrace.errors import TransientError
from millrace.kafka import spark_options
from millrace.settings import Settings
from millrace.topics import admin
from spark_jobs.edges.slowness import Pace

_FROM_THE_BEGINNING = -2
_TIMEOUT = 20.0
_SLICES = 8
"""Of a full batch, for each task: where keys fill one Kafka partition, several tasks read it, and get equal shares."""
_SMALLEST_SLICE = 1_000
"""Records. Each slice costs a look at the broker."""


def read_records(
    spark: SparkSession, settings: Settings, source: Source, resume: Mapping[int, int], pace: Pace
) -> DataFrame:
    """Kafka's columns of the source's topic, for the tasks of `pace`.

    `resume` (next offset per partition) counts without a checkpoint only.
    """
    topic = source.topic.name
    options = spark_options(settings) | {
        "subscribe": topic,
        "startingOffsets": starting_offsets(topic, partitions_of(settings, topic), resume),
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "kafka.isolation.level": "read_committed",
        "maxOffsetsPerTrigger": str(settings.max_records_per_batch),
        "maxRecordsPerPartition": str(_slice(settings.max_records_per_batch, pace.tasks)),
        "kafka.max.partition.fetch.bytes": "8388608",
        "kafka.max.poll.records": str(pace.records_at_once),
        # A broker that is away ends the query soon, and it says so; waiting for the broker is the supervisor's part.
        "kafka.default.api.timeout.ms": "15000",
        "kafka.request.timeout.ms": "10000",
        "kafkaConsumer.pollTimeoutMs": "30000",
        "fetchOffset.numRetries": "1",
    }
    return spark.readStream.format("kafka").options(**options).load()


def _slice(records: int, tasks: int) -> int:
    """Records of one slice, where a batch has so many."""
    return max(_SMALLEST_SLICE, records // (_SLICES * tasks))


def starting_offsets(topic: str, partitions: int, resume: Mapping[int, int]) -> str:
    """Spark's JSON: every partition either goes on after what is stored, or starts at the beginning."""
    return json.dumps({topic: {str(p): resume.get(p, _FROM_THE_BEGINNING) for p in range(partitions)}})


def partitions_of(settings: Settings, topic: str) -> int:
    """How many partitions the topic has; raises TransientError when Kafka does not answer."""
    try:
        found = admin(settings).list_topics(topic, timeout=_TIMEOUT).topics[topic]
    except KafkaException as error:
        where = settings.kafka_bootstrap
        raise TransientError(f"Kafka at {where} did not answer: {error.args[0]}; see `make doctor`") from error
    if found.error is not None:
        raise TransientError(f"Kafka does not give topic '{topic}': {found.error}")
    return len(found.partitions)
