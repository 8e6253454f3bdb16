"""Floods: cloudburst, tide, burst main, pump failure, underpasses, and a wet day without any.

Water is made by ``hydrology``, truth by the noise-free curves and the packs' own rungs; where a greatest depth or sum
would come so close to a rung that noise decides its level, the site is drawn again. Beside the floods there is what is
none: puddles that stay, splashes, cars under a beam, street cleaning, showers, a reset counter, a late bin.
"""

from collections.abc import Callable, Sequence

import numpy as np

from scenarios.building import Builder
from scenarios.generators import hydrology
from scenarios.generators.hydrology import Cell, Pond
from scenarios.generators.shapes import spot
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.registry import Text

ROAD_CM, CLOSURE_CM = {4: 5.0, 3: 15.0, 1: 50.0}, 27.0
"""The packs' rungs of depth; level II is each place's closure depth."""
MARGIN_CM = 2.0
SUMS_MM = {
    4: ((1, 20.0), (12, 50.0), (24, 50.0)),
    3: ((1, 50.0), (6, 50.0), (12, 70.0)),
    2: ((3, 50.0),),
    1: ((3, 100.0),),
}
RATE_MM_H = {4: 20.0, 3: 50.0}
MERGE_S = 2_700.0
"""Floods of a place closer than this are one incident: ten minutes of hold, half an hour of linger, and a little."""
PERIOD_S = 60.0
Draw = Callable[[], F64]


class Town:
    """A builder with the water's own verbs."""

    def __init__(self, name: str, title: Text, start_ns: int, seed: int, duration_s: float) -> None:
        self.b = Builder(
            name,
            title,
            start_ns=start_ns,
            seed=seed,
            duration_s=duration_s,
            tick_s=10.0,
            settle_s=600.0,
            merge_s=MERGE_S,
            lateness_s=10.0,
        )
        self.rng = self.b.rng
        self.t_s = hydrology.clock(duration_s)
        self._spots = 0

    def ns(self, step: int) -> int:
        """Event time of a step of the model."""
        return self.b.start_ns + round(float(self.t_s[step]) * SECOND)

    def place(self, id_: str, kind: str, zone: str, name: Text, **attributes: float) -> None:
        """The next spot of the town."""
        lon, lat = spot(self._spots)
        self._spots += 1
        self.b.place(id_, kind, name, zone=zone, lon=lon, lat=lat, district=0, **attributes)

    # ---- rain ----

    def rain(self, zone: str, cells: Sequence[Cell], kind: str = "rain_gauge") -> F64:
        """A zone's rain with its gauge and truth; drawn again until no level is a matter of luck."""
        for _ in range(200):
            scale = float(self.rng.uniform(0.85, 1.15))
            rain = scale * hydrology.rainfall(cells, self.t_s)
            if self._clear(rain, kind):
                break
        else:
            raise ValueError(f"no rain of {zone} is clear of the table")
        self.measured_rain(zone, rain, kind)
        return rain

    def measured_rain(self, zone: str, rain: F64, kind: str) -> None:
        """The gauge of a zone on which this rain falls, and what is true about it."""
        self.place(f"RS-{zone}", "station", zone, Text(f"{zone} 雨量站", f"{zone} rain station"))
        device = f"RG-{zone}"
        self.b.device(device, kind, f"RS-{zone}")
        if kind == "rain_gauge":
            t_ns = self.b.times(
                PERIOD_S, phase_s=float(self.rng.uniform(0, PERIOD_S)), jitter_s=1.0, missing=0.005
            )
            at = hydrology.sampled(rain, (t_ns - self.b.start_ns) / SECOND)
            value = np.maximum(at * self.rng.normal(1.0, 0.03, len(at)), 0.0)
            self.b.readings(device, "rain_intensity", t_ns, hydrology.rounded(value, 1))
        else:
            self._bins(device, kind, rain)
        self._rain_truth(zone, rain, kind)

    def _levels(self, rain: F64, kind: str) -> dict[int, F64]:
        """Level to a curve that is >= 0 where the level holds, relative to its limit."""
        levels = {
            level: np.max([hydrology.sums(rain, hours) / mm - 1.0 for hours, mm in table], axis=0)
            for level, table in SUMS_MM.items()
        }
        if kind == "rain_gauge":
            for level, rate in RATE_MM_H.items():
                levels[level] = np.maximum(levels[level], rain / rate - 1.0)
        return levels

    def _clear(self, rain: F64, kind: str) -> bool:
        return all(abs(float(curve.max())) > 0.1 for curve in self._levels(rain, kind).values())

    def _bins(self, device: str, kind: str, rain: F64) -> None:
        """Five-minute amounts, some a bin late; or a counter that is reset in the middle."""
        t_ns = self.b.times(300.0, phase_s=300.0)
        total = np.concatenate(([0.0], np.cumsum(rain * (hydrology.STEP_S / 3600.0))))
        at = np.interp((t_ns - self.b.start_ns) / SECOND, np.arange(len(total)) * hydrology.STEP_S, total)
        amounts = np.round(np.diff(at, prepend=0.0), 1)
        if kind == "bin_rain_gauge":
            late = np.where(self.rng.random(len(t_ns)) < 0.2, 300 * SECOND, 0)
            self.b.readings(device, "rain_5min", t_ns, amounts, arrival_ns=t_ns + late)
            return
        counter = 880.0 + np.cumsum(amounts)
        reset = int(np.argmax(np.cumsum(amounts) > 0.5 * amounts.sum()))
        counter[reset:] -= counter[reset] - amounts[reset]
        kept = self.rng.random(len(t_ns)) >= 0.05
        kept[max(reset - 1, 0) : reset + 1] = (
            True  # nobody can know what fell before a reset and was not told
        )
        self.b.readings(device, "rain_total", t_ns[kept], hydrology.rounded(counter[kept], 1))
        self.b.truth(  # that the counter is said to have run back is right, and need not be
            "sensor_fault", device, 4, self.b.start_ns, self.b.end_ns, within_s=1e6, optional=True
        )

    def _rain_truth(self, zone: str, rain: F64, kind: str) -> None:
        reach = hydrology.reached(self._levels(rain, kind))
        if not reach.severity:
            return
        still = np.flatnonzero(hydrology.sums(rain, 0.25) >= 0.5)
        self.b.truth(
            "heavy_rain",
            zone,
            reach.severity,
            self.ns(reach.begin),
            self.ns(max(reach.begin, int(still[-1]))),  # the sums stay high; it is over when it rains no more
            within_s=150.0 if kind == "rain_gauge" else 700.0,
            district=0,
            reaches_ns={level: self.ns(t) for level, t in reach.first.items()},
        )

    # ---- water ----

    def drawn(self, draw: Draw, closure_cm: float, wanted: Callable[[float], bool]) -> F64:
        """A course of depth whose peak is wanted and clear of all rungs."""
        rungs = [*ROAD_CM.values(), closure_cm]
        for _ in range(400):
            depth = draw()
            if wanted(float(depth.max())) and hydrology.clear_of(depth, rungs, MARGIN_CM):
                return depth
        raise ValueError("no such flood can be drawn")

    def flood(self, place: str, depth: F64, closure_cm: float, *, period_s: float = PERIOD_S) -> None:
        """The truth of a place's depth."""
        rungs = {**ROAD_CM, 2: closure_cm}
        for reach in hydrology.episodes(depth, rungs, MERGE_S):
            wet = np.flatnonzero(depth[: reach.begin + 1] <= 0.5)
            self.b.truth(
                "road_flooding",
                place,
                reach.severity,
                self.ns(reach.begin),
                self.ns(reach.end),
                within_s=2.5 * period_s,
                reaches_ns={level: self.ns(t) for level, t in reach.first.items()},
                episode_ns=(self.ns(int(wet[-1]) if len(wet) else 0), self.ns(reach.end)),
            )

    def level(
        self,
        device: str,
        place: str,
        depth: F64,
        *,
        period_s: float = PERIOD_S,
        noise_cm: float = 0.3,
        resolution_cm: float = 0.1,
        puddle_cm: float = 0.0,
    ) -> None:
        """A level sensor: jitter, gaps, noise, its zero a little off."""
        t_ns = self.b.times(
            period_s, phase_s=float(self.rng.uniform(0, period_s)), jitter_s=0.02 * period_s, missing=0.01
        )
        true = np.maximum(hydrology.sampled(depth, (t_ns - self.b.start_ns) / SECOND), puddle_cm)
        offset = float(self.rng.uniform(-0.3, 0.3))
        seen = hydrology.gauge(
            true, self.rng, noise_cm=noise_cm, resolution_cm=resolution_cm, offset_cm=offset
        )
        seen = hydrology.splashes(seen, self.rng, share=0.002, least_cm=0.3, most_cm=1.0)
        self.b.device(
            device, "road_water_level" if place.startswith("RD") else "underpass_water_level", place
        )
        self.b.readings(device, "water_depth", t_ns, seen)

    def sonar(self, device: str, place: str, depth: F64, *, mount_cm: float, cars: float) -> None:
        """An ultrasonic sensor over the road: reads a distance, and now and then the roof of a car."""
        t_ns = self.b.times(PERIOD_S, phase_s=float(self.rng.uniform(0, 60)), jitter_s=1.0, missing=0.01)
        true = hydrology.sampled(depth, (t_ns - self.b.start_ns) / SECOND)
        seen = hydrology.gauge(true, self.rng, noise_cm=0.4, resolution_cm=0.1)
        seen[5:] = hydrology.splashes(seen[5:], self.rng, share=cars, least_cm=120.0, most_cm=180.0)
        self.b.device(device, "sonar_water_level", place, mount_height_cm=mount_cm)
        self.b.readings(device, "water_distance", t_ns, hydrology.rounded(mount_cm - seen, 1))
        self.b.truth(  # a roof in the beam is no flood; that the sensor is called jumpy is right, and need not be
            "sensor_fault", device, 4, self.b.start_ns, self.b.end_ns, within_s=1e6, optional=True
        )

    def camera(self, device: str, place: str, depth: F64) -> None:
        """A camera that sees water from 12 cm on, every half minute, mostly."""
        self.b.device(device, "camera", place)
        for t_ns in self.b.times(30.0, phase_s=float(self.rng.uniform(0, 30))).tolist():
            deep = float(hydrology.sampled(depth, np.array([(t_ns - self.b.start_ns) / SECOND]))[0])
            if deep >= 12.0 and self.rng.random() < 0.8:
                self.b.video(device, "road_flooding", t_ns, round(float(self.rng.uniform(0.65, 0.95)), 2))


def storm(rng: np.random.Generator, mm_h: float, begin_min: float, cells: int) -> list[Cell]:
    """A storm of a main cell and weaker ones after it."""
    found = [Cell(begin_min=begin_min, peak_min=float(rng.uniform(14, 22)), mm_h=mm_h)]
    at = begin_min
    for _ in range(cells - 1):
        at += float(rng.uniform(15, 25))
        found.append(
            Cell(begin_min=at, peak_min=float(rng.uniform(12, 20)), mm_h=mm_h * float(rng.uniform(0.2, 0.6)))
        )
    return found


def _pond(rng: np.random.Generator) -> Pond:
    return Pond(
        gain=float(rng.uniform(0.8, 3.5)),
        drain_mm_h=float(rng.uniform(20, 45)),
        lag_min=float(rng.uniform(2, 7)),
    )


def _attributes(pond: Pond, closure_cm: float) -> dict[str, float]:
    """What the drainage office has registered of a site: its own estimate, within a third of the truth."""
    return {
        "closure_depth_cm": closure_cm,
        "drain_mm_h": round(pond.drain_mm_h, -1),
        "runoff_cm_per_mm": round(pond.gain),
    }


def cloudburst(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """A cloudburst over three of four catchments: underpasses and roads flood, others only get puddles."""
    town = Town("cloudburst", Text("短时强降雨", "Cloudburst"), start_ns, seed, duration_s)
    rng = town.rng
    gauges = ("rain_gauge", "bin_rain_gauge", "counting_rain_gauge", "rain_gauge")
    for k, (kind, mm_h) in enumerate(zip(gauges, (95.0, 70.0, 82.0, 9.0), strict=True)):
        zone = f"CA-{k + 1}"
        cells = storm(rng, mm_h, float(rng.uniform(15, 40)), 3)
        rain = town.rain(zone, cells, kind)
        for i in range(6):
            _site(town, zone, f"{k + 1}{i + 1}", rain, underpass=i < 2)
    return town.b.build()


def _site(town: Town, zone: str, number: str, rain: F64, *, underpass: bool) -> None:
    """One low spot with its sensors; an underpass floods, of the roads some do."""
    rng = town.rng
    heavy = float(rain.max()) > 30.0
    closure = float(rng.choice([25.0, 27.0, 30.0])) if underpass else 27.0
    floods = heavy and (underpass or rng.random() < 0.6)
    ponds: list[Pond] = []

    def draw() -> F64:
        ponds.append(_pond(rng))
        return hydrology.ponding(ponds[-1], rain)

    if floods:
        depth = town.drawn(draw, closure, lambda peak: 7.0 < peak < 140.0)
    elif heavy:  # large drains: at most a puddle
        puddle = float(rng.uniform(1.0, 3.2))
        depth = np.minimum(draw(), puddle)
    else:
        depth = np.zeros_like(draw())
    place = f"{'UP' if underpass else 'RD'}-{number}"
    pond = ponds[-1]
    name = (
        Text(f"{number} 号下穿通道", f"Underpass {number}")
        if underpass
        else Text(f"{number} 号易涝点", f"Low spot {number}")
    )
    town.place(place, "underpass" if underpass else "road", zone, name, **_attributes(pond, closure))
    town.flood(place, depth, closure)
    town.level(f"WL-{number}A", place, depth, puddle_cm=float(rng.choice([0.0, 0.0, 2.2])))
    if underpass:
        town.sonar(f"WS-{number}B", place, depth, mount_cm=float(rng.integers(450, 560)), cars=0.004)
        town.camera(f"CAM-{number}", place, depth)


def underpass(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """Eight underpasses of one storm: fast and deep ones, slow ones, and two that hold; cars under the beams."""
    town = Town("underpass", Text("下穿通道积水", "Flooded underpasses"), start_ns, seed, duration_s)
    rng = town.rng
    for k in range(2):
        zone = f"CA-{k + 1}"
        rain = town.rain(zone, storm(rng, 85.0, float(rng.uniform(20, 60)), 2))
        for i in range(4):
            number = f"{k + 1}{i + 1}"
            closure = float(rng.choice([20.0, 25.0, 27.0, 30.0]))
            ponds: list[Pond] = []

            def draw(ponds: list[Pond] = ponds, rain: F64 = rain, i: int = i) -> F64:
                gain = (
                    float(rng.uniform(5, 9)),
                    float(rng.uniform(2, 4)),
                    float(rng.uniform(1, 3)),
                    float(rng.uniform(0.02, 0.1)),
                )[i]
                ponds.append(
                    Pond(gain=gain, drain_mm_h=float(rng.uniform(25, 50)), lag_min=float(rng.uniform(1.5, 5)))
                )
                return hydrology.ponding(ponds[-1], rain)

            depth = town.drawn(draw, closure, (lambda p: p < 3.3) if i == 3 else (lambda p: 8.0 < p < 260.0))
            place = f"UP-{number}"
            name = Text(f"{number} 号下穿通道", f"Underpass {number}")
            town.place(place, "underpass", zone, name, **_attributes(ponds[-1], closure))
            town.flood(place, depth, closure, period_s=30.0)
            town.level(f"WL-{number}A", place, depth, period_s=30.0, resolution_cm=1.0 if i == 1 else 0.1)
            town.sonar(f"WS-{number}B", place, depth, mount_cm=float(rng.integers(450, 560)), cars=0.004)
            town.camera(f"CAM-{number}", place, depth)
    return town.b.build()


def burst_main(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """A main bursts under a road on a dry day; elsewhere streets are washed, and a puddle stays where one was."""
    town = Town("burst_main", Text("爆管淹路", "Burst main"), start_ns, seed, duration_s)
    rng = town.rng
    t_min = town.t_s / 60.0
    for i in range(10):
        number, place = f"{i + 1:02d}", f"RD-{i + 1:02d}"
        dry = Pond(gain=1.0, drain_mm_h=0.0, lag_min=3.0)
        town.place(
            place,
            "road",
            f"CA-{i // 5 + 1}",
            Text(f"{number} 号路段", f"Road {number}"),
            closure_depth_cm=CLOSURE_CM,
        )
        begin, length = float(rng.uniform(30, 60)), float(rng.uniform(60, 100))

        def draw(i: int = i, begin: float = begin, length: float = length, dry: Pond = dry) -> F64:
            if i in (2, 7):  # water comes until the valve is shut, then runs off
                rate = float(rng.uniform(0.5, 1.6)) * (1.0 if i == 2 else 0.4)
                on = (t_min >= begin) & (t_min < begin + length)
                inflow = np.where(on, rate, 0.0) - float(rng.uniform(0.15, 0.35))
                return hydrology.ponding(dry, np.zeros(len(t_min)), inflow)
            if i in (4, 8):  # washed: a few centimetres at most, for a few minutes
                on = (t_min >= begin) & (t_min < begin + 8)
                return hydrology.ponding(dry, np.zeros(len(t_min)), np.where(on, 0.35, 0.0) - 0.12)
            return np.zeros(len(t_min))

        depth = town.drawn(
            draw, CLOSURE_CM, (lambda p: 10.0 < p < 80.0) if i in (2, 7) else (lambda p: p < 3.3)
        )
        town.flood(place, depth, CLOSURE_CM)
        town.level(f"WL-{number}", place, depth, puddle_cm=2.6 if i == 5 else 0.0)
    return town.b.build()


def tide(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """A high tide comes up through the outfalls of a river bank: the low roads flood, one after another."""
    town = Town("tide", Text("天文大潮倒灌", "Tide flooding"), start_ns, seed, duration_s)
    rng = town.rng
    hours = town.t_s / 3600.0
    blue, yellow, orange, red = 1.9, 2.1, 2.35, 2.7
    high = float(rng.uniform(5.0, 6.5))
    while True:
        crest = float(rng.uniform(2.15, 2.6))
        if all(abs(crest - rung) > 0.06 for rung in (blue, yellow, orange, red)):
            break
    surge = 0.25 * np.exp(-(((hours - high) / 3.0) ** 2))
    level = (crest - 0.25 - 1.0) * np.cos(2 * np.pi * (hours - high) / 12.42) + 1.0 + surge
    for k in range(2):
        town.place(
            f"TS-{k + 1}",
            "station",
            "BANK",
            Text(f"{k + 1} 号潮位站", f"Tide station {k + 1}"),
            tide_blue_m=blue,
            tide_yellow_m=yellow,
            tide_orange_m=orange,
            tide_red_m=red,
        )
        town.b.device(f"TG-{k + 1}", "tide_gauge", f"TS-{k + 1}")
        t_ns = town.b.times(300.0, phase_s=float(rng.uniform(0, 300)), jitter_s=3.0, missing=0.01)
        seen = hydrology.sampled(level, (t_ns - start_ns) / SECOND) + rng.normal(0, 0.006, len(t_ns))
        town.b.readings(f"TG-{k + 1}", "tide_level", t_ns, hydrology.rounded(seen, 3))
        reach = hydrology.reached({4: level - blue, 3: level - yellow, 2: level - orange, 1: level - red})
        town.b.truth(
            "tide_high",
            f"TS-{k + 1}",
            reach.severity,
            town.ns(reach.begin),
            town.ns(reach.end),
            within_s=900.0,
            reaches_ns={lv: town.ns(t) for lv, t in reach.first.items()},
        )
    for i in range(8):
        number = f"{i + 1:02d}"

        def draw(i: int = i) -> F64:
            ground = crest - float(rng.uniform(0.07, 0.75)) if i < 6 else crest + 0.2
            lag = float(rng.uniform(0.05, 0.3))
            head = np.interp(hours - lag, hours, level) - ground
            return np.maximum(head, 0.0) * 100.0 * float(rng.uniform(0.7, 1.0))

        depth = town.drawn(draw, CLOSURE_CM, (lambda p: 7.0 < p < 90.0) if i < 6 else (lambda p: p < 3.3))
        place = f"RD-{number}"
        town.place(
            place,
            "road",
            "BANK",
            Text(f"沿江 {number} 号路段", f"Riverside road {number}"),
            closure_depth_cm=CLOSURE_CM,
        )
        town.flood(place, depth, CLOSURE_CM)
        town.level(f"WL-{number}", place, depth)
    return town.b.build()


def wet_day(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """Showers all day and water nowhere deep: puddles, splashes, cars under the beams. Nothing may be raised."""
    town = Town("wet_day", Text("普通雨天", "An ordinary wet day"), start_ns, seed, duration_s)
    rng = town.rng
    for k in range(3):
        zone = f"CA-{k + 1}"
        showers = [
            Cell(
                begin_min=float(rng.uniform(0, duration_s / 60)),
                peak_min=float(rng.uniform(8, 25)),
                mm_h=float(rng.uniform(3, 11)),
            )
            for _ in range(4)
        ]
        rain = town.rain(zone, showers)
        for i in range(5):
            number = f"{k + 1}{i + 1}"
            pond = Pond(gain=float(rng.uniform(0.5, 1.5)), drain_mm_h=0.0, lag_min=float(rng.uniform(2, 5)))
            puddle = hydrology.ponding(pond, rain, np.full(len(rain), -0.12))
            depth = np.minimum(puddle, float(rng.uniform(1.5, 3.0)))
            place = f"{'UP' if i == 0 else 'RD'}-{number}"
            town.place(
                place,
                "underpass" if i == 0 else "road",
                zone,
                Text(f"{number} 号点位", f"Site {number}"),
                closure_depth_cm=CLOSURE_CM,
            )
            town.level(f"WL-{number}", place, depth, puddle_cm=float(rng.choice([0.0, 1.8])))
            if i == 0:
                town.sonar(f"WS-{number}", place, depth, mount_cm=500.0, cars=0.004)
    return town.b.build()
