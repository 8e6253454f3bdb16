"""The seasonal fallback: what is usual, how large the ordinary gets, and what is beyond."""

import numpy as np
import pytest

from detectors import extremes
from detectors.extremes import BLOCKS, return_level
from detectors.latch import NONE
from detectors.seasonal import Seasonal
from yiwang.columns import F64, I64, Round

DAY = 86_400_000_000_000
BEGIN = 1_700_000_000_000_000_000 // (7 * DAY) * (7 * DAY) + 4 * DAY  # a Monday, in Greenwich

Said = tuple[float, int, str]


def play(t_d: F64, value: F64, **params: float) -> list[Said]:
    """Everything said of readings at days since the begin: (day, level, reason); ticks every ten minutes."""
    seasonal = Seasonal(**params)
    state = seasonal.start(1)
    said: list[Said] = []
    t_ns: I64 = BEGIN + np.rint(t_d * DAY).astype(np.int64)
    grid = 600_000_000_000
    tick = int(t_ns[0]) // grid * grid
    for t, v in zip(t_ns.tolist(), value.tolist(), strict=True):
        found = []
        while tick + grid <= t:
            tick += grid
            found.append(seasonal.tick(state, tick))
        one = np.zeros(1, np.int32)
        r = Round(series=one, t_ns=np.array([t]), value=np.array([v]), quality=np.zeros(1, np.uint8))
        found.append(seasonal.step(state, r))
        said += [
            (round((int(f.t_ns[i]) - BEGIN) / DAY, 2), int(f.level[i]), seasonal.reasons[f.reason[i]])
            for f in found
            for i in range(len(f))
        ]
    return said


def office(rng: np.random.Generator, days: float, every_min: float = 10.0) -> tuple[F64, F64]:
    """People in a building: working days, week-ends, some unrest, uneven times."""
    t = np.arange(0, days, every_min / 1440) + rng.uniform(
        0, every_min / 4 / 1440, round(days * 1440 / every_min)
    )
    busy = np.exp(-(((t % 1 - 0.55) / 0.15) ** 2)) * np.where(t // 1 % 7 >= 5, 0.15, 1.0)
    return t, 20 + 400 * busy * np.exp(rng.normal(0, 0.05, len(t))) + rng.normal(0, 4, len(t))


def test_ordinary_weeks_are_quiet_and_a_holiday_is_not() -> None:
    """Week-ends are learnt; a working day without people is found before noon, once."""
    t, value = office(np.random.default_rng(3), 28)
    assert play(t, value, utc_offset_h=0.0) == []
    holiday = (t >= 22) & (t < 23)
    value[holiday] = 20 + 0.15 * (value[holiday] - 20)
    said = play(t, value, utc_offset_h=0.0)
    assert [(level, reason) for _, level, reason in said] == [(4, "seasonal.low"), (0, "seasonal.usual")]
    assert 22.2 < said[0][0] < 22.5


def test_a_sudden_change_is_found_within_two_bins() -> None:
    """And the finding says what would have been usual."""
    rng = np.random.default_rng(4)
    t = np.arange(0, 12, 5 / 1440)
    value = 60 + rng.normal(0, 2, len(t)) - 35 * ((t > 10.3) & (t < 10.4))
    said = play(t, value)
    assert [(level, reason) for _, level, reason in said] == [(4, "seasonal.low"), (0, "seasonal.usual")]
    assert 10.3 <= said[0][0] <= 10.33


def test_nothing_is_said_while_learning() -> None:
    """Not even of what is plain to see."""
    t = np.arange(0, 3, 5 / 1440)
    value = np.where((t > 2.5) & (t < 2.6), 500.0, 60.0) + np.sin(np.arange(len(t)))
    assert play(t, value, learn_days=4.0) == []


def test_scale_and_offset_of_the_metric_do_not_matter() -> None:
    """Kelvin or millikelvin: the same said at the same moments."""
    t, value = office(np.random.default_rng(5), 16)
    value[(t >= 13.5) & (t < 13.6)] += 300
    said = play(t, value)
    assert said
    assert play(t, 1000 * value - 5e5) == said


def test_heavy_tails_raise_the_limits() -> None:
    """Spikes that come every day are ordinary; the same spike alone is not."""
    rng = np.random.default_rng(6)
    t = np.arange(0, 25, 10 / 1440)
    spiky = 100 + rng.normal(0, 2, len(t))
    spiky[rng.random(len(t)) < 0.02] += 60
    assert [s for s in play(t, spiky, return_days=1000.0) if s[0] > 8] == []
    alone = 100 + rng.normal(0, 2, len(t))
    alone[(t > 20.01) & (t < 20.04)] += 60
    assert [s[1:] for s in play(t, alone, return_days=1000.0)][:1] == [(4, "seasonal.high")]


def test_a_new_level_becomes_usual() -> None:
    """One episode that ends within two weeks, though the value never comes back."""
    rng = np.random.default_rng(7)
    t = np.arange(0, 40, 10 / 1440)
    value = np.where(t < 12, 50.0, 75.0) + rng.normal(0, 2, len(t))
    said = play(t, value)
    assert [s[1] for s in said] == [4, 0]
    assert said[0][0] == pytest.approx(12.0, abs=0.03)
    assert said[1][0] < 27


def test_least_is_what_may_matter_at_all() -> None:
    """A constant that moves by less than it is still constant."""
    t = np.arange(0, 12, 10 / 1440)
    value = np.where(t > 10, 50.5, 50.0)
    assert [s[1] for s in play(t, value)][:1] == [4]
    assert play(t, value, least=1.0) == []


def test_gaps_and_bad_readings_raise_nothing() -> None:
    """Days of silence, NaN and infinities."""
    t, value = office(np.random.default_rng(8), 20)
    kept = (t < 9) | (t > 12)
    value[::50] = np.nan
    value[7::90] = np.inf
    assert play(t[kept], value[kept], utc_offset_h=0.0) == []


def test_a_bin_may_be_closed_by_the_next_reading() -> None:
    """Without any tick between: then the finding is of that reading's moment."""
    rng = np.random.default_rng(9)
    seasonal = Seasonal(bin_s=1800.0)
    state = seasonal.start(1)
    found = []
    for k in range(48 * 10):
        v = 10.0 + rng.normal(0, 1) + (30.0 if k >= 470 else 0.0)
        t = BEGIN + k * DAY // 48
        r = Round(
            series=np.zeros(1, np.int32),
            t_ns=np.array([t]),
            value=np.array([v]),
            quality=np.zeros(1, np.uint8),
        )
        f = seasonal.step(state, r)
        found += [(int(x), int(s)) for x, s in zip(f.t_ns, f.since_ns, strict=True)]
    assert found == [(BEGIN + 471 * DAY // 48, BEGIN + 470 * DAY // 48)]


def test_the_gauge_is_the_statistic_over_its_limit() -> None:
    """NaN while there is no limit."""
    seasonal = Seasonal()
    state = seasonal.start(2)
    state.kept[1] = 5
    state.ratio[1] = 0.7
    statistic, limit = seasonal.gauge(state)
    assert np.isnan(statistic[0])
    assert (statistic[1], limit[1]) == (0.7, 1.0)
    assert state.first_ns.tolist() == [NONE, NONE]


def test_return_level_of_a_known_law() -> None:
    """Of Frechet maxima of shape 1/0.3 the level that is passed once in 100 days, within a fifth on average."""
    rng = np.random.default_rng(10)
    maxima = np.exp(rng.gumbel(1.0, 0.3, (400, 1, BLOCKS)))
    levels = np.log(return_level(maxima, np.full(400, BLOCKS), np.full(400, 100.0)))
    true = 1.0 - 0.3 * np.log(-np.log(1 - 1 / 100))
    assert np.median(levels) == pytest.approx(true, rel=0.2)


def test_few_days_and_a_wild_one_among_many() -> None:
    """Two days make a cautious level; one in sixteen far out moves it little."""
    calm = np.full((1, 1, BLOCKS), 2.0) * np.linspace(0.9, 1.1, BLOCKS)
    wild = calm.copy()
    wild[0, 0, 3] = 500.0
    level, few, moved = (
        float(return_level(peaks, np.array([kept]), np.array([60.0]))[0, 0])
        for peaks, kept in ((calm, BLOCKS), (calm, 2), (wild, BLOCKS))
    )
    assert few > 1.5 * level
    assert moved < 1.2 * level
    assert extremes.BLOCKS == 16
