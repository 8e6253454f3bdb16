"""Cutting a batch into rounds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rounds import NEVER, cut

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=40)
NEWEST = st.lists(st.one_of(st.just(NEVER), st.integers(0, 12)), min_size=5, max_size=5)


def naive(rows: list[tuple[int, int]], newest: list[int]) -> tuple[list[bool], list[list[int]]]:
    """One reading at a time: whether it is late, and each series' readings in order of arrival."""
    newest = list(newest)
    late = []
    kept: list[list[int]] = [[] for _ in newest]
    for i, (series, t) in enumerate(rows):
        late.append(t <= newest[series])
        if not late[-1]:
            newest[series] = t
            kept[series].append(i)
    return late, kept


@settings(max_examples=400, deadline=None)
@given(rows=ROWS, newest=NEWEST)
def test_agrees_with_a_loop_over_readings(rows: list[tuple[int, int]], newest: list[int]) -> None:
    """Late is what the loop calls late; the rest is dealt out in order, each series at most once a round."""
    series = np.array([s for s, _ in rows], np.int32)
    t_ns = np.array([t for _, t in rows], np.int64)
    before = np.array(newest, np.int64)
    for array in (series, t_ns, before):
        array.flags.writeable = False
    late, rounds = cut(series, t_ns, before)
    expected_late, kept = naive(rows, newest)
    assert late.tolist() == expected_late
    got: list[list[int]] = [[] for _ in newest]
    for r in rounds:
        assert len(r) > 0
        assert len(np.unique(series[r])) == len(r)
        for i in r.tolist():
            got[series[i]].append(i)
    assert got == kept


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, newest=NEWEST, at=st.integers(0, 40))
def test_cutting_the_batch_changes_nothing(rows: list[tuple[int, int]], newest: list[int], at: int) -> None:
    """Two batches in turn give each series the same readings in the same order as one."""
    series = np.array([s for s, _ in rows], np.int32)
    t_ns = np.array([t for _, t in rows], np.int64)

    def all_of(parts: list[slice]) -> tuple[list[bool], list[list[int]]]:
        known = np.array(newest, np.int64)
        lates: list[bool] = []
        kept: list[list[int]] = [[] for _ in newest]
        for part in parts:
            late, rounds = cut(series[part], t_ns[part], known)
            lates += late.tolist()
            for r in rounds:
                known[series[part][r]] = t_ns[part][r]
                for i in r.tolist():
                    kept[series[part][i]].append(i + part.start)
        return lates, kept

    n = len(rows)
    assert all_of([slice(0, min(at, n)), slice(min(at, n), n)]) == all_of([slice(0, n)])


def test_times_at_the_ends_of_int64_do_not_overflow() -> None:
    """Comparisons only: no time is ever added to or taken from another."""
    ends = np.array([NEVER + 1, np.iinfo(np.int64).max, NEVER + 2], np.int64)
    late, rounds = cut(np.zeros(3, np.int32), ends, np.array([NEVER]))
    assert late.tolist() == [False, False, True]
    assert [r.tolist() for r in rounds] == [[0], [1]]


def test_a_duplicate_is_late() -> None:
    """The same reading sent twice is used once."""
    late, rounds = cut(np.array([3, 3], np.int32), np.array([7, 7]), np.full(4, NEVER))
    assert late.tolist() == [False, True]
    assert [r.tolist() for r in rounds] == [[0]]
