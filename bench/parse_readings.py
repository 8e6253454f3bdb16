"""How fast readings are parsed, as a ratio to decoding the same JSON and nothing else.

    python -m bench parse_readings [--quick] [--json] [--rows N] [--devices N]

The baseline is msgspec decoding the body into typed rows, the fastest JSON decoder for Python that we know of
(measured beside orjson); on top of it ``parse`` looks devices up among all that are registered, converts units, reads
times, checks ranges and builds columns of four districts. Devices come in random order and every one of them comes
up, so that the look-up meets a cold cache as in life. Each figure is the best of several rounds over all bodies.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from ingest.catalogue import Catalogue, Packer, join
from ingest.parse import Limits, by_rows, parse
from ingest.rows import Row
from yiwang.domains import compile_rules, load_rules

NOW_NS = 1_780_316_100_000_000_000  # 2026-06-01T20:15:00+08:00
LIMITS = Limits(future_s=60.0, past_s=30 * 86400.0)
DISTRICTS = 4


def city(devices: int) -> tuple[Catalogue, dict[str, float]]:
    """A catalogue of that many devices, and what it took."""
    before, began = _resident_mb(), time.perf_counter()
    parts = {}
    for district in range(DISTRICTS):
        packer = Packer(district)
        for number, i in enumerate(range(district, devices, DISTRICTS)):
            packer.add(
                f"WL-{i:07d}",
                "road_water_level",
                ["water_depth", "rain_intensity"],
                (2 * number, 2 * number + 1),
            )
        parts[district] = packer.part(1)
    packed = time.perf_counter()
    catalogue = join(parts, [], compile_rules(load_rules()))
    gc.collect()
    return catalogue, {
        "pack_s": round(packed - began, 2),
        "build_s": round(time.perf_counter() - packed, 2),
        "catalogue_mb": round((catalogue.index.records.nbytes + catalogue.index.directory.nbytes) / 1e6),
        "resident_mb": round(_resident_mb() - before),
    }


def bodies(devices: int, rows: int) -> list[list[dict[str, Any]]]:
    """Bodies in which every device comes up once, at most 200; Any: plain JSON values."""
    order = np.random.default_rng(1).permutation(devices)
    begins = range(0, min(devices, 200 * rows) - rows + 1, rows)
    return [[_row(i, at) for at, i in enumerate(order[b : b + rows].tolist())] for b in begins]


def _row(device: int, at: int) -> dict[str, Any]:  # Any: plain JSON values
    return {
        "device": f"WL-{device:07d}",
        "metric": "water_depth",
        "time": f"2026-06-01T20:14:{at % 60:02d}.{at % 1000:03d}+08:00",
        "value": at % 997 / 10,
        "unit": "cm",
    }


def _mixed(row: dict[str, Any], at: int) -> dict[str, Any]:  # Any: plain JSON values
    """Two metrics, and a fraction of a second only where there is one: no two rows of one width."""
    metric = {"metric": "rain_intensity", "unit": "mm/min", "value": at % 9 / 4} if at % 2 else {}
    return row | metric | ({"time": row["time"].replace(".000", "")} if at % 10 == 0 else {})


def best(work: Callable[[bytes], object], given: Sequence[bytes], seconds: float) -> float:
    """Seconds of the processor for a body, of the fastest of the rounds that fit."""
    fastest, end = float("inf"), time.perf_counter() + seconds
    while True:
        began = time.process_time()  # others may want the core too
        for body in given:
            work(body)
        fastest = min(fastest, (time.process_time() - began) / len(given))
        if time.perf_counter() > end:
            return fastest


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=2000, help="readings a body")
    options.add_argument("--devices", type=int, default=1_000_000, help="registered devices")
    options.add_argument("--quick", action="store_true", help="a second each")
    options.add_argument("--json", action="store_true", help="the last line only")
    given = options.parse_args()
    seconds = 1.0 if given.quick else 4.0
    catalogue, size = city(given.devices)
    rows = bodies(given.devices, given.rows)
    encode = msgspec.json.encode
    good = [encode(body) for body in rows]
    few = rows[:20]
    lines = [b"\n".join(map(encode, body)) for body in few]
    bad = [encode([r | {"unit": "ell"} if at % 100 == 0 else r for at, r in enumerate(b)]) for b in few]
    mixed = [encode([_mixed(r, at) for at, r in enumerate(b)]) for b in few]
    small = [encode(body[:10]) for body in few]
    decoder = msgspec.json.Decoder(list[Row])
    assert sum(parse(body, NOW_NS, catalogue, LIMITS).accepted for body in good) == given.rows * len(good)

    def usual(body: bytes) -> object:
        return parse(body, NOW_NS, catalogue, LIMITS)

    def rowwise(body: bytes) -> object:
        return by_rows(body, NOW_NS, catalogue, LIMITS)

    works: dict[str, tuple[Callable[[bytes], object], Sequence[bytes], int]] = {
        "decode_only": (decoder.decode, good, given.rows),
        "parse": (usual, good, given.rows),
        "by_rows": (rowwise, good, given.rows),
        "parse_lines": (lambda body: parse(body, NOW_NS, catalogue, LIMITS, form="lines"), lines, given.rows),
        "parse_mixed": (usual, mixed, given.rows),
        "parse_1_percent_bad": (usual, bad, given.rows),
        "parse_10_rows": (usual, small, 10),
        "by_rows_10_rows": (rowwise, small, 10),
    }
    rates = {name: round(n / best(work, what, seconds)) for name, (work, what, n) in works.items()}
    result = {
        "rows": given.rows,
        "devices": given.devices,
        "bytes_a_row": round(len(good[0]) / given.rows, 1),
        "readings_per_s": rates,
        "parse_to_decode": round(rates["decode_only"] / rates["parse"], 2),
        "parse_to_by_rows": round(rates["by_rows"] / rates["parse"], 2),
        **size,
    }
    if not given.json:
        table = Table(title=f"{given.rows} readings a body, {given.devices} devices")
        table.add_column("")
        table.add_column("readings/s", justify="right")
        table.add_column("µs each", justify="right")
        for name, rate in rates.items():
            table.add_row(name, f"{rate:,}", f"{1e6 / rate:.3f}")
        Console().print(table)
    print(json.dumps(result))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
