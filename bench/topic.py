"""Where a topic ends."""

from confluent_kafka import Consumer, TopicPartition


def topic_end(bootstrap: str, topic: str) -> dict[int, int]:
    """Next offset of each partition that holds anything."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-ends"})
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in partitions}
    finally:
        consumer.close()
    return {partition: end for partition, end in ends.items() if end}
