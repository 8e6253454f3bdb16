"""Minute roll-ups in the stream."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.persist_memory import Memory
from streams.persist_minutes import MINUTE_US, Pieces
from streams.persist_rows import NEVER, by_series
from yiwang.columns import Readings

US = 1000
Row = tuple[int, int, float, int]
_VALUES = st.floats(-1e6, 1e6, allow_nan=False)
_ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 40).map(lambda k: k * 10_000_000 * US), _VALUES, st.just(0)),
    min_size=1,
    max_size=60,
)
_CUTS = st.lists(st.integers(0, 60), max_size=6)


def take(memory: Memory, rows: list[Row]) -> None:
    """A batch."""
    readings = by_series(Readings.of(rows))
    fresh = memory.unknown(readings)
    memory.meet(fresh, np.full(len(fresh), NEVER, np.int64), np.zeros(len(fresh), np.int16))
    memory.take(readings, store=True)


def told(pieces: Pieces) -> dict[tuple[int, int], tuple[int, float, float, float, float, int]]:
    """(series, minute) to (count, min, mean, max, last, time of last in us); no key twice."""
    columns = (pieces.count, pieces.lo, pieces.mean, pieces.hi, pieces.last, pieces.last_us)
    keys = list(zip(pieces.series.tolist(), pieces.minute.tolist(), strict=True))
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, zip(*(c.tolist() for c in columns), strict=True), strict=True))


def reference(rows: list[Row]) -> dict[tuple[int, int], tuple[int, float, float, float, float, int]]:
    """The same by a plain loop over readings in order of arrival."""
    found: dict[tuple[int, int], list[tuple[int, float]]] = {}
    newest: dict[int, tuple[int, float]] = {}
    for series, t_ns, value, _ in rows:
        if newest.get(series) == (t_ns, value):
            continue  # sent again
        if t_ns > newest.get(series, (-1, 0.0))[0]:
            newest[series] = t_ns, value
        found.setdefault((series, t_ns // US // MINUTE_US), []).append((t_ns // US, value))
    out = {}
    for key, members in found.items():
        values = [value for _, value in members]
        total = 0.0
        for value in values:
            total += value
        last_us = max(t for t, _ in members)
        last = next(value for t, value in members if t == last_us)
        out[key] = (len(values), min(values), total / len(values), max(values), last, last_us)
    return out


def cut(rows: list[Row], cuts: list[int]) -> list[list[Row]]:
    """Rows in batches."""
    at = [0, *sorted(cuts), len(rows)]
    return [part for a, b in pairwise(at) if (part := rows[a:b])]


@given(_ROWS, _CUTS)
def test_minutes_are_those_of_a_plain_loop_to_the_last_bit(rows: list[Row], cuts: list[int]) -> None:
    """Late readings, repeats and several minutes at once included, wherever the batches are cut.

    Only sums of minutes that were left and got late readings may differ in their last bits: these are added to the
    minute's sum when it is taken, a late one after the other.
    """
    memory = Memory(0)
    for part in cut(rows, cuts):
        take(memory, part)
    new, more = memory.roll(1_000_000)
    assert len(more) == 0
    found, expected = told(new), reference(rows)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key][:2] + found[key][3:] == value[:2] + value[3:]
        assert np.isclose(found[key][2], value[2], rtol=1e-9, atol=1e-6)
    in_order = sorted(rows, key=lambda row: row[1] // US // MINUTE_US)
    if in_order == rows:
        assert found == expected


@given(_ROWS, _CUTS, _CUTS)
def test_the_cutting_changes_no_bit(rows: list[Row], cuts: list[int], others: list[int]) -> None:
    """Two ways to cut the same readings give the same minutes, sums too."""
    made = []
    for way in (cuts, others):
        memory = Memory(0)
        for part in cut(rows, way):
            take(memory, part)
        made.append(told(memory.roll(1_000_000)[0]))
    assert made[0] == made[1]


@given(_ROWS, _CUTS)
def test_what_is_rolled_in_between_adds_up_to_the_same(rows: list[Row], cuts: list[int]) -> None:
    """A minute is new once; later pieces of it are to be merged, and merging them gives the whole."""
    memory = Memory(0)
    total: dict[tuple[int, int], tuple[int, float, float, float, float, int]] = {}
    for part in cut(rows, cuts):
        take(memory, part)
        new, more = memory.roll(memory.due)
        assert not total.keys() & told(new).keys()
        for key, piece in (told(new) | told(more)).items():
            total[key] = _merged(total[key], piece) if key in total else piece
    for key, piece in told(Pieces.join(list(memory.roll(1_000_000)))).items():
        total[key] = _merged(total[key], piece) if key in total else piece
    expected = reference(rows)
    assert total.keys() == expected.keys()
    for key, value in expected.items():
        assert total[key][:2] + total[key][3:] == value[:2] + value[3:]
        assert np.isclose(total[key][2], value[2], rtol=1e-9, atol=1e-6)


def _merged(
    m: tuple[int, float, float, float, float, int], e: tuple[int, float, float, float, float, int]
) -> tuple[int, float, float, float, float, int]:
    """As sql/queries/persist/minute.sql."""
    count = m[0] + e[0]
    mean = m[2] + (e[2] - m[2]) * e[0] / count
    last = e[4] if e[5] > m[5] else m[4]
    return count, min(m[1], e[1]), mean, max(m[3], e[3]), last, max(m[5], e[5])


def test_a_minute_waits_for_its_end_and_a_little_longer() -> None:
    """Ten seconds after the minute's last moment it is over; ticks count as soon as there are any."""
    memory = Memory(0)
    take(memory, [(0, 30_000_000 * US, 1.0, 0)])
    take(memory, [(0, 69_999_999 * US, 2.0, 0)])
    assert memory.due == 0
    memory.tick(70_000_000)
    assert memory.due == 1
    new, _ = memory.roll(memory.due)
    assert told(new) == {(0, 0): (1, 1.0, 1.0, 1.0, 1.0, 30_000_000)}
    take(memory, [(0, 500_000_000 * US, 2.0, 0)])
    assert memory.due == 1  # a device ahead of the district's ticks closes nobody else's minute


def test_a_district_that_began_without_its_past_leaves_the_first_minute_out() -> None:
    """It saw only a part of it."""
    memory = Memory(0, must_ask=True)
    memory.first(30_000_000)
    memory.first(90_000_000)
    take(memory, [(0, 30_000_000 * US, 1.0, 0)])
    take(memory, [(0, 90_000_000 * US, 2.0, 0)])
    new, _ = memory.roll(1000)
    assert list(told(new)) == [(0, 1)]
