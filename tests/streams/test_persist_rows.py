"""Rows of a binary COPY from columns."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.persist_rows import NEVER, Newest, rows
from yiwang.columns import Quality, Readings

_ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 8).map(lambda k: k * 1000), st.floats(), st.integers(0, 3)),
    max_size=40,
)


def _decoded(body: bytes) -> list[tuple[int, float, int, int, int]]:
    """(t µs since 2000, value, series, district, quality) by reading the format step by step."""
    out, at = [], 0
    while at < len(body):
        fields = struct.unpack_from(">h", body, at)[0]
        assert fields == 5
        at += 2
        values = []
        for code, size in (("q", 8), ("d", 8), ("i", 4), ("h", 2), ("h", 2)):
            assert struct.unpack_from(">i", body, at)[0] == size
            values.append(struct.unpack_from(f">{code}", body, at + 4)[0])
            at += 4 + size
        out.append(tuple(values))
    return out


def _known(*series: int, t_us: int = NEVER) -> Newest:
    newest = Newest()
    s = np.array(sorted(series), np.int32)
    newest.seed(s, np.full(len(s), t_us, np.int64))
    return newest


@given(_ROWS, st.integers(0, 40))
def test_late_rows_are_those_a_plain_loop_finds(
    given_rows: list[tuple[int, int, float, int]], cut: int
) -> None:
    """LATE is set where t <= the newest time of the series so far, wherever the batches are cut."""
    newest = _known(0, 1, 2, 3, t_us=2)
    late: list[tuple[int, int, bool]] = []
    for part in (given_rows[:cut], given_rows[cut:]):
        for t, _, series, _, quality in _decoded(rows(7, Readings.of(part), newest).body):
            late.append((series, t, bool(quality & Quality.LATE)))
    seen = dict.fromkeys(range(4), 2)
    expected = []
    for series, t_ns, _, _ in given_rows:
        t = t_ns // 1000
        expected.append((series, t - 946_684_800_000_000, t <= seen[series]))
        seen[series] = max(seen[series], t)
    assert sorted(late) == sorted(expected)
    assert dict(zip(newest.series.tolist(), newest.t_us.tolist(), strict=True)) == seen


def test_rows_carry_every_column_and_are_sorted_by_series() -> None:
    """Values, NaN too, arrive bit for bit; the wire's quality bits stay."""
    given_rows = [(5, 1_700_000_000_123_456_789, -0.5, 1), (2, 1_700_000_000_000_000_000, float("nan"), 2)]
    made = rows(3, Readings.of(given_rows), _known(2, 5))
    first, second = _decoded(made.body)
    assert (first[2], second[2]) == (2, 5)
    assert np.isnan(first[1])
    assert second == (1_700_000_000_123_456 - 946_684_800_000_000, -0.5, 5, 3, 1)
    assert (made.n, made.late, made.days.tolist()) == (2, 0, [19675])


def test_a_wild_series_number_costs_one_entry() -> None:
    """What is known of series is kept by what occurs, not by the largest number."""
    newest = _known(0)
    wild = np.array([2**31 - 1, -5, 0], np.int32)
    fresh = newest.unknown(wild)
    newest.seed(fresh, np.full(len(fresh), NEVER, np.int64))
    assert newest.series.tolist() == [-5, 0, 2**31 - 1]
    assert len(newest.unknown(wild)) == 0


def test_no_readings_make_no_rows() -> None:
    """An empty batch is fine."""
    made = rows(0, Readings.of([]), Newest())
    assert (made.body, made.n, made.days.tolist()) == (b"", 0, [])
