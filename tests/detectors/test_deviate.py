"""A station by itself against its own days."""

import numpy as np

from detectors.deviate import Deviate
from detectors.protocol import Layout
from tests.detectors.feeding import feed, round_of
from yiwang.columns import Quality

SPEED = {
    "worse": -1.0,
    "least": 20.0,
    "least_share": 0.35,
    "margin": 12.0,
    "deviates": 3.0,
    "confirm_s": 60.0,
    "hold_s": 600.0,
    "level": 3.0,
    "isolated": 1.0,
}
OCCUPANCY = {**SPEED, "worse": 1.0, "least": 14.0, "least_share": float("nan"), "margin": 8.0}
DAY = 1440.0  # minutes


def days(
    count: int, *, rush: float = 35.0, every: float = 5.0, crash_day: int = -1, at_h: float = 13.0
) -> list[tuple[float, float]]:
    """Speeds of some days, 90 km/h with a queue from 7 to 9; a crash of 40 minutes on one of them."""
    rows = []
    for minute in np.arange(0.0, count * DAY, every).tolist():
        hour = minute / 60 % 24
        kmh = rush if 7 <= hour < 9 else 90.0 + (minute * 7 % 11) - 5
        if minute // DAY == crash_day and at_h <= hour < at_h + 0.67:
            kmh = 15.0
        rows.append((minute, kmh))
    return rows


def test_the_first_rush_hour_is_news_and_the_fourth_is_not() -> None:
    """From the second day on the queue of 7 to 9 is what is usual then."""
    found = feed(Deviate(**SPEED), days(5))
    assert [f.reason for f in found] == ["deviate.sudden", "deviate.usual"]
    assert found[0].t / 60 < 7.5


def test_a_crash_at_noon_is_news_on_any_day() -> None:
    """Held against what is usual at that time, found at the second reading beyond it."""
    found = [f for f in feed(Deviate(**SPEED), days(6, crash_day=5)) if f.t > DAY]
    assert [(f.level, f.reason) for f in found] == [(3, "deviate.unusual"), (0, "deviate.usual")]
    assert found[0].t == 5 * DAY + 13 * 60 + 5
    assert found[0].since == 5 * DAY + 13 * 60
    assert found[0].limit < 90 - 20


def test_a_crash_in_the_usual_queue_is_seen_only_where_it_is_worse() -> None:
    """One station cannot tell it from a queue of the same depth: the stated blindness."""
    for rush, seen in ((22.0, False), (45.0, True)):
        found = feed(Deviate(**SPEED), days(6, rush=rush, crash_day=5, at_h=7.5))
        assert any(f.t > DAY and f.level for f in found) == seen


def test_a_weekend_without_queue_does_not_forget_it() -> None:
    """Two days without a rush hour, then Monday's raises nothing."""
    week = [row for row in days(9) if row[0] // DAY not in (5, 6)]
    weekend = [(5 * DAY + m, 92.0) for m in np.arange(0.0, 2 * DAY, 5.0).tolist()]
    assert [f for f in feed(Deviate(**SPEED), sorted(week + weekend)) if f.t > DAY] == []


def test_high_is_worse_for_an_occupancy() -> None:
    """The mirror image, with a least distance in points instead of a share."""
    rows = [(m, 6.0 + m % 3) for m in np.arange(0.0, 600.0, 1.0).tolist()]
    found = feed(Deviate(**OCCUPANCY), [*rows, (600, 45), (601, 50), (602, 48)])
    assert [(f.t, f.level, f.value) for f in found] == [(601, 3, 50)]
    assert 14 <= found[0].limit <= 40


def test_one_wild_reading_is_nothing() -> None:
    """It must last for ``confirm_s``."""
    rows = [(m, 90.0) for m in np.arange(0.0, 300.0, 1.0).tolist()]
    assert feed(Deviate(**SPEED), [*rows, (300, 10), (301, 90), (302, 10), (303, 90)]) == []


def test_nobody_passing_is_no_standstill() -> None:
    """Zeros, NaN and suspected readings change nothing where low is worse."""
    detector = Deviate(**SPEED)
    state = detector.start(1)
    feed(detector, [(m, 90.0) for m in np.arange(0.0, 300.0, 1.0).tolist()], state)
    assert feed(detector, [(300 + m, v) for m, v in enumerate([0.0, 0.0, float("nan"), 0.0])], state) == []
    assert feed(detector, [(310 + m, 5.0) for m in range(5)], state, quality=int(Quality.SUSPECT)) == []


def test_confidence_grows_with_the_days() -> None:
    """A candidate on the first days, believed later."""
    sure = {}
    for day in (0, 2, 5):
        detector = Deviate(**SPEED)
        state = detector.start(1)
        for minute, kmh in days(day + 1, rush=90.0, crash_day=day):
            found = detector.step(state, round_of((0, minute, kmh, 0)))
            if len(found) and found.level[0] and found.confidence is not None:
                sure[day] = round(float(found.confidence[0]), 2)
    assert sure == {0: 0.6, 2: 0.68, 5: 0.9}


def test_where_neighbours_can_be_asked_it_is_silent() -> None:
    """Two stations with chainages in one zone are a corridor's matter, unless told otherwise."""

    def stations(at_m: tuple[float, float]) -> Layout:
        both = np.arange(2, dtype=np.int32)
        return Layout(
            role=np.zeros(2, np.int8), device=both, place=both, zone=np.zeros(2, np.int32),
            metric=np.zeros(2, np.int32), x_m=np.zeros(2), y_m=np.zeros(2), at_m=np.array(at_m),
            live=np.ones(2, np.bool_),
        )  # fmt: skip

    rows = [*((float(m), 90.0) for m in range(300)), *((300.0 + m, 10.0) for m in range(5))]
    for at_m, isolated, speaks in (
        ((0.0, 500.0), 1.0, False),
        ((0.0, 500.0), 0.0, True),
        ((0.0, float("nan")), 1.0, True),
        ((0.0, 0.0), 1.0, True),
    ):
        detector = Deviate(**{**SPEED, "isolated": isolated}, layout=stations(at_m))
        assert bool(feed(detector, rows, detector.start(2))) == speaks, (at_m, isolated)


def test_the_gauge_shows_value_and_limit() -> None:
    """In the metric's own unit; no limit in the first half hour."""
    detector = Deviate(**SPEED)
    state = detector.start(1)
    feed(detector, [(m, 90.0) for m in np.arange(0.0, 20.0, 1.0).tolist()], state)
    now, limit = detector.gauge(state)
    assert now[0] == 90
    assert np.isnan(limit[0])
    feed(detector, [(m, 90.0) for m in np.arange(20.0, 100.0, 1.0).tolist()], state)
    assert 20 < detector.gauge(state)[1][0] < 70
