"""The watching half of a district machine: readings and ticks through all detectors, to findings. Pure."""

from typing import Any

import numpy as np

from detectors.rounds import NEVER, deal
from streams.machine_lanes import Failure, Lane, ended, pick
from streams.machine_parts import Part, Parts
from streams.machine_rules import Rulebook
from yiwang.book import NO_PAIR, Book
from yiwang.columns import I32, I64, FindingColumns, Readings, Round
from yiwang.errors import BadInput
from yiwang.model import Finding, Trouble
from yiwang.registry import Registry, Rules

MOST_POINTS = 600
"""Grid points that one tick runs at most; of a longer jump only the last."""
FEED_NS = 300 * 10**9
"""When nothing at all has been read in the district for so long, it is the feed that is silent and not its sensors."""
NAMED = 10
"""Series or devices that a trouble names."""

Said = Finding | Trouble
Hit = tuple[int, int, FindingColumns, int]
"""Position of the reading in the batch, lane, what the lane said, row of that."""


class Watch:
    """All detectors of a district, with what is registered and the rules in force.

    Attributes:
        lanes: detectors at work, in the order of the rules.
        newest: int64 (n,), newest event time of each series, ``NEVER`` for none.
        waiting: troubles that are told at the next tick: code to count and first names.
        horizon_ns: grid points of event time up to here have been run.
        watchers: for each ``pair`` of the book, the lanes that watch such series, in the order of the rules.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.rulebook: Rulebook | None = None
        self.lanes: list[Lane] = []
        self.newest: I64 = np.empty(0, np.int64)
        self.waiting: dict[str, tuple[int, dict[str | int, None]]] = {}
        self.horizon_ns = 0
        self.watchers: list[list[int]] = [[]]

    # ---- readings ----

    def batch(self, batch: Readings, now_ns: int, image_url: str = "") -> list[tuple[int, Said]]:
        """Readings in order of arrival; what is said of them, with the position of the reading that caused it."""
        usable = self._usable(batch)
        if usable is not None:
            batch = _pick(batch, usable)
        if len(batch) == 0:
            return []
        series, t_ns = batch.series, batch.t_ns
        dealt = deal(series, t_ns, self.newest)
        if len(dealt.late):
            self.wait("feed.late", series[dealt.late].tolist())
        parts = Parts(batch, dealt, usable)
        self.newest[parts.series] = (
            parts.t_ns
        )  # of a series that occurs more than once the last is the newest
        with_late = parts
        if len(dealt.late):
            turn = np.arange(len(series))  # by arrival nothing is late
            with_late = Parts(batch, deal(series, turn, np.full(len(self.newest), NEVER)), usable)
        hits: list[Hit] = []
        failed: dict[tuple[int, str], Failure] = {}
        for at in self._concerned(series):
            lane = self.lanes[at]
            part = (with_late if lane.kind.wants_late else parts).of(lane)
            self._give(at, lane, part, hits, failed)
        if not hits and not failed:
            return []
        return self._found(hits, failed, now_ns, image_url)

    def _concerned(self, series: I32) -> list[int]:
        """The lanes that watch any of these series, in the order of the rules. Most batches concern few."""
        counts = np.bincount(self.book.pair.take(series), minlength=len(self.watchers))
        return sorted({at for pair in np.flatnonzero(counts).tolist() for at in self.watchers[pair]})

    def sort(self) -> None:
        """Note which lanes watch what, and let lanes that watch the same share what says so."""
        reads = [lane.watches(self.book) for lane in self.lanes]
        self.watchers = [
            [at for at, mine in enumerate(reads) if mine[pair]] for pair in range(len(self.book.pairs))
        ]
        known: dict[tuple[str, int], list[I32]] = {}
        for lane in self.lanes:
            lane.share(known)

    def _usable(self, batch: Readings) -> I64 | None:
        """Positions of the readings whose series is registered; ``None`` for all."""
        series = batch.series
        if len(series) == 0:
            return None
        if series.min() >= 0 and series.max() < self.book.size and self.book.pair.take(series).all():
            return None
        inside = (series >= 0) & (series < self.book.size)
        inside[inside] = self.book.pair[series[inside]] != NO_PAIR
        self.wait("feed.unknown_series", series[~inside].tolist())
        return np.flatnonzero(inside)

    def _give(
        self, at: int, lane: Lane, part: Part, hits: list[Hit], failed: dict[tuple[int, str], Failure]
    ) -> None:
        """Give a lane its rounds, large ones in pieces that a processor's cache holds."""
        mine: list[Failure] = []
        for r, positions in part.rounds():
            if mine:
                r, positions = self._before(lane, r, positions, mine)
                if len(positions) == 0:
                    continue
            found, failures = lane.step(r, positions)
            if failures:
                # of a zone that failed before it came before the one that was known
                new = {failure.zone for failure in failures}
                mine = [failure for failure in mine if failure.zone not in new] + failures
            if len(found):
                rows = r.series
                if (rows[1:] > rows[:-1]).all():
                    caused = positions[np.searchsorted(rows, found.series)]
                else:
                    by_row = np.argsort(rows)
                    caused = positions[by_row[np.searchsorted(rows, found.series, sorter=by_row)]]
                hits += [(p, at, found, i) for i, p in enumerate(caused.tolist())]
        for failure in mine:
            failed[at, failure.zone] = failure

    def _before(self, lane: Lane, r: Round, positions: I64, failures: list[Failure]) -> tuple[Round, I64]:
        """Of zones that failed only what came before."""
        keep = np.ones(len(positions), np.bool_)
        for failure in failures:
            keep &= (positions < failure.position) | (
                lane.zone[r.series] != self.book.zone_code(failure.zone)
            )
        mine = np.flatnonzero(keep)
        if len(mine) == len(positions):
            return r, positions
        return pick(r, mine), positions[mine]

    def _found(
        self, hits: list[Hit], failed: dict[tuple[int, str], Failure], now_ns: int, image_url: str
    ) -> list[tuple[int, Said]]:
        """What a batch brought, in order of arrival, then of the rules."""
        things: list[tuple[int, int, Failure | tuple[FindingColumns, int]]] = []
        for position, at, found, i in hits:
            failure = failed.get((at, self.lanes[at].zone_name(int(found.series[i])))) if failed else None
            if failure is None or position < failure.position:
                things.append((position, at, (found, i)))
        things += [(failure.position, at, failure) for (at, _), failure in failed.items()]
        things.sort(key=lambda thing: thing[:2])
        said: list[tuple[int, Said]] = []
        for position, at, thing in things:
            if isinstance(thing, Failure):
                said.append((position, self._failed(self.lanes[at], thing, now_ns)))
            else:
                said.append((position, self._finding(self.lanes[at], *thing, image_url)))
        return said

    def _finding(self, lane: Lane, found: FindingColumns, i: int, image_url: str = "") -> Finding:
        assert self.rulebook is not None  # lanes come of rules
        return lane.finding(found, i, self.rulebook, image_url)

    def _failed(self, lane: Lane, failure: Failure, now_ns: int) -> Trouble:
        lane.take_out(failure.zone)
        args = {
            "detector": lane.entry.id,
            "zone": failure.zone,
            "error": failure.error,
            "message": failure.message,
        }
        return Trouble(code="detector.failed", t_ns=now_ns, args=args)

    # ---- ticks ----

    def tick(self, horizon_ns: int, step_ns: int, now_ns: int) -> list[Said]:
        """Run the grid points of event time (multiples of ``step_ns``) that the horizon has passed."""
        said: list[Said] = []
        last = horizon_ns // step_ns
        first = max(self.horizon_ns // step_ns + 1, last - MOST_POINTS + 1)
        lanes = [lane for lane in self.lanes if lane.ticks and len(lane.live)]
        heard_ns = int(self.newest.max(initial=0))
        for point in range(first, last + 1) if lanes else ():
            deaf = point * step_ns - heard_ns > FEED_NS
            for lane in lanes:
                if not lane.due(point * step_ns) or (deaf and lane.needs_feed):
                    continue
                found, failures = lane.tick(point * step_ns)
                if len(found):
                    said += [self._finding(lane, found, i) for i in range(len(found))]
                said += [self._failed(lane, failure, now_ns) for failure in failures]
        return said

    def wait(self, code: str, names: list[Any]) -> None:  # Any: series numbers or device ids
        """Count a trouble; it is told once, at the next tick, with the first names."""
        count, known = self.waiting.get(code, (0, {}))
        for name in dict.fromkeys(names):
            if len(known) == NAMED:
                break
            known[name] = None
        self.waiting[code] = (count + len(names), known)

    def told(self, now_ns: int) -> list[Said]:
        """The troubles that waited, one a code."""
        said: list[Said] = [
            Trouble(code=code, t_ns=now_ns, count=count, args={"names": list(names)})
            for code, (count, names) in sorted(self.waiting.items())
        ]
        self.waiting = {}
        return said

    # ---- registry and rules ----

    def registry(self, change: Registry, now_ns: int) -> list[Said]:
        """Take what was added or changed."""
        touched = self.book.apply(change)
        if len(touched) == 0:
            return []
        self.make_room()
        return self._assign(touched, now_ns)

    def make_room(self) -> None:
        """For all registered series."""
        if len(self.newest) < self.book.size:
            newest = np.full(self.book.size, NEVER)
            newest[: len(self.newest)] = self.newest
            self.newest = newest

    def rules(self, rules: Rules, now_ns: int) -> list[Said]:
        """Put rules in force. A detector that stays keeps its state; zones that were out begin afresh.

        Raises:
            BadInput: ``domain.…``; the old rules stay in force.
        """
        rulebook = Rulebook(rules)
        self.rulebook = rulebook
        before = {lane.entry.id: lane for lane in self.lanes}
        self.lanes = []
        over: list[Finding] = []
        for entry in rulebook.domains.detectors:
            lane = Lane(entry)
            old = before.get(entry.id)
            if old and old.fits(entry):
                over += lane.succeed(before.pop(entry.id))
            self.lanes.append(lane)
        over += [finding for lane in before.values() for finding in lane.open.values()]
        return self._over(over, now_ns) + self._assign(None, now_ns)

    def _assign(self, touched: I32 | None, now_ns: int) -> list[Said]:
        """Bring the lanes up to date. A detector that refuses its parameters is out until rules come again."""
        if self.rulebook is None:
            self.sort()
            return []
        said: list[Said] = []
        for lane in list(self.lanes):
            try:
                said += self._over(lane.assign(self.book, self.rulebook.domains, touched), now_ns)
            except BadInput as error:
                said.append(self._failed(lane, Failure(0, "", error.code, error.message), now_ns))
                said += self._over(list(lane.open.values()), now_ns)
                self.lanes.remove(lane)
        self.sort()
        return said

    def _over(self, findings: list[Finding], now_ns: int) -> list[Said]:
        """Findings that end because nobody watches their series any more."""
        assert self.rulebook is not None  # findings come of rules
        return [ended(finding, now_ns, self.rulebook.rules.version) for finding in findings]


def _pick(batch: Readings, where: I64) -> Readings:
    return Readings(
        series=batch.series[where],
        t_ns=batch.t_ns[where],
        value=batch.value[where],
        quality=batch.quality[where],
    )
