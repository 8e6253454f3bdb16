"""Readings as columns: what travels in frames and what detectors see.

All arrays of one object have the same length n. They are read-only to whoever receives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Self

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
I8 = NDArray[np.int8]


class Quality(IntFlag):
    """Bits of ``quality``; 0 is a good reading."""

    SUSPECT = 1  # the device itself, or a gateway, marked it
    CLOCK = 2  # the device's clock was wrong: stamped with ingest time
    LATE = 4  # older than its series' newest reading, set where readings are stored, never on the wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """A batch in arrival order.

    Attributes:
        series: int32 (n,), dense number of the series within its district.
        t_ns: int64 (n,), event time, ns UTC.
        value: float64 (n,), in the metric's unit.
        quality: uint8 (n,), bits of ``Quality``.
    """

    series: I32
    t_ns: I64
    value: F64
    quality: U8

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def of(cls, rows: list[tuple[int, int, float, int]]) -> Self:
        """From rows of (series, t_ns, value, quality); for tests and small edges."""
        s, t, v, q = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(
            series=np.array(s, np.int32),
            t_ns=np.array(t, np.int64),
            value=np.array(v, np.float64),
            quality=np.array(q, np.uint8),
        )

    @classmethod
    def join(cls, parts: "list[Readings]") -> "Readings":
        """One batch of several, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            series=np.concatenate([p.series for p in parts]) if parts else np.empty(0, np.int32),
            t_ns=np.concatenate([p.t_ns for p in parts]) if parts else np.empty(0, np.int64),
            value=np.concatenate([p.value for p in parts]) if parts else np.empty(0, np.float64),
            quality=np.concatenate([p.quality for p in parts]) if parts else np.empty(0, np.uint8),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Readings in which each series occurs at most once; what a detector's ``step`` is given.

    Attributes:
        series: int32 (k,) unique. The detector's own dense numbering, 0 <= series < n of ``start(n)``.
        t_ns: int64 (k,), newer than the series' previous reading.
        value: float64 (k,), may hold NaN.
        quality: uint8 (k,).
        clean: whether it is known that all values are finite and no reading is SUSPECT, so that nobody need look.
        rows: ``series`` as numpy's own type of index, which takes a third of the time; ``None`` where it was not made.
    """

    series: I32
    t_ns: I64
    value: F64
    quality: U8
    clean: bool = False
    rows: I64 | None = None

    def __len__(self) -> int:
        return len(self.series)

    def index(self) -> I64:
        """``series`` to index with."""
        return self.series.astype(np.int64) if self.rows is None else self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingColumns:
    """What a detector says of a round or a tick: one row a change of level (not one a reading).

    Attributes:
        series: int32 (m,), as in the round.
        t_ns: int64 (m,), event time of the reading (or grid point) that decided.
        since_ns: int64 (m,), start of the episode: equal in all rows of one episode; identifies it.
        level: int8 (m,), 1..4 for severity I..IV, 0 for over.
        value: float64 (m,), the reading that decided.
        limit: float64 (m,), the threshold it was held against.
        reason: uint8 (m,), index into the detector's ``reasons``.
        numbers: further numbers of the reason's sentence, such as the time to the next level: name to
            float64 (m,), NaN where there is none.
        confidence: float64 (m,), 0..1, how sure the detector itself is; None where it has no opinion: then the
            pack's ``reliability`` of the entry counts.
    """

    series: I32
    t_ns: I64
    since_ns: I64
    level: I8
    value: F64
    limit: F64
    reason: U8
    numbers: Mapping[str, F64] = field(default_factory=dict)
    confidence: F64 | None = None

    def __len__(self) -> int:
        return len(self.series)


NO_FINDINGS = FindingColumns(
    series=np.empty(0, np.int32),
    t_ns=np.empty(0, np.int64),
    since_ns=np.empty(0, np.int64),
    level=np.empty(0, np.int8),
    value=np.empty(0, np.float64),
    limit=np.empty(0, np.float64),
    reason=np.empty(0, np.uint8),
)
