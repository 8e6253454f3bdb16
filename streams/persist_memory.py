"""What persist knows of the series of one district; pure. Kept in the database, together with what it stands for.

It is the whole of persist's state: given it as it was at an offset, and the messages from there on, everything
that is stored is the same again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from streams.persist_keep import Last, Marks, Plan, marks_of, thinned
from streams.persist_minutes import MINUTE_US, Minutes, Pieces
from streams.persist_rows import NEVER, Rows, Sorted, in_time, newest_values, repeated, rows
from yiwang.columns import F64, I32, I64
from yiwang.domains import Keep
from yiwang.frames import Recent

GRACE_US = 10_000_000
"""A minute is stored so long after its end: by then nearly all of its readings are there, and few come late."""
_RAW = Plan.of({})


@dataclass(slots=True)
class Memory:
    """Series are kept sorted and not indexed by number, so that a wild number costs a row and not gigabytes.

    Attributes:
        district: its number.
        series: int32 (m,), sorted, unique: all that were met.
        newest_us: int64 (m,), newest time met of each, microseconds UTC; ``NEVER`` where there is none.
        newest_value: float64 (m,), value of that reading; NaN where it is not known.
        marks: int16 (m,), what is kept of each (``Plan``).
        last: of each, the reading stored last; followed only where changes are kept.
        minutes: open minutes of each.
        recent: frames met last.
        now_us: how far the district is: its newest tick, before the first one its newest reading; 0: nothing yet.
        has_ticks: whether a tick was met.
        written: minutes before this one (since 1970) may be stored already.
        rules: version of the rules in force; empty: none yet.
        plan: what the rules say of keeping readings.
        must_ask: newest times of series not met are in the database, not here: this began without its past.
        since: roll-ups are made from this minute on; earlier ones would be incomplete.
        thinned: readings that were not stored, so far.
        repeated: readings that were sent again and not stored again, so far.
    """

    district: int
    series: I32 = field(default_factory=lambda: np.empty(0, np.int32))
    newest_us: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    newest_value: F64 = field(default_factory=lambda: np.empty(0))
    marks: Marks = field(default_factory=lambda: np.empty(0, np.int16))
    last: Last = field(
        default_factory=lambda: Last(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
    )
    minutes: Minutes = field(default_factory=Minutes)
    recent: Recent = field(default_factory=Recent)
    now_us: int = 0
    has_ticks: bool = False
    written: int = 0
    rules: str = ""
    plan: Plan = _RAW
    must_ask: bool = False
    since: int = 0
    thinned: int = 0
    repeated: int = 0

    def unknown(self, readings: Sorted) -> I32:
        """Series that were never met: sorted, unique."""
        met: I32 = readings.series[readings.first]
        if not len(self.series):
            return met
        at = np.minimum(np.searchsorted(self.series, met), len(self.series) - 1)
        fresh: I32 = met[self.series[at] != met]
        return fresh

    def meet(self, series: I32, newest_us: I64, marks: Marks) -> None:
        """Take new series in.

        Args:
            series: int32 (k,), sorted, unknown so far.
            newest_us: int64 (k,), their newest times or ``NEVER``.
            marks: int16 (k,).
        """
        at = np.searchsorted(self.series, series)
        self.series = np.insert(self.series, at, series)
        self.newest_us = np.insert(self.newest_us, at, newest_us)
        self.newest_value = np.insert(self.newest_value, at, np.nan)
        self.marks = np.insert(self.marks, at, marks)
        self.last = Last(
            np.insert(self.last.us, at, NEVER),
            np.insert(self.last.value, at, 0.0),
            np.insert(self.last.quality, at, 0),
        )
        self.minutes.insert(at)

    def take(self, readings: Sorted, *, store: bool) -> Rows | None:
        """Take readings in; late ones are marked, repeats of a series' newest one are left out.

        Args:
            readings: sorted, finite, of series that were met.
            store: whether they are still to be stored; if not, only what is known of them moves on.

        Returns:
            The rows to store; None where there are none.
        """
        if not len(readings):
            return None
        at = np.searchsorted(self.series, readings.series[readings.first])
        times = in_time(readings, self.newest_us[at])
        again = repeated(readings, times, self.newest_value[at])
        if again is not None:
            self.repeated += int(again.sum()) * store
            readings = readings.without(again)
            if not len(readings):
                return None
            at = np.searchsorted(self.series, readings.series[readings.first])
            times = in_time(readings, self.newest_us[at])
        self.newest_value[at] = newest_values(readings, times, self.newest_value[at])
        kept = thinned(readings, times, at, self.marks, self.plan, self.last)
        self.minutes.add(at, readings, times)
        self.newest_us[at] = times.after
        if not self.has_ticks:
            self.now_us = max(self.now_us, int(times.after.max()))
        if not store:
            return None
        made = rows(self.district, readings, times.late, kept)
        self.thinned += len(readings) - made.n
        return made if made.n else None

    def first(self, t_us: int) -> None:
        """The newest time of the first frame met: where messages before it are missing, its minute is incomplete."""
        if self.must_ask and not self.since:
            self.since = t_us // MINUTE_US + 1

    def tick(self, t_us: int) -> None:
        """A tick of the district."""
        self.now_us = max(self.now_us, t_us) if self.has_ticks else t_us
        self.has_ticks = True

    def follow(self, version: str, plan: Plan, marks: Marks) -> None:
        """Other rules.

        Args:
            version: of the rules.
            plan: what they say of keeping readings.
            marks: int16 (m,), of the series met, by that plan.
        """
        changed = self.plan.changes[self.marks] != plan.changes[marks]
        self.last.us[changed] = NEVER
        self.rules, self.plan, self.marks = version, plan, marks

    def lost(self) -> "Memory":
        """What can be gone on with after messages went by unseen; minutes in which they were are left out."""
        return Memory(
            self.district,
            now_us=self.now_us,
            has_ticks=self.has_ticks,
            written=self.written,
            rules=self.rules,
            must_ask=True,
        )

    def register(self, metrics: Mapping[int, str]) -> None:
        """Series that have just been registered, some of which sent readings before."""
        if not self.plan.mark or not metrics:
            return
        series = np.array(sorted(metrics), np.int32)
        at = np.searchsorted(self.series, series)
        met = np.flatnonzero(np.isin(series, self.series))
        marks = self.marks.copy()
        marks[at[met]] = marks_of(series[met], metrics, self.plan)
        self.follow(self.rules, self.plan, marks)

    @property
    def due(self) -> int:
        """Minutes before this one are over."""
        return (self.now_us - GRACE_US) // MINUTE_US if self.now_us else self.written

    def roll(self, below: int) -> tuple[Pieces, Pieces]:
        """The roll-ups of the minutes before ``below``, once each: those that are new, and those to be merged."""
        below = max(below, self.written)
        done = self.minutes.take(self.series, self.newest_us, below)
        if self.since:
            done = done.where(done.minute >= self.since)
        is_new = done.minute >= self.written
        self.written = below
        return done.where(is_new), done.where(~is_new)


def plan_of(keeps: dict[str, Keep]) -> Plan:
    """What is kept; the common case, everything, is one object."""
    made = Plan.of(keeps)
    return made if made.mark else _RAW
