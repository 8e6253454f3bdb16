"""Times of files, one by one and as columns."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.times import column_ns, iso_ns, parse_ns
from yiwang.clock import SECOND, parse_iso
from yiwang.errors import BadInput

NOON = parse_iso("2026-06-01T12:00:00Z")


@given(st.integers(min_value=0, max_value=4_000_000_000 * SECOND))
def test_a_written_time_is_read_back_exactly(t_ns: int) -> None:
    """No nanosecond is lost between a file and the program."""
    assert parse_ns(iso_ns(t_ns)) == t_ns


@pytest.mark.parametrize(
    ("cells", "tz", "layout"),
    [
        (["2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z"], None, None),
        (["2026-06-01T20:00:00+08:00", "2026-06-01 12:00:00.000Z"], None, None),
        (["2026-06-01 20:00:00", "2026-06-01T20:00"], "Asia/Shanghai", None),
        (["2026/06/01 20:00:00", "2026-06-01T12:00:00Z"], "+08:00", None),
        (["01/06/2026 20:00", "1/6/2026 20:00"], "+08:00", "%d/%m/%Y %H:%M"),
        ([str(NOON // SECOND)] * 2, None, None),
        ([str(NOON // 10**6)] * 2, None, None),
        ([str(NOON)] * 2, None, None),
        ([f"{NOON // SECOND}.0"] * 2, None, None),
    ],
)
def test_many_ways_to_write_one_moment(cells: list[str], tz: str | None, layout: str | None) -> None:
    """ISO with a zone, local with ``tz``, a pattern, and numbers of every size mean what they say."""
    times = column_ns(pa.array(cells), tz=tz, layout=layout)
    assert times.good.all()
    assert times.t_ns.tolist() == [NOON, NOON]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NOON // SECOND, NOON // SECOND]),
        pa.array([NOON / 1e9, NOON / 1e9]),
        pa.array([NOON, NOON]),
        pa.array([NOON // 1000] * 2, pa.timestamp("us", tz="Asia/Shanghai")),
        pa.chunked_array([[NOON // 10**6], [NOON // 10**6]], pa.timestamp("ms", tz="UTC")),
    ],
)
def test_typed_columns_of_parquet(column: pa.Array) -> None:
    """Timestamps of any unit and numbers are taken as they are."""
    times = column_ns(column)
    assert times.good.all()
    assert times.t_ns.tolist() == [NOON, NOON]


def test_what_is_no_time_is_told_apart_and_the_rest_is_kept() -> None:
    """Nonsense, a date that is none in the calendar and an empty cell do not spoil their neighbours."""
    cells = ["2026-06-01T12:00:00Z", "soon", "2026-02-30T00:00:00Z", None, "2026-06-01T12:00:01Z"]
    times = column_ns(pa.array(cells))
    assert times.good.tolist() == [True, False, False, False, True]
    assert times.t_ns[times.good].tolist() == [NOON, NOON + SECOND]


@pytest.mark.parametrize("column", [pa.array(["2026-06-01 12:00:00"]), pa.array([NOON], pa.timestamp("ns"))])
def test_nobody_guesses_a_zone(column: pa.Array) -> None:
    """A time without a zone needs one to be named."""
    times = column_ns(column)
    assert not times.good.any()
    assert "--tz" in times.wrong


def test_an_unknown_zone_is_refused() -> None:
    """A zone that nobody knows is named."""
    with pytest.raises(BadInput, match="Asia/Shangai") as caught:
        column_ns(pa.array(["2026-06-01 12:00:00"]), tz="Asia/Shangai")
    assert caught.value.code == "scenario.tz"


def test_fractions_of_seconds_since_1970_are_kept_to_the_microsecond() -> None:
    """A float64 of today's seconds holds microseconds."""
    times = column_ns(pa.array([1_780_000_000.250001]))
    assert times.t_ns.tolist() == [1_780_000_000_250_001_000]
    assert np.array_equal(times.good, [True])
