"""Intervals and the arithmetic of completeness."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from millrace.completeness import behind
from millrace.intervals import Interval, floor_hour

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_bounds_are_kept_in_utc():
    paris = timezone(timedelta(hours=1))
    interval = Interval(datetime(2026, 1, 2, 13, tzinfo=paris), datetime(2026, 1, 2, 14, tzinfo=paris))
    assert interval == Interval(NOON, NOON + timedelta(hours=1))
    assert interval.key == "20260102T120000.000000Z-20260102T130000.000000Z"


def test_text_without_an_offset_is_utc():
    assert Interval.parse("2026-01-02T12:00", "2026-01-02T13:00:00+00:00") == Interval.of_hour(NOON)


@pytest.mark.parametrize(
    ("start", "end"), [(NOON, NOON), (NOON, NOON - timedelta(hours=1)), (NOON.replace(tzinfo=None), NOON)]
)
def test_what_is_no_interval_is_refused(start, end):
    with pytest.raises(ValueError, match="interval"):
        Interval(start, end)


@given(moments, st.timedeltas(timedelta(microseconds=1), timedelta(days=3)))
def test_hours_cover_the_interval_and_no_more(start, length):
    interval = Interval(start, start + length)
    hours = interval.hours()
    assert hours[0] == floor_hour(start)
    assert hours[-1] < interval.end <= hours[-1] + timedelta(hours=1)
    assert all(b - a == timedelta(hours=1) for a, b in itertools.pairwise(hours))


@given(st.lists(moments, min_size=4, max_size=4, unique=True))
def test_keys_differ_where_intervals_differ(bounds):
    a, b = Interval(*sorted(bounds[:2])), Interval(*sorted(bounds[2:]))
    assert a.key != b.key


def test_only_partitions_that_lag_are_missing():
    assert behind({0: 10, 1: 5, 2: 0}, {0: 7, 1: 9}) == {0: 3}


@pytest.mark.parametrize(
    ("start", "end", "whole"),
    [
        ("2026-01-01T03:00", "2026-01-01T04:00", True),
        ("2026-01-01T03:00", "2026-01-02T00:00", True),
        ("2026-01-01T05:30+05:30", "2026-01-01T06:30+05:30", True),
        ("2026-01-01T03:00", "2026-01-01T03:59:59.999999", False),
        ("2026-01-01T03:00:00.000001", "2026-01-01T04:00", False),
    ],
)
def test_whole_hours_are_told_from_parts_of_them(start, end, whole):
    assert Interval.parse(start, end).is_of_whole_hours is whole


def test_an_interval_is_cut_at_full_hours():
    start = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    cut = Interval(start, start + timedelta(hours=2)).by_hours()
    assert [str(part) for part in cut] == [
        "2026-01-02T09:30:00+00:00 to 2026-01-02T10:00:00+00:00",
        "2026-01-02T10:00:00+00:00 to 2026-01-02T11:00:00+00:00",
        "2026-01-02T11:00:00+00:00 to 2026-01-02T11:30:00+00:00",
    ]
    hour = Interval.of_hour(start)
    assert hour.by_hours() == (hour,)


def test_a_key_gives_the_interval_back_and_other_text_is_refused():
    hour = Interval.of_hour(datetime(2026, 1, 2, 9, tzinfo=UTC))
    assert Interval.from_key(hour.key) == hour
    with pytest.raises(ValueError, match="does not match"):
        Interval.from_key("whatever")
