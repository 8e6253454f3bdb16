"""Minute roll-ups of readings, made from columns: count, least, mean, greatest and last value of a minute; pure.

Each series has one open minute, that of its newest reading. A reading goes into it, or opens a later one and so
closes it, or is of an earlier minute and a **piece** of its own. Pieces of one minute are put together when they are
taken, and with what is stored by the database. Sums run in order of arrival, one reading after the other, so that how
the readings were cut into batches changes no bit. (A minute that was stored already and then gets late readings
has its mean from the stored one: there the last bit depends on when it was stored.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from streams.persist_rows import PG_EPOCH_US, Form, Sorted, Times
from yiwang.columns import F64, I32, I64

MINUTE_US = 60_000_000

_FORM = Form(
    {
        "district": ">i2",
        "series": ">i4",
        "minute": ">i8",
        "count": ">i4",
        "min": ">f8",
        "mean": ">f8",
        "max": ">f8",
        "last": ">f8",
        "last_t": ">i8",
    }
)
MINUTE_COLUMNS = _FORM.columns


@dataclass(frozen=True, slots=True)
class Pieces:
    """Roll-ups, or parts of them: columns of one length m.

    Attributes:
        series: int32.
        minute: int64, minutes since 1970-01-01 UTC.
        count: int32, readings.
        total: float64, sum of the values.
        lo: float64, the least.
        hi: float64, the greatest.
        last: float64, value of the newest reading; of several of one time the one that came first.
        last_us: int64, its time, microseconds UTC.
    """

    series: I32
    minute: I64
    count: I32
    total: F64
    lo: F64
    hi: F64
    last: F64
    last_us: I64

    def __len__(self) -> int:
        return len(self.series)

    @property
    def mean(self) -> F64:
        """Mean value."""
        return self.total / self.count

    def where(self, chosen: NDArray[np.generic]) -> "Pieces":
        """Some of them, by mask or by positions."""
        return Pieces(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @staticmethod
    def join(parts: "Sequence[Pieces]") -> "Pieces":
        """One behind the other."""
        return Pieces(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Pieces)))


NO_PIECES = Pieces(
    *(np.empty(0, kind) for kind in (np.int32, np.int64, np.int32, "f8", "f8", "f8", "f8", np.int64))
)


class Minutes:
    """The open minutes of the series of a district, by position of the series in persist's memory.

    Attributes:
        count: int32 (m,), 0 where nothing is in the open minute that is not stored.
        total: float64 (m,); ``lo``, ``hi``, ``last``, ``last_us`` likewise, as in ``Pieces``.
        pieces: closed, not taken yet.
    """

    COLUMNS = (
        ("count", np.int32, 0),
        ("total", np.float64, 0.0),
        ("lo", np.float64, np.inf),
        ("hi", np.float64, -np.inf),
        ("last", np.float64, 0.0),
        ("last_us", np.int64, 0),
    )

    def __init__(self) -> None:
        self.count: I32 = np.empty(0, np.int32)
        self.total: F64 = np.empty(0)
        self.lo: F64 = np.empty(0)
        self.hi: F64 = np.empty(0)
        self.last: F64 = np.empty(0)
        self.last_us: I64 = np.empty(0, np.int64)
        self.pieces: list[Pieces] = []

    def insert(self, at: I64) -> None:
        """Room for new series in front of these positions."""
        for name, _, empty in self.COLUMNS:
            setattr(self, name, np.insert(getattr(self, name), at, empty))

    def add(self, at: I64, readings: Sorted, times: Times) -> None:
        """Take readings in.

        Args:
            at: int64 (g,), positions of their series.
            readings: sorted, finite, not empty.
            times: of these readings.
        """
        if times.late is None and len(at) == len(readings):
            self._add_one_each(at, readings, times)
        else:
            self._add(at, readings, times)

    def take(self, series: I32, newest_us: I64, below: int) -> Pieces:
        """Close and hand over the minutes before ``below``, one piece a series and minute, by series and minute.

        Args:
            series: int32 (m,), of the positions.
            newest_us: int64 (m,), their newest times.
            below: minute since 1970-01-01 UTC.
        """
        closing = np.flatnonzero((self.count > 0) & (newest_us < below * MINUTE_US))
        if len(closing):
            self.pieces.append(self._cells(closing, series[closing], newest_us[closing] // MINUTE_US))
            self._clear(closing)
        if not self.pieces:
            return NO_PIECES
        waiting = Pieces.join(self.pieces)
        is_due = waiting.minute < below
        if is_due.all():
            self.pieces = []
            return merged(waiting)
        self.pieces = [waiting.where(~is_due)]
        return merged(waiting.where(is_due))

    @property
    def waiting(self) -> int:
        """How many pieces are closed and not taken."""
        return sum(map(len, self.pieces))

    def _add_one_each(self, at: I64, readings: Sorted, times: Times) -> None:
        """No series twice, none late: element by element."""
        t, value = readings.t_us, readings.value
        minute, before = t // MINUTE_US, times.before // MINUTE_US
        is_new = minute != before
        if is_new.any():
            ended = is_new & (self.count[at] > 0)
            if ended.any():
                self.pieces.append(self._cells(at[ended], readings.series[ended], before[ended]))
            self._clear(at[is_new])
        self.count[at] += 1
        self.total[at] += value
        self.lo[at] = np.minimum(self.lo[at], value)
        self.hi[at] = np.maximum(self.hi[at], value)
        self.last[at] = value
        self.last_us[at] = t

    def _add(self, at: I64, readings: Sorted, times: Times) -> None:
        group = np.zeros(len(readings), np.int64)
        group[readings.first[1:]] = 1
        np.cumsum(group, out=group)
        series, t, value = readings.series, readings.t_us, readings.value
        minute = t // MINUTE_US
        late = times.late
        earlier: Pieces | None = None
        if late is not None:
            is_open = minute == times.high // MINUTE_US
            if not is_open.all():
                # each for itself; put together when they are taken
                rest = ~is_open
                v = value[rest]
                earlier = Pieces(series[rest], minute[rest], np.ones(len(v), np.int32), v, v, v, v, t[rest])
                group, series, t, value, minute, late = (
                    x[is_open] for x in (group, series, t, value, minute, late)
                )
        if len(t):
            self._add_runs(at, times.before // MINUTE_US, group, series, t, value, minute, late)
        if earlier is not None:
            self.pieces.append(earlier)

    def _add_runs(
        self,
        at: I64,
        before: I64,
        group: I64,
        series: I32,
        t: I64,
        value: F64,
        minute: I64,
        late: NDArray[np.bool_] | None,
    ) -> None:
        """Readings of minutes that were open when they came: runs of one series and minute."""
        n = len(t)
        new_group = np.concatenate(([True], group[1:] != group[:-1]))
        run = np.flatnonzero(new_group | np.concatenate(([True], minute[1:] != minute[:-1])))
        of = group[run]
        position = at[of]
        is_first, is_last = new_group[run], np.append(new_group[run][1:], True)
        goes_on = is_first & (minute[run] == before[of])
        ended = is_first & ~goes_on & (self.count[position] > 0)
        if ended.any():
            self.pieces.append(self._cells(position[ended], series[run[ended]], before[of[ended]]))

        length = np.diff(np.append(run, n))
        count = np.where(goes_on, self.count[position], 0) + length
        total = np.where(goes_on, self.total[position], 0.0)
        np.add.at(total, np.repeat(np.arange(len(run)), length), value)  # one after the other, not pairwise
        lo, hi = np.minimum.reduceat(value, run), np.maximum.reduceat(value, run)
        lo = np.where(goes_on, np.minimum(lo, self.lo[position]), lo)
        hi = np.where(goes_on, np.maximum(hi, self.hi[position]), hi)
        newest = np.append(run[1:], n) - 1
        if late is not None:
            newest = np.maximum.reduceat(np.where(late, -1, np.arange(n)), run)
        has = newest >= 0  # all late: the minute goes on and its last reading stays
        last = np.where(has, value[newest], self.last[position])
        last_us = np.where(has, t[newest], self.last_us[position])

        made = Pieces(series[run], minute[run], count.astype(np.int32), total, lo, hi, last, last_us)
        if not is_last.all():
            self.pieces.append(made.where(~is_last))
        now = made.where(is_last)
        self._clear(position[is_last])
        for name, _, _ in self.COLUMNS:
            getattr(self, name)[position[is_last]] = getattr(now, name)

    def _cells(self, at: I64, series: I32, minute: I64) -> Pieces:
        return Pieces(series, minute, *(getattr(self, name)[at] for name, _, _ in self.COLUMNS))

    def _clear(self, at: I64) -> None:
        """Nothing in it any more; its last reading stays known for late ones of the same minute."""
        self.count[at] = 0
        self.total[at] = 0.0
        self.lo[at] = np.inf
        self.hi[at] = -np.inf


def merged(pieces: Pieces) -> Pieces:
    """Pieces of one series and minute put together in their order; sorted by series and minute."""
    order = np.lexsort((pieces.minute, pieces.series))
    p = pieces.where(order)
    is_new = np.concatenate(([True], (p.series[1:] != p.series[:-1]) | (p.minute[1:] != p.minute[:-1])))
    if is_new.all():
        return p
    run = np.flatnonzero(is_new)
    of = np.cumsum(is_new) - 1
    total = np.zeros(len(run))
    np.add.at(total, of, p.total)
    newest = np.maximum.reduceat(p.last_us, run)
    at = np.flatnonzero(p.last_us == newest[of])
    chosen = at[np.unique(of[at], return_index=True)[1]]  # of several of one time the first
    return Pieces(
        p.series[run],
        p.minute[run],
        np.add.reduceat(p.count, run).astype(np.int32),
        total,
        np.minimum.reduceat(p.lo, run),
        np.maximum.reduceat(p.hi, run),
        p.last[chosen],
        newest,
    )


def minute_rows(district: int, pieces: Pieces) -> memoryview:
    """Roll-ups as COPY rows of ``MINUTE_COLUMNS``."""
    return _FORM.rows(
        len(pieces),
        district=district,
        series=pieces.series,
        minute=pieces.minute * MINUTE_US - PG_EPOCH_US,
        count=pieces.count,
        min=pieces.lo,
        mean=pieces.mean,
        max=pieces.hi,
        last=pieces.last,
        last_t=pieces.last_us - PG_EPOCH_US,
    )
