"""Silence: a device that is offline, or one channel of it that has dropped out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.protocol import ALONE, Layout, Param, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

NEVER = np.iinfo(np.int64).max
"""Longer than any silence."""


@dataclass(slots=True, kw_only=True)
class SilenceState:
    """State of n series.

    Attributes:
        last_ns: int64 (n,), newest reading, or the tick since when we listen; NONE before both.
        tick_ns: int64 (n,), newest tick; NONE before the first.
        pace_s: float64 (n,), mean interval of its readings, s; 0 before the second reading, NaN before the first.
        since_ns: int64 (n,), the last sign before the episode; NONE while there is none.
        level: int8 (n,), level said; 0 none.
    """

    last_ns: I64
    tick_ns: I64
    pace_s: F64
    since_ns: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Silence:
    """No reading for longer than ``max(missed * max(period_s, P), least_s)``, P the series' own mean interval.

    P is learnt from about the last 16 intervals, each counted at most four times P, so that a gap hardly moves it: a
    gauge that reports by the hour is not offline after five of its metric's minutes.

    If all of a device's series that were ever heard are silent the device is *offline*: one finding, of its first series. If only some
    are, each of those has *dropped out*. While a whole zone of at least ``crowd`` devices is silent nothing is said
    of its devices one by one: what is broken then is the way to them, or the feed. After ``dark_s`` of that its first
    device speaks for all.

    If two ticks are further apart than the limit it is we who have not listened: the time begins anew for all.

    Args:
        period_s: nominal period of the metric, s; NaN or 0: reports when it likes, the check is off.
        missed: how many periods may pass, 1 to 1000.
        least_s: shortest silence worth a notice, s, 0 to 30 days.
        crowd: devices of a zone, from 2, that are not silent all at once by chance.
        dark_s: how long a whole zone may be silent, s, 0 to 30 days.
        offline_level: level of a device that is offline, 1 to 4.
        dropout_level: level of a channel that has dropped out, 1 to 4; not that of offline.

    Blind to: a device that sends, but always the same or nonsense; one that reports on events only.

    Source: P; domain.md H counts a device as online while it was heard within 3 periods.

    >>> from yiwang.columns import Readings
    >>> apart = Layout.apart(2)
    >>> one = Layout(role=apart.role, device=apart.zone * 0, place=apart.zone * 0, zone=apart.zone * 0,
    ...              metric=apart.zone, x_m=apart.x_m, y_m=apart.y_m, at_m=apart.at_m, live=apart.live)
    >>> silence = Silence(period_s=60.0, missed=5.0, least_s=0.0, crowd=3.0, dark_s=7200.0,
    ...                   offline_level=3.0, dropout_level=4.0, layout=one)
    >>> state = silence.start(2)
    >>> for minute in range(15):
    ...     rows = [(k, minute * 60_000_000_000, 1.0, 0) for k in (0, 1) if minute < (2, 5)[k]]
    ...     r = Readings.of(rows)
    ...     _ = silence.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = silence.tick(state, minute * 60_000_000_000)
    ...     for series, level, reason in zip(found.series, found.level, found.reason):
    ...         print(minute, "series", series, "level", level, silence.reasons[reason])
    7 series 0 level 4 silence.dropout
    10 series 0 level 3 silence.offline
    """

    name: ClassVar[str] = "silence"
    roles: ClassVar[tuple[str, ...]] = ("main",)
    reasons: ClassVar[tuple[str, ...]] = ("silence.offline", "silence.dropout", "silence.back")
    wants_late: ClassVar[bool] = False
    needs_feed: ClassVar[bool] = True
    """While nothing at all comes in the machine does not tick it: then the feed is silent, not its sensors."""

    period_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400, absent=True)]
    missed: Annotated[Param, Spec(unit="periods", lo=1, hi=1000)]
    least_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    crowd: Annotated[Param, Spec(unit="devices", lo=2, hi=1e6, whole=True)]
    dark_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    offline_level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    dropout_level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    @cached_property
    def _checked(self) -> NDArray[np.bool_]:
        return (each(self.period_s, np.arange(len(self.layout))) > 0) & self.layout.live

    def _limit_ns(self, state: SilenceState) -> I64:
        """int64 (n,), the longest silence; ``NEVER`` where the check is off."""
        rows = np.arange(len(self.layout))
        usual = np.maximum(np.nan_to_num(each(self.period_s, rows)), np.nan_to_num(state.pace_s))
        limit = np.maximum(usual * each(self.missed, rows), each(self.least_s, rows))
        return np.where(self._checked, np.rint(np.minimum(limit, 4e9) * 1e9).astype(np.int64), NEVER)

    @cached_property
    def _first(self) -> I64:
        """int64 (devices,), the first checked row of each device; len(layout) where it has none."""
        first = np.full(1 + self.layout.device.max(initial=-1), len(self.layout))
        rows = np.flatnonzero(self._checked)
        np.minimum.at(first, self.layout.device[rows], rows)
        return first

    @cached_property
    def _zone_of(self) -> I64:
        """int64 (devices,), the zone of each device."""
        zone = np.zeros(len(self._first), np.int64)
        zone[self.layout.device] = self.layout.zone
        return zone

    def start(self, n: int) -> SilenceState:
        """``n`` series of which nothing was heard."""
        return SilenceState(
            last_ns=np.full(n, NONE),
            tick_ns=np.full(n, NONE),
            pace_s=np.full(n, np.nan),
            since_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: SilenceState, r: Round) -> FindingColumns:
        """Remembers that they spoke; NaN and infinities are no readings."""
        heard = np.isfinite(r.value)
        s, t = r.series, r.t_ns
        if not heard.all():
            s, t = s[heard], t[heard]
        pace = state.pace_s.take(s)
        passed = np.maximum(t - np.maximum(state.last_ns.take(s), 0), 0) * 1e-9  # NONE is before all time
        passed[np.isnan(pace)] = 0.0
        state.pace_s[s] = np.where(pace > 0, pace + (np.minimum(passed, 4.0 * pace) - pace) / 16.0, passed)
        state.last_ns[s] = t
        return NO_FINDINGS

    def tick(self, state: SilenceState, t_ns: int) -> FindingColumns:
        """One row for each series that is silent now, heard again, or silent with or without its device."""
        limit_ns = self._limit_ns(state)
        deaf = (state.tick_ns == NONE) | (t_ns - state.tick_ns > limit_ns)
        state.last_ns[deaf & (state.last_ns < t_ns)] = t_ns
        state.tick_ns[:] = t_ns
        silent, offline = self._silent(state, t_ns, limit_ns)
        if not silent.any() and not state.level.any():
            return NO_FINDINGS
        device = self.layout.device
        rows = np.arange(len(silent))
        gone = offline[device]
        lead = gone & (rows == self._speaker(state, offline, t_ns)[device])
        # while the device is offline a channel that had dropped out before stays so, and the others say nothing
        want = np.where(silent & ~gone, each(self.dropout_level, rows), 0)
        want = np.where(
            silent & gone, np.where(state.level == each(self.dropout_level, rows), state.level, 0), want
        )
        want = np.where(lead, each(self.offline_level, rows), want).astype(np.int8)
        s = np.flatnonzero(want != state.level)
        if len(s) == 0:
            return NO_FINDINGS
        # an episode begins with the last reading before it; one that begins anew without a reading begins now
        since = np.where(
            state.level[s] == 0, np.maximum(state.last_ns[s], state.since_ns[s] + 1), state.since_ns[s]
        )
        state.level[s] = want[s]
        state.since_ns[s] = since
        return say(
            s,
            t_ns=np.maximum(t_ns, since),
            since_ns=since,
            level=want[s],
            value=(t_ns - state.last_ns[s]) / 1e9,
            limit=limit_ns[s] / 1e9,
            reason=np.where(lead[s], 0, np.where(want[s] > 0, 1, 2)),
        )

    def _silent(
        self, state: SilenceState, t_ns: int, limit_ns: I64
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which series are silent (n,), and which devices are offline (devices,).

        A channel that never spoke is not there as long as others of its device speak: kinds of devices list what
        they may measure.
        """
        heard = self._checked & ~np.isnan(state.pace_s)
        count = len(self._first)
        device = self.layout.device
        speaking = np.bincount(device[heard], minlength=count) > 0
        counted = heard | (self._checked & ~speaking[device])
        silent = counted & (t_ns - state.last_ns > limit_ns)
        total = np.bincount(device[counted], minlength=count)
        offline: NDArray[np.bool_] = (total > 0) & (np.bincount(device[silent], minlength=count) == total)
        return silent, offline

    def _speaker(self, state: SilenceState, offline: NDArray[np.bool_], t_ns: int) -> I64:
        """int64 (devices,), the row that says a device is offline; beyond the last row where nobody says it."""
        known = self._first < len(self.layout)
        zones = 1 + self._zone_of.max(initial=-1)
        total = np.bincount(self._zone_of[known], minlength=zones)
        mute = np.bincount(self._zone_of[offline], minlength=zones)
        crowd = np.full(zones, np.inf)
        np.minimum.at(crowd, self.layout.zone, each(self.crowd, np.arange(len(self.layout))))
        dark = (mute == total) & (total >= crowd)
        first = np.full(zones, len(self._first))
        np.minimum.at(first, self._zone_of[known], np.flatnonzero(known))
        heard = np.full(zones, NONE)
        np.maximum.at(heard, self.layout.zone, state.last_ns)
        patient = np.zeros(zones, np.int64)
        np.maximum.at(patient, self.layout.zone, nanoseconds(self.dark_s, np.arange(len(self.layout))))
        speaks = (np.arange(len(self._first)) == first[self._zone_of]) & (t_ns - heard >= patient)[
            self._zone_of
        ]
        return np.where(dark[self._zone_of] & ~speaks, len(self.layout), self._first)
