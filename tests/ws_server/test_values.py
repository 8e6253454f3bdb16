"""The newest value of every series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_server.values import SERIES_LIMIT, STAMPS_KEPT, NewestValues
from yiwang.columns import Readings

ROWS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(1, 40),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.just(0),
    ),
    max_size=40,
)


def everything(values: NewestValues) -> dict[int, tuple[float, float | None]]:
    return {row[1]: (row[2], row[3]) for row in values.rows(0, np.arange(20))}


@given(ROWS, st.integers(0, 40))
def test_the_newest_reading_wins_however_batches_are_cut(
    rows: list[tuple[int, int, float, int]], cut: int
) -> None:
    """The same readings in one batch or two give the same newest values, those of a plain loop."""
    whole, parts = NewestValues(), NewestValues()
    whole.update(0, Readings.of(rows))
    parts.update(0, Readings.of(rows[:cut]))
    parts.update(0, Readings.of(rows[cut:]))
    newest = {s: max(t for series, t, _, _ in rows if series == s) for s, *_ in rows}
    assert {s: t for s, (t, _) in everything(whole).items()} == {s: t / 1e6 for s, t in newest.items()}
    assert everything(parts).keys() == everything(whole).keys()
    assert {s: t for s, (t, _) in everything(parts).items()} == {
        s: t for s, (t, _) in everything(whole).items()
    }


def watching(*series: int) -> NewestValues:
    """Values of which some are watched."""
    values = NewestValues()
    values.watch({0: np.array(series, np.int32)}, by=1)
    return values


def test_only_watched_series_with_something_newer_are_reported() -> None:
    """A late reading and a repeat change nothing and name no series; nor does what nobody watches."""
    values = watching(2, 5)
    assert values.update(0, Readings.of([(5, 10, 1.0, 0), (2, 10, 2.0, 0), (7, 10, 0.0, 0)])).tolist() == [
        5,
        2,
    ]
    assert values.update(0, Readings.of([(5, 10, 9.0, 0), (2, 9, 9.0, 0)])).tolist() == []
    assert values.update(0, Readings.of([(5, 11, 3.0, 1)])).tolist() == [5]
    assert values.rows(0, np.array([2, 5, 7])) == [
        (0, 2, 1e-05, 2.0, 0),
        (0, 5, 1.1e-05, 3.0, 1),
        (0, 7, 1e-05, 0.0, 0),
    ]
    values.watch({0: np.array([2, 5], np.int32)}, by=-1)
    assert values.update(0, Readings.of([(5, 12, 3.0, 1)])).tolist() == []


def test_series_that_go_back_in_time_within_a_batch_keep_their_newest() -> None:
    """However long the way back is: the newest wins, of equal times the last."""
    values = watching(1)
    back = [(1, 1000 - k, float(k), 0) for k in range(100)]
    values.update(0, Readings.of([*back, (2, 7, 1.0, 0), (2, 7, 2.0, 0)]))
    assert values.rows(0, np.array([1, 2])) == [(0, 1, 0.001, 0.0, 0), (0, 2, 7e-06, 2.0, 0)]


def test_what_has_changed_since_a_batch_is_known_with_its_oldest_time_of_ingest() -> None:
    """Screens that were slow ask by the number of the batch they have."""
    values, both = watching(1, 2), np.array([1, 2], np.int32)
    values.update(0, Readings.of([(1, 10, 1.0, 0)]), 500)
    before = values.stamp
    values.update(0, Readings.of([(1, 11, 1.0, 0)]), 700)
    values.update(0, Readings.of([(2, 11, 1.0, 0)]), 600)
    assert values.since(0, both, before).tolist() == [1, 2]
    assert values.since(0, both, values.stamp - 1).tolist() == [2]
    assert values.oldest_ingest_ns({0: both}) == 600
    assert values.oldest_ingest_ns({}) is None
    for _ in range(STAMPS_KEPT):
        values.update(0, Readings.of([(3, 1, 1.0, 0)]))
    assert values.oldest_ingest_ns({0: both}) is None


def test_what_is_not_known_is_left_out() -> None:
    """Series without a value, of another district or beyond the arrays give no row."""
    values = NewestValues()
    values.update(0, Readings.of([(1, 10, 1.0, 0)]))
    assert values.rows(0, np.array([0, 1, 63, 10**6, -1])) == [(0, 1, 1e-05, 1.0, 0)]
    assert values.rows(1, np.array([1])) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_none(value: float) -> None:
    """JSON has no NaN and no infinity."""
    values = NewestValues()
    values.update(0, Readings.of([(0, 10, value, 0)]))
    assert values.rows(0, np.array([0])) == [(0, 0, 1e-05, None, 0)]


def test_a_broken_number_of_a_series_costs_no_memory() -> None:
    """Negative and absurdly large series are ignored; their neighbours are not."""
    values = watching(3)
    batch = Readings.of([(-1, 10, 1.0, 0), (SERIES_LIMIT, 10, 1.0, 0), (3, 10, 1.0, 0)])
    assert values.update(0, batch).tolist() == [3]
    assert values.update(0, Readings.of([(-1, 10, 1.0, 0)])).tolist() == []
    assert values.update(0, Readings.of([])).tolist() == []
