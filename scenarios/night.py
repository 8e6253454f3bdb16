"""The demo's night: a cloudburst floods an underpass, a crash blocks the ring road, a gas alarm goes off.

One district has all of it, the other stays quiet and lends a pump crew. Values are made by formulae and a
seeded generator, so a night of one seed is the same everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from scenarios.city import City, generate
from scenarios.model import Scenario, Truth, registries
from yiwang.clock import SECOND
from yiwang.columns import F64, Readings
from yiwang.domains import compile_rules, load_rules
from yiwang.ids import derive
from yiwang.model import VideoEvent
from yiwang.registry import Device, Registry, Text

Signal = Callable[[F64, np.random.Generator], F64]  # seconds since the start (n,) -> values (n,)

PERIOD_S = {"water_depth": 10.0, "rain_intensity": 30.0, "link_speed": 10.0, "gas_lel": 10.0}
FLOODED, POURING, BLOCKED, LEAKING = "UP-003", "ST-03", "LK-010", "VC-007"
QUEUE = (BLOCKED, "LK-009", "LK-008")  # the blocked link and the queue that grows back from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A line through (seconds, value) points, for one device."""

    t_s: tuple[float, ...]
    value: tuple[float, ...]

    def at(self, t_s: F64) -> F64:
        """Value at each moment; constant outside the points."""
        return np.interp(t_s, self.t_s, self.value)

    def reaches(self, level: float) -> float:
        """First second at which the line is at or above ``level``; rising parts only."""
        points = list(zip(self.t_s, self.value, strict=True))
        for (t0, v0), (t1, v1) in pairwise(points):
            if v0 < level <= v1:
                return t0 + (level - v0) / (v1 - v0) * (t1 - t0)
        raise ValueError(f"the course never reaches {level}")

    def leaves(self, level: float) -> float:
        """Last second at which the line falls below ``level``."""
        points = list(zip(self.t_s, self.value, strict=True))
        for (t0, v0), (t1, v1) in reversed(list(pairwise(points))):
            if v1 < level <= v0:
                return t0 + (v0 - level) / (v0 - v1) * (t1 - t0)
        raise ValueError(f"the course never falls below {level}")


FLOOD = Course(t_s=(90, 180, 420, 720, 900, 1080, 1500, 1980), value=(0, 4, 19, 46, 58, 57, 22, 0))
GAS = Course(t_s=(690, 760, 820, 1080, 1320, 1500), value=(1, 18, 36, 34, 9, 1))
SPEED = Course(t_s=(470, 500, 1500, 1800), value=(1.0, 0.11, 0.13, 1.0))  # share of the free speed
RAIN = Course(t_s=(0, 60, 300, 780, 1200, 1800), value=(2, 18, 62, 74, 22, 1))  # mm/h


def night(*, start_ns: int, seed: int = 20261123, duration_s: float = 4500.0) -> Scenario:
    """The night from ``start_ns`` on.

    Args:
        start_ns: event time of its first second.
        seed: of the city and of the noise.
        duration_s: length of the feed in event time; the last incident is closed by about 4400 s.
    """
    return build("night", generate(seed), start_ns=start_ns, seed=seed, duration_s=duration_s, troubled=True)


def quiet(*, start_ns: int, seed: int = 20261123, duration_s: float = 3600.0) -> Scenario:
    """The same city on a night without incidents; nothing may be raised."""
    return build("quiet", generate(seed), start_ns=start_ns, seed=seed, duration_s=duration_s, troubled=False)


def build(name: str, city: City, *, start_ns: int, seed: int, duration_s: float, troubled: bool) -> Scenario:
    """A scenario of this city; ``troubled`` lays the three incidents in."""
    rules = load_rules()
    domains = compile_rules(rules)
    metrics_of = {kind: spec.metrics for kind, spec in domains.device_kinds.items()}
    regs = registries(city.places, city.devices, city.units, metrics_of, city.districts)
    rng = np.random.default_rng([seed, 1])
    readings = {n: sample(reg, start_ns, 0.0, duration_s, rng, troubled=troubled) for n, reg in regs.items()}
    events = tuple(_video(regs[0], start_ns)) if troubled else ()
    return Scenario(
        name=name,
        title=Text("暴雨之夜", "Cloudburst night") if troubled else Text("平静之夜", "Quiet night"),
        start_ns=start_ns,
        end_ns=start_ns + round(duration_s * SECOND),
        settle_s=300.0,
        tick_s=1.0,
        districts=city.districts,
        registries=regs,
        rules=rules,
        base_map=city.base_map,
        readings=readings,
        events=events,
        truth=_truth(start_ns) if troubled else (),
        expect_support=troubled,
    )


def calm(scenario: Scenario, *, start_ns: int, duration_s: float) -> Scenario:
    """A quiet piece of the same city's life, to follow a night."""
    rng = np.random.default_rng([start_ns // SECOND, 2])
    return replace(
        scenario,
        start_ns=start_ns,
        end_ns=start_ns + round(duration_s * SECOND),
        settle_s=0.0,
        readings={
            n: sample(registry, start_ns, 0.0, duration_s, rng, troubled=False)
            for n, registry in scenario.registries.items()
        },
        events=(),
        truth=(),
    )


def sample(
    registry: Registry, start_ns: int, from_s: float, to_s: float, rng: np.random.Generator, *, troubled: bool
) -> Readings:
    """What one district's sensors say in [from_s, to_s), sorted by time; cameras say nothing by themselves."""
    s_parts, t_parts, v_parts = [], [], []
    for device in registry.devices:
        for series in device.series:
            period = PERIOD_S.get(series.metric)
            if period is None:
                continue
            phase = (series.number * 0.377) % period
            t = np.arange(phase + period * np.ceil((from_s - phase) / period), to_s, period)
            value = _signal(device, series.metric, troubled=troubled)(t, rng)
            s_parts.append(np.full(len(t), series.number, np.int32))
            t_parts.append(start_ns + np.round(t * SECOND).astype(np.int64))
            v_parts.append(value)
    s, t_ns, v = np.concatenate(s_parts), np.concatenate(t_parts), np.concatenate(v_parts)
    order = np.argsort(t_ns, kind="stable")
    return Readings(
        series=s[order], t_ns=t_ns[order], value=np.round(v[order], 2), quality=np.zeros(len(s), np.uint8)
    )


def _signal(device: Device, metric: str, *, troubled: bool) -> Signal:
    here = troubled and device.district == 0
    if metric == "water_depth":
        if here and device.place == FLOODED:
            lag = 0.0 if device.id.endswith("01") else 25.0
            return lambda t, rng: np.maximum(0.0, FLOOD.at(t - lag) + rng.normal(0, 0.15, len(t)))
        puddle = (hash_unit(device.id) * 2.2) if here else hash_unit(device.id) * 0.6
        return lambda t, rng: np.maximum(
            0.0, puddle * RAIN.at(t - 240) / 74 + np.abs(rng.normal(0, 0.12, len(t)))
        )
    if metric == "link_speed":
        free = 72.0 + 9.0 * hash_unit(device.id)
        if here and device.place in QUEUE:
            delay = 45.0 * QUEUE.index(device.place)
            return lambda t, rng: np.maximum(3.0, free * SPEED.at(t - delay) + rng.normal(0, 1.2, len(t)))
        return lambda t, rng: free + rng.normal(0, 1.6, len(t))
    if metric == "gas_lel":
        if here and device.place == LEAKING:
            return lambda t, rng: np.maximum(0.0, GAS.at(t) + rng.normal(0, 0.2, len(t)))
        return lambda t, rng: np.abs(rng.normal(0.8, 0.3, len(t)))
    if metric == "rain_intensity":
        share = 0.06 if not here else 1.0 if device.place == POURING else 0.2
        return lambda t, rng: np.maximum(0.0, share * RAIN.at(t) + rng.normal(0, 0.3, len(t)))
    raise ValueError(f"no signal for metric {metric}")


def hash_unit(text: str) -> float:
    """A number in [0, 1) that belongs to the text."""
    return int(derive("h", text)[-8:], 16) / 2**32


def _video(registry: Registry, start_ns: int) -> Sequence[tuple[int, int, VideoEvent]]:
    cameras = {d.place: d for d in registry.devices if d.kind == "camera"}
    sightings = [
        (FLOODED, "road_flooding", FLOOD.reaches(15.0) + 20.0, 12, 15.0, 0.84),
        ("LK-009", "traffic_crash", 506.0, 60, 15.0, 0.81),
    ]
    events = []
    for place, event_class, first_s, count, every_s, confidence in sightings:
        for k in range(count):
            t_ns = start_ns + round((first_s + k * every_s) * SECOND)
            events.append(
                (
                    t_ns,
                    0,
                    VideoEvent(
                        event_id=derive("V", cameras[place].id, event_class, t_ns),
                        device=cameras[place].id,
                        event_class=event_class,
                        confidence=round(confidence + 0.012 * (k % 9), 3),
                        t_ns=t_ns,
                        ingest_ns=t_ns,
                    ),
                )
            )
    return sorted(events, key=lambda e: (e[0], e[2].event_id))


def _truth(start_ns: int) -> tuple[Truth, ...]:
    """What is true about the night; levels as in the domain packs' defaults (tests hold both together)."""

    def at(seconds: float) -> int:
        return start_ns + round(seconds * SECOND)

    flood = {"4": 5.0, "3": 15.0, "2": 27.0, "1": 50.0}
    rain = {"4": 20.0, "3": 50.0}
    return (
        Truth(
            id="rain",
            kind="heavy_rain",
            district=0,
            place="CA-03",
            severity=3,
            begin_ns=at(RAIN.reaches(20.0)),
            end_ns=at(RAIN.leaves(20.0)),
            within_s=45.0,
            reaches_ns={level: at(RAIN.reaches(mm)) for level, mm in rain.items()},
        ),
        Truth(
            id="flood",
            kind="road_flooding",
            district=0,
            place=FLOODED,
            severity=1,
            begin_ns=at(FLOOD.reaches(5.0)),
            end_ns=at(FLOOD.leaves(5.0)),
            within_s=15.0,
            reaches_ns={level: at(FLOOD.reaches(depth)) for level, depth in flood.items()},
        ),
        Truth(
            id="crash",
            kind="traffic_incident",
            district=0,
            place="LK-009",
            severity=2,
            begin_ns=at(470.0),
            end_ns=at(1890.0),
            within_s=120.0,
            also=(BLOCKED, "LK-008"),
        ),
        Truth(
            id="queue",
            kind="congestion",
            district=0,
            place="RING-01",
            severity=3,
            begin_ns=at(470.0),
            end_ns=at(1890.0),
            within_s=240.0,
            optional=True,
        ),
        Truth(
            id="gas",
            kind="gas_leak",
            district=0,
            place=LEAKING,
            severity=2,
            begin_ns=at(GAS.reaches(25.0)),
            end_ns=at(GAS.leaves(25.0)),
            within_s=15.0,
            reaches_ns={"2": at(GAS.reaches(25.0))},
        ),
    )
