"""Fouling: swinging with the day, or creeping while the water is calm."""

import math

import numpy as np

from detectors.fouling import Fouling
from tests.detectors.zoning import play, zone_of

RNG = np.random.default_rng(11)
DAYS = 20


def heard(value: list[float], level: list[float] | None, **changes: float) -> list[tuple[str, int]]:
    """(reason, day) of hourly conductivity, beside a river level where there is one."""
    params = {
        "swing": 1.0,
        "creep": 0.1,
        "sign": -1.0,
        "stirred": 0.03,
        "hold_s": 172_800.0,
        "level": 4.0,
    } | changes
    roles = (0, 1) if level is not None else (0,)
    fouling = Fouling(**params, layout=zone_of(len(roles), roles=roles))
    hours = [60.0 * h for h in range(len(value))]
    columns: list[list[float | None]] = [list(value), *([list(level)] if level is not None else [])]
    return [(f.reason, int(f.t // 1440)) for _, f in play(fouling, fouling.start(len(roles)), hours, columns)]


def flat(n: int = 24 * DAYS, sd: float = 0.8) -> list[float]:
    """A calm probe."""
    return (250.0 + RNG.normal(0, sd, n)).tolist()


def test_a_daily_wave_is_found_within_four_days_and_its_end() -> None:
    """Ten days of it."""
    value = [
        v + (4 * math.sin(h * math.pi / 12) if 240 <= h < 480 else 0.0) for h, v in enumerate(flat(24 * 30))
    ]
    said = heard(value, None)
    assert [reason for reason, _ in said] == ["fouling.swing", "fouling.over"]
    assert 11 <= said[0][1] <= 14


def test_creeping_in_calm_water_is_found() -> None:
    """Conductivity that falls by 6 % a day while the level stands."""
    value = [v * (1 - 0.06 * max(0, h / 24 - 8)) for h, v in enumerate(flat())]
    assert heard(value, [14.0] * len(value), swing=float("nan"))[0][0] == "fouling.creep"


def test_a_flood_explains_what_creeps() -> None:
    """The level rose a metre: rain water thins the river."""
    value = [v * (1 - 0.06 * max(0, h / 24 - 8)) for h, v in enumerate(flat())]
    level = [14.0 + min(1.0, max(0, h / 24 - 7)) for h in range(len(value))]
    assert heard(value, level, swing=float("nan")) == []


def test_without_a_cause_creep_is_not_judged() -> None:
    """Nobody knows what the water does."""
    value = [v * (1 - 0.06 * max(0, h / 24 - 8)) for h, v in enumerate(flat())]
    assert heard(value, None, swing=float("nan")) == []


def test_noise_and_trends_are_no_wave() -> None:
    """A recession over weeks."""
    assert heard([v + h / 12 for h, v in enumerate(flat(sd=3.0))], None) == []


def test_a_long_gap_begins_anew() -> None:
    """Nothing is said in the week after it."""
    value = [v + 4 * math.sin(h * math.pi / 12) for h, v in enumerate(flat(24 * 13))]
    fouling = Fouling(swing=1.0, hold_s=172_800.0, level=4.0, layout=zone_of(1))
    hours = [60.0 * (h if h < 24 * 6 else h + 24 * 5) for h in range(len(value))]
    assert play(fouling, fouling.start(1), hours, [list(value)]) == []
