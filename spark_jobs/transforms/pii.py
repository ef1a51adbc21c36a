"""Personal data on its way to live and silver: replaced by a keyed pseudonym, or left out."""

import hashlib

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.source import Source
from millrace.errors import ConfigError

_BLOCK = 64


def pseudonymise(df: DataFrame, source: Source, key: bytes) -> DataFrame:
    """Apply the contract's PII rules to a frame that has the source's fields as columns; keeps the other columns.

    A pseudonym is the hex text of HMAC-SHA256(key, UTF-8 text of the value), null for null: the same in live, in silver
    and from Python's `hmac`.
    """
    dropped = [name for name, rule in source.pii.items() if rule == "drop"]
    replaced = {name: pseudonym(F.col(name), key) for name, rule in source.pii.items() if rule == "pseudonym"}
    return df.withColumns(replaced).drop(*dropped) if source.pii else df


def pseudonym(value: Column, key: bytes) -> Column:
    """HMAC-SHA256 by Spark's own expressions: no Python per row; the key goes in as its two padded blocks."""
    inner, outer = _padded(key, 0x36), _padded(key, 0x5C)
    message = F.concat(F.lit(inner), value.cast("string").cast("binary"))
    return F.sha2(F.concat(F.lit(outer), F.unhex(F.sha2(message, 256))), 256)


def _padded(key: bytes, pad: int) -> bytes:
    if not key:
        raise ConfigError("MILLRACE_PSEUDONYM_KEY is empty, but a contract asks for pseudonyms; `make up` makes one")
    short = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
    return bytes(b ^ pad for b in short.ljust(_BLOCK, b"\0"))
