"""How fast readings are parsed, as a ratio to decoding the same JSON and nothing else.

python bench/parse_readings.py [--rows N] [--devices N]

The baseline is msgspec decoding the body into typed rows, the fastest JSON decoder for Python that we know of
(measured beside orjson); on top of it ``parse`` looks devices up, converts units, reads times, checks ranges and
builds columns.
"""

import argparse
import json
import time
from collections.abc import Callable

import msgspec

from ingest.catalogue import build
from ingest.parse import Limits, parse
from ingest.rows import Row
from yiwang.domains import compile_rules, load_rules
from yiwang.registry import Device, Registry, Series, Text

NOW_NS = 1_780_316_100_000_000_000  # 2026-06-01T20:15:00+08:00


def best(work: Callable[[], object], seconds: float = 2.0) -> float:
    """Seconds of the fastest of the repetitions that fit."""
    work()
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - begun)
    return fastest


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=2000, help="readings a body")
    options.add_argument("--devices", type=int, default=100_000, help="registered devices")
    given = options.parse_args()
    devices = tuple(
        Device(
            id=f"WL-{i:07d}",
            district=0,
            kind="road_water_level",
            place="P",
            name=Text("点"),
            lon=104.0,
            lat=30.0,
            series=(Series(number=i, metric="water_depth"),),
        )
        for i in range(given.devices)
    )
    catalogue = build({0: Registry(version=1, devices=devices)}, compile_rules(load_rules()))
    limits = Limits(future_s=60.0, past_s=30 * 86400.0)
    rows = [
        {
            "device": f"WL-{i * 7919 % given.devices:07d}",
            "metric": "water_depth",
            "time": f"2026-06-01T20:14:{i % 60:02d}.{i % 1000:03d}+08:00",
            "value": i % 100 / 10,
            "unit": "cm",
        }
        for i in range(given.rows)
    ]
    good = msgspec.json.encode(rows)
    bad = msgspec.json.encode([{**r, "unit": "ell"} if i % 100 == 0 else r for i, r in enumerate(rows)])
    decoder = msgspec.json.Decoder(list[Row])
    seconds = {
        "decode_only": best(lambda: decoder.decode(good)),
        "parse": best(lambda: parse(good, NOW_NS, catalogue, limits)),
        "parse_1_percent_bad": best(lambda: parse(bad, NOW_NS, catalogue, limits)),
    }
    assert parse(good, NOW_NS, catalogue, limits).accepted == given.rows
    print(
        json.dumps(
            {
                "rows": given.rows,
                "devices": given.devices,
                "bytes_a_row": round(len(good) / given.rows, 1),
                "readings_per_s": {k: round(given.rows / s) for k, s in seconds.items()},
                "parse_to_decode": round(seconds["parse"] / seconds["decode_only"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
