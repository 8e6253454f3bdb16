"""Jump: one or a few readings that leave and come back, or a level that shifts in one step and stays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors import jump_state
from detectors.jump_state import (
    BAD,
    CALM,
    CLEAR,
    CLUSTER,
    COME_BACK,
    DEAD,
    FIRST,
    FORGET,
    HABIT,
    HEIGHT,
    LATELY,
    LEAVES,
    LEFT,
    LIMIT,
    LONG_NS,
    MOVED,
    NEAR,
    NEAREST,
    NEARLY,
    NEWEST,
    NOTHING,
    SHARP,
    SHIFT,
    SINCE,
    SPIKE,
    STAYS,
    STEADY,
    STEP,
    STRAY,
    SURE,
    TAIL,
    TAUGHT,
    TURMOIL,
    WIDEST,
    WILD,
    JumpState,
)
from detectors.latch import usable
from detectors.protocol import ALONE, Layout, Param, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import F64, I32, I64, NO_FINDINGS, FindingColumns, Round

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Jump:
    """Spikes (one to three readings), clusters of them, and shifts in one step, each series by its own scale.

    With d the step from the last accepted value r, a reading *leaves* when
    ``|d| > max(spike, 0.5 * z * max(S, share * |r|), 4 * L) * sqrt(gap)``, where S is the mean step of about the last
    100 readings (a step counts at most three times S), L of the last four, and gap the intervals since the last reading,
    at most 9, by the series' own mean interval. It is a **spike** if within three readings one is back within 35 % of the height, and the height is
    ``z * max(S, share * |r|)`` and, in these units, 1.5 times what lately came and went without being one, so that a step in a long tail
    of noise is none. If five readings (and ``settle_s``) have
    stayed away, all within half of the step of the first, none of their own steps above a fifth of it, and the
    step is at least ``shift`` (also from the value before r: at least 70 % of it), the level has **shifted**; otherwise the river has risen, and nothing is said. A reading
    that leaves to the other side while one is away replaces it. After a gap of ``gap_s`` everything begins anew.

    Neither is said if another device of the zone did the same with the same metric within ``together`` of its intervals
    (spikes of water apart: see ``rises``).
    So a wave seen by two gauges is no fault, however fast, and a rise that goes on is none either. In the direction
    ``rises`` a shift is said only where three hours pass in those five readings and all of them lie within a tenth of
    it, steps within a twentieth; a spike only of a single reading that is back within 15 % of its height:
    water may rise at once, but it does not fall so.

    A step larger than ``jump + jump_per_min`` a minute is doubted at once (level IV) until the next reading either
    confirms it (over, ``jump.confirmed``) or is back (over, ``jump.spike``: the doubt was right). Without ``jump`` nothing is ever doubted before it is known.

    A spike is level IV, three within ``hold_s`` are a cluster, III; a shift is III. Over ``hold_s`` after the last.

    Args:
        spike: least height of a spike worth a notice, unit of the metric; NaN: ``jump``.
        shift: least shift worth one; NaN: no shift is ever said (where the true value may step: a street falls
            wet, a pump starts).
        jump: largest credible step between two readings, unit of the metric; NaN: no doubt;
            where ``spike`` is NaN, too, the whole check is off.
        jump_per_min: what it grows by with each minute between them, unit of the metric.
        settle_s: how long a value must have stayed away for a shift, besides the five readings, s, 0 to one day.
        rises: 1 where the truth itself may step up and fall again (water in a flood), -1 where down, 0 neither.
        share: share of the value that is noise, 0 to 1: for metrics that range over decades.
        z: how many usual steps a spike is high, 3 to 100.
        together: intervals of the series, 0 to 100.
        gap_s: s, 0 to 30 days.
        hold_s: s, 0 to 30 days.

    Blind to: spikes smaller than ``spike`` or in the noise; a fault that begins with a slope (that is drift); the
    first readings of a series; a shift across a long gap, or on a metric without ``shift``; a true pulse shorter than
    three readings that no neighbour sees. Ignores NaN and readings marked SUSPECT.

    Source: spike and rate-of-change tests of QARTOD (U.S. IOOS 2021, tests 6 and 7), scaled by the series' own steps; types
    A, D, I, J of Leigh et al. 2019, Science of the Total Environment 664. The numbers are ours: P.

    >>> from yiwang.columns import Readings
    >>> jump = Jump(spike=4.0, shift=4.0, z=10.0, together=2.0, gap_s=86400.0, hold_s=3600.0, layout=Layout.apart(1))
    >>> state = jump.start(1)
    >>> for i, tur in enumerate([3, 4, 3, 30, 4, 3, 4, 3, 4, 3, 4, 14, 15, 14, 15, 14, 15]):
    ...     r = Readings.of([(0, i * 600_000_000_000, tur, 0)])
    ...     _ = jump.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = jump.tick(state, i * 600_000_000_000)
    ...     for level, since, value, reason in zip(found.level, found.since_ns, found.value, found.reason):
    ...         print(i, "level", level, "since", since // 600_000_000_000, "by", value, jump.reasons[reason])
    4 level 4 since 3 by 30.0 jump.spike
    9 level 0 since 3 by 3.0 jump.over
    15 level 3 since 11 by 14.0 jump.shift
    """

    name: ClassVar[str] = "jump"
    roles: ClassVar[tuple[str, ...]] = ("main",)
    reasons: ClassVar[tuple[str, ...]] = (
        "jump.doubt",
        "jump.confirmed",
        "jump.spike",
        "jump.cluster",
        "jump.shift",
        "jump.over",
    )
    wants_late: ClassVar[bool] = False

    spike: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = NAN
    shift: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = NAN
    jump: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = NAN
    jump_per_min: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = 0.0
    settle_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400, absent=True)] = 0.0
    rises: Annotated[Param, Spec(unit="", lo=-1, hi=1, whole=True)] = 0.0
    share: Annotated[Param, Spec(unit="", lo=0, hi=1, absent=True)] = 0.0
    z: Annotated[Param, Spec(unit="", lo=3, hi=100)]
    together: Annotated[Param, Spec(unit="intervals", lo=0, hi=100)]
    gap_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    layout: Layout = ALONE

    def start(self, n: int) -> JumpState:
        """``n`` series that have said nothing."""
        return jump_state.start(n)

    def step(self, state: JumpState, r: Round) -> FindingColumns:
        """One row for each series whose newest step is doubted, or whose doubt is withdrawn."""
        good = usable(r.value, r.quality)
        if not self._all_checked:
            good &= self._checked.take(r.series)
        s, t, v = r.series, r.t_ns, r.value
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        if len(s) == 0:
            return NO_FINDINGS
        with np.errstate(invalid="ignore", over="ignore"):
            gap_s = self._pace(state, s, t)
            ref, scale, late = state.ref.take(s), state.scale.take(s), state.late.take(s)
            step = np.abs(v - ref)
            own = np.maximum(scale, self._share.take(s) * np.abs(ref)) if self._any_share else scale.copy()
            limit = np.maximum(self._leaves.take(s) * own, LATELY * late)
            calm = step <= np.maximum(limit, self._least.take(s), out=limit)
            calm &= state.away.take(s) == 0
            scale += (np.minimum(step, WILD * own, out=own) - scale) / CALM
            late += (step - late) / LATELY
            np.maximum(scale, self._floor.take(s), out=scale)
            if calm.all():
                state.prior[s], state.ref[s], state.scale[s], state.late[s] = ref, v, scale, late
                return NO_FINDINGS
            k = s[calm]
            state.prior[k], state.ref[k], state.scale[k], state.late[k] = (
                ref[calm],
                v[calm],
                scale[calm],
                late[calm],
            )
            rare = np.flatnonzero(~calm)  # also the first reading: its step is NaN
            return self._look(state, s[rare], t[rare], v[rare], limit[rare], gap_s[rare])

    @staticmethod
    def _pace(state: JumpState, s: I32, t: I64) -> F64:
        """Seconds since each series' newest reading, 0 at the first; learns its mean interval."""
        newest = state.newest_ns.take(s)
        gap_s = (t - np.maximum(newest, 0)) * 1e-9
        gap_s[newest == NONE] = 0.0
        pace = state.pace_s.take(s)
        state.pace_s[s] = np.where(pace > 0, pace + (np.minimum(gap_s, 4.0 * pace) - pace) / 16.0, gap_s)
        state.newest_ns[s] = t
        return np.asarray(gap_s, np.float64)

    @cached_property
    def _rows(self) -> I64:
        return np.arange(len(self.layout))

    @cached_property
    def _height(self) -> F64:
        """float64 (n,), least height of a spike; where only the largest credible step is known, that."""
        return np.fmin(each(self.spike, self._rows), each(self.jump, self._rows))

    @cached_property
    def _checked(self) -> NDArray[np.bool_]:
        return np.isfinite(self._height)

    @cached_property
    def _all_checked(self) -> bool:
        return bool(self._checked.all())

    @cached_property
    def _any_share(self) -> bool:
        return bool(self._share.any())

    @cached_property
    def _share(self) -> F64:
        return np.nan_to_num(each(self.share, self._rows))

    @cached_property
    def _floor(self) -> F64:
        """float64 (n,), least mean step: a spike of ``spike`` is ``z`` of it."""
        return np.nan_to_num(self._height / each(self.z, self._rows))

    @cached_property
    def _leaves(self) -> F64:
        """float64 (n,), how many usual steps a reading must be off to leave."""
        return LEAVES * each(self.z, self._rows)

    @cached_property
    def _least(self) -> F64:
        return np.nan_to_num(self._height)

    def _look(self, state: JumpState, s: I32, t: I64, v: F64, limit: F64, gap_s: F64) -> FindingColumns:
        """The few series that have left, leave, or begin."""
        ref = state.ref[s]
        anew = np.isnan(ref) | (gap_s > each(self.gap_s, s))
        away = (state.away[s] > 0) & ~anew
        periods = gap_s / np.maximum(state.pace_s[s], 1e-9)
        limit = np.where(away, state.gone[s, LIMIT], limit * np.sqrt(np.clip(periods, 1.0, 9.0)))
        step = np.abs(v - ref)
        gone = state.gone[s]
        back = away & (step <= np.maximum(COME_BACK * gone[:, NEAREST], NEARLY * limit))
        across = away & ~back & ((v > ref) != (gone[:, FIRST] > ref)) & (step > limit)
        leaves = (~away & ~anew & (step > limit)) | across
        stays = away & ~back & ~across
        count = np.minimum(state.away[s].astype(np.int64) + 1, 200)
        stayed_ns = t - np.maximum(state.moment[s, LEFT], 0)
        settles = stays & (count >= STAYS) & (stayed_ns >= nanoseconds(self.settle_s, s))
        accepted = ~leaves & ~(stays & ~settles)

        narrow = back & (state.away[s] <= WIDEST)
        flood = np.sign(gone[:, FIRST] - ref) * each(self.rises, s) > 0
        narrow &= ~flood | ((state.away[s] == 1) & (step <= SHARP * gone[:, NEAREST]))
        own = np.maximum(state.scale[s], self._share[s] * np.abs(ref))
        tail = self._tail(state, s, t)
        need = np.maximum(limit, np.maximum(each(self.z, s), HABIT * tail) * own)
        spike = narrow & (gone[:, NEAREST] >= need)
        learns = narrow & (gone[:, NEAREST] < 2.0 * need)  # what is far beyond is no habit of the series
        gone[:, TAIL] = np.where(
            learns, np.maximum(tail, gone[:, NEAREST] / np.maximum(own, 1e-300)), gone[:, TAIL]
        )
        state.moment[s, TAUGHT] = np.where(learns, t, state.moment[s, TAUGHT])
        gone[:, STEP] = np.where(leaves, 0.0, gone[:, STEP] + np.where(stays, np.abs(v - gone[:, NEWEST]), 0))
        gone[:, STRAY] = np.where(
            leaves, 0.0, np.maximum(gone[:, STRAY], np.where(stays, np.abs(v - gone[:, FIRST]), 0))
        )
        gone[:, NEAREST] = np.where(
            leaves, step, np.where(stays, np.minimum(gone[:, NEAREST], step), gone[:, NEAREST])
        )
        gone[:, FIRST] = np.where(leaves, v, gone[:, FIRST])
        gone[:, NEWEST] = v
        gone[:, LIMIT] = np.where(leaves, limit, gone[:, LIMIT])
        height = np.abs(gone[:, FIRST] - ref)
        mean = gone[:, STEP] / np.maximum(count - 1, 1)
        # what has left several times of late is in turmoil, as water is in a flood: a step no larger tells nothing
        moved = state.moment[s, MOVED]
        pace_ns = np.rint(state.pace_s[s] * 1e9).astype(np.int64)
        quiet = (moved == NONE) | (state.moment[s, LEFT] - np.maximum(moved, 0) > TURMOIL * pace_ns)
        # a flood does not stand still for hours right after a rise in one step: only where readings are hours apart
        stands = (mean <= height / DEAD) & (gone[:, STRAY] <= 2.0 * height / DEAD)
        stands &= stayed_ns >= LONG_NS
        shift = (
            settles
            & (quiet | (height >= CLEAR * limit))
            & (~flood | stands)
            & (height >= each(self.shift, s))
        )
        # the last accepted value may have been an outlier itself: what was before it must be as far
        shift &= np.abs(gone[:, FIRST] - state.prior[s]) >= SURE * height
        shift &= (mean <= height / STEADY) & (gone[:, STRAY] <= height * NEAR)
        gone[:, HEIGHT] = np.where(spike | shift, height, gone[:, HEIGHT])
        state.gone[s] = gone
        state.moment[s, LEFT] = np.where(leaves, t, state.moment[s, LEFT])
        state.moment[s, MOVED] = np.where(settles | back, t, moved)
        state.away[s] = np.where(leaves, 1, np.where(stays & ~settles, count, 0))
        state.wait[s] = np.where(spike, SPIKE, np.where(shift, SHIFT, state.wait[s]))
        state.was[s] = np.where(leaves, NOTHING, np.where(spike, SPIKE, np.where(shift, SHIFT, state.was[s])))
        self._accept(
            state,
            s[accepted],
            v[accepted],
            step[accepted],
            (anew | settles)[accepted],
            mean[accepted],
        )
        return self._doubt(state, s, t, v, leaves & ~across, stays | across | anew, step, gap_s)

    @staticmethod
    def _tail(state: JumpState, s: I32, t: I64) -> F64:
        """How many usual steps high is what lately came and went without being a fault: noise has a long tail."""
        since = np.where(state.moment[s, TAUGHT] == NONE, t, state.moment[s, TAUGHT])
        intervals = (t - since) / 1e9 / np.maximum(state.pace_s[s], 1e-9)
        return np.asarray(state.gone[s, TAIL] / (1.0 + intervals / FORGET), np.float64)

    def _accept(
        self, state: JumpState, s: I32, v: F64, step: F64, moved: NDArray[np.bool_], of_late: F64
    ) -> None:
        """Take ``v`` as the last accepted value; one that has moved far tells nothing of the usual step."""
        fresh = np.isnan(state.ref[s])
        own, late = state.scale[s], state.late[s]
        learnt = own + (np.minimum(step, WILD * own) - own) / CALM
        state.scale[s] = np.maximum(np.where(moved, own, learnt), self._floor[s])
        state.late[s] = np.where(moved & ~fresh, np.maximum(late, of_late), late)
        state.prior[s] = np.where(moved, v, state.ref[s])
        state.ref[s] = v

    def _doubt(
        self,
        state: JumpState,
        s: I32,
        t: I64,
        v: F64,
        leaves: NDArray[np.bool_],
        stays: NDArray[np.bool_],
        step: F64,
        gap_s: F64,
    ) -> FindingColumns:
        """Doubt what leaves by an incredible step while nothing is said; withdraw it of what stays."""
        credible = each(self.jump, s) + np.nan_to_num(each(self.jump_per_min, s)) * (gap_s / 60.0)
        new = leaves & (step > credible) & (state.level[s] == 0)
        over = stays & state.doubt[s]
        rows = np.flatnonzero(new | over)
        if len(rows) == 0:
            return NO_FINDINGS
        k, opened = s[rows], new[rows]
        state.moment[k, SINCE] = np.where(opened, t[rows], state.moment[k, SINCE])
        state.level[k] = np.where(opened, 4, 0)
        state.doubt[k] = opened
        return say(
            k,
            t_ns=t[rows],
            since_ns=state.moment[k, SINCE],
            level=state.level[k],
            value=v[rows],
            limit=np.where(opened, credible[rows], np.nan),
            reason=np.where(opened, 0, 1),
            numbers={"step": np.where(opened, step[rows], np.nan)},
        )

    # ---- what needs the neighbours ----

    @cached_property
    def _group(self) -> I64:
        """int64 (n,): equal where zone and metric are equal."""
        pairs = np.stack((self.layout.zone, self.layout.metric), axis=1)
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)

    def _shared(self, state: JumpState, rows: I64) -> NDArray[np.bool_]:
        """Of some rows with a fault, whether another device's same metric had the same one at the same time.

        One that only left is no witness: a flood next door does not make a spike true.
        """
        group, device, left = self._group, self.layout.device, state.moment[:, LEFT]
        asked = np.zeros(1 + group.max(initial=-1), np.bool_)
        asked[group[rows]] = True
        others = np.flatnonzero(asked[group] & (left != NONE) & (state.was != NOTHING))
        within_s = each(self.together, rows) * state.pace_s[rows]
        within = np.rint(within_s * 1e9).astype(np.int64)[:, None]
        near = np.abs(left[others][None, :] - left[rows][:, None]) <= within
        near &= (group[others][None, :] == group[rows][:, None]) & (
            device[others][None, :] != device[rows][:, None]
        )
        near &= state.was[others][None, :] == state.wait[rows][:, None]
        shared: NDArray[np.bool_] = near.any(axis=1)
        return shared

    def rests(self, state: JumpState) -> bool:
        """Whether no tick would say or change anything."""
        return not (state.wait.any() or state.level.any())

    def tick(self, state: JumpState, t_ns: int) -> FindingColumns:
        """One row for each series with a spike, a cluster or a shift that no neighbour shares, or whose time is over."""
        rows = np.flatnonzero((state.wait != NOTHING) | (state.level != 0))
        if len(rows) == 0:
            return NO_FINDINGS
        wait = state.wait[rows]
        waits = np.flatnonzero(wait)
        # two gauges may have seen the same wave; but no water rises and is gone at once, however many say so
        water = (wait[waits] == SPIKE) & (each(self.rises, rows[waits]) != 0)
        wait[waits[self._shared(state, rows[waits]) & ~water]] = NOTHING
        shared = (state.wait[rows] != NOTHING) & (wait == NOTHING)
        was, doubt = state.level[rows], state.doubt[rows]
        left, bad, since = state.moment[rows, LEFT], state.moment[rows, BAD], state.moment[rows, SINCE]
        hold = nanoseconds(self.hold_s, rows)
        old = (bad == NONE) | (left - np.maximum(bad, 0) > hold)
        spikes = np.where(old, 0, state.spikes[rows]) + (wait == SPIKE)
        # a doubt that was right is over: the spike is gone; one alone opens an episode only if it was not doubted
        spike = np.where(spikes >= CLUSTER, 3, np.where(doubt, 0, 4))
        fault = np.where(wait == SHIFT, 3, np.where((was > 0) & ~doubt, np.minimum(was, spike), spike))
        out = t_ns - np.maximum(bad, np.where(was > 0, since, NONE)) >= hold
        rest = np.where((was > 0) & (out | (shared & doubt)), 0, was)
        level = np.where(wait == NOTHING, rest, fault).astype(np.int8)
        state.wait[rows] = NOTHING
        state.doubt[rows] = doubt & (wait == NOTHING) & (level > 0)
        state.spikes[rows] = np.minimum(spikes, 200)
        state.moment[rows, BAD] = np.where(wait == NOTHING, bad, left)
        state.moment[rows, SINCE] = np.where((was == 0) & (level > 0), np.maximum(left, since + 1), since)
        state.level[rows] = level
        c = np.flatnonzero(level != was)
        k = rows[c]
        if len(k) == 0:
            return NO_FINDINGS
        over = level[c] == 0
        reason = np.where(wait[c] == SHIFT, 4, np.where(level[c] == 3, 3, 2))
        ended = np.where(wait[c] == SPIKE, 2, np.where(shared[c], 1, 5))
        since = state.moment[k, SINCE]
        return say(
            k,
            t_ns=np.maximum(t_ns, since),
            since_ns=since,
            level=level[c],
            value=np.where(over & (wait[c] != SPIKE), np.nan_to_num(state.ref[k]), state.gone[k, FIRST]),
            limit=state.gone[k, LIMIT],
            reason=np.where(over, ended, reason),
            numbers={"step": np.where(over & (wait[c] != SPIKE), np.nan, state.gone[k, HEIGHT])},
        )
