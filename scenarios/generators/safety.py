"""Gas: leaks that build up in rooms and chambers, among cooking, exhaust and calibration gas."""

from dataclasses import dataclass

import numpy as np

from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

RUNGS = {
    "gas_lel": {2: 25.0, 1: 50.0},
    "co_ppm": {2: 24.0, 1: 160.0},
    "h2s_ppm": {2: 6.0, 1: 20.0},
    "cl2_ppm": {2: 0.3, 1: 0.6},
    "nh3_ppm": {2: 25.0, 1: 50.0},
    "o2_vol": {2: 19.5, 1: 16.0},  # going down
}
"""Set points of the standards (domain.md E1) that the truth is judged by; tests hold them to the packs."""
NOISE = {"gas_lel": 0.3, "co_ppm": 0.7, "h2s_ppm": 0.12, "cl2_ppm": 0.015, "nh3_ppm": 0.5, "o2_vol": 0.04}
STEP = {"gas_lel": 0.1, "co_ppm": 1.0, "h2s_ppm": 0.1, "cl2_ppm": 0.01, "nh3_ppm": 0.1, "o2_vol": 0.1}
SENSOR_S = 20.0
"""Time constant of the sensor: what it reads follows the air (T90 about 45 s)."""
SITES = (  # kind of site, how many, device kind, metrics
    ("kitchen", 14, "gas_detector", ("gas_lel",)),
    ("valve_chamber", 8, "gas_detector", ("gas_lel",)),
    ("garage", 5, "co_detector", ("co_ppm",)),
    ("sewer", 6, "air_detector", ("gas_lel", "co_ppm", "h2s_ppm", "o2_vol")),
    ("waterworks", 2, "chlorine_detector", ("cl2_ppm",)),
    ("cold_store", 3, "ammonia_detector", ("nh3_ppm",)),
)
NAMES = {
    "kitchen": Text("餐饮后厨", "Kitchen"),
    "valve_chamber": Text("燃气阀井", "Valve chamber"),
    "garage": Text("地下车库", "Garage"),
    "sewer": Text("污水井", "Sewer"),
    "waterworks": Text("加氯间", "Chlorine room"),
    "cold_store": Text("冷库", "Cold store"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A leak into a room that is mixed well: dC/dt = (end - C) * air changes; see ``course``.

    Attributes:
        end: concentration it would settle at.
        begin_s: first second.
        stop_s: second at which it is stopped and the room aired.
        rate: air changes a second while it leaks.
        aired: air changes a second afterwards.
    """

    metric: str
    end: float
    begin_s: float
    stop_s: float
    rate: float
    aired: float

    def course(self, t_s: F64, usual: float) -> F64:
        """Noise-free reading at each second, above (oxygen: below) what is usual: the room, then the sensor's lag."""
        gap = self.end - usual

        def room(t: F64) -> F64:
            grown = gap * (1 - np.exp(-self.rate * np.clip(t - self.begin_s, 0, self.stop_s - self.begin_s)))
            return grown * np.exp(-self.aired * np.clip(t - self.stop_s, 0, None))

        lags = SENSOR_S * np.array([0.105, 0.357, 0.693, 1.204, 2.303])  # of the exponential's five fifths
        followed: F64 = np.mean([room(t_s - lag) for lag in lags], axis=0)
        return followed


def gas_leaks(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 43_200.0,
    leaks: int = 9,
    pulses: int = 3,
    period_s: float = 60.0,
) -> Scenario:
    """A day in kitchens, chambers, garages and sewers in which ``leaks`` sites leak.

    Args:
        start_ns: first second; best in the morning.
        seed: of sites, leaks and noise.
        duration_s: length.
        leaks: how many sites leak, of every kind of gas in turn.
        pulses: detectors that are given calibration gas; they may be raised or not.
        period_s: of the readings.
    """
    b = Builder(
        "gas_leaks",
        Text("燃气与有毒气体泄漏", "Gas and toxic leaks"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=10.0,
        settle_s=600.0,
    )
    sites = add_sites(b)
    hot = _leaks(b, sites, leaks, duration_s)
    free = [s for s, kind in sites.items() if s not in hot and kind in ("kitchen", "valve_chamber")]
    tested = b.rng.choice(free, min(pulses, len(free)), replace=False).tolist()
    add_gas(b, sites, period_s=period_s, leaks=hot, tested=tested)
    return b.build()


def add_sites(b: Builder) -> dict[str, str]:
    """Places with their detectors; id to kind of site."""
    sites = {}
    for kind, count, device_kind, _ in SITES:
        for i in range(count):
            id_ = f"{kind.upper()}-{i + 1:02d}"
            lon, lat = 113.30 + b.rng.uniform(0, 0.05), 23.10 + b.rng.uniform(0, 0.05)
            name = Text(f"{NAMES[kind].zh}{i + 1}", f"{NAMES[kind].en} {i + 1}")
            b.place(id_, kind, name, zone=f"BL-{i % 4 + 1}", lon=lon, lat=lat)
            b.device(f"{id_}-D", device_kind, id_)
            sites[id_] = kind
    return sites


def add_gas(
    b: Builder,
    sites: dict[str, str],
    *,
    period_s: float,
    leaks: dict[str, Leak] | None = None,
    tested: list[str] | None = None,
) -> None:
    """What the detectors of these sites read, and the truth of the leaks and of the calibration gas."""
    metrics = {kind: metrics for kind, _, _, metrics in SITES}
    for site, kind in sites.items():
        t_ns = b.times(period_s, phase_s=b.rng.uniform(0, period_s), jitter_s=0.02 * period_s, missing=0.005)
        t_s = (t_ns - b.start_ns) / SECOND
        leak = (leaks or {}).get(site)
        for metric in metrics[kind]:
            value = _usual(b, metric, kind, t_ns)
            if leak and leak.metric == metric:
                value = value + leak.course(t_s, _floor(metric))
            if site in (tested or []) and metric == "gas_lel":
                value = np.maximum(value, _pulse(b, site, t_s))
            value = value + b.rng.normal(0, NOISE[metric], len(t_s))
            b.readings(f"{site}-D", metric, t_ns, quantised(np.maximum(value, 0.0), STEP[metric]))
        if leak:
            _truth(b, site, leak, period_s)


def quantised(value: F64, step: float) -> F64:
    """In whole steps of the sensor's resolution."""
    whole: F64 = np.round(np.rint(value / step) * step, 6)
    return whole


def _floor(metric: str) -> float:
    """What clean air reads."""
    return 20.9 if metric == "o2_vol" else 0.0


def _usual(b: Builder, metric: str, kind: str, t_ns: I64) -> F64:
    """Clean air and what people do in it: cooking at meals, cars at rush hours, sewage in warm afternoons."""
    hour = (t_ns / 3.6e12 + 8.0) % 24.0  # 北京时间
    base = np.full(len(t_ns), _floor(metric))
    if kind == "kitchen" and metric == "gas_lel":
        for meal in (7.5, 12.0, 18.5):
            for _ in range(b.rng.poisson(5)):
                at, wide, high = b.rng.normal(meal, 0.6), b.rng.uniform(0.02, 0.08), b.rng.uniform(2, 13)
                base += high * np.exp(-(((hour - at) / wide) ** 2))
        base = np.minimum(base, 16.0)
    if kind == "garage":
        for rush in (8.2, 18.2):
            base += b.rng.uniform(6, 12) * np.exp(-(((hour - rush) / 0.7) ** 2))
        base = np.minimum(base + 2.0, 17.0)
    if kind == "sewer" and metric == "h2s_ppm":
        base += 0.8 + b.rng.uniform(0.5, 1.8) * np.exp(-(((hour - 15.0) / 3.0) ** 2))
    if kind == "sewer" and metric == "gas_lel":
        base += b.rng.uniform(1, 5)
    return base


def _pulse(b: Builder, site: str, t_s: F64) -> F64:
    """Calibration gas of 50 %LEL for some three minutes: whoever raises it is not wrong, who does not is right too."""
    at, lasts = b.rng.uniform(0.1, 0.9) * t_s[-1], b.rng.uniform(150, 240)
    inside = (t_s >= at) & (t_s < at + lasts)
    begin_ns = b.start_ns + round(at * SECOND)
    until_ns = begin_ns + round((lasts + 600) * SECOND)
    b.truth("gas_leak", site, 1, begin_ns, until_ns, within_s=120.0, optional=True)
    return np.where(inside, 50.0, 0.0)


def _leaks(b: Builder, sites: dict[str, str], count: int, duration_s: float) -> dict[str, Leak]:
    """Which sites leak, when, and how high: never so near to a set point that noise alone would decide the level."""
    plans = (
        ("valve_chamber", "gas_lel"),
        ("kitchen", "gas_lel"),
        ("sewer", "h2s_ppm"),
        ("garage", "co_ppm"),
        ("kitchen", "gas_lel"),
        ("sewer", "o2_vol"),
        ("waterworks", "cl2_ppm"),
        ("cold_store", "nh3_ppm"),
        ("valve_chamber", "gas_lel"),
    )
    found: dict[str, Leak] = {}
    for i in range(count):
        kind, metric = plans[i % len(plans)]
        free = [s for s, k in sites.items() if k == kind and s not in found]
        if not free:
            continue
        site = str(b.rng.choice(free))
        second, first = RUNGS[metric][2], RUNGS[metric][1]
        grave = bool(b.rng.random() < 0.5)
        # it settles beyond the set point it reaches, clear of the next one
        end = (
            first + b.rng.uniform(0.25, 0.6) * (first - second)
            if grave
            else second + b.rng.uniform(0.35, 0.6) * (first - second)
        )
        begin = b.rng.uniform(0.05, 0.7) * duration_s
        found[site] = Leak(
            metric=metric,
            end=float(end),
            begin_s=float(begin),
            stop_s=float(begin + b.rng.uniform(2400, 5400)),
            rate=float(1 / b.rng.uniform(240, 700)),
            aired=float(1 / b.rng.uniform(200, 400)),
        )
    return found


def _truth(b: Builder, site: str, leak: Leak, period_s: float) -> None:
    """From the course without noise and without what else is in the air."""
    t_s = np.arange(0.0, (b.end_ns - b.start_ns) / SECOND, 1.0)
    value = _floor(leak.metric) + leak.course(t_s, _floor(leak.metric))
    beyond = {
        level: np.flatnonzero(value <= rung if leak.metric == "o2_vol" else value >= rung)
        for level, rung in RUNGS[leak.metric].items()
    }
    reached = {level: rows for level, rows in beyond.items() if len(rows)}
    if not reached:
        return
    rows = reached[2]
    at = {level: b.start_ns + round(float(t_s[rows[0]]) * SECOND) for level, rows in reached.items()}
    b.truth(
        "gas_leak" if leak.metric == "gas_lel" else "toxic_gas",
        site,
        min(reached),
        at[2],
        b.start_ns + round(float(t_s[rows[-1]]) * SECOND),
        within_s=2.0 * period_s + 10.0,  # one reading may be missing
        reaches_ns=at,
        episode_ns=(
            b.start_ns + round(leak.begin_s * SECOND),
            b.start_ns + round((leak.stop_s + 4 / leak.aired) * SECOND),
        ),
    )
