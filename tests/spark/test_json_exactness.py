"""What JSON text is taken for one whole record: exactly what a parser that reads to the end takes for one object."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings as examples, strategies as st
from pyspark.sql import SparkSession

from millrace.contracts.catalog import read_catalog
from millrace.contracts.source import Source
from millrace.settings import ROOT
from spark_jobs.transforms.decode import decode
from tests.spark.poison import EVENT

CHARACTERS = ']}[{,:"0a \n'
ONES = [
    json.dumps(EVENT),
    json.dumps(EVENT | {"more": {"a": [{}]}}),
    json.dumps(EVENT | {"page": "}]"}) + "\n",
]
PIECES = st.sampled_from([*CHARACTERS, "{}", "[]", '"":', '"a":1', "\t", *ONES])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a]}[{,:"\\ \n\U0001f600'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a]}"', max_size=2), inner, max_size=3),
    max_leaves=6,
)
ESCAPES = ["\\\\", "\\ud83d", "\\uDE00", "ud83d", "\\n", "a"]


@pytest.fixture(scope="module")
def source() -> Source:
    return read_catalog(ROOT).source("user_events")


def accepted(spark: SparkSession, source: Source, texts: list[str]) -> list[bool]:
    """Whether each is a good record; by Spark."""
    rows = spark.createDataFrame([(n, bytearray(t.encode())) for n, t in enumerate(texts)], "n int, value binary")
    found = {row.n: row.good for row in decode(rows, source).select("n", "good").collect()}
    return [found[n] for n in range(len(texts))]


def is_one_object(text: str) -> bool:
    """By Python, which reads to the end of the text, and lets halves of characters and keys twice pass."""
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
    except ValueError:
        return False
    return isinstance(value, dict) and not any("\ud800" <= c <= "\udfff" for c in json.dumps(value, ensure_ascii=False))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def agree(spark: SparkSession, source: Source, texts: list[str]) -> None:
    wrong = [
        text for text, good in zip(texts, accepted(spark, source, texts), strict=True) if good != is_one_object(text)
    ]
    assert not wrong, wrong[:20]


@pytest.mark.parametrize("one", ONES, ids=["flat", "nested", "brackets in a text"])
def test_nothing_may_follow_an_object(spark: SparkSession, source: Source, one: str) -> None:
    """Every suffix of up to three characters."""
    ends = ["".join(end) for length in range(4) for end in product(CHARACTERS, repeat=length)]
    agree(spark, source, [one + end for end in ends])


@examples(max_examples=8, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, st.lists(PIECES, max_size=5).map("".join)), min_size=100, max_size=200))
def test_nothing_may_follow_any_object(spark: SparkSession, source: Source, drawn: list[tuple[Any, str]]) -> None:
    agree(spark, source, [json.dumps(EVENT | {"more": more}) + end for more, end in drawn])


def test_halves_of_characters(spark: SparkSession, source: Source) -> None:
    """However backslashes stand around them: every text of up to four escapes."""
    pages = ["".join(page) for length in range(5) for page in product(ESCAPES, repeat=length)]
    agree(spark, source, [json.dumps(EVENT | {"page": "@"}).replace("@", page) for page in pages])
