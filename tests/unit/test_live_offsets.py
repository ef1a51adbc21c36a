"""Where a stream model stands in its live table, and what its next batch takes."""

import json

import pytest

from spark_jobs.edges.progress import between
from spark_jobs.live_offsets import (
    DRIFT,
    SLACK,
    Found,
    Reached,
    Span,
    advanced,
    dealt,
    ends_within,
    look_sql,
    looked_for_since,
    merged,
    parsed,
    rows_sql,
    shortened,
    spans,
    times_sql,
    written,
)

HOUR = 3_600_000_000
NOW = 1_800_000_000_000_000
BEFORE = {0: Reached(100, NOW), 2: Reached(50, NOW - 5)}


def test_a_position_comes_back_as_it_was_written() -> None:
    offset = json.loads(json.dumps(written("events", BEFORE)))
    assert parsed("events", offset) == BEFORE
    assert parsed("events", written("events", {})) == {}


def test_equal_positions_look_equal_to_spark() -> None:
    turned = dict(reversed(BEFORE.items()))
    assert json.dumps(written("events", turned)) == json.dumps(written("events", BEFORE))


def test_progress_counts_offsets_and_no_append_times() -> None:
    later = {0: Reached(110, NOW + 9), 2: Reached(50, NOW - 5), 3: Reached(7, NOW)}
    assert between(written("events", BEFORE), written("events", later)) == 17


def test_a_look_goes_back_to_the_slowest_partition() -> None:
    assert looked_for_since({}) is None
    assert looked_for_since(BEFORE) == NOW - 5 - SLACK


def test_a_partition_that_is_idle_for_long_does_not_hold_the_look_back() -> None:
    assert looked_for_since({0: Reached(9, NOW), 1: Reached(9, NOW - 30 * HOUR)}) == NOW - DRIFT - SLACK


def test_a_position_never_goes_back() -> None:
    found = {0: Found(90, Reached(99, NOW - 9)), 2: Found(10, Reached(60, NOW)), 5: Found(3, Reached(4, NOW))}
    assert advanced(BEFORE, found) == {0: BEFORE[0], 2: Reached(60, NOW), 5: Reached(4, NOW)}


@pytest.mark.parametrize(
    ("limit", "ends"),
    [
        (30, {}),
        (15, {0: 110, 2: 55}),
        (3, {0: 102, 2: 51}),
        (1, {0: 101, 2: 51}),
    ],
)
def test_a_batch_is_shortened_in_proportion_to_what_waits(limit: int, ends: dict[int, int]) -> None:
    found = {0: Found(1, Reached(120, NOW + 9)), 2: Found(1, Reached(60, NOW + 9))}
    assert ends_within(BEFORE, found, limit) == ends


def test_a_partition_that_was_never_read_counts_from_its_first_row() -> None:
    found = {7: Found(5_000_000, Reached(5_000_010, NOW))}
    assert ends_within({}, found, 10) == {}
    assert ends_within({}, found, 5) == {7: 5_000_005}


def test_what_was_not_shortened_stays_and_a_gap_keeps_its_time() -> None:
    newest = {0: Reached(900, NOW + HOUR), 2: Reached(900, NOW + HOUR), 3: Reached(4, NOW)}
    position = shortened(BEFORE, newest, {0: 200, 2: 60}, {0: NOW + 7})
    assert position == {0: Reached(200, NOW + 7), 2: Reached(60, NOW - 5), 3: Reached(4, NOW)}


def test_a_batch_reads_what_lies_between_its_positions() -> None:
    end = {0: Reached(100, NOW), 2: Reached(60, NOW + 9), 5: Reached(4, NOW + 1)}
    assert spans(BEFORE, end) == [Span(2, 50, 60, NOW - 5, NOW + 9), Span(5, 0, 4, None, NOW + 1)]
    assert spans(end, end) == []


def test_batches_in_a_row_leave_nothing_out_and_take_nothing_twice() -> None:
    """Whatever the limit: the spans of all batches together are what there was, each offset once."""
    found = {0: Found(3, Reached(1_003, NOW)), 1: Found(0, Reached(7, NOW)), 4: Found(50, Reached(51, NOW))}
    position: dict[int, Reached] = {}
    taken: list[tuple[int, int]] = []
    while position != (newest := advanced(position, found)):
        ends = ends_within(position, found, 90)
        following = shortened(position, newest, ends, {}) if ends else newest
        taken += [(s.partition, offset) for s in spans(position, following) for offset in range(s.start, s.end)]
        position = following
    wanted = [(0, o) for o in range(1_003)] + [(1, o) for o in range(7)] + [(4, o) for o in range(51)]
    assert sorted(taken) == wanted


def test_spans_are_dealt_evenly_to_a_few_tasks() -> None:
    parts = [Span(p, 0, size, None, NOW) for p, size in enumerate([1, 100, 2, 90, 3])]
    assert [[s.partition for s in hand] for hand in dealt(parts, 2)] == [[1, 4, 0], [3, 2]]
    assert dealt(parts[:1], 4) == [(parts[0],)]
    assert dealt([], 4) == []


def test_the_first_look_takes_all_and_the_next_what_is_new() -> None:
    assert look_sql("live.`e`", {}).endswith("FROM live.`e` WHERE true GROUP BY kafka_partition")
    assert f"WHERE append_time >= fromUnixTimestamp64Micro({NOW - 5 - SLACK}, 'UTC')" in look_sql("live.`e`", BEFORE)


def test_a_partition_that_came_on_while_it_was_far_behind_is_found() -> None:
    """By its number; and so is one that nobody knows yet."""
    since, last = NOW - DRIFT - SLACK, NOW - 30 * HOUR
    looks = look_sql("live.`e`", {0: Reached(9, NOW), 1: Reached(9, last)}).split(" UNION ALL ")
    older = f"append_time < fromUnixTimestamp64Micro({since}, 'UTC') GROUP BY kafka_partition"
    assert looks[0].endswith(f"WHERE append_time >= fromUnixTimestamp64Micro({since}, 'UTC') GROUP BY kafka_partition")
    its_own = f"kafka_partition = 1 AND append_time >= fromUnixTimestamp64Micro({last - SLACK}, 'UTC')"
    assert looks[1].endswith(f"WHERE {its_own} AND {older}")
    assert looks[2].endswith(f"WHERE kafka_partition NOT IN (0, 1) AND {older}")
    assert len(looks) == 3


def test_what_a_look_finds_in_two_places_is_one() -> None:
    assert merged([(1, 5, 9, NOW), (0, 1, 2, NOW), (1, 3, 5, NOW - 9)]) == {
        0: Found(1, Reached(2, NOW)),
        1: Found(3, Reached(9, NOW)),
    }


def test_rows_are_asked_for_by_position_within_the_time_that_prunes() -> None:
    wanted = [Span(2, 50, 60, NOW, NOW + 9), Span(5, 0, 4, None, NOW)]
    assert rows_sql("live.`e`", ["a", "b"], wanted) == (
        "SELECT `a`, `b` FROM live.`e` WHERE (kafka_partition = 2 AND kafka_offset >= 50 AND kafka_offset < 60 "
        f"AND append_time >= fromUnixTimestamp64Micro({NOW - SLACK}, 'UTC') "
        f"AND append_time <= fromUnixTimestamp64Micro({NOW + 9}, 'UTC')) "
        "OR (kafka_partition = 5 AND kafka_offset >= 0 AND kafka_offset < 4 "
        f"AND append_time <= fromUnixTimestamp64Micro({NOW}, 'UTC'))"
    )


def test_the_times_of_a_shortened_batch_are_those_of_its_own_rows() -> None:
    sql = times_sql("live.`e`", BEFORE, {2: 55})
    assert "(kafka_partition = 2 AND kafka_offset >= 50 AND kafka_offset < 55" in sql
