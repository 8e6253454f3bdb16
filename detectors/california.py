"""California #7 and #8: the classic comparison of two neighbouring stations' occupancies, to be measured against."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors.corridor_view import Stations, stations_of
from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

Share = Annotated[Param, Spec(unit="", lo=-100, hi=100, absent=True)]
Percent = Annotated[Param, Spec(unit="%", lo=-100, hi=100)]
WAVE, TENTATIVE, CONFIRMED = 1, 6, 7
"""States: 0 free, 1..5 minutes since a compression wave downstream, 6 tentative, 7 confirmed."""


@dataclass(slots=True, kw_only=True)
class CaliforniaState:
    """State of n series; what belongs to a pair stands in the row of its upstream station's first series.

    Attributes:
        total: float64 (n,), sum of the readings since the last tick. Likewise ``count``.
        now: float64 (n,), the station's occupancy of the last minute, %; NaN. Likewise ``before``, ``before_2`` of
            one and two minutes earlier.
        state: int8 (n,), see above.
        since_ns: int64 (n,), when it became tentative; NONE.
    """

    total: F64
    count: F64
    now: F64
    before: F64
    before_2: F64
    state: I8
    since_ns: I64


@dataclass(frozen=True, kw_only=True)
class California:
    """Two stations, upstream i and downstream i+1, by their occupancies of one minute, %.

    ``OCCDF = OCC(i) - OCC(i+1)``, ``OCCRDF = OCCDF / OCC(i)``, ``DOCC = OCC(i+1)``,
    ``DOCCTD = (DOCC(t-2) - DOCC(t)) / DOCC(t-2)``.

    Free becomes tentative when ``OCCDF >= occdf`` and ``OCCRDF >= occrdf`` and ``DOCC < docc`` (where ``docctd`` is given, also
    ``DOCCTD >= docctd``); tentative becomes confirmed in the next minute if still ``OCCRDF >= occrdf``; the finding lasts
    while that is so. #8 first looks for a compression wave at the downstream station, ``DOCC >= wave_docc`` and
    ``DOCCTD < wave_docctd``: then the pair is not judged for five minutes.

    Args:
        variant: 7, 8, or 0: off.
        occdf: %. Likewise ``docc``, ``wave_docc``.
        occrdf: share. Likewise ``wave_docctd``.
        docctd: share; NaN: not asked for.
        level: level of the finding, 1 to 4.

    Blind to: what recurs; everything in light traffic; lanes and stations that are silent (a pair is judged only in
    minutes in which both spoke). Every queue whose head stands between two stations is an incident to it.

    Source: Payne & Tignor 1978 (TRR 682); form and thresholds of #8 from a public implementation [otc-c8] in
    domain.md D3, where a caution stands: its leaf asks for DOCCTD, the classic #7 for DOCC; here both can be asked for.

    >>> from yiwang.columns import Readings
    >>> two = Layout(**{n: np.array([0, i], t) for n, t, i in (("role", np.int8, 0), ("device", np.int32, 1),
    ...     ("place", np.int32, 1), ("zone", np.int32, 0), ("metric", np.int32, 0), ("x_m", float, 0),
    ...     ("y_m", float, 0), ("at_m", float, 500))}, live=np.ones(2, np.bool_))
    >>> pair = California(variant=7.0, occdf=8.0, occrdf=0.5, docc=20.0, wave_docctd=-0.4, wave_docc=30.0, level=3.0,
    ...                   layout=two)
    >>> state = pair.start(2)
    >>> for minute, (up, down) in enumerate([(12, 11), (38, 9), (41, 8), (40, 9), (12, 20)]):
    ...     t_ns = minute * 60_000_000_000
    ...     r = Readings.of([(0, t_ns, up, 0), (1, t_ns, down, 0)])
    ...     _ = pair.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = pair.tick(state, t_ns)
    ...     print(minute, found.level.tolist())
    0 []
    1 []
    2 [3]
    3 []
    4 [0]
    """

    name: ClassVar[str] = "california"
    reasons: ClassVar[tuple[str, ...]] = ("california.incident", "california.clear")
    wants_late: ClassVar[bool] = False

    variant: Annotated[Param, Spec(unit="", lo=0, hi=8, whole=True)]
    occdf: Percent
    occrdf: Annotated[Param, Spec(unit="", lo=-100, hi=100)]
    docc: Percent
    docctd: Share = float("nan")
    wave_docctd: Annotated[Param, Spec(unit="", lo=-100, hi=100)]
    wave_docc: Percent
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    @cached_property
    def _stations(self) -> Stations:
        return stations_of(self.layout)

    def start(self, n: int) -> CaliforniaState:
        """``n`` series that have said nothing."""
        return CaliforniaState(
            total=np.zeros(n),
            count=np.zeros(n),
            now=np.full(n, np.nan),
            before=np.full(n, np.nan),
            before_2=np.full(n, np.nan),
            state=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
        )

    def step(self, state: CaliforniaState, r: Round) -> FindingColumns:
        """Add up; says nothing."""
        with np.errstate(invalid="ignore"):
            good = usable(r.value, r.quality) & (r.value >= 0.0) & (r.value <= 100.0)
        s = r.series[good].astype(np.intp)
        state.total[s] += r.value[good]
        state.count[s] += 1.0
        return NO_FINDINGS

    def tick(self, state: CaliforniaState, t_ns: int) -> FindingColumns:
        """A minute is over: one row for each pair that changes."""
        st = self._stations
        count = len(st.lead)
        if count == 0:
            return NO_FINDINGS
        with np.errstate(invalid="ignore", divide="ignore"):
            n = np.bincount(st.of, weights=state.count[st.rows] > 0, minlength=count)
            mean = state.total[st.rows] / np.maximum(state.count[st.rows], 1.0)
            occ = np.bincount(st.of, weights=mean, minlength=count) / n
            state.total[:] = 0.0
            state.count[:] = 0.0
            lead = st.lead
            state.before_2[lead] = state.before[lead]
            state.before[lead] = state.now[lead]
            state.now[lead] = np.where(n > 0, occ, np.nan)
            up = np.flatnonzero(st.zone[1:] == st.zone[:-1])
            return self._judge(state, t_ns, lead[up], lead[up + 1])

    def _judge(self, state: CaliforniaState, t_ns: int, row: I64, down: I64) -> FindingColumns:
        occ, docc, before = state.now[row], state.now[down], state.before_2[down]
        occdf = occ - docc
        occrdf = occdf / occ
        docctd = (before - docc) / before
        variant = np.broadcast_to(np.asarray(at(self.variant, row)), row.shape)
        old = state.state[row]
        wave = (variant == 8) & (docc >= at(self.wave_docc, row)) & (docctd < at(self.wave_docctd, row))
        asked = np.broadcast_to(np.asarray(at(self.docctd, row)), row.shape)
        leaf = (
            (occdf >= at(self.occdf, row))
            & (occrdf >= at(self.occrdf, row))
            & (docc < at(self.docc, row))
            & (np.isnan(asked) | (docctd >= asked))
        )
        lasts = occrdf >= at(self.occrdf, row)
        new = np.where(leaf, TENTATIVE, 0)
        new = np.where((old >= WAVE) & (old < TENTATIVE), (old + 1) % TENTATIVE, new)
        new = np.where((old < TENTATIVE) & wave, WAVE, new)
        new = np.where(old >= TENTATIVE, np.where(lasts, CONFIRMED, 0), new)
        new = np.where(np.isfinite(occdf), new, old)
        new = np.where(variant > 0, new, 0).astype(np.int8)
        state.state[row] = new
        state.since_ns[row] = np.where((new == TENTATIVE) & (old != TENTATIVE), t_ns, state.since_ns[row])
        turned = np.flatnonzero((new == CONFIRMED) != (old == CONFIRMED))
        if len(turned) == 0:
            return NO_FINDINGS
        turned = turned[np.argsort(row[turned])]
        row, opened = row[turned], new[turned] == CONFIRMED
        value = occdf[turned]
        return FindingColumns(
            series=row.astype(np.int32),
            t_ns=np.full(len(row), t_ns),
            since_ns=state.since_ns[row],
            level=np.where(opened, at(self.level, row), 0).astype(np.int8),
            value=np.where(np.isfinite(value), value, 0.0),
            limit=np.broadcast_to(np.asarray(at(self.occdf, row), np.float64), row.shape).copy(),
            reason=np.where(opened, 0, 1).astype(np.uint8),
            numbers={"share": occrdf[turned], "downstream": docc[turned]},
        )
