"""Shapes of signals that several generators share: the day, wandering, courses, what a sensor makes of them. Pure numpy."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from yiwang.clock import SECOND
from yiwang.columns import F64, I64

UTC_OFFSET_H = 8.0
"""Local time of the invented city."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A line through (hours since the begin, value) points, constant outside them; what really happens."""

    h: tuple[float, ...]
    value: tuple[float, ...]

    def at(self, hours: F64) -> F64:
        """Value at each moment, float64 (n,)."""
        return np.interp(hours, self.h, self.value)

    def first(self, level: float, *, falling: bool = False) -> float:
        """First hour at which the line has risen to (or fallen to) ``level``.

        Raises:
            ValueError: it never does.
        """
        for (h0, v0), (h1, v1) in pairwise(zip(self.h, self.value, strict=True)):
            if (v0 > level >= v1) if falling else (v0 < level <= v1):
                return h0 + (level - v0) / (v1 - v0) * (h1 - h0)
        raise ValueError(f"the course never reaches {level}")

    def last(self, level: float, *, falling: bool = False) -> float:
        """Last hour at which the line leaves ``level`` again: ``first`` seen from the end."""
        turned = Course(h=tuple(-h for h in reversed(self.h)), value=tuple(reversed(self.value)))
        return -turned.first(level, falling=falling)


def hours(t_ns: I64, start_ns: int) -> F64:
    """Hours since the begin, float64 (n,)."""
    return (t_ns - start_ns) / (3600.0 * SECOND)


def of_day(t_ns: I64) -> F64:
    """Local hour of the day, 0 to 24, float64 (n,)."""
    return (t_ns / (3600.0 * SECOND) + UTC_OFFSET_H) % 24.0


def daily(t_ns: I64, h: tuple[float, ...], value: tuple[float, ...]) -> F64:
    """A curve of the day through (hour, value) points, smooth enough, float64 (n,)."""
    return np.interp(of_day(t_ns), h, value, period=24.0)


def wander(rng: np.random.Generator, t_ns: I64, sd: float, tau_s: float) -> F64:
    """An Ornstein-Uhlenbeck process at irregular times: deviation ``sd``, correlated over ``tau_s``; float64 (n,)."""
    n = len(t_ns)
    keep = np.exp(-np.diff(t_ns) / (tau_s * SECOND))
    steps = rng.normal(0.0, sd, n)
    steps[1:] *= np.sqrt(1.0 - keep**2)
    out = np.empty(n)
    level = 0.0
    for i in range(n):  # each value needs the one before it
        level = steps[i] + (keep[i - 1] * level if i else 0.0)
        out[i] = level
    return out


def sensed(rng: np.random.Generator, true: F64, noise: float, resolution: float) -> F64:
    """What a sensor says: white noise of deviation ``noise`` on top, rounded to its resolution; float64 (n,)."""
    return np.round((true + rng.normal(0.0, noise, len(true))) / resolution) * resolution


def glitches(rng: np.random.Generator, value: F64, share: float, to: float) -> F64:
    """Single readings replaced by ``to``, never two in a row; float64 (n,)."""
    hit = rng.random(len(value)) < share
    hit[1:] &= ~hit[:-1]
    return np.where(hit, to, value)


def bursts(rng: np.random.Generator, t_ns: I64, per_hour: float, length_s: float) -> F64:
    """Short events at random: 1 while one lasts, else 0; float64 (n,)."""
    if len(t_ns) == 0:
        return np.zeros(0)
    span_h = (t_ns[-1] - t_ns[0]) / (3600.0 * SECOND)
    begins = t_ns[0] + np.rint(rng.random(rng.poisson(per_hour * span_h)) * span_h * 3600 * SECOND)
    on = np.zeros(len(t_ns))
    for begin in begins:  # a handful
        on[(t_ns >= begin) & (t_ns < begin + length_s * SECOND)] = 1.0
    return on


def spot(i: int, *, step_m: float = 700.0) -> tuple[float, float]:
    """Longitude and latitude of the i-th site on a grid ten wide."""
    east, north = (i % 10) * step_m, (i // 10) * step_m
    return 113.30 + east / 102_000.0, 23.10 + north / 111_000.0
