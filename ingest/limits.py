"""Who sends too much is named and limited, so that nobody else is held up. Pure: the time is an argument.

Three limits, each 0 for none:

- readings a second of a source (the address of an HTTP client, the first two levels of an MQTT topic): a token bucket
  of ten seconds. A body is taken while there is a token left and then counted whole, so a source may go into debt; while
  it is, it is refused. Off unless a city sets it: what a gateway rightly sends in a storm nobody can know in advance,
  and memory is bounded without it.
- readings a second of one series: beyond it they are left out, the rest of the body is taken. Off as well.
- bad rows a second of a source: beyond it they are counted but not kept as dead letters. Only a source that sends
  nothing else is refused: good readings are never lost because of bad ones beside them. On, for each bad row costs as
  much as a hundred good ones, and dead letters fill the disk.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from yiwang.clock import SECOND
from yiwang.columns import I32, I64, Readings
from yiwang.errors import Unavailable
from yiwang.frames import take

SOURCES = 4096
"""So many sources are followed; beyond, the one that was silent longest is forgotten, and may send afresh."""
NAMED = 100
"""So many are counted by name; the others together."""
OTHERS = "(others)"
BURST_S, BAD_BURST_S, DEBT_S = 10.0, 60.0, 60.0
WINDOW_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second; 0: any.

    Attributes:
        readings: of a source.
        series: of one series.
        bad: rows of a source that cannot be used.
    """

    readings: float = 0.0
    series: float = 0.0
    bad: float = 0.0


@dataclass(slots=True)
class _Source:
    readings: float
    bad: float
    t_ns: int
    hopeless: bool = False  # nothing good in what came last


@dataclass(slots=True)
class Refused:
    """What was refused, by source; never more than ``NAMED`` names.

    Attributes:
        bodies: bodies of HTTP and messages of MQTT of a source that sent too much.
        readings: readings of series that had too many, by ``DISTRICT/SERIES``.
        letters: bad rows that were counted but not kept.
    """

    bodies: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, dict[str, int]]:
        """The form of ``GET /v1/counters``."""
        return {
            "bodies": dict(self.bodies),
            "readings": dict(self.readings),
            "letters": dict(self.letters),
        }


class Limiter:
    """All sources of one process.

    Args:
        rates: in force.
    """

    def __init__(self, rates: Rates = Rates()) -> None:
        self.rates = rates
        self.refused = Refused()
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._window = 0
        self._counts: dict[int, I32] = {}

    def check(self, source: str, now_ns: int) -> None:
        """Before anything is done for it.

        Raises:
            Unavailable: ``ingest.rate_limited``; ``retry_s`` of its args says when to come again.
        """
        wait_s, what = self._wait(source, now_ns)
        if wait_s > 0:
            count(self.refused.bodies, source)
            limit = self.rates.readings if what == "readings" else self.rates.bad
            raise Unavailable(
                "ingest.rate_limited",
                f"{source} sends too many {what}: at most {limit:g} a second are taken;"
                f" send again in {math.ceil(wait_s)} s",
                source=source,
                what=what,
                limit=limit,
                retry_s=math.ceil(wait_s),
            )

    def wait_s(self, source: str, now_ns: int) -> float:
        """How long this source has sent more readings than it may; 0: it may send."""
        wait_s, what = self._wait(source, now_ns)
        return wait_s if what == "readings" else 0.0

    def took(self, source: str, now_ns: int, *, good: int, bad: int) -> int:
        """Count what came.

        Returns:
            How many of the bad rows may be kept as dead letters.
        """
        if not (self.rates.readings or self.rates.bad):
            return bad
        one = self._source(source, now_ns)
        one.readings = max(one.readings - good - bad, -DEBT_S * self.rates.readings)
        if not self.rates.bad:
            return bad
        one.hopeless = good == 0 and bad > 0
        kept = min(bad, max(0, math.ceil(one.bad)))
        one.bad = max(one.bad - bad, -BURST_S * self.rates.bad)
        if kept < bad:
            count(self.refused.letters, source, bad - kept)
        return kept

    def thin(
        self, batches: Mapping[int, Readings], now_ns: int
    ) -> tuple[dict[int, Readings], dict[str, int]]:
        """Leave out what is too much of one series.

        Args:
            batches: district to readings.
            now_ns: wall clock.

        Returns:
            The rest, and ``DISTRICT/SERIES`` to the number of readings left out.
        """
        out = dict(batches)
        gone: dict[str, int] = {}
        if not self.rates.series:
            return out, gone
        window = now_ns // (WINDOW_S * SECOND)
        if window != self._window:
            self._window = window
            for counts in self._counts.values():
                counts[:] = 0
        most = max(1, round(self.rates.series * WINDOW_S))
        for district, batch in batches.items():
            if len(batch) == 0:
                continue
            counts = self._room(district, int(batch.series.max()))
            before = counts[batch.series]
            np.add.at(counts, batch.series, 1)
            if counts[batch.series].max() <= most:
                continue
            good = before + _turn(batch.series) < most
            out[district] = take(batch, np.flatnonzero(good))
            for series, n in Counter(batch.series[~good].tolist()).items():
                name = f"{district}/{series}"
                gone[name] = n
                count(self.refused.readings, name, n)
        return out, gone

    def _wait(self, source: str, now_ns: int) -> tuple[float, str]:
        rates = self.rates
        if not (rates.readings or rates.bad):
            return 0.0, ""
        one = self._source(source, now_ns)
        if rates.readings and one.readings <= 0:
            return (1.0 - one.readings) / rates.readings, "readings"
        if rates.bad and one.hopeless and one.bad <= 0:
            return (1.0 - one.bad) / rates.bad, "bad rows"
        return 0.0, ""

    def _source(self, name: str, now_ns: int) -> _Source:
        rates = self.rates
        most, most_bad = max(1.0, rates.readings * BURST_S), max(1.0, rates.bad * BAD_BURST_S)
        one = self._sources.get(name)
        if one is None:
            if len(self._sources) >= SOURCES:
                self._sources.popitem(last=False)
            one = self._sources[name] = _Source(most, most_bad, now_ns)
        self._sources.move_to_end(name)
        passed_s = max(0.0, (now_ns - one.t_ns) / SECOND)
        one.t_ns = max(one.t_ns, now_ns)
        one.readings = min(most, one.readings + passed_s * rates.readings)
        one.bad = min(most_bad, one.bad + passed_s * rates.bad)
        return one

    def _room(self, district: int, largest: int) -> I32:
        counts = self._counts.get(district)
        if counts is None or len(counts) <= largest:
            grown = np.zeros(max(1024, 2 * largest), np.int32)
            if counts is not None:
                grown[: len(counts)] = counts
            counts = self._counts[district] = grown
        return counts


def count(counter: Counter[str], name: str, n: int = 1) -> None:
    """Count by name, as long as there are not too many names."""
    counter[name if name in counter or len(counter) < NAMED else OTHERS] += n


def _turn(series: I32) -> I64:
    """The how-manieth reading of its series each is, from 0: int64 (n,)."""
    order = np.argsort(series, kind="stable")
    sorted_ = series[order]
    first = np.flatnonzero(np.concatenate(([True], sorted_[1:] != sorted_[:-1])))
    turn = np.empty(len(series), np.int64)
    turn[order] = np.arange(len(series)) - np.repeat(first, np.diff(np.append(first, len(series))))
    return turn
