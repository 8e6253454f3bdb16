"""How often states are kept: often where it costs nothing, in proportion where it does, never too seldom."""

import pytest

from streams.keeping import LONGEST_S, SHARE, Figures, Pace


@pytest.mark.parametrize(
    ("partitions", "cpu_s", "rest_s"),
    [
        (1, 0.001, 1.0),  # a small city: every second
        (4, 0.001, 0.25),  # of four each every second
        (1, 0.2, 4.0),  # a big district: a twentieth of a core
        (4, 0.2, 4.0),  # four of them: each every 16 s
        (1, 9.0, LONGEST_S),
        (4, 9.0, LONGEST_S / 4),
        (0, 0.0, 1.0),
    ],
)
def test_the_rest_is_in_proportion_to_the_cost(partitions: int, cpu_s: float, rest_s: float) -> None:
    """Between a second and half a minute for each partition."""
    assert Pace(1.0).rest_s(partitions, cpu_s=cpu_s, took_s=0.0) == rest_s
    assert cpu_s / rest_s <= SHARE or rest_s * max(1, partitions) == LONGEST_S


def test_a_slow_database_is_left_alone_as_long_as_it_took() -> None:
    """Though it cost us nothing."""
    assert Pace(1.0).rest_s(1, cpu_s=0.0, took_s=8.0) == 8.0


def test_a_database_that_is_away_is_asked_ever_less_often() -> None:
    """Up to the longest interval; once it is back all is as before."""
    pace = Pace(1.0)
    assert [pace.miss_s() for _ in range(7)] == [2, 4, 8, 16, 30, 30, 30]
    assert pace.rest_s(1, cpu_s=0.0, took_s=0.0) == 1.0
    assert pace.miss_s() == 2


def test_somebody_who_asks_for_longer_intervals_gets_them() -> None:
    """The shortest interval may be above what is the longest otherwise."""
    assert Pace(60.0).rest_s(1, cpu_s=0.0, took_s=0.0) == 60.0


def test_figures_tell_interval_pause_and_share() -> None:
    """The share needs two snapshots; the longest pause stays."""
    figures = Figures()
    figures.paused(0.004)
    figures.done(100.0, 100.5, 0.1)
    assert (figures.share, figures.took_s) == (0.0, 0.5)
    figures.paused(0.002)
    figures.done(104.0, 104.5, 0.1)
    assert (figures.kept, figures.interval_s, figures.share) == (2, 4.0, 0.1 / 4)
    assert (figures.pause_s, figures.longest_pause_s) == (0.002, 0.004)
