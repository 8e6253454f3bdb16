"""Readings a second: framed against Faust, Quix Streams and Bytewax on one core; the chain; storing against COPY.

    python -m bench throughput [--quick] [--json] [--dsn URL] [--series N] [--only PART,…]

The job is the same everywhere: a ladder with hysteresis, rate of rise and stuck value for each sensor, findings
out. ``framed`` is our own district worker as it is started in production, snapshots included, on one core, with a
feed of frames that was written before. The peers read one JSON reading a message, as their users write it.
``bare_aiokafka`` and ``bare_quix`` are our frames and our machine without Faust. ``chain`` is JSON over HTTP into
two ingest processes, through Kafka, to findings, on all cores; ``chain_stored`` until the database has every
reading too; ``copy`` is a bare COPY of the same rows.
"""

import argparse
import asyncio
from collections.abc import Sequence

from bench import _peers
from bench._engine import framed
from bench._stack import cores, last_line, machine, show, stack

PARTS = ("framed", "peers", "bare", "chain", "stored")


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer readings")
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    given = parser.parse_args()
    only = given.only.split(",")
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only: {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    result: dict[str, object] = {"machine": machine(), "series": given.series}
    rows: list[Sequence[object]] = []
    with stack(given.dsn) as at:
        if "framed" in only:
            ours = asyncio.run(
                framed(at, given.series, 10_000_000 if given.quick else 60_000_000, core=cores()[0])
            )
            result |= {"framed": round(ours.per_s), "framed_memory_mb": round(ours.memory_mb)}
            rows.append(("framed", round(ours.per_s), ""))
        if "peers" in only:
            for peer, taken in _peers.measure(at, quick=given.quick).items():
                result[peer] = round(taken["per_s"])
                ratio = f"{result['framed'] / taken['per_s']:.0f} ×" if "framed" in result else ""
                rows.append((peer, round(taken["per_s"]), ratio))
    if not given.json:
        show("One core, from Kafka to findings", ("by", "readings/s", "framed is"), rows)
    last_line(result)


if __name__ == "__main__":
    main()
