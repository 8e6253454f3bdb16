"""How time and memory grow with the city: 10^3 to 10^6 series, and 1, 2 and 4 district workers.

    python -m bench scale [--quick] [--json] [--dsn URL]

The job of ``throughput``: ladder, rate of rise and stuck value for every series, findings out; real workers, real
broker, real database, four districts. *The same load*: 400 000 readings in a second of event time, in frames of
20 000, whatever the number of series that share it (so a thousand series report 400 times a second, a million once
in 2.5 s). *Once a second*: every series reports once a second, so that a small city has small frames. ``slope`` is
the dearest time a reading over the cheapest, one worker on one core, the same load; start and loading of states are not in it.
"""

import argparse
import asyncio
from collections.abc import Sequence

from bench._beside import beside
from bench._engine import Framed, framed
from bench._stack import cores, last_line, machine, show, stack

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WORKERS = (1, 2, 4)
LOAD = 400_000
SHARED = 100_000
"""Series that several workers share."""


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer readings")
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    given = parser.parse_args()
    readings = 10_000_000 if given.quick else 40_000_000
    with stack(given.dsn) as at:
        core = cores()[0]
        same = {n: asyncio.run(framed(at, n, readings, core=core, rate=LOAD)) for n in SIZES}
        # a feed of frames of 250 readings takes long to write
        second = {n: asyncio.run(framed(at, n, min(readings, 2_000 * n), core=core)) for n in SIZES}
        side = {n: asyncio.run(beside(at, SHARED, 3 * readings, n)) for n in WORKERS}
    costs = [1e6 / taken.per_s for taken in same.values()]
    slope = max(costs) / min(costs)
    if not given.json:
        head = ("series", "readings/s", "µs a reading", "memory MB", "registering s", "restoring s")
        show("One worker on one core, the same load", head, [_row(n, t) for n, t in same.items()])
        show("One worker on one core, once a second", head, [_row(n, t) for n, t in second.items()])
        rows = [
            (n, round(per_s), f"{per_s / side[1][0]:.2f} ×", round(mb)) for n, (per_s, mb) in side.items()
        ]
        show(f"{SHARED:,} series, all cores", ("workers", "readings/s", "", "memory MB, the largest"), rows)
        print(f"dearest over cheapest: {slope:.2f}")
    last_line(
        {
            "machine": machine(),
            "slope": round(slope, 3),
            "same_load": {n: _json(taken) for n, taken in same.items()},
            "once_a_second": {n: _json(taken) for n, taken in second.items()},
            "workers": {
                n: {"per_s": round(per_s), "memory_mb": round(mb)} for n, (per_s, mb) in side.items()
            },
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
