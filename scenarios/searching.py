"""Searching a few parameters with few trials: spread points first, then steps round the best. Pure.

A point is a map of names to values within their ranges. The first half of the budget is the Halton sequence (Halton
1960, doi 10.1007/BF01386213), which fills the box evenly whatever the number of trials; the second half steps from
the best point so far along one parameter at a time, in steps that are halved when a round brought nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)

Point = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a parameter may be.

    Attributes:
        lo: least value tried.
        hi: greatest value tried.
        steps: only so many evenly spaced values; 0: any.
        whole: only whole numbers.
    """

    name: str
    lo: float
    hi: float
    steps: int = 0
    whole: bool = False

    def at(self, share: float) -> float:
        """The value at a share 0..1 of the range, on the grid."""
        share = min(max(share, 0.0), 1.0)
        if self.steps > 1:
            share = round(share * (self.steps - 1)) / (self.steps - 1)
        value = self.lo + share * (self.hi - self.lo)
        return float(round(value)) if self.whole else float(f"{value:.4g}")

    def share(self, value: float) -> float:
        """Where a value lies in the range, 0..1."""
        return 0.5 if self.hi == self.lo else min(max((value - self.lo) / (self.hi - self.lo), 0.0), 1.0)


def search(
    ranges: list[Range], start: Point, budget: int, cost: Callable[[Point], float]
) -> Iterator[tuple[Point, float]]:
    """Every point that is tried with its cost, in order of trial; the start first.

    Args:
        ranges: at most eight.
        start: tried first, as it is.
        budget: most points.
        cost: less is better; called once a point.
    """
    seen: dict[tuple[float, ...], float] = {}

    def tried(point: Point) -> float | None:
        key = tuple(point[r.name] for r in ranges)
        if key in seen or len(seen) >= budget:
            return None
        seen[key] = cost(point)
        return seen[key]

    best, least = dict(start), tried(start)
    assert least is not None
    yield best, least
    spread = max(1, (budget - 1) // 2)
    for k in range(1, 4 * spread + 1):
        if len(seen) > spread:
            break
        point = {r.name: r.at(halton(k, p)) for r, p in zip(ranges, _PRIMES, strict=False)}
        found = tried(point)
        if found is not None:
            yield point, found
            if found < least:
                best, least = point, found
    step = 0.25
    while len(seen) < budget and step > 0.01:
        better = False
        for r in ranges:
            for sign in (1, -1):
                point = best | {r.name: r.at(r.share(best[r.name]) + sign * step)}
                found = tried(point)
                if found is None:
                    continue
                yield point, found
                if found < least:
                    best, least, better = point, found, True
        step = step if better else step / 2


def halton(k: int, base: int) -> float:
    """The k-th member of the van der Corput sequence.

    >>> [halton(k, 2) for k in (1, 2, 3)]
    [0.5, 0.25, 0.75]
    """
    found, share = 0.0, 1.0
    while k:
        share /= base
        k, digit = divmod(k, base)
        found += digit * share
    return found
