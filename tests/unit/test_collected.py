"""How a batch that is too large is cut: every offset in one half, lower ones first."""

import pytest

from spark_jobs.edges.collected import Spans, halves


def offsets(spans: Spans) -> set[tuple[int, int]]:
    return {(partition, offset) for partition, (first, last) in spans.items() for offset in range(first, last + 1)}


@pytest.mark.parametrize("spans", [{0: (0, 1)}, {0: (5, 5), 1: (0, 9)}, {3: (7, 17), 4: (100, 103)}])
def test_each_offset_is_in_one_half(spans: Spans):
    lower, upper = halves(spans)
    assert not offsets(lower) & offsets(upper)
    assert offsets(lower) | offsets(upper) == offsets(spans)


def test_the_upper_half_comes_after_the_lower():
    lower, upper = halves({0: (10, 20), 1: (4, 4)})
    assert (lower, upper) == ({0: (10, 15), 1: (4, 4)}, {0: (16, 20)})
