"""Times in columns against times one by one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.times import NO_TIME, time_us, times_us
from yiwang.errors import BadInput

zones = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(timezones=zones).map(lambda t: t.isoformat())
usual = moments | moments.map(lambda t: t[:19] + "Z") | st.datetimes().map(lambda t: t.isoformat() + "Z")
noise = st.text("0123456789-:TZ+. ", min_size=18, max_size=34)
damaged = st.tuples(usual, st.integers(0, 31), st.characters()).map(
    lambda d: d[0][: d[1]] + d[2] + d[0][d[1] + 1 :]
)


@given(st.lists(usual | noise | damaged, max_size=20))
@example(["2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2023-12-31T24:00:00Z", "2023-06-30T23:59:60Z"])
@example(["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59.999999-08:00", "0000-01-01T00:00:00Z"])
def test_a_column_agrees_with_each_of_its_times(texts: list[str]) -> None:
    """Where the fast path gives a time it is the slow path's, and it gives none the slow path refuses."""
    for text, fast in zip(texts, times_us(texts).tolist(), strict=True):
        if fast != NO_TIME:
            assert fast == time_us(text), text


@given(st.lists(usual, min_size=1, max_size=20))
def test_the_usual_forms_all_go_the_fast_way(texts: list[str]) -> None:
    """ISO times with Z or an offset, with or without a fraction, mixed in one batch."""
    assert NO_TIME not in times_us(texts)


def test_some_times_by_hand() -> None:
    """Known moments, to the microsecond."""
    texts = [
        "1970-01-01T00:00:00Z",
        "2026-06-01T20:15:00+08:00",
        "1969-12-31T23:59:59.5Z",
        "2026-06-01T12:15:00.000001Z",
    ]
    at = int(datetime(2026, 6, 1, 12, 15, tzinfo=UTC).timestamp()) * 1_000_000
    assert times_us(texts).tolist() == [0, at, -500_000, at + 1]
    assert times_us([]).tolist() == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-06-01T20:15:00", "time.zone"),
        ("2026-06-01T20:15:00+25:00", "time.zone"),
        ("2026-06-01T20:15:00 Asia/Shanghai", "time.zone"),
        ("2026-06-01T20:15:00CST", "time.zone"),
        ("2026-06-31T20:15:00Z", "time.format"),
        ("01.06.2026 20:15", "time.format"),
        ("1780000000", "time.format"),
        ("", "time.format"),
    ],
)
def test_what_is_wrong_with_a_time_is_named(text: str, code: str) -> None:
    """No zone and a zone that does not exist are told apart from what is no time."""
    with pytest.raises(BadInput) as caught:
        time_us(text)
    assert caught.value.code == code


def test_unusual_but_right_forms_are_read() -> None:
    """Basic format, a blank for the T, nanoseconds: slow, but taken."""
    assert time_us("20260601T201500+0800") == time_us("2026-06-01 20:15:00.000000999+08:00")
