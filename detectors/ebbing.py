"""Ebbing: a ladder that is left also when its sensor fell silent after a low reading."""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from detectors import latch
from detectors.ladder import Ladder
from detectors.latch import NONE, LatchState
from detectors.state import Write, commit
from yiwang.columns import F64, I64, NO_FINDINGS, FindingColumns, Round


@dataclass(slots=True, kw_only=True)
class EbbState(LatchState):
    """A ladder's state of n series, and what was read last.

    Attributes:
        last_ns: int64 (n,), time of the newest reading; NONE.
        last: float64 (n,), that reading.
    """

    last_ns: I64
    last: F64


@dataclass(frozen=True, kw_only=True)
class Ebbing(Ladder):
    """A value against up to four rungs, as ``ladder``, that a silent sensor does not leave standing for ever.

    With readings that come more often than ``hold_s`` it is the ladder, to the last bit. Beyond that, at a tick at
    which the newest reading is ``hold_s`` old, each rung is left below which (less its hysteresis) the readings have
    been for ``hold_s`` until now. So a gauge that only reports while it is wet closes its own flood with its last, low
    reading; one that fell silent high leaves the level as it was.

    Args: as ``ladder``.

    Blind to: as ``ladder``; water that comes back while the sensor is silent.

    Source: as ``ladder``; street gauges that report floods only: FloodNet NYC (Silverman et al. 2022).

    >>> from yiwang.columns import Readings
    >>> ebbing = Ebbing(rung_iii=10.0, hysteresis=2.0, hold_s=600.0)
    >>> state = ebbing.start(1)
    >>> for minute, depth in enumerate([4, 12, 6, 0]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, depth, 0)])
    ...     found = ebbing.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    >>> [ebbing.tick(state, minute * 60_000_000_000).level.tolist() for minute in (4, 12, 13, 14)]
    [[], [], [0], []]
    """

    name: ClassVar[str] = "ebbing"
    roles: ClassVar[tuple[str, ...]] = ("main",)

    def start(self, n: int) -> EbbState:
        """``n`` series at level 0."""
        ladder = latch.start(n, 4)
        known = {f.name: getattr(ladder, f.name) for f in fields(ladder)}
        return EbbState(**known, last_ns=np.full(n, NONE), last=np.zeros(n))

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        assert isinstance(state, EbbState)
        looked = latch.look(self._bank, state, r, r.value, clean=r.clean)
        if looked is None:
            return NO_FINDINGS
        found = NO_FINDINGS if looked.turned is None else self._said(r, looked.turned)
        s, rows = looked.series[looked.busy], looked.rows[looked.busy]
        last: list[Write] = [(state.last_ns, s, r.t_ns[rows]), (state.last, s, r.value[rows])]
        commit(looked.writes + last)
        return found

    def tick(self, state: EbbState, t_ns: int) -> FindingColumns:
        """One row for each series that fell silent low."""
        s = np.flatnonzero(state.level > 0)
        if len(s) == 0:
            return NO_FINDINGS
        bank = self._bank
        off_ns = np.broadcast_to(bank.off_ns, (len(state.level), 1))[s]
        s = s[(t_ns - state.last_ns[s] >= off_ns[:, 0]) & (state.last_ns[s] != NONE)]
        if len(s) == 0:
            return NO_FINDINGS
        off_ns = np.broadcast_to(bank.off_ns, (len(state.level), 1))[s]
        on, turn = state.on[s], state.turn_ns[s]
        left = on & (turn != NONE) & (t_ns - turn >= off_ns)
        on = on & ~left
        turn = np.where(left, NONE, turn)
        busy = on.any(axis=1) | (turn != NONE).any(axis=1)
        writes: list[Write] = [(state.on, s, on), (state.turn_ns, s, turn), (state.busy, s, busy)]
        old = state.level[s]
        new = np.where(on.any(axis=1), on.argmax(axis=1) + 1, 0).astype(np.int8)
        c = np.flatnonzero(new != old)
        if len(c) == 0:
            commit(writes)
            return NO_FINDINGS
        rows, since = s[c], state.since_ns[s[c]]
        writes += [(state.level, rows, new[c]), (state.since_ns, rows, np.where(new[c] == 0, NONE, since))]
        back = np.broadcast_to(bank.limit - bank.hysteresis, (len(state.level), 4))[rows, old[c] - 1]
        found = FindingColumns(
            series=rows.astype(np.int32),
            t_ns=np.full(len(rows), t_ns),
            since_ns=since,
            level=new[c],
            value=state.last[rows],
            limit=np.where(np.isnan(back), state.last[rows], back),
            reason=np.ones(len(rows), np.uint8),
        )
        commit(writes)
        return found
