"""Which errors go away by themselves: a service or a store that is away, full or starting; the others are bugs."""

import re

import psycopg
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from millrace.clickhouse.client import is_transient
from millrace.errors import FencedError

_LASTING = re.compile(
    r"FencedError|DELTA_|Concurrent\w+Exception|AnalysisException|FileNotFoundException|OffsetOutOfRange"
    r"|KAFKA_DATA_LOSS|data may have been lost|may have been missed"
)
"""Another writer, a wrong schema, a file or a record that is gone: waiting brings nothing back."""
# The second line is how the death of one of Spark's Python processes looks, of which it starts others.
_PASSING = re.compile(
    r"TransientError|SchemaAppeared|TableWentBack|No space left on device"
    r"|Python worker (?:exited|failed)|EOFException|(?:Stream|Socket) closed|Broken pipe|Connection (?:reset|refused)"
    r"|java\.(?:io\.\w*IOException|net\.\w+Exception|nio\.\w+\.\w+Exception)"
    r"|java\.util\.concurrent\.TimeoutException|ClosedChannelException"
    r"|(?:Sdk|Service|S3)\w*Exception"
    r"|kafka\.common\.errors\.(?:Timeout|Disconnect|Network|Retriable|BrokerNotAvailable|LeaderNotAvailable"
    r"|NotLeaderOrFollower|CoordinatorNotAvailable|KafkaStorage|SaslAuthentication)\w*Exception"
)

_ENDING = re.compile("FencedError|OutOfMemoryError")
_NAMED = re.compile(r"(?:Caused by: )?[\w.]+(?:Error|Exception|Lost|Failed|Appeared)\b")


def passes(error: BaseException) -> bool:
    """True when the same work may succeed later. Spark and Delta tell their causes in text only."""
    if not isinstance(error, (Py4JJavaError, PySparkException)):
        return is_transient(error) or isinstance(error, psycopg.OperationalError)
    text = _told(error)
    return not _LASTING.search(text) and bool(_PASSING.search(text))


def ends_the_driver(error: BaseException) -> bool:
    """True when another driver may have taken over, or when this one's Java has no memory left: no query can go on."""
    return isinstance(error, FencedError) or bool(_ENDING.search(_told(error)))


def cause(error: BaseException) -> str:
    """One line that says what happened: the innermost cause of what Spark wraps in stack traces, and a plan below."""
    lines = [line.strip() for line in _told(error).splitlines() if line.strip()]
    named = [line for line in lines if _NAMED.match(line)]
    return (named or lines or [type(error).__name__])[-1][:500]


def _told(error: BaseException) -> str:
    """The text without the plan of the query, which says what anybody wrote into a model's SQL."""
    return str(error).partition("=== Streaming Query ===")[0]
