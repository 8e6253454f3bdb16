"""What is usual for a series at this hour of this day: level, profile of the day and the week, spread. Learnt on line.

The part of ``detectors.seasonal`` that predicts. All arrays have one row a series; functions work on some rows and
change the state in place, element by element.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.protocol import Param
from yiwang.columns import F64, I64

Pair = tuple[I64, I64]
Share = tuple[F64, F64]
DAY_NS = 86_400_000_000_000
HOURS, WEEK_SLOTS, SPREAD_SLOTS = 24, 168, 8
"""Slots of the profiles: hours of the day and of the week; of the spread: three hours each of the day."""
_LEVEL_D, _SPREAD_D = 4.0, 5.0
"""How long the level and the spread remember, days."""
_CLIP = 2.5
"""Residuals beyond so many deviations are drawn in before anything is learnt from them (Huber's psi)."""
_WARY, _ACCEPTS_D = 0.15, 2.0
"""How much of the usual pace is left while something unusual goes on, and when a new level is accepted, days."""
_SETTLED_D = 1.0
"""Age from which a spread is worth something: before, the profile of the day is not there."""


@dataclass(slots=True, kw_only=True)
class UsualState:
    """What has been learnt of n series.

    Attributes:
        first_ns: int64 (n,), middle of the first bin; NONE before it (``latch.NONE``).
        last_ns: int64 (n,), middle of the newest bin.
        level: float64 (n,), slow level.
        day: float64 (n, 24), deviation from it by hour of the day.
        week: float64 (n, 168), further deviation by hour of the week.
        spread: float64 (n,), mean absolute residual, as a standard deviation.
        spread_of: float64 (n, 8), the same by three hours of the day.
    """

    first_ns: I64
    last_ns: I64
    level: F64
    day: F64
    week: F64
    spread: F64
    spread_of: F64


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where m moments stand in day and week: the two slots each is between, and how far into the second.

    Attributes:
        day: two int64 (m,), and ``day_share``: two float64 (m,), adding up to 1.
        week: as ``day``.
        part: int64 (m,), slot of the spread.
        date: int64 (m,), number of the local day.
    """

    day: Pair
    day_share: Share
    week: Pair
    week_share: Share
    part: I64
    date: I64

    @classmethod
    def of(cls, t_ns: I64, utc_offset_h: Param) -> "Where":
        """Of moments, int64 (m,), at an offset of local time."""
        local = t_ns + np.rint(np.asarray(utc_offset_h) * 3.6e12).astype(np.int64)
        of_day = (local % DAY_NS) / DAY_NS
        # the first of January 1970 was a Thursday: any day may begin the week
        of_week = (local % (7 * DAY_NS)) / (7 * DAY_NS)
        day, day_share = _between(of_day, HOURS)
        week, week_share = _between(of_week, WEEK_SLOTS)
        part = (of_day * SPREAD_SLOTS).astype(np.int64) % SPREAD_SLOTS
        return cls(
            day=day,
            day_share=day_share,
            week=week,
            week_share=week_share,
            part=part,
            date=local // DAY_NS,
        )


def expected(state: UsualState, rows: I64, where: Where) -> tuple[F64, F64]:
    """What is usual at these moments, and the week's part of it: float64 (m,) each."""
    by_day = _between_slots(state.day, rows, where.day, where.day_share)
    by_week = _between_slots(state.week, rows, where.week, where.week_share)
    usual: F64 = state.level.take(rows) + by_day + by_week
    return usual, by_week


def spread(state: UsualState, rows: I64, where: Where, least: F64) -> tuple[F64, F64]:
    """Standard deviation of what is ordinary, in all and at these moments: two float64 (m,), at least ``least``."""
    common = np.maximum(state.spread.take(rows), least)
    here = state.spread_of[rows, where.part]
    return common, np.maximum(np.sqrt(0.5 * common**2 + 0.5 * here**2), least)


def learn(
    state: UsualState,
    rows: I64,
    where: Where,
    by_week: F64,
    residual: F64,
    step_d: F64,
    age_d: F64,
    unusual_d: F64,
) -> None:
    """Learn from the residuals of m rows.

    A residual is shared out in turn: the level takes its part, the profile of the day of what is left, that of the
    week of what is left then. Gains are those of a plain mean while the series is young, then of a constant memory.
    While something unusual goes on little is learnt, but for the level once that has lasted for two days.

    Args:
        by_week: float64 (m,), the week's part of what was expected.
        residual: float64 (m,), value less what was expected.
        step_d: float64 (m,), days since the bin before.
        age_d: float64 (m,), days since the first bin.
        unusual_d: float64 (m,), for how many days something unusual has been going on; 0: nothing is.
    """
    settled = age_d > _SETTLED_D
    common = state.spread[rows]
    pace = np.where(unusual_d > 0, _WARY, 1.0)
    accepts = unusual_d > _ACCEPTS_D
    bound = np.where((age_d > 2 * _SETTLED_D) & ~accepts, _CLIP * common, np.inf)
    left = np.clip(residual, -bound, bound)
    gain = np.where(accepts, 1.0, pace) * np.minimum(step_d / np.minimum(_LEVEL_D, age_d + step_d), 1.0)
    state.level[rows] += gain * left
    left = left * (1.0 - gain)
    gain = pace * np.maximum(1.0 / (1.0 + age_d), 0.03) * np.minimum(step_d * HOURS, 1.0)
    _share_out(state.day, rows, where.day, where.day_share, gain * left)
    left = left * (1.0 - gain)
    # week-ends may be quite unlike: in the first weeks whatever they are is taken
    weeks = age_d / 7.0
    weekly = np.where(weeks < 1.0, 0.7 * settled, np.maximum(1.2 / (1.0 + np.floor(weeks)), 0.2))
    left = np.where((weeks < 3.0) & (unusual_d == 0), residual, left)
    # and what one event left behind must not echo every week: back towards nothing goes fast
    back = (residual * by_week < 0) & (np.abs(residual) > bound)
    echo = back.nonzero()[0]
    if len(echo):
        most = np.abs(by_week[echo])
        left[echo] = np.clip(residual[echo], -most, most)
    gain = np.where(back, np.maximum(weekly, 0.5), pace * weekly) * np.minimum(step_d * WEEK_SLOTS / 7.0, 1.0)
    _share_out(state.week, rows, where.week, where.week_share, gain * left)

    size = 1.2533 * np.abs(residual)  # of a normal deviate the mean is 0.798 deviations
    size = np.where(age_d > 2 * _SETTLED_D, np.minimum(size, 4.0 * common), size)
    since = np.maximum(age_d - _SETTLED_D, 0.0)
    gain = pace * np.where(settled, step_d / np.clip(since + step_d, 1e-9, _SPREAD_D), 1.0)
    state.spread[rows] += gain * (size - common)
    gain = pace * np.maximum(1.0 / (1.0 + since), 0.1) * np.minimum(step_d * SPREAD_SLOTS, 1.0)
    here = state.spread_of[rows, where.part]
    state.spread_of[rows, where.part] = here + np.where(settled, gain, 1.0) * (size - here)


def centre(state: UsualState, rows: I64) -> None:
    """Move what the profiles have in common over all their slots to the level; what is expected stays as it was."""
    for profile in (state.day, state.week):
        common = profile[rows].mean(axis=1)
        profile[rows] -= common[:, None]
        state.level[rows] += common


def _between(share: F64, slots: int) -> tuple[Pair, Share]:
    """The two slots whose middles a moment is between, and their shares."""
    at = share * slots - 0.5
    left = np.floor(at)
    into = at - left
    first = left.astype(np.int64) % slots
    return (first, (first + 1) % slots), (1.0 - into, into)


def _between_slots(profile: F64, rows: I64, slots: Pair, share: Share) -> F64:
    """A profile between two of its slots, (m,)."""
    flat, begin = profile.ravel(), rows * profile.shape[1]
    value: F64 = flat.take(begin + slots[0]) * share[0] + flat.take(begin + slots[1]) * share[1]
    return value


def _share_out(profile: F64, rows: I64, slots: Pair, share: Share, amount: F64) -> None:
    """Move a profile so that between its two slots it is ``amount`` higher."""
    each = amount / (share[0] * share[0] + share[1] * share[1])
    for slot, part in zip(slots, share, strict=True):
        profile[rows, slot] += part * each


def settled(age_d: F64) -> NDArray[np.bool_]:
    """Whether a series is old enough for its extremes to be remembered: the day's profile was seen twice."""
    return age_d > 2 * _SETTLED_D
