"""The window of ids against a model that remembers everything."""

import numpy as np
from hypothesis import given, settings, strategies as st

from spark_jobs.id_window import IdWindow

LATENESS = 10
Batch = list[tuple[int, int]]
batches = st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 60)), max_size=12), max_size=8)


def admit(window: IdWindow, batch: Batch) -> list[bool]:
    ids = np.array([row[0] for row in batch], dtype=np.int64)
    times = np.array([row[1] for row in batch], dtype=np.int64)
    return [bool(kept) for kept in window.admit(ids, times)]


def remembering_everything(admitted: Batch, batch: Batch) -> list[bool]:
    mask = [False] * len(batch)
    for number, (key, at) in sorted(enumerate(batch), key=lambda item: item[1][1]):
        mask[number] = not any(key == k and abs(at - t) <= LATENESS for k, t in admitted)
        if mask[number]:
            admitted.append((key, at))
    return mask


@settings(deadline=None)
@given(batches)
def test_agrees_with_a_model_while_time_goes_on(drawn: list[Batch]) -> None:
    window, admitted = IdWindow(LATENESS), []
    for number, batch in enumerate(drawn):
        # Rows of one batch spread over a lateness and a half: partitions are read a little apart.
        rows = [(key, number * LATENESS + at % 15) for key, at in batch]
        assert admit(window, rows) == remembering_everything(admitted, rows)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 30)), max_size=30))
def test_filled_anew_it_refuses_the_same_rows(batch: Batch) -> None:
    window, again = IdWindow(LATENESS), IdWindow(LATENESS)
    kept = [row for row, is_new in zip(batch, admit(window, batch), strict=True) if is_new]
    again.fill(np.array([k for k, _ in kept], dtype=np.int64), np.array([t for _, t in kept], dtype=np.int64))
    assert len(again) == len(kept)
    assert not any(admit(again, batch))


def test_an_id_comes_back_after_its_lateness() -> None:
    window = IdWindow(LATENESS)
    assert admit(window, [(1, 100)]) == [True]
    assert admit(window, [(1, 110)]) == [False]
    assert admit(window, [(1, 111)]) == [True]


def test_forgets_what_no_row_can_match() -> None:
    window = IdWindow(LATENESS)
    admit(window, [(key, 0) for key in range(1000)])
    admit(window, [(1, 1000)])
    assert len(window) == 1


def test_a_batch_of_equal_ids_keeps_the_first_in_time() -> None:
    assert admit(IdWindow(LATENESS), [(7, 5), (7, 3), (7, 4)]) == [False, True, False]
