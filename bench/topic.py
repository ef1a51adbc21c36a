"""Where a topic ends, and how it forgets."""

from confluent_kafka import Consumer, KafkaException, TopicPartition
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from millrace.settings import Settings
from millrace.topics import admin


@retry(
    retry=retry_if_exception_type(KafkaException), stop=stop_after_delay(30), wait=wait_exponential(0.2), reraise=True
)
def topic_end(bootstrap: str, topic: str) -> dict[int, int]:
    """Next offset of each partition that holds anything; a topic just made has no leaders for a moment."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-ends", "log_level": 2})
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in partitions}
    finally:
        consumer.close()
    return {partition: end for partition, end in ends.items() if end}


def forget_records(settings: Settings, topic: str) -> None:
    """Delete all that the topic holds, as its retention does in time."""
    ends = topic_end(settings.kafka_bootstrap, topic)
    wanted = [TopicPartition(topic, partition, end) for partition, end in ends.items()]
    kafka = admin(settings)  # it must outlive what it has promised
    for deleted in kafka.delete_records(wanted).values():
        deleted.result(timeout=30)
