"""Accrual: what a camera's algorithm reports, believed by the confidence that its sightings add up to."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

HALF_LIFE_S = 86_400.0
"""Runs that came to nothing count half after a day."""

Share = Annotated[Param, Spec(unit="", lo=0, hi=1)]
Seconds = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]


@dataclass(slots=True, kw_only=True)
class AccrualState:
    """State of n series.

    Attributes:
        score: float64 (n,), evidence of the run at ``seen_ns``, natural log of odds, 0 where there is none.
        seen_ns: int64 (n,), the last sighting that counted; NONE.
        look_ns: int64 (n,), the first sighting of the present look; NONE.
        look: float64 (n,), evidence of the present look.
        looks: float64 (n,), looks of the run.
        since_ns: int64 (n,), the first sighting of the run or episode; NONE while there is none.
        vain: float64 (n,), runs that came to nothing, as of ``vain_ns``.
        vain_ns: int64 (n,), see ``vain``; NONE.
        level: int8 (n,), level said; 0 none.
    """

    score: F64
    seen_ns: I64
    look_ns: I64
    look: F64
    looks: F64
    since_ns: I64
    vain: F64
    vain_ns: I64
    level: I8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odds:
    """Parameters as they are used, float64 (n,) or ().

    Natural logs of odds: needed, of one look at most, before anything is seen, fading in a nanosecond; and
    ``apart_s`` and ``dwell_s`` in ns.
    """

    need: F64
    most: F64
    prior: F64
    fade: F64
    apart: F64
    dwell: F64


@dataclass(frozen=True, kw_only=True)
class Accrual:
    """An episode of one class of events before one camera, believed from accumulated confidence.

    A reading's value is the confidence c of one sighting. It counts if ``c >= least`` and then says
    ``e = min(ln(c / (1-c)), ln(most / (1-most)))``, at least 0. Sightings within ``apart_s`` of the first are one look,
    which says what its surest sighting says: a camera that reports each of its 25 frames a second is not surer than
    one that reports one. The evidence of a run of looks adds up and fades evenly in time, as a point process that has
    stopped speaks against itself; where nothing is left the run is over and the next sighting begins another:
    ``S = max(0, S - need * dt / fade_s) + e``, ``need = logit(confirm) - logit(prior)``. The episode is found at the
    sighting at which ``P = 1 / (1 + exp(-(logit(prior) - h + S)))`` reaches ``confirm`` and the run is ``dwell_s`` old;
    it began with the run. It is over at the first tick at which its last sighting is ``quiet_s`` ago, so that a
    picture that flickers is one episode.
    ``h = ln(1 + v / habit)`` is the camera's own doubt: v counts its runs that came to nothing, halved each day.

    Args:
        least: least confidence that counts, 0 to 1.
        most: the most that one look may say, 0 to 1: 0.9 means that two are needed where a prior is 0.2.
        prior: probability that a sighting's event is there, before anything was seen, 0 to 1.
        confirm: probability from which it is believed, 0 to 1.
        fade_s: s in which the evidence that is needed fades, 0 to one day.
        apart_s: s within which sightings are one look, 0 to one day.
        dwell_s: how long it must have gone on, s, 0 to one day; for what is wrong only when it stays.
        quiet_s: s without a sighting after which it is over, 0 to one day.
        habit: vain runs that double the doubt, 0.1 to 1000; NaN: a camera's past does not count.
        level: level of the finding, 1 to 4.

    The finding's value is P, its limit ``confirm``, its confidence P; ``sure`` is the sighting's own confidence,
    ``looks`` their number, ``window_s`` the age of the run.

    Blind to: what the algorithm does not see (dark, rain on the lens, a camera turned away); an algorithm that is
    wrong in the same way frame after frame (people's verdicts tell, in fusion); sightings further apart than
    ``fade_s``. Ignores NaN and sightings marked SUSPECT.

    Source: sequential probability ratio with restart: E. S. Page, Continuous inspection schemes, Biometrika 41 (1954);
    evenly falling evidence between the points of a Poisson process: R. S. Liptser and A. N. Shiryaev, Statistics of
    Random Processes II, ch. 19. That video must be confirmed before anyone is sent: domain.md 0, finding 12.

    >>> from yiwang.columns import Readings
    >>> fire = Accrual(
    ...     least=0.5, most=0.95, prior=0.2, confirm=0.75, fade_s=60.0, apart_s=1.0, dwell_s=0.0, quiet_s=300.0,
    ...     habit=5.0, level=2.0)
    >>> state = fire.start(1)
    >>> for second, confidence in [(0, 0.8), (100, 0.8), (100.4, 0.85), (110, 0.4), (120, 0.9), (150, 0.9)]:
    ...     r = Readings.of([(0, round(second * 1e9), confidence, 0)])
    ...     found = fire.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, since, p in zip(found.level, found.since_ns, found.value):
    ...         print(second, "level", level, "since", since // 1_000_000_000, "P", round(p, 2))
    120 level 2 since 100 P 0.82
    >>> [len(fire.tick(state, second * 1_000_000_000)) for second in (449, 450, 451)]
    [0, 1, 0]
    """

    name: ClassVar[str] = "accrual"
    reasons: ClassVar[tuple[str, ...]] = ("accrual.confirmed", "accrual.quiet")
    wants_late: ClassVar[bool] = False

    least: Share
    most: Share
    prior: Share
    confirm: Share
    fade_s: Seconds
    apart_s: Seconds
    dwell_s: Seconds = 0.0
    quiet_s: Seconds
    habit: Annotated[Param, Spec(unit="runs", lo=0.1, hi=1000, absent=True)] = float("nan")
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    @cached_property
    def _odds(self) -> "_Odds":
        prior, confirm = _logit(self.prior), _logit(self.confirm)
        need = np.maximum(confirm - prior, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            fade = np.nan_to_num(need / (np.asarray(self.fade_s) * 1e9), nan=0.0, posinf=1.0)
        return _Odds(
            need=need,
            most=np.maximum(_logit(self.most), 0.0),
            prior=prior,
            fade=fade,
            apart=_nanoseconds(self.apart_s),
            dwell=_nanoseconds(self.dwell_s),
        )

    def start(self, n: int) -> AccrualState:
        """``n`` series that have seen nothing."""
        return AccrualState(
            score=np.zeros(n),
            seen_ns=np.full(n, NONE),
            look_ns=np.full(n, NONE),
            look=np.zeros(n),
            looks=np.zeros(n),
            since_ns=np.full(n, NONE),
            vain=np.zeros(n),
            vain_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: AccrualState, r: Round) -> FindingColumns:
        """One row for each series whose episode is believed."""
        with np.errstate(invalid="ignore"):
            counts = usable(r.value, r.quality) & (r.value >= at(self.least, r.series))
        rows = np.flatnonzero(counts)
        known = state.level[r.series[rows]] > 0
        if known.any():  # an episode that is known goes on
            state.seen_ns[r.series[rows[known]]] = r.t_ns[rows[known]]
            rows = rows[~known]
        if len(rows) == 0:
            return NO_FINDINGS
        s, t, c = r.series[rows], r.t_ns[rows], r.value[rows]
        need = at(self._odds.need, s)
        with np.errstate(divide="ignore"):
            e = np.minimum(np.log(np.maximum(c / (1.0 - np.minimum(c, 1.0)), 1.0)), at(self._odds.most, s))
        seen = state.seen_ns[s]
        # what was never seen has nothing left: its score is 0
        left = state.score[s] - at(self._odds.fade, s) * (t - np.where(seen == NONE, t, seen))
        fresh = left <= 0
        if fresh.any():
            self._begin(state, s[fresh], t[fresh])
        left = np.where(fresh, 0.0, left)
        doubt = self._doubt(state, s)
        look_ns = state.look_ns[s]
        other = fresh | (t - look_ns > at(self._odds.apart, s))
        look = np.where(other, 0.0, state.look[s])
        total = left + np.maximum(e - look, 0.0)
        state.score[s] = np.minimum(total, need + doubt)
        state.seen_ns[s] = t
        state.look_ns[s] = np.where(other, t, look_ns)
        state.look[s] = np.maximum(e, look)
        state.looks[s] += other
        believed = np.flatnonzero(total >= need + doubt)
        old = t[believed] - state.since_ns[s[believed]] >= at(self._odds.dwell, s[believed])
        new = believed[old]
        if len(new) == 0:
            return NO_FINDINGS
        s, t, c = s[new], t[new], c[new]
        sure = 1.0 / (1.0 + np.exp(doubt[new] - total[new] - at(self._odds.prior, s)))
        level = np.broadcast_to(at(self.level, s), len(s)).astype(np.int8)
        state.level[s] = level
        since = state.since_ns[s]
        return FindingColumns(
            series=s,
            t_ns=t,
            since_ns=since,
            level=level,
            value=sure,
            limit=np.broadcast_to(at(self.confirm, s), len(s)).astype(np.float64),
            reason=np.zeros(len(s), np.uint8),
            numbers={"sure": c, "looks": state.looks[s], "window_s": (t - since) / 1e9},
            confidence=sure,
        )

    def rests(self, state: AccrualState) -> bool:
        """Whether no tick would say or change anything."""
        return not state.level.any()

    def tick(self, state: AccrualState, t_ns: int) -> FindingColumns:
        """One row for each series whose episode is over; ``value`` is the seconds since its last sighting."""
        s = np.flatnonzero(state.level).astype(np.int32)
        quiet = t_ns - state.seen_ns[s]
        over = np.flatnonzero(quiet >= _nanoseconds(at(self.quiet_s, s)))
        if len(over) == 0:
            return NO_FINDINGS
        s = s[over]
        since = state.since_ns[s]
        state.score[s] = 0.0
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

    def gauge(self, state: AccrualState) -> tuple[F64, F64]:
        """Accumulated probability at the last sighting, and the one that is needed, float64 (n,)."""
        rows = np.arange(len(state.score), dtype=np.int32)
        odds = state.score + self._odds.prior - self._doubt(state, rows)
        seen = state.since_ns != NONE
        limit = np.broadcast_to(np.asarray(self.confirm, np.float64), len(rows))
        return np.where(seen, 1.0 / (1.0 + np.exp(-odds)), np.nan), np.where(seen, limit, np.nan)

    def _begin(self, state: AccrualState, s: I32, t: I64) -> None:
        """A run begins; the one before it, if nobody believed it, came to nothing."""
        before = state.vain_ns[s]
        halves = (t - np.where(before == NONE, t, before)) / (HALF_LIFE_S * 1e9)
        state.vain[s] = state.vain[s] * np.exp2(-halves) + (state.since_ns[s] != NONE)
        state.vain_ns[s] = t
        state.since_ns[s] = t
        state.looks[s] = 0.0

    def _doubt(self, state: AccrualState, s: I32) -> F64:
        """The camera's own doubt, float64 (k,)."""
        vain = state.vain[s]
        doubt = np.zeros(len(s))
        some = np.flatnonzero(vain)
        doubt[some] = np.nan_to_num(np.log1p(vain[some] / at(self.habit, s[some])), nan=0.0)
        return doubt


def _logit(p: Param) -> F64:
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p / (1.0 - np.asarray(p, np.float64))), -30.0, 30.0)


def _nanoseconds(seconds: Param) -> F64:
    return np.rint(np.asarray(seconds, np.float64) * 1e9)
