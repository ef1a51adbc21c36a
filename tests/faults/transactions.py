"""Records written in transactions: some are committed, some aborted, and one is left open by a producer that died."""

from confluent_kafka import Producer

from tests.faults.lab import Lab
from tests.faults.load import encoded, tick

EACH = 40
TIMEOUT_MS = 10_000
"""The broker aborts a transaction that nobody ends after this long."""
ABORTED = -1.0
"""The size of events that nobody may read."""


def committed(lab: Lab, transactions: int) -> int:
    """As many transactions, each followed by one that is aborted; how many records are to be read."""
    writer = _producer(lab, "ends")
    for _ in range(transactions):
        for abort in (False, True):
            _send(writer, lab, ABORTED if abort else 1)
            (writer.abort_transaction if abort else writer.commit_transaction)(30)
    return transactions * EACH


def left_open(lab: Lab) -> Producer:
    """A transaction that has written and was not ended; it ends by its timeout, for nobody keeps it alive."""
    writer = _producer(lab, "dies")
    _send(writer, lab, ABORTED)
    return writer


def _send(writer: Producer, lab: Lab, size: float) -> None:
    writer.begin_transaction()
    for number in range(EACH):
        event = tick(number, size=size)
        writer.produce(lab.topic, encoded(event), event["kind"].encode())
    assert writer.flush(30) == 0


def _producer(lab: Lab, name: str) -> Producer:
    writer = Producer(
        {
            "bootstrap.servers": lab.settings.kafka_bootstrap,
            "transactional.id": f"{lab.source}-{name}",
            "transaction.timeout.ms": TIMEOUT_MS,
            "log_level": 2,
        }
    )
    writer.init_transactions(30)
    return writer
