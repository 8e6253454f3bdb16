"""Corridor: incidents on a road watched by a row of stations, told from recurrent queues and travelling waves."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.corridor_queue import Queue, queue_behind
from detectors.corridor_view import DAY_BINS, Stations, View, look, remember, stations_of
from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

Bool = NDArray[np.bool_]


@dataclass(slots=True, kw_only=True)
class CorridorState:
    """State of n series. What belongs to a station stands in the row of its first series.

    Attributes:
        t_ns: int64 (n,), newest reading; NONE.
        born_ns: int64 (n,), first reading; NONE.
        gap_s: float64 (n,), usual time between readings; NaN before the second.
        fast: float64 (n,), mean of the last minute or so; NaN.
        slow: float64 (n,), mean of the last half hour, all but stopped while ``held``; NaN.
        free: float64 (n,), of a speed its free speed, of an occupancy its station's free flow per occupancy; NaN.
        held: bool (n,), whether something is going on here, so that ``slow`` must stay what was before it.
        known_ns: int64 (n,), when the station was last seen; NONE.
        before: float64 (n,), relative speed of the last five minutes; NaN.
        jam: bool (n,), congested.
        jam_ns: int64 (n,), since when; NONE.
        jam_last_ns: int64 (n,), when it last was; NONE.
        new: bool (n,), whether the present jam was seen to begin here, with free traffic downstream.
        left: float64 (n,), flow downstream of the present jam by what it was before, smoothed over minutes; NaN.
        season: float64 (n,), how usual a jam was at this time of day when the present one began.
        steep: float64 (n,), greatest fall of relative speed within the present jam's first minutes.
        score: float64 (n,), evidence that an incident heads the jam; NaN while there is nothing to judge.
        turn_ns: int64 (n,), since when it is enough; while a finding is open, since when traffic is free; NONE.
        level: int8 (n,), level said.
        since_ns: int64 (n,), start of the episode; NONE.
        tail_m: float64 (n,), where the queue's tail was when it was found; NaN.
        first_ns: int64 (n,), first tick: origin of the days; NONE.
        slot: int64 (n,), present bin of the day; -1.
        jam_s: float64 (n,), time congested within it, s. Likewise ``seen_s`` all of it.
        days: float64 (n,), how many days were seen.
        usual: float64 (n, 48), how usual a jam is here at that time of the day, 0..1.
        tick_ns: int64 (n,), the last tick; NONE.
    """

    t_ns: I64
    born_ns: I64
    gap_s: F64
    fast: F64
    slow: F64
    free: F64
    held: Bool
    known_ns: I64
    before: F64
    jam: Bool
    jam_ns: I64
    jam_last_ns: I64
    new: Bool
    left: F64
    season: F64
    steep: F64
    score: F64
    turn_ns: I64
    level: I8
    since_ns: I64
    tail_m: F64
    first_ns: I64
    slot: I64
    jam_s: F64
    seen_s: F64
    days: F64
    usual: F64
    tick_ns: I64


SMOOTH_S = 45.0
SLOW_S = 1800.0
LEFT_S = 150.0
HELD = 0.1
"""How much slower the slow mean goes while it is held."""


@dataclass(frozen=True, kw_only=True)
class Corridor:
    """One finding for one incident, at the station at the head of its queue, whatever the queue's length.

    Stations are the distinct chainages of a zone (both directions of a road are two zones); all series at one are its
    lanes. Each has a relative speed v: speed by free speed; without speeds flow per occupancy by its free value;
    without flows too ``occupancy / o`` above that limit. A station is congested from v < ``enter`` until v > ``leave``.

    Where a jam begins while the next station downstream is free, and was not congested shortly before (else a wave
    travelled up from there), the question is whether an incident heads it or a bottleneck. The score adds up

    - flow: (0.87 - r) / 0.04 within -4..6, r = flow downstream by that of the half hour before, smoothed over 150 s from
      the jam's begin on. A bottleneck goes on discharging nearly its capacity (loss 5-10 %), an incident lets a share
      through;
    - depth: (0.42 - v) / 0.08 within -2..2.5, as a queue's speed goes with the capacity left at its head;
    - step: (v downstream - v - 0.4) / 0.1 within -2..2;
    - steepness: (fall of v within minutes - 0.3) / 0.1 within -1.5..2; these three count half where flow is known;
    - season: -8 u, u = how usual a jam is at this station at this time of day (half hours and their neighbours,
      learned from day to day); +1 where it has not been usual for three days.

    A finding opens when the score is at least ``evidence`` for ``confirm_s``, half of that from three more on. A jam
    older than ten minutes, or five reports, (a rush-hour queue) can be overtaken by an incident too: then only with flow at most 0.72,
    one more point of score and for four minutes.
    The queue is what is congested upstream without a break (one station may be missing or between two waves); its
    length gives the level: III, from ``queue_ii_m`` on II, from ``queue_i_m`` on I. The finding is over when the
    station at the head has been free for ``clear_s``.

    Args:
        enter: share of free speed, 0..1. Likewise ``leave``.
        jam_occupancy: %, occupancy above which traffic is no longer free, where only occupancies are known.
        evidence: score that is needed; 99 switches the detector off.
        confirm_s: s. Likewise ``clear_s``.
        reach_m: how far apart neighbouring stations may be to be judged together, m.
        queue_ii_m: m, 0 to 100 km. Likewise ``queue_i_m``.

    Blind to: an incident that costs nobody time (light traffic, the shoulder); one downstream of the last station; one
    in which the station next upstream was silent or already congested, unless flow falls; lanes that are closed by
    plan. Without flow it cannot tell a sudden deep queue at a new place from an incident. Ignores NaN, negative
    values and readings marked SUSPECT; takes a speed of nearly 0 with an empty loop for a fault; a station counts as
    silent after 2.5 of its usual intervals, at least 90 s.

    Source: own, from shock-wave theory (Lighthill & Whitham 1955; Daganzo 1994), the capacity drop (Hall & Agyemang-Duah
    1991, TRR 1320) and the use of a historical profile (Persaud, Hall & Hall 1990, TRR 1287, McMaster). Numbers are P.

    >>> from yiwang.columns import Readings
    >>> four = np.arange(4, dtype=np.int32)
    >>> road = Layout(role=np.zeros(4, np.int8), device=four, place=four, zone=np.zeros(4, np.int32),
    ...     metric=np.zeros(4, np.int32), x_m=np.zeros(4), y_m=np.zeros(4), at_m=500.0 * four, live=np.ones(4, np.bool_))
    >>> corridor = Corridor(enter=0.55, leave=0.7, jam_occupancy=15.0, evidence=3.0, confirm_s=60.0, clear_s=240.0,
    ...     reach_m=3500.0, queue_ii_m=2000.0, queue_i_m=8000.0, layout=road)
    >>> state = corridor.start(4)
    >>> free, blocked = (100, 98, 101, 99), (100, 12, 100, 99)  # downstream of the second station a lane is lost
    >>> for minute, kmh in enumerate([free] * 20 + [blocked] * 3 + [(15, 12, 100, 99)] * 3 + [free] * 8):
    ...     r = Readings.of([(i, minute * 60_000_000_000, float(v), 0) for i, v in enumerate(kmh)])
    ...     _ = corridor.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = corridor.tick(state, minute * 60_000_000_000)
    ...     for series, level, reason in zip(found.series, found.level, found.reason):
    ...         print(minute, "station", series, "level", level, corridor.reasons[reason])
    21 station 1 level 3 corridor.incident
    30 station 1 level 0 corridor.clear
    """

    name: ClassVar[str] = "corridor"
    roles: ClassVar[tuple[str, ...]] = ("speed", "occupancy", "flow")
    reasons: ClassVar[tuple[str, ...]] = ("corridor.incident", "corridor.queue", "corridor.clear")
    wants_late: ClassVar[bool] = False

    enter: Annotated[Param, Spec(unit="", lo=0, hi=1)]
    leave: Annotated[Param, Spec(unit="", lo=0, hi=1)]
    jam_occupancy: Annotated[Param, Spec(unit="%", lo=1, hi=100)]
    evidence: Annotated[Param, Spec(unit="", lo=-20, hi=99)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=3600)]
    clear_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    reach_m: Annotated[Param, Spec(unit="m", lo=0, hi=20_000)]
    queue_ii_m: Annotated[Param, Spec(unit="m", lo=0, hi=100_000)]
    queue_i_m: Annotated[Param, Spec(unit="m", lo=0, hi=100_000)]
    layout: Layout = ALONE

    @cached_property
    def _stations(self) -> Stations:
        return stations_of(self.layout)

    def start(self, n: int) -> CorridorState:
        """``n`` series that have said nothing."""
        nan, none, zero, no = np.full(n, np.nan), np.full(n, NONE), np.zeros(n), np.zeros(n, np.bool_)
        return CorridorState(
            t_ns=none,
            born_ns=none.copy(),
            gap_s=nan,
            fast=nan.copy(),
            slow=nan.copy(),
            free=nan.copy(),
            held=no,
            known_ns=none.copy(),
            before=nan.copy(),
            jam=no.copy(),
            jam_ns=none.copy(),
            jam_last_ns=none.copy(),
            new=no.copy(),
            left=nan.copy(),
            season=zero.copy(),
            steep=zero,
            score=nan.copy(),
            turn_ns=none.copy(),
            level=np.zeros(n, np.int8),
            since_ns=none.copy(),
            tail_m=nan.copy(),
            first_ns=none.copy(),
            slot=np.full(n, -1),
            jam_s=zero.copy(),
            seen_s=zero.copy(),
            days=zero.copy(),
            usual=np.zeros((n, DAY_BINS)),
            tick_ns=none.copy(),
        )

    def step(self, state: CorridorState, r: Round) -> FindingColumns:
        """Remember; says nothing."""
        s, t, v = r.series.astype(np.intp), r.t_ns, r.value  # numpy is much slower with int32 as index
        with np.errstate(invalid="ignore"):
            good = usable(v, r.quality) & (v >= 0.0) & (v < 1e6)
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        last, usual = state.t_ns.take(s), state.gap_s.take(s)
        gap = np.maximum((t - last) / 1e9, 0.0)  # of a first reading it means nothing
        fast, slow = state.fast.take(s), state.slow.take(s)
        away = np.exp(gap / -SMOOTH_S)
        age = np.maximum((t - state.born_ns.take(s)) / 1e9, 1.0)
        tau = np.minimum(age, SLOW_S)  # a young mean is that of all there was
        kept = np.exp(gap * np.where(state.held.take(s), -HELD, -1.0) / tau)
        step = np.where(gap > 4.0 * usual, 0.05, 0.2) * (gap - usual)  # an outage is no new interval
        fast = v + away * (fast - v)
        slow = v + kept * (slow - v)
        usual += step
        new = np.flatnonzero(np.isnan(usual))
        if len(new):
            second = last[new] != NONE
            usual[new] = np.where(second, gap[new], np.nan)
            fast[new] = np.where(second, fast[new], v[new])
            slow[new] = np.where(second, slow[new], v[new])
            state.born_ns[s[new]] = np.where(second, state.born_ns[s[new]], t[new])
        state.t_ns[s] = t
        state.fast[s] = fast
        state.slow[s] = slow
        state.gap_s[s] = usual
        return NO_FINDINGS

    def tick(self, state: CorridorState, t_ns: int) -> FindingColumns:
        """One row for each station whose level changes."""
        st = self._stations
        if len(st.lead) == 0:
            return NO_FINDINGS
        with np.errstate(invalid="ignore", divide="ignore"):
            view = look(st, state, t_ns, at(self.jam_occupancy, st.lead), at(self.reach_m, st.lead))
            self._jams(state, view, t_ns)
            self._judge(state, view)
            found = self._speak(state, view, t_ns)
            remember(state, view, t_ns)
        return found

    def gauge(self, state: CorridorState) -> tuple[F64, F64]:
        """The score and the evidence that is needed."""
        return state.score.copy(), np.where(np.isnan(state.score), np.nan, self.evidence)

    def _jams(self, state: CorridorState, view: View, t_ns: int) -> None:
        """Which stations are congested, and which of the jams began there by themselves."""
        lead = view.stations.lead
        was, seen_before = state.jam[lead], state.known_ns[lead] != NONE
        recent = seen_before & ((t_ns - state.known_ns[lead]) / 1e9 <= view.patience_s)
        v, down = view.v, view.down
        jam = np.where(view.known, np.where(was, v <= at(self.leave, lead), v < at(self.enter, lead)), was)
        begun, ended = jam & ~was, was & ~jam
        # a wave from downstream: the next station was congested within the time a wave needs (at 12 km/h), or two
        passed_s = np.where(down >= 0, (t_ns - state.jam_last_ns[lead[down]]) / 1e9, np.inf)
        passed_s = np.where((down >= 0) & (state.jam_last_ns[lead[down]] != NONE), passed_s, np.inf)
        wave = passed_s < view.down_m / 12.0 * 3.6 + 180.0
        new = begun & recent & (down >= 0) & ~wave & ~view.jam_of(jam, down)
        state.jam[lead] = jam
        state.jam_ns[lead] = np.where(begun, t_ns, np.where(ended, NONE, state.jam_ns[lead]))
        state.jam_last_ns[lead] = np.where(jam & view.known, t_ns, state.jam_last_ns[lead])
        age = (t_ns - state.jam_ns[lead]) / 1e9
        state.new[lead] = new | (state.new[lead] & jam & (age <= np.maximum(600.0, view.patience_s)))
        state.season[lead] = np.where(
            begun, view.usual, state.season[lead]
        )  # of the days before, not of itself
        fall = np.where(view.known, state.before[lead] - v, 0.0)
        young = jam & (age <= 300.0)
        steep = np.where(begun, 0.0, state.steep[lead])
        state.steep[lead] = np.where(young, np.fmax(steep, fall), steep)

    def _judge(self, state: CorridorState, view: View) -> None:
        """The score of every head of a jam."""
        lead = view.stations.lead
        down = view.down
        jam = state.jam[lead]
        v_down = np.where(down >= 0, view.v[down], np.nan)
        head = jam & view.known & (down >= 0) & ~view.jam_of(jam, down)
        old_left = np.where(jam, state.left[lead], np.nan)
        part = 1.0 - np.exp(-view.since_s / LEFT_S)
        left = np.where(np.isnan(old_left), view.flow_left, old_left + part * (view.flow_left - old_left))
        left = np.where(np.isnan(left), old_left, left)
        state.left[lead] = left
        flow = np.clip((0.87 - left) / 0.04, -4.0, 6.0)
        shape = np.where(np.isnan(flow), 1.0, 0.5)
        usual = state.season[lead]
        score = (
            np.where(np.isnan(flow), 0.0, flow)
            + shape * np.clip((0.42 - view.v) / 0.08, -2.0, 2.5)
            + shape * np.clip((v_down - view.v - 0.4) / 0.1, -2.0, 2.0)
            + shape * np.clip((state.steep[lead] - 0.3) / 0.1, -1.5, 2.0)
            - 8.0 * usual
            + ((state.days[lead] >= 3.0) & (usual < 0.05))
        )
        old = ~state.new[lead]
        score = np.where(old, np.where(left <= 0.72, score - 1.0, np.nan), score)
        state.score[lead] = np.where(head, score, np.nan)

    def _speak(self, state: CorridorState, view: View, t_ns: int) -> FindingColumns:
        st = view.stations
        lead = st.lead
        level = state.level[lead]
        enough = state.score[lead] >= at(self.evidence, lead)
        free = view.known & ~state.jam[lead]
        lost = (t_ns - state.known_ns[lead]) / 1e9 > 1800.0
        against = np.where(level == 0, enough, free | (lost & (state.known_ns[lead] != NONE)))
        turn = np.where(state.turn_ns[lead] == NONE, t_ns, state.turn_ns[lead])
        turn = np.where(against, turn, NONE)
        state.turn_ns[lead] = turn
        confirm = at(self.confirm_s, lead) * np.where(
            state.score[lead] >= at(self.evidence, lead) + 3.0, 0.5, 1.0
        )
        confirm = np.where(state.new[lead], confirm, np.maximum(confirm, 240.0))
        wait = np.where(level == 0, confirm, at(self.clear_s, lead))
        turned = against & ((t_ns - turn) / 1e9 >= wait)
        opening = np.flatnonzero(turned & (level == 0))
        rows: list[tuple[int, int, int, Queue]] = []  # station, level, reason, queue
        open_now = level > 0
        for i in opening.tolist():
            if not _taken(st, open_now, i):
                queue = queue_behind(view, state, i)
                open_now[i] = True
                row = lead[i]
                state.since_ns[row] = state.jam_ns[row]
                state.tail_m[row] = queue.tail_m
                rows.append((i, self._level(row, queue, 0), 0, queue))
        for i in np.flatnonzero(level > 0).tolist():
            queue = queue_behind(view, state, i)
            new = 0 if turned[i] else self._level(lead[i], queue, int(level[i]))
            if new != level[i]:
                rows.append((i, new, 2 if new == 0 else 1, queue))
        return self._columns(state, view, t_ns, rows)

    def _level(self, row: int, queue: Queue, now: int) -> int:
        """Level by the length of the queue; it falls only below half of what raised it."""
        length = queue.length_m
        ii, i = (float(np.asarray(at(p, np.array([row]))).flat[0]) for p in (self.queue_ii_m, self.queue_i_m))
        level = 1 if length >= i else 2 if length >= ii else 3
        if now and level > now:
            keeps = i if now == 1 else ii
            level = now if length >= 0.5 * keeps else level
        return level

    def _columns(
        self, state: CorridorState, view: View, t_ns: int, rows: list[tuple[int, int, int, Queue]]
    ) -> FindingColumns:
        if not rows:
            return NO_FINDINGS
        rows.sort(key=lambda row: int(view.stations.lead[row[0]]))
        i = np.array([row[0] for row in rows])
        lead = view.stations.lead[i]
        level = np.array([row[1] for row in rows], np.int8)
        reason = np.array([row[2] for row in rows], np.uint8)
        since = state.since_ns[lead]
        minutes = (t_ns - since) / 60e9
        tail = np.array([row[3].tail_m for row in rows])
        score = state.score[lead]
        free = state.free[lead]
        role_speed = self.layout.role[lead] == 0
        value = np.where(role_speed, state.fast[lead], view.v[i])
        limit = np.where(reason == 2, at(self.leave, lead), at(self.enter, lead)) * np.where(
            role_speed, free, 1.0
        )
        numbers = {
            "head_m": view.stations.at_m[i],
            "tail_m": tail,
            "queue_m": np.array([row[3].length_m for row in rows]),
            "wave_kmh": np.where(
                minutes >= 3.0, (state.tail_m[lead] - tail) / np.maximum(minutes, 1.0) * 0.06, np.nan
            ),
            "flow_left": state.left[lead],
            "score": score,
        }
        state.level[lead] = level
        over = lead[level == 0]
        state.since_ns[over] = NONE
        state.new[over] = False
        state.jam_ns[over] = np.where(state.jam[over], t_ns, NONE)  # a jam that is not seen any more
        state.turn_ns[lead] = NONE
        return FindingColumns(
            series=lead.astype(np.int32),
            t_ns=np.full(len(i), t_ns),
            since_ns=since,
            level=level,
            value=np.where(np.isfinite(value), value, 0.0),
            limit=np.where(np.isfinite(limit), limit, 0.0),
            reason=reason,
            numbers=numbers,
            confidence=self._confidence(state, view, i),
        )

    def _confidence(self, state: CorridorState, view: View, i: I64) -> F64:
        """From the score; low on the first day where no flow tells a bottleneck from an incident."""
        lead = view.stations.lead[i]
        sure = np.clip(0.75 + 0.04 * (state.score[lead] - at(self.evidence, lead)), 0.7, 0.98)
        sure = np.where(np.isnan(state.left[lead]) & (state.days[lead] < 1.0), 0.6, sure)
        return np.asarray(np.where(np.isfinite(state.score[lead]), sure, 0.9))


def _taken(st: Stations, open_now: Bool, i: int) -> bool:
    """Whether an open incident not far downstream, or the very next upstream, explains this jam."""
    near = (
        open_now
        & (st.zone == st.zone[i])
        & (st.at_m - st.at_m[i] <= 3000.0)
        & (st.at_m - st.at_m[i] >= -1200.0)
    )
    near[i] = False
    return bool(near.any())
