"""Rows of a binary COPY from columns."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.persist_memory import Memory
from streams.persist_rows import Rows, by_series, days, rows
from yiwang.columns import Quality, Readings

_ROWS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 8).map(lambda k: k * 1000), st.floats(-9, 9), st.integers(0, 3)
    ),
    max_size=40,
)


def _decoded(body: bytes | memoryview) -> list[tuple[int, float, int, int, int]]:
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


def _taken(memory: Memory, part: list[tuple[int, int, float, int]]) -> Rows | None:
    """Rows of a batch; series that are new are met first."""
    readings = by_series(Readings.of(part))
    fresh = memory.unknown(readings)
    memory.meet(fresh, np.full(len(fresh), 2, np.int64), np.zeros(len(fresh), np.int16))
    return memory.take(readings, store=True)


@given(_ROWS, st.integers(0, 40))
def test_late_rows_are_those_a_plain_loop_finds(
    given_rows: list[tuple[int, int, float, int]], cut: int
) -> None:
    """LATE is set where t <= the newest time of the series so far, wherever the batches are cut.

    What says the newest reading of its series again, time and value, is left out.
    """
    memory = Memory(7)
    late: list[tuple[int, int, bool]] = []
    for part in (given_rows[:cut], given_rows[cut:]):
        made = _taken(memory, part)
        for t, _, series, _, quality in _decoded(made.body) if made else ():
            late.append((series, t, bool(quality & Quality.LATE)))
    seen = dict.fromkeys(range(4), 2)
    said: dict[int, tuple[int, float]] = {}
    expected = []
    for series, t_ns, value, _ in given_rows:
        t = t_ns // 1000
        if said.get(series) == (t, value):
            continue
        expected.append((series, t - 946_684_800_000_000, t <= seen[series]))
        if t > seen[series]:
            seen[series], said[series] = t, (t, value)
    assert sorted(late) == sorted(expected)
    assert memory.repeated == len(given_rows) - len(expected)
    met = dict(zip(memory.series.tolist(), memory.newest_us.tolist(), strict=True))
    assert met == {series: seen[series] for series, *_ in given_rows}


def test_rows_carry_every_column_and_are_sorted_by_series() -> None:
    """Values arrive bit for bit; the wire's quality bits stay."""
    given_rows = [(5, 1_700_000_000_123_456_789, -0.5, 1), (2, 1_700_000_000_000_000_000, 0.1, 2)]
    made = rows(3, by_series(Readings.of(given_rows)), None, None)
    first, second = _decoded(made.body)
    assert first == (1_700_000_000_000_000 - 946_684_800_000_000, 0.1, 2, 3, 2)
    assert second == (1_700_000_000_123_456 - 946_684_800_000_000, -0.5, 5, 3, 1)
    assert (made.n, made.late, made.days.tolist()) == (2, 0, [19675])


def test_days_are_those_with_readings() -> None:
    """Two neighbouring days, and days far apart, before 1970 too."""
    day_us = 86_400_000_000
    assert days(np.array([5, day_us + 1])).tolist() == [0, 1]
    assert days(np.array([5, -1, 9 * day_us])).tolist() == [-1, 0, 9]
    assert days(np.empty(0, np.int64)).tolist() == []


def test_a_wild_series_number_costs_one_entry() -> None:
    """What is known of series is kept by what occurs, not by the largest number."""
    memory = Memory(0)
    _taken(memory, [(0, 0, 1.0, 0), (2**31 - 1, 0, 1.0, 0), (-5, 0, 1.0, 0)])
    assert memory.series.tolist() == [-5, 0, 2**31 - 1]
    assert len(memory.unknown(by_series(Readings.of([(0, 0, 1.0, 0), (-5, 0, 1.0, 0)])))) == 0
