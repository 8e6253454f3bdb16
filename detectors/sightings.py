"""Sightings: what a camera's algorithm reports, believed once it has been seen several times."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at
from yiwang.columns import I64, NO_FINDINGS, FindingColumns, Round

REMEMBERED = 8
"""Sightings kept per series; the most that can be asked for as confirmation."""


@dataclass(slots=True, kw_only=True)
class SightingsState:
    """State of n series.

    Attributes:
        seen_ns: int64 (n, 8), times of the last sightings that counted, newest last; NONE.
        since_ns: int64 (n,), first sighting of the episode; NONE while there is none.
        level: int8 (n,), level said; 0 none.
    """

    seen_ns: I64
    since_ns: I64
    level: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """An episode of sightings of one class of events by one camera.

    A reading's value is the confidence c of one sighting. It counts if ``c >= min_confidence``. An episode is found
    at the sighting that is the ``confirm_count``-th to count within ``window_s``, and began with the first of these.
    It is over at the first tick at which the last one that counted is ``quiet_s`` ago.

    Args:
        min_confidence: 0 to 1.
        confirm_count: sightings, 1 to 8.
        window_s: s, 0 to one day.
        quiet_s: s, 0 to one day.
        level: level of the finding, 1 to 4.

    Blind to: what the algorithm does not see (dark, rain on the lens, a camera turned away); an algorithm that is
    wrong in the same way frame after frame; a scene that is watched only now and then (``quiet_s`` must be longer
    than the patrol). Ignores NaN and sightings marked SUSPECT.

    Source: k sightings in a window, the plain binary-integration rule of radar practice; that video must be
    confirmed before anyone is sent is domain.md 0, finding 12.

    >>> from yiwang.columns import Readings
    >>> sightings = Sightings(min_confidence=0.6, confirm_count=2.0, window_s=60.0, quiet_s=300.0, level=2.0)
    >>> state = sightings.start(1)
    >>> for second, confidence in [(0, 0.7), (90, 0.9), (100, 0.4), (120, 0.8), (150, 0.9)]:
    ...     r = Readings.of([(0, second * 1_000_000_000, confidence, 0)])
    ...     found = sightings.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, since in zip(found.level, found.since_ns):
    ...         print(second, "level", level, "since", since // 1_000_000_000)
    120 level 2 since 90
    >>> [len(sightings.tick(state, second * 1_000_000_000)) for second in (449, 450, 451)]
    [0, 1, 0]
    """

    name: ClassVar[str] = "sightings"
    reasons: ClassVar[tuple[str, ...]] = ("sightings.confirmed", "sightings.quiet")
    wants_late: ClassVar[bool] = False

    min_confidence: Annotated[Param, Spec(unit="", lo=0, hi=1)]
    confirm_count: Annotated[Param, Spec(unit="sightings", lo=1, hi=REMEMBERED, whole=True)]
    window_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    quiet_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> SightingsState:
        """``n`` series that have seen nothing."""
        return SightingsState(
            seen_ns=np.full((n, REMEMBERED), NONE), since_ns=np.full(n, NONE), level=np.zeros(n, np.int8)
        )

    def step(self, state: SightingsState, r: Round) -> FindingColumns:
        """One row for each series whose episode is confirmed."""
        with np.errstate(invalid="ignore"):
            counts = usable(r.value, r.quality) & (r.value >= at(self.min_confidence, r.series))
        rows = np.flatnonzero(counts)
        if len(rows) == 0:
            return NO_FINDINGS
        s, t = r.series[rows], r.t_ns[rows]
        seen = np.concatenate([state.seen_ns[s, 1:], t[:, None]], axis=1)
        state.seen_ns[s] = seen
        count = np.clip(at(self.confirm_count, s), 1, REMEMBERED)
        count = np.broadcast_to(count, len(s)).astype(np.int64)
        first = seen[np.arange(len(s)), REMEMBERED - count]
        window = _nanoseconds(at(self.window_s, s))
        new = np.flatnonzero((state.level[s] == 0) & (first != NONE) & (first >= t - window))
        if len(new) == 0:
            return NO_FINDINGS
        s, rows = s[new], rows[new]
        level = np.broadcast_to(at(self.level, s), len(s)).astype(np.int8)
        state.level[s] = level
        state.since_ns[s] = first[new]
        return FindingColumns(
            series=s,
            t_ns=r.t_ns[rows],
            since_ns=first[new],
            level=level,
            value=r.value[rows],
            limit=np.broadcast_to(at(self.min_confidence, s), len(s)).astype(np.float64),
            reason=np.zeros(len(s), np.uint8),
        )

    def rests(self, state: SightingsState) -> bool:
        """Whether no tick would say or change anything."""
        return not state.level.any()

    def tick(self, state: SightingsState, t_ns: int) -> FindingColumns:
        """One row for each series whose episode is over; ``value`` is the seconds since its last sighting."""
        s = np.flatnonzero(state.level).astype(np.int32)
        quiet = t_ns - state.seen_ns[s, -1]
        over = np.flatnonzero(quiet >= _nanoseconds(at(self.quiet_s, s)))
        if len(over) == 0:
            return NO_FINDINGS
        s = s[over]
        since = state.since_ns[s]
        state.seen_ns[s] = NONE
        state.since_ns[s] = NONE
        state.level[s] = 0
        return FindingColumns(
            series=s,
            t_ns=np.full(len(s), t_ns),
            since_ns=since,
            level=np.zeros(len(s), np.int8),
            value=quiet[over] / 1e9,
            limit=np.broadcast_to(at(self.quiet_s, s), len(s)).astype(np.float64),
            reason=np.ones(len(s), np.uint8),
        )


def _nanoseconds(seconds: Param) -> I64:
    return np.rint(np.asarray(seconds, np.float64) * 1e9).astype(np.int64)
