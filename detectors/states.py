"""States: what a panel, a lift or a cover says of itself in bits, or as a code."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

WORD = 2.0**31
"""Words are below it: 31 bits are exact in a float64 and enough for every protocol we know."""
HALF_LIFE_S = 86_400.0
"""False starts count half after a day."""

Mask = Annotated[Param, Spec(unit="bits", lo=0, hi=WORD - 1, absent=True, whole=True)]
Seconds = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class StatesState:
    """State of n series.

    Attributes:
        word: int64 (n,), the last word.
        due: int8 (n,), the level the last word asks for.
        due_ns: int64 (n,), since when words have asked for ``due`` and it is not ``level``; NONE.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE while there is none.
        vain: float64 (n,), episodes that ended by themselves within ``brief_s``, as of ``vain_ns``.
        vain_ns: int64 (n,), end of the last such; NONE.
    """

    word: I64
    due: I8
    due_ns: I64
    level: I8
    since_ns: I64
    vain: F64
    vain_ns: I64


@dataclass(frozen=True, kw_only=True)
class States:
    """The level of a word of state bits.

    A reading's value is a whole number: a set of bits, or with ``coded`` a code c, which stands for the one bit 2^c.
    Level l is due when the word has a bit of ``any_l``, or all bits of ``all_l``; the most severe one that is due
    counts, and none while the word has a bit of ``unless``. A more severe level is said once it has been due for
    ``on_s``, a less severe one, or the end, once that has been due for ``hold_s``; both by readings or by ticks, since
    panels speak only when something changes.

    A part that gives alarm again and again and takes it back is believed less: confidence is
    ``o / (1 + o)`` with odds ``o = sure / (1-sure) / (1 + v / habit)``; v counts its episodes that ended within
    ``brief_s`` (and ``hold_s``), halved each day. They are still said: who else saw it decides.

    Args:
        any_i: bits of which any one is level I; NaN: none. Likewise ``any_ii``, ``any_iii``, ``any_iv``.
        all_i: bits that are level I together; NaN: none. Likewise ``all_ii``, ``all_iii``, ``all_iv``.
        unless: bits that make a word count for nothing, such as shielded or under test; NaN: none.
        coded: 1 where values are codes 0 to 30 instead of sets of bits.
        on_s: s, 0 to one day.
        hold_s: s, 0 to one day.
        sure: how often the first alarm of a part is real, 0 to 1.
        brief_s: s, 0 to one day; NaN: its past does not count.
        habit: brief episodes that halve the odds, 0.1 to 1000.

    The finding's value is the word, its limit the bits that stand for the level that was reached, or left.

    Blind to: what the panel does not know; a line that is cut while a state stands (it stands on). Ignores NaN,
    fractions, numbers outside 0 to 2^31-1 (codes: 0 to 30) and readings marked SUSPECT.

    Source: part status word of GB 26875.3-2011 (domain.md F4); on- and off-delay as of ISA-18.2.

    >>> from yiwang.columns import Readings
    >>> fire = States(any_ii=2, unless=8, on_s=0.0, hold_s=60.0, sure=0.8)
    >>> state = fire.start(1)
    >>> for second, word in [(0, 1), (10, 0b11), (20, 0b1), (30, 0b11), (40, 0b1)]:
    ...     r = Readings.of([(0, second * 1_000_000_000, word, 0)])
    ...     found = fire.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, limit in zip(found.level, found.limit):
    ...         print(second, "level", level, "bits", int(limit))
    10 level 2 bits 2
    >>> [len(fire.tick(state, second * 1_000_000_000)) for second in (99, 100, 101)]
    [0, 1, 0]
    """

    name: ClassVar[str] = "states"
    reasons: ClassVar[tuple[str, ...]] = ("states.on", "states.off")
    wants_late: ClassVar[bool] = False

    any_i: Mask = NAN
    any_ii: Mask = NAN
    any_iii: Mask = NAN
    any_iv: Mask = NAN
    all_i: Mask = NAN
    all_ii: Mask = NAN
    all_iii: Mask = NAN
    all_iv: Mask = NAN
    unless: Mask = NAN
    coded: Annotated[Param, Spec(unit="", lo=0, hi=1, whole=True)] = 0.0
    on_s: Seconds
    hold_s: Seconds
    sure: Annotated[Param, Spec(unit="", lo=0, hi=1)] = 0.9
    brief_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400, absent=True)] = NAN
    habit: Annotated[Param, Spec(unit="episodes", lo=0.1, hi=1000)] = 1.0

    @cached_property
    def _any(self) -> I64:
        return _masks(self.any_i, self.any_ii, self.any_iii, self.any_iv)

    @cached_property
    def _all(self) -> I64:
        return _masks(self.all_i, self.all_ii, self.all_iii, self.all_iv)

    @cached_property
    def _unless(self) -> I64:
        return _masks(self.unless)[..., 0]

    @cached_property
    def _delay(self) -> tuple[F64, F64]:
        """Of a rise and of a fall, ns."""
        return np.rint(np.asarray(self.on_s) * 1e9), np.rint(np.asarray(self.hold_s) * 1e9)

    def start(self, n: int) -> StatesState:
        """``n`` series at level 0."""
        return StatesState(
            word=np.zeros(n, np.int64),
            due=np.zeros(n, np.int8),
            due_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            vain=np.zeros(n),
            vain_ns=np.full(n, NONE),
        )

    def step(self, state: StatesState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        with np.errstate(invalid="ignore"):
            coded = np.asarray(at(self.coded, r.series)) > 0
            top = np.where(coded, 30.0, WORD - 1)
            good = usable(r.value, r.quality) & (r.value >= 0) & (r.value <= top)
            good &= r.value == np.floor(r.value)
        value = np.where(good, r.value, 0.0).astype(np.int64)
        if coded.any():
            value = np.where(coded, np.left_shift(1, np.minimum(value, 30)), value)
        # most words say what the one before said, and ask for nothing new
        rows = np.flatnonzero(good & ((value != state.word[r.series]) | (state.due_ns[r.series] != NONE)))
        if len(rows) == 0:
            return NO_FINDINGS
        s, t, word = r.series[rows], r.t_ns[rows], value[rows]
        due = self._level(s, word)
        turned = due != state.due[s]
        settled = due == state.level[s]
        begun = np.where(turned | (state.due_ns[s] == NONE), t, state.due_ns[s])
        state.due_ns[s] = np.where(settled, NONE, begun)
        state.due[s] = due
        state.word[s] = word
        ripe = np.flatnonzero(~settled & self._ripe(state, s, t))
        return self._say(state, s[ripe], t[ripe])

    def rests(self, state: StatesState) -> bool:
        """Whether no tick would say or change anything."""
        return bool((state.due_ns == NONE).all())

    def tick(self, state: StatesState, t_ns: int) -> FindingColumns:
        """One row for each series whose change has been due for long enough."""
        s = np.flatnonzero(state.due_ns != NONE).astype(np.int32)
        t = np.full(len(s), t_ns)
        ripe = self._ripe(state, s, t)
        return self._say(state, s[ripe], t[ripe])

    def _level(self, s: I32, word: I64) -> I8:
        """The level a word asks for, int8 (k,)."""
        some, every, never = _rows(self._any, s, 2), _rows(self._all, s, 2), _rows(self._unless, s, 1)
        asks = (word[:, None] & some) != 0
        asks |= (every != 0) & ((word[:, None] & every) == every)
        level = np.where(asks.any(axis=1), asks.argmax(axis=1) + 1, 0)
        return np.where((word & never) != 0, 0, level).astype(np.int8)

    def _ripe(self, state: StatesState, s: I32, t: I64) -> NDArray[np.bool_]:
        level, due = state.level[s], state.due[s]
        rising = (due != 0) & ((level == 0) | (due < level))
        on, off = (np.broadcast_to(at(d, s), len(s)) for d in self._delay)
        ripe: NDArray[np.bool_] = t - state.due_ns[s] >= np.where(rising, on, off)
        return ripe

    def _say(self, state: StatesState, s: I32, t: I64) -> FindingColumns:
        """The level of each of these series becomes the one that is due."""
        if len(s) == 0:
            return NO_FINDINGS
        old, new, begun = state.level[s], state.due[s], state.due_ns[s]
        rose = (new != 0) & ((old == 0) | (new < old))
        since = np.where(old == 0, begun, state.since_ns[s])
        decided = np.where(rose, new, old).astype(np.int64) - 1
        pair = np.arange(len(s))
        bits = _rows(self._any, s, 2) | _rows(self._all, s, 2)
        odds = self._odds(state, s, t)
        with np.errstate(invalid="ignore"):
            brief = (new == 0) & (begun - since <= np.rint(np.asarray(at(self.brief_s, s)) * 1e9))
        state.vain[s] = np.where(brief, self._vain(state, s, t) + 1.0, state.vain[s])
        state.vain_ns[s] = np.where(brief, t, state.vain_ns[s])
        state.level[s] = new
        state.since_ns[s] = np.where(new == 0, NONE, since)
        state.due_ns[s] = NONE
        return FindingColumns(
            series=s,
            t_ns=t,
            since_ns=since,
            level=new,
            value=state.word[s].astype(np.float64),
            limit=np.broadcast_to(bits, (len(s), 4))[pair, decided].astype(np.float64),
            reason=np.where(rose, 0, 1).astype(np.uint8),
            numbers={"age_s": (t - since) / 1e9},
            confidence=odds / (1.0 + odds),
        )

    def _vain(self, state: StatesState, s: I32, t: I64) -> F64:
        last = state.vain_ns[s]
        return state.vain[s] * np.exp2(-(t - np.where(last == NONE, t, last)) / (HALF_LIFE_S * 1e9))

    def _odds(self, state: StatesState, s: I32, t: I64) -> F64:
        sure = np.clip(at(self.sure, s), 0.0, 1.0 - 1e-9)
        return np.asarray(sure / (1.0 - sure) / (1.0 + self._vain(state, s, t) / at(self.habit, s)))


def _rows(masks: I64, s: I32, one: int) -> I64:
    """Masks of some series; one row stands for all."""
    return masks[s] if masks.ndim == one else masks


def _masks(*bits: Param) -> I64:
    """Words of bits side by side, int64 (n, k) or (k,); 0 for none."""
    columns = np.stack(np.broadcast_arrays(*(np.asarray(b, np.float64) for b in bits)), axis=-1)
    words: I64 = np.nan_to_num(columns, nan=0.0).astype(np.int64)
    return words
