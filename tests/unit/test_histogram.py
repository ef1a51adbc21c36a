"""The soak's histogram."""

from tests.faults.histogram import BOUNDS, histogram, table


def test_each_time_is_counted_in_one_column() -> None:
    assert histogram([0, 1.9, 2, 59, 60, 1e6]) == [2, 1, 0, 0, 0, 1, 1, 1]
    assert sum(histogram(range(200))) == 200
    assert len(histogram([])) == len(BOUNDS) + 1


def test_the_table_has_a_line_for_each_fault_and_one_for_all() -> None:
    drawn = table([("kafka away", 3.0), ("driver killed", 12.5), ("kafka away", 5.0)], "recoveries")
    faults, times, median, longest = (list(column.cells) for column in drawn.columns[:4])
    assert faults == ["driver killed", "kafka away", "all"]
    assert times == ["1", "2", "3"]
    assert median == ["12.5 s", "4.0 s", "5.0 s"]
    assert longest == ["12.5 s", "5.0 s", "12.5 s"]
