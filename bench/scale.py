"""How time and memory grow with the city: 10^3 to 10^6 series, and 1, 2 and 4 district workers.

    python -m bench scale [--quick] [--json] [--dsn URL]

The job of ``throughput``: ladder, rate of rise and stuck value for every series, findings out; real workers, real
broker, real database. A city up to 100 000 series is one district, above it four. ``slope`` is the dearest
processor time a reading over the cheapest, one worker, all sizes; start and loading of states are not in it.
"""

import argparse
import asyncio
from collections.abc import Sequence

from bench._engine import Framed, framed
from bench._stack import cores, last_line, machine, show, stack

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WORKERS = (1, 2, 4)


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer readings, up to 100 000 series")
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    given = parser.parse_args()
    sizes = SIZES[:-1] if given.quick else SIZES
    readings = 2_000_000 if given.quick else 20_000_000
    by_size: dict[int, Framed] = {}
    by_workers: dict[int, Framed] = {}
    with stack(given.dsn) as at:
        for series in sizes:
            districts = 1 if series <= 100_000 else 4
            by_size[series] = asyncio.run(framed(at, series, readings, core=cores()[0], districts=districts))
        for workers in WORKERS:
            by_workers[workers] = asyncio.run(framed(at, 100_000, readings, workers=workers))
    costs = [1e6 / taken.per_s for taken in by_size.values()]
    slope = max(costs) / min(costs)
    if not given.json:
        head = ("readings/s", "µs a reading", "memory MB", "registering s", "restoring s")
        show("One worker on one core", ("series", *head), [_row(n, t) for n, t in by_size.items()])
        show("100 000 series, all cores", ("workers", *head), [_row(n, t) for n, t in by_workers.items()])
        print(f"dearest over cheapest: {slope:.2f}")
    last_line(
        {
            "machine": machine(),
            "slope": round(slope, 3),
            "series": {n: _json(taken) for n, taken in by_size.items()},
            "workers": {n: _json(taken) for n, taken in by_workers.items()},
        }
    )


def _row(n: int, taken: Framed) -> Sequence[object]:
    return (
        f"{n:,}",
        round(taken.per_s),
        f"{1e6 / taken.per_s:.3f}",
        round(taken.memory_mb),
        f"{taken.registering_s:.1f}",
        f"{taken.restore_s:.1f}",
    )


def _json(taken: Framed) -> dict[str, float]:
    return {
        "per_s": round(taken.per_s),
        "memory_mb": round(taken.memory_mb),
        "registering_s": round(taken.registering_s, 2),
        "restore_s": round(taken.restore_s, 2),
    }


if __name__ == "__main__":
    main()
