"""The forecast of water-logging: depth, extent, duration, error; what it learns, and what it is told by rain."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.protocol import Layout
from detectors.waterlogging import BINS, DEPTH, RAIN, TOTAL, LoggingState, Waterlogging
from tests.detectors.feeding import MINUTE, round_of
from yiwang.columns import F64, FindingColumns

NOTHING = {f"{of}_{i}": 0.0 for of in ("trend", "rain") for i in range(10)}
PARAMS = NOTHING | {
    "rung_iii": 15.0,
    "rung_ii": 27.0,
    "lead_s": 1800.0,
    "drain_mm_h": 30.0,
    "runoff_cm_per_mm": 1.0,
    "area_m2_per_cm": 7.0,
    "fall_cm_min": 0.2,
    "over_cm": 1.0,
    "spread": 1.2,
    "min_probability": 0.6,
    "confirm_s": 60.0,
    "hold_s": 600.0,
    "fresh_s": 900.0,
}


def one(**changes: float) -> Waterlogging:
    """A site without a rain gauge."""
    return Waterlogging(**PARAMS | changes, layout=Layout.apart(1))


def beside(role: int, **changes: float) -> Waterlogging:
    """A site with a rain gauge in its zone, and one in another."""
    layout = replace(
        Layout.apart(3),
        role=np.array([DEPTH, role, role], np.int8),
        zone=np.array([0, 0, 1], np.int32),
        x_m=np.array([0.0, 800.0, 10.0]),
    )
    return Waterlogging(**PARAMS | changes, layout=layout)


def play(
    detector: Waterlogging, depth: F64, rain: F64 | None = None, every: int = 1
) -> tuple[LoggingState, list[FindingColumns], F64]:
    """A depth (and rain) each minute, read every so many; the forecasts made, one a minute."""
    state = detector.start(len(detector.layout))
    said, ahead = [], np.full(len(depth), np.nan)
    for minute, value in enumerate(depth.tolist()):
        if minute % every == 0:
            rows = [(0, float(minute), value, 0)]
            if rain is not None:
                rows.append((1, float(minute), float(rain[minute]), 0))
            detector.step(state, round_of(*rows))
        found = detector.tick(state, minute * MINUTE)
        if len(found):
            said.append(found)
        ahead[minute] = detector.forecast(state).ahead_cm[0]
    return state, said, ahead


def floods(count: int) -> F64:
    """The same flood again and again, six hours apart: up 20 cm in 40 min, down in 100."""
    one_flood = np.interp(np.arange(360.0), [60, 100, 200], [0, 20, 0])
    return np.tile(one_flood, count)


def error(depth: F64, ahead: F64) -> float:
    """Mean absolute error of the forecast half an hour ahead, cm, over wet minutes."""
    came = depth[30:]
    wet = depth[:-30] > 0
    return float(np.abs(ahead[:-30] - came)[wet].mean())


def test_without_weights_it_is_persistence_until_it_has_learned() -> None:
    """Twenty floods of one shape: the site's own weights halve the error of the first floods."""
    depth = floods(20)
    _, _, ahead = play(one(), depth)
    first, last = slice(0, 720), slice(-1080, None)
    assert error(depth[last], ahead[last]) < 0.75 * error(depth[first], ahead[first])
    _, _, stays = play(one(spread=0.0), depth)
    np.testing.assert_array_equal(stays, depth)


def test_a_trend_is_followed_and_the_depth_never_forecast_below_the_road() -> None:
    """Weight on the rise over the mean of 5 min: 1 cm a minute foresees more; falling water ends at 0."""
    _, _, ahead = play(one(trend_0=4.0, spread=0.0), np.concatenate((np.zeros(5), np.arange(20.0))))
    assert ahead[-1] > 19.0 + 12.0
    _, _, ahead = play(
        one(trend_0=40.0, spread=0.0), np.concatenate((np.full(20, 20.0), np.arange(19.0, 0, -1)))
    )
    assert ahead[-1] == 0.0


@pytest.mark.parametrize(("role", "told"), [(RAIN, 90.0), (BINS, 7.5), (TOTAL, 1.5)])
def test_rain_beyond_the_drains_is_foreseen_in_whatever_form_it_comes(role: int, told: float) -> None:
    """90 mm/h as a rate, as 7.5 mm in 5 min, as a counter that rises 1.5 mm a minute: 60 mm/h too much for the drains."""
    rain = np.cumsum(np.full(30, told)) if role == TOTAL else np.full(30, told)
    detector = beside(role, rain_7=1.0, spread=0.0)
    _, _, ahead = play(detector, np.zeros(30), rain)
    assert ahead[-1] == pytest.approx(0.8 * 30.0, rel=0.1)  # 0.8 by the rain, the rest by a depth that stays


def test_rain_of_another_zone_says_nothing() -> None:
    """Only the second gauge, nearer but in another zone, tells of rain."""
    detector = beside(RAIN, rain_7=1.0, spread=0.0)
    state = detector.start(3)
    for minute in range(30):
        detector.step(state, round_of((0, float(minute), 0.0, 0), (2, float(minute), 90.0, 0)))
        assert len(detector.tick(state, minute * MINUTE)) == 0
    assert detector.forecast(state).ahead_cm.tolist() == [0.0]
    assert detector.rain_known(state, 30 * MINUTE).tolist() == [False]


def test_without_the_runoff_of_the_site_rain_is_only_learned() -> None:
    """The weights by the rain are for sites that somebody has surveyed."""
    _, _, ahead = play(
        beside(RAIN, rain_7=1.0, spread=0.0, runoff_cm_per_mm=float("nan")), np.zeros(30), np.full(30, 90.0)
    )
    assert ahead[-1] == 0.0


def test_the_four_things_and_the_error_are_said_in_numbers() -> None:
    """Place is the series; depth, extent, duration, lead and error stand beside, the confidence is a probability."""
    depth = np.concatenate((np.zeros(5), np.arange(14.0)))
    state, said, _ = play(one(trend_0=4.0, spread=0.0), depth)
    found = said[0]
    numbers = {name: float(column[0]) for name, column in found.numbers.items()}
    assert found.level.tolist() == [3]
    assert found.limit.tolist() == [15.0]
    assert numbers["depth_cm"] == found.value[0] >= 15.0
    assert numbers["lead_min"] == 30.0
    assert numbers["extent_m2"] == pytest.approx(7.0 * numbers["depth_cm"])
    assert numbers["duration_min"] == pytest.approx(30.0 + (numbers["depth_cm"] - 1.0) / 0.2)
    assert numbers["error_cm"] > 0
    assert found.confidence is not None
    assert 0.6 <= found.confidence[0] <= 1.0
    assert detector_error(state) == pytest.approx(1.0)


def detector_error(state: LoggingState) -> float:
    """The stored quantile of the one site."""
    return float(state.error[0])


def test_eight_of_ten_errors_are_within_what_is_stated() -> None:
    """After it has learned, on floods of varying height."""
    rng = np.random.default_rng(5)
    depth = np.concatenate([floods(1) * float(h) for h in rng.uniform(0.4, 1.8, 40)])
    detector = one(trend_0=3.0)
    state = detector.start(1)
    within = []
    stated = np.full(len(depth), np.nan)
    ahead = np.full(len(depth), np.nan)
    for minute, value in enumerate(depth.tolist()):
        detector.step(state, round_of((0, float(minute), value, 0)))
        detector.tick(state, minute * MINUTE)
        f = detector.forecast(state)
        ahead[minute], stated[minute] = f.ahead_cm[0], f.error_cm[0]
    late = np.flatnonzero(depth[:-30] > 0)[2000:]
    within = np.abs(ahead[late] - depth[late + 30]) <= stated[late]
    assert 0.7 <= within.mean() <= 0.95


def test_a_silent_sensor_has_no_forecast() -> None:
    """After a quarter of an hour; it comes back with the sensor."""
    detector = one()
    state, _, _ = play(detector, np.full(10, 8.0))
    detector.tick(state, 30 * MINUTE)
    assert np.isnan(detector.forecast(state).ahead_cm[0])
    detector.step(state, round_of((0, 31.0, 8.0, 0)))
    detector.tick(state, 31 * MINUTE)
    assert detector.forecast(state).ahead_cm[0] == pytest.approx(8.0, abs=0.5)


def test_what_is_reached_is_no_forecast_and_what_passes_is_over() -> None:
    """The ladder speaks of what is; after ten minutes without a rung ahead the warning ends."""
    depth = np.concatenate((np.zeros(5), np.arange(14.0), np.full(40, 14.0)))
    _, said, _ = play(one(trend_0=4.0, spread=0.0), depth)
    levels = [int(f.level[0]) for f in said]
    assert levels[0] == 3
    assert levels[-1] == 0
    assert len({int(f.since_ns[0]) for f in said}) == 1
