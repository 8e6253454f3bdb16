"""A small scenario for tests of scoring: one underpass that floods, one road with a puddle, one camera."""

import numpy as np

from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text

START_NS = 1_780_000_020 * SECOND


def flood(*, peak_cm: float = 40.0, seed: int = 1, name: str = "small") -> Scenario:
    """Forty minutes: the underpass rises to ``peak_cm`` between minute 10 and 20 and is dry again at 30."""
    b = Builder(
        name,
        Text("小水坑", "Puddle"),
        start_ns=START_NS,
        seed=seed,
        duration_s=2400,
        tick_s=10,
        settle_s=3600,
    )
    b.place("P", "underpass", zone="Z", lon=113.0, lat=23.0, closure_depth_cm=25)
    b.place("Q", "road", zone="Z", lon=113.01, lat=23.0)
    b.device("WP", "underpass_water_level", "P")
    b.device("WQ", "road_water_level", "Q")
    t_ns = b.times(30)
    minute = (t_ns - b.start_ns) / SECOND / 60
    depth = np.interp(minute, [0, 10, 20, 30, 40], [0, 0, peak_cm, 0, 0])
    b.readings("WP", "water_depth", t_ns, np.round(depth + b.rng.normal(0, 0.1, len(depth)), 1))
    b.readings("WQ", "water_depth", t_ns, np.round(2 + b.rng.normal(0, 0.1, len(depth)), 1))
    begin, end = (b.start_ns + round(m * 60 * SECOND) for m in (10 + 50 / peak_cm, 30 - 50 / peak_cm))
    b.truth("road_flooding", "P", 2, begin, end, within_s=90)
    return b.build()
