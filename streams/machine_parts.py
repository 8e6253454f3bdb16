"""A batch in rounds, as each lane sees it: columns in the order of the rounds, gathered once for all lanes. Pure."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from detectors.rounds import Dealt
from streams.machine_lanes import Lane
from yiwang.columns import F64, I32, I64, U8, Readings, Round

PIECE = 16_384
"""Readings that a detector is given at once: what it works out in between then stays in a core's own cache."""


class Part:
    """The readings of a batch that a lane gets.

    Args:
        series: int32 (m,), the lane's rows, round behind round.
        rows: int64 (m,), the same.
        t_ns: int64 (m,).
        value: float64 (m,), as the lane sees it.
        quality: uint8 (m,).
        clean: as in ``Round``.
        positions: int64 (m,), in the batch.
        bounds: as in ``Dealt``.
    """

    __slots__ = ("_rounds", "bounds", "clean", "positions", "quality", "rows", "series", "t_ns", "value")

    def __init__(
        self,
        series: I32,
        rows: I64,
        t_ns: I64,
        value: F64,
        quality: U8,
        clean: bool,
        positions: I64,
        bounds: list[int],
    ) -> None:
        self.series, self.rows, self.t_ns, self.value, self.quality = series, rows, t_ns, value, quality
        self.clean, self.positions, self.bounds = clean, positions, bounds
        self._rounds: list[tuple[Round, I64]] | None = None

    def rounds(self) -> list[tuple[Round, I64]]:
        """Rounds in turn, large ones in pieces, with the positions of their readings."""
        if self._rounds is None:
            self._rounds = list(self._cut())
        return self._rounds

    def _cut(self) -> Iterator[tuple[Round, I64]]:
        for begin, end in pairwise(self.bounds):
            for at in range(begin, end, PIECE):
                cut = slice(at, min(at + PIECE, end))
                yield (
                    Round(
                        series=self.series[cut],
                        t_ns=self.t_ns[cut],
                        value=self.value[cut],
                        quality=self.quality[cut],
                        clean=self.clean,
                        rows=self.rows[cut],
                    ),
                    self.positions[cut],
                )


class Parts:
    """A batch dealt into rounds.

    Args:
        batch: of registered series.
        dealt: how it falls into rounds.
        where: int64 (k,), positions of its readings in the batch they were picked from; ``None``: it is that.
    """

    def __init__(self, batch: Readings, dealt: Dealt, where: I64 | None) -> None:
        self.series, self.t_ns, self.value, self.quality = (
            batch.series,
            batch.t_ns,
            batch.value,
            batch.quality,
        )
        order = dealt.order
        if order is None:
            self.positions: I64 = np.arange(len(batch)) if where is None else where
        else:
            self.positions = order if where is None else where[order]
            self.series, self.t_ns = self.series.take(order), self.t_ns.take(order)
            self.value, self.quality = self.value.take(order), self.quality.take(order)
        self.bounds = dealt.bounds
        with np.errstate(over="ignore", invalid="ignore"):
            # a sum is finite only where all are; where it is not, detectors look for themselves
            self.clean = bool(np.isfinite(self.value.sum())) and not self.quality.any()
        self._parts: dict[int, Part] = {}

    def of(self, lane: Lane) -> Part:
        """What a lane gets; lanes that share their rows share it."""
        part = self._parts.get(id(lane.row_of))
        if part is None:
            part = self._parts[id(lane.row_of)] = self._part(lane.rows(self.series))
        if lane.plain or len(part.rows) == 0:
            return part
        value = lane.seen(part.rows, part.value)
        return Part(
            part.series, part.rows, part.t_ns, value, part.quality, False, part.positions, part.bounds
        )

    def _part(self, series: I32) -> Part:
        rows = series.astype(np.int64)
        if len(rows) and rows.min() >= 0:
            return Part(
                series,
                rows,
                self.t_ns,
                self.value,
                self.quality,
                self.clean,
                self.positions,
                self.bounds,
            )
        mine = (rows >= 0).nonzero()[0]
        return Part(
            series.take(mine),
            rows.take(mine),
            self.t_ns.take(mine),
            self.value.take(mine),
            self.quality.take(mine),
            self.clean,
            self.positions.take(mine),
            np.searchsorted(mine, self.bounds).tolist(),
        )
