"""Sensor faults: every type of them put into an ordinary day, and some of them beside a fast and real flood.

A fault is a function of a sound sensor's times and values. Its truth is the time it was put in, and the reasons
that name it; the sound sensors beside it are where false notices would show.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from detectors import registry
from scenarios.building import Builder
from scenarios.generators.floods import Town
from scenarios.generators.shapes import Course, daily, sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64, U8, Quality
from yiwang.registry import Text

HOUR_NS = 3600 * SECOND


@dataclass(slots=True, kw_only=True)
class Signal:
    """What a sensor sends: times ns (n,), values (n,), quality (n,)."""

    t_ns: I64
    value: F64
    quality: U8 = field(default_factory=lambda: np.zeros(0, np.uint8))

    def between(self, begin_ns: int, end_ns: int) -> slice:
        """Rows from begin to before end."""
        first, last = np.searchsorted(self.t_ns, (begin_ns, end_ns))
        return slice(int(first), int(last))

    def without(self, rows: slice) -> None:
        """Takes readings away."""
        keep = np.ones(len(self.t_ns), np.bool_)
        keep[rows] = False
        self.t_ns, self.value, self.quality = self.t_ns[keep], self.value[keep], self.quality[keep]


Fault = Callable[[Signal, slice, np.random.Generator], None]


def stuck(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
    """Stays at the value it begins with."""
    del rng
    signal.value[rows] = signal.value[rows.start]


def spike(height: float) -> Fault:
    """One reading off by ``height``."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        del rng
        signal.value[rows.start] += height

    return put


def spikes(height: float, count: int) -> Fault:
    """``count`` single readings off by about ``height``, spread over the time."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        at = np.linspace(rows.start, rows.stop - 2, count).astype(np.int64)
        signal.value[at] += height * rng.uniform(0.7, 1.3, count)

    return put


def shift(by: float) -> Fault:
    """All readings off by ``by`` from the first on."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        del rng
        signal.value[rows] += by

    return put


def ramp(per_hour: float) -> Fault:
    """Drifts away."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        del rng
        signal.value[rows] += per_hour * (signal.t_ns[rows] - signal.t_ns[rows.start]) / HOUR_NS

    return put


def shaky(sd: float) -> Fault:
    """White noise on top."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        signal.value[rows] += rng.normal(0.0, sd, len(signal.value[rows]))

    return put


def constant(value: float) -> Fault:
    """Always the same impossible value."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        del rng
        signal.value[rows] = value

    return put


def chatter(height: float) -> Fault:
    """Every other reading is off by ``height``: a contact that does not close."""

    def put(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
        del rng
        signal.value[rows.start : rows.stop : 2] += height

    return put


def silent(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
    """Sends nothing."""
    del rng
    signal.without(rows)


def late_clock(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
    """Its clock runs ahead: ingest gives the readings the time of arrival and marks them."""
    del rng
    signal.quality[rows] |= np.uint8(Quality.CLOCK)


def reset(signal: Signal, rows: slice, rng: np.random.Generator) -> None:
    """A counter begins at 0 again."""
    del rng
    signal.value[rows.start :] -= signal.value[rows.start]


def named(*names: str) -> tuple[str, ...]:
    """The reasons by which these detectors name a fault, and its end: evidence shows what was said last."""
    return tuple(r for name in names for r in _reasons(name) if r != "jump.confirmed")


def _reasons(detector: str) -> tuple[str, ...]:
    return tuple(getattr(registry.get(detector), "reasons"))  # noqa: B009  a detector class, known as a plain type


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault of one sensor: from which hour, for how many, how soon it can be known, what names it."""

    fault: Fault
    hour: float
    hours: float
    within_s: float
    reasons: tuple[str, ...]
    severity: int = 4


class Zoo:
    """A builder with sensors that may be in trouble."""

    def __init__(self, builder: Builder) -> None:
        self.b = builder
        self.rng = builder.rng
        self._spots = 100

    def sensor(
        self,
        device: str,
        kind: str,
        zone: str,
        period_s: float,
        signals: dict[str, Callable[[I64], F64]],
        trouble: Trouble | None = None,
        metric: str = "",
        resolution: float = 0.1,
    ) -> None:
        """A device at a place of its own; the trouble is that of ``metric``, or of all."""
        b, rng = self.b, self.rng
        lon, lat = spot(self._spots)
        self._spots += 1
        name = Text(f"{zone} {device} 点", f"{zone} site {device}")
        b.place(f"P-{device}", "site", name, zone=zone, lon=lon, lat=lat)
        b.device(device, kind, f"P-{device}")
        begin_ns = end_ns = 0
        if trouble is not None:
            begin_ns = b.start_ns + round(trouble.hour * HOUR_NS)
            end_ns = begin_ns + round(trouble.hours * HOUR_NS)
        t_ns = b.times(
            period_s, phase_s=float(rng.uniform(0, period_s)), jitter_s=0.01 * period_s, missing=0.005
        )
        for name_, make in signals.items():
            signal = Signal(t_ns=t_ns, value=make(t_ns), quality=np.zeros(len(t_ns), np.uint8))
            if trouble is not None and metric in ("", name_):
                rows = signal.between(begin_ns, end_ns)
                begun = int(signal.t_ns[rows.start])
                trouble.fault(signal, rows, rng)
                begin_ns = begun
            low, high = b.domains.metrics[name_].lo, b.domains.metrics[name_].hi
            value = np.round(np.clip(signal.value, low, high) / resolution) * resolution
            b.readings(device, name_, signal.t_ns, value, quality=signal.quality)
        if trouble is not None:
            b.truth(
                "sensor_fault",
                device,
                trouble.severity,
                begin_ns,
                max(begin_ns, min(end_ns, b.end_ns)),
                within_s=trouble.within_s,
                reasons=trouble.reasons,
            )


def sensor_fault_zoo(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """One of every fault in gauges of roads, tides, noise, gas, tunnels, water and rain; nothing else happens all day.

    Needs twelve hours.
    """
    builder = Builder(
        "sensor_fault_zoo",
        Text("传感器故障大全", "Zoo of sensor faults"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=60.0,
        settle_s=600.0,
    )
    zoo = Zoo(builder)
    _roads(zoo)
    _tides(zoo)
    _rest(zoo)
    return builder.build()


def _roads(zoo: Zoo) -> None:
    """Dry roads; a puddle here and there. No fault may become a flood."""
    rng = zoo.rng
    troubles: tuple[Trouble | None, ...] = (
        Trouble(fault=spike(70.0), hour=2.1, hours=0.02, within_s=300, reasons=named("jump")),
        Trouble(fault=spikes(80.0, 4), hour=5.0, hours=0.6, within_s=2400, reasons=named("jump"), severity=3),
        Trouble(fault=silent, hour=4.0, hours=3.0, within_s=1200, reasons=named("silence"), severity=3),
        Trouble(
            fault=chatter(90.0),
            hour=6.0,
            hours=0.5,
            within_s=1500,
            reasons=named("jump", "flap"),
            severity=3,
        ),
        None,
        None,
        None,
        None,
    )
    for i, trouble in enumerate(troubles):
        puddle = float(rng.choice([0.0, 0.0, 1.5]))

        def depth(t_ns: I64, puddle: float = puddle) -> F64:
            return np.maximum(sensed(rng, np.full(len(t_ns), puddle), 0.25, 0.1), -0.5)

        zoo.sensor(
            f"RW-{i + 1}", "road_water_level", f"ROAD-{i // 4 + 1}", 60.0, {"water_depth": depth}, trouble
        )


def _tides(zoo: Zoo) -> None:
    """Three gauges of one estuary: one sticks, two are sound."""
    rng = zoo.rng
    troubles = (
        Trouble(fault=stuck, hour=3.0, hours=9.0, within_s=8400, reasons=named("still")),
        None,
        None,
    )
    begin = float(rng.uniform(0, 12.42))
    for i, trouble in enumerate(troubles):

        def level(t_ns: I64, i: int = i) -> F64:
            phase = 2 * np.pi * ((t_ns - zoo.b.start_ns) / HOUR_NS - begin - 0.1 * i) / 12.42
            return sensed(rng, 1.0 + 1.2 * np.sin(phase), 0.008, 0.001)

        zoo.sensor(
            f"TG-{i + 1}", "tide_gauge", "ESTUARY", 300.0, {"tide_level": level}, trouble, resolution=0.001
        )


def _rest(zoo: Zoo) -> None:
    """Noise, gas, a utility tunnel, water quality and rain."""
    rng = zoo.rng

    def noise(t_ns: I64) -> F64:
        return (
            daily(t_ns, (0, 6, 9, 18, 22), (44, 46, 56, 57, 48))
            + wander(rng, t_ns, 1.5, 600.0)
            + rng.normal(0, 0.8, len(t_ns))
        )

    def gas(t_ns: I64) -> F64:
        return np.maximum(0.6 + wander(rng, t_ns, 0.3, 3600.0) + rng.normal(0, 0.15, len(t_ns)), 0.0)

    def sewer(t_ns: I64) -> F64:
        return np.maximum(6.0 + wander(rng, t_ns, 0.4, 3600.0) + rng.normal(0, 0.2, len(t_ns)), 0.0)

    def oxygen(t_ns: I64) -> F64:
        return 20.9 + wander(rng, t_ns, 0.05, 7200.0) + rng.normal(0, 0.05, len(t_ns))

    def warmth(t_ns: I64) -> F64:
        return 22.0 + wander(rng, t_ns, 0.6, 7200.0) + rng.normal(0, 0.1, len(t_ns))

    def rain(t_ns: I64) -> F64:
        return 812.0 + np.cumsum(np.where(rng.random(len(t_ns)) < 0.08, 0.2, 0.0))

    def water() -> dict[str, Callable[[I64], F64]]:
        return {
            "water_ph": lambda t: 7.4 + wander(rng, t, 0.05, 7200.0) + rng.normal(0, 0.02, len(t)),
            "dissolved_oxygen": lambda t: 6.5 + wander(rng, t, 0.2, 7200.0) + rng.normal(0, 0.05, len(t)),
            "ammonia_nitrogen": lambda t: 0.5 + wander(rng, t, 0.03, 7200.0) + rng.normal(0, 0.02, len(t)),
            "turbidity": lambda t: 14.0 * np.exp(wander(rng, t, 0.1, 10800.0)) + rng.normal(0, 0.4, len(t)),
            "conductivity": lambda t: 420.0 + wander(rng, t, 2.0, 36000.0) + rng.normal(0, 0.8, len(t)),
        }

    for i, trouble in enumerate(
        (Trouble(fault=stuck, hour=2.5, hours=3.0, within_s=4200, reasons=named("still")), None, None)
    ):
        zoo.sensor(f"NM-{i + 1}", "noise_meter", "DISTRICT", 60.0, {"noise_level": noise}, trouble)
    for i in range(3):
        zoo.sensor(f"GD-{i + 1}", "gas_detector", f"SEWER-{i + 1}", 60.0, {"gas_lel": sewer})
    air: dict[str, Callable[[I64], F64]] = {
        "gas_lel": gas,
        "tunnel_oxygen": oxygen,
        "tunnel_temperature": warmth,
    }
    tunnel: tuple[tuple[str, Trouble | None], ...] = (
        (
            "tunnel_oxygen",
            Trouble(fault=ramp(-0.15), hour=3.0, hours=9.0, within_s=8.5 * 3600, reasons=named("drift")),
        ),
        (
            "tunnel_temperature",
            Trouble(fault=shaky(3.0), hour=5.0, hours=2.0, within_s=3600, reasons=named("noise")),
        ),
        ("", None),
        ("", None),
    )
    for i, (metric, trouble) in enumerate(tunnel):
        zoo.sensor(f"UT-{i + 1}", "utility_tunnel_station", "TUNNEL", 60.0, air, trouble, metric)
    for i, trouble in enumerate(
        (Trouble(fault=reset, hour=6.3, hours=0.1, within_s=600, reasons=named("rollback")), None)
    ):
        zoo.sensor(
            f"RC-{i + 1}", "counting_rain_gauge", f"HILL-{i + 1}", 300.0, {"rain_total": rain}, trouble
        )
    wet: tuple[tuple[str, Trouble | None], ...] = (
        (
            "turbidity",
            Trouble(fault=constant(-2.0), hour=3.2, hours=2.0, within_s=900, reasons=named("bounds")),
        ),
        (
            "conductivity",
            Trouble(
                fault=constant(0.2), hour=6.0, hours=2.0, within_s=900, reasons=named("bounds"), severity=4
            ),
        ),
        (
            "conductivity",
            Trouble(
                fault=shift(70.0), hour=4.5, hours=7.5, within_s=13_500, reasons=named("jump"), severity=3
            ),
        ),
        (
            "turbidity",
            Trouble(fault=spike(60.0), hour=5.1, hours=0.3, within_s=2000, reasons=named("jump")),
        ),
        (
            "ammonia_nitrogen",
            Trouble(fault=silent, hour=4.0, hours=7.9, within_s=5700, reasons=named("silence")),
        ),
        ("", Trouble(fault=late_clock, hour=7.0, hours=4.0, within_s=2400, reasons=named("clock"))),
        ("", None),
    )
    for i, (metric, trouble) in enumerate(wet):
        zoo.sensor(
            f"WQ-{i + 1}",
            "water_quality_station",
            f"RIVER-{i + 1}",
            900.0,
            water(),
            trouble,
            metric,
            resolution=0.01,
        )


def faults_in_flood(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """A fast flood in four underpasses, one of them up by half a metre in a few minutes; sensors fail around it.

    The flood is outside all that its sensors have seen before and must be raised; a gauge beside it that spikes,
    chatters or falls silent must not become one. Needs two hours.
    """
    town = Town("faults_in_flood", Text("洪水中的故障", "Faults in a flood"), start_ns, seed, duration_s)
    rng = town.rng
    closure = 27.0
    for i, minutes in enumerate((3.0, 6.0, 12.0, 25.0)):
        place = f"UP-{i + 1}"
        begin_h = float(rng.uniform(0.8, 0.9))
        peak = float(rng.uniform(62, 90)) if i < 3 else float(rng.uniform(32, 44))
        course = Course(
            h=(begin_h, begin_h + minutes / 60, begin_h + minutes / 60 + 0.15, begin_h + 1.3),
            value=(0.0, peak, peak, 0.0),
        )
        depth = course.at(town.t_s / 3600.0)
        name = Text(f"{i + 1} 号下穿通道", f"Underpass {i + 1}")
        town.place(place, "underpass", "LOW", name, closure_depth_cm=closure)
        town.flood(place, depth, closure)
        town.level(f"WL-{i + 1}", place, depth)
    zoo = Zoo(town.b)

    def dry(t_ns: I64) -> F64:
        return np.maximum(sensed(rng, np.zeros(len(t_ns)), 0.25, 0.1), -0.5)

    troubles: tuple[Trouble | None, ...] = (
        Trouble(fault=spikes(85.0, 4), hour=0.9, hours=0.5, within_s=1800, reasons=named("jump"), severity=3),
        Trouble(fault=silent, hour=0.85, hours=1.1, within_s=1200, reasons=named("silence"), severity=3),
        Trouble(
            fault=chatter(90.0),
            hour=1.0,
            hours=0.4,
            within_s=1200,
            reasons=named("jump", "flap"),
            severity=3,
        ),
        Trouble(fault=spike(70.0), hour=0.95, hours=0.02, within_s=300, reasons=named("jump")),
        None,
        None,
    )
    for i, trouble in enumerate(troubles):
        zoo.sensor(f"RW-{i + 1}", "road_water_level", "LOW", 60.0, {"water_depth": dry}, trouble)
    return town.b.build()
