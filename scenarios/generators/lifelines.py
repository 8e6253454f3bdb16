"""A night and a morning of pipes, pumps, bridges and tunnels.

A main bursts in the morning's demand, a digger hits a gas main, a pump station loses its power, a bridge is struck, a
crack opens, utility tunnels fill with gas, with bad air and with water, and one grows hot.

What is ordinary and must raise nothing: the demand of the morning, pump changes, hydrants, cooking time on the gas,
sags of the voltage, lorries on bridges, sumps that fill and are emptied, single wrong readings.
"""

import numpy as np

from scenarios.building import Builder
from scenarios.generators.shapes import Course, bursts, daily, glitches, hours, sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

HOUR_NS = 3600 * SECOND

BURST = Course(h=(3.2, 3.23, 6.0, 6.2), value=(0, 1, 1, 0))  # 07:12, closed off at 10:00
BURST_SHARE = (0.14, 0.085, 0.05, 0.015)  # MPa at the gauges of the zone, near to far
BURST_FLOW = 260.0  # m³/h
DIGGER = Course(h=(5.5, 5.53, 7.0, 7.3), value=(0, 1, 1, 0))
DIGGER_SHARE = (105.0, 70.0, 55.0)  # kPa
DARK = Course(h=(1.5, 1.5003, 2.4, 2.4003), value=(1, 0, 0, 1))  # share of the voltage
STRUCK = Course(h=(4.4, 4.41, 7.0, 7.5), value=(0, 0.15, 0.15, 0))  # degrees, until its bearing is set right
CRACK = Course(h=(2.0, 5.5, 6.5, 7.5), value=(0.3, 1.5, 1.5, 0.3))  # mm, until it is propped
GAS = Course(h=(0.9, 1.2, 2.0, 2.3), value=(0, 36, 36, 0))  # %LEL
AIR = Course(h=(6.2, 6.6, 7.4, 7.6), value=(20.8, 18.6, 18.6, 20.8))  # %VOL oxygen
FILLING = Course(h=(2.8, 4.2, 5.4, 6.0), value=(45, 118, 118, 40))  # cm, its pump fails
HOT = Course(h=(6.9, 7.2, 7.9, 8.4), value=(28, 61, 61, 30))  # °C, a cable smoulders


def lifelines(*, start_ns: int, seed: int, duration_s: float, troubled: float = 1.0) -> Scenario:
    """Networks and structures from ``start_ns`` (04:00 local time is meant) on.

    Args:
        start_ns: event time of its begin.
        seed: of the noise.
        duration_s: length, s; all that happens is over after 10 h.
        troubled: 0: an ordinary morning, nothing may be raised.
    """
    title = Text("管网之晨", "A morning of pipes") if troubled else Text("管网平稳", "Quiet pipes")
    b = Builder(
        "lifelines", title, start_ns=start_ns, seed=seed, duration_s=duration_s, tick_s=60.0, settle_s=18000.0
    )
    bad = bool(troubled)
    _water(b, bad)
    _gas(b, bad)
    _power(b, bad)
    _structures(b, bad)
    _tunnels(b, bad)
    return b.build()


def _at(b: Builder, h: float) -> int:
    return b.start_ns + round(h * HOUR_NS)


def _demand(t: I64) -> F64:
    """Share of the greatest demand."""
    return daily(t, (0, 3, 5.5, 7.3, 9, 12, 15, 19, 22), (0.35, 0.25, 0.3, 1.0, 0.8, 0.75, 0.6, 0.95, 0.6))


def _water(b: Builder, bad: bool) -> None:
    for zone in range(1, 5):
        code = f"DMA-{zone}"
        pumps = np.sort(b.rng.uniform(0, 1, 6)) * (b.end_ns - b.start_ns) + b.start_ns  # pump changes
        hydrant = b.rng.uniform(5.0, 9.0)  # a hydrant is flushed for ten minutes
        for k in range(4):
            id_ = f"WP-{zone}{k + 1}"
            lon, lat = spot(zone * 10 + k)
            b.place(
                id_,
                "pipe",
                Text(f"{code} 测压点 {k + 1}", f"{code} gauge {k + 1}"),
                zone=code,
                lon=lon,
                lat=lat,
            )
            b.device(id_, "water_pressure_gauge", id_)
            t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), jitter_s=1.5, missing=0.01)
            h = hours(t, b.start_ns)
            value = 0.36 - 0.015 * k - 0.085 * _demand(t) + wander(b.rng, t, 0.003, 900.0)
            for begin in pumps:  # a minute without the old pump before the new one runs up
                value -= 0.08 * ((t >= begin) & (t < begin + 75 * SECOND))
            value -= 0.02 * ((h >= hydrant) & (h < hydrant + 1 / 6))
            if bad and zone == 2:
                value -= BURST_SHARE[k] * BURST.at(h)
            value = glitches(b.rng, sensed(b.rng, value, 0.0015, 0.001), 0.0008, 0.0)
            b.readings(id_, "water_pressure", t, value)
        meter = f"WF-{zone}"
        lon, lat = spot(zone * 10 + 5)
        b.place(meter, "pipe", Text(f"{code} 流量计", f"{code} flow meter"), zone=code, lon=lon, lat=lat)
        b.device(meter, "water_flow_meter", meter)
        t = b.times(300.0, phase_s=float(b.rng.uniform(0, 200)), missing=0.01)
        h = hours(t, b.start_ns)
        flow = 320.0 * _demand(t) * np.exp(wander(b.rng, t, 0.04, 1800.0))
        flow += 70.0 * ((h >= hydrant) & (h < hydrant + 1 / 6))
        if bad and zone == 2:
            flow += BURST_FLOW * BURST.at(h)
        b.readings(meter, "water_flow", t, np.maximum(sensed(b.rng, flow, 2.0, 0.1), 0))
    if bad:
        begin = _at(b, BURST.h[0] + 0.03 * 0.06 / BURST_SHARE[0])
        reached = {3: begin, 2: _at(b, BURST.h[0] + 0.03 * 0.1 / BURST_SHARE[0])}
        b.truth("pipe_burst", "DMA-2", 2, begin, _at(b, BURST.h[2]), within_s=420.0, reaches_ns=reached)


def _gas(b: Builder, bad: bool) -> None:
    for zone in range(1, 4):
        code = f"GZ-{zone}"
        for k in range(3):
            id_ = f"GP-{zone}{k + 1}"
            lon, lat = spot(50 + zone * 5 + k)
            b.place(
                id_,
                "pipe",
                Text(f"{code} 压力点 {k + 1}", f"{code} gauge {k + 1}"),
                zone=code,
                lon=lon,
                lat=lat,
            )
            b.device(id_, "gas_pressure_gauge", id_, high_kpa=440.0, shutoff_kpa=480.0)
            t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), jitter_s=1.5, missing=0.01)
            cooking = daily(
                t,
                (0, 5, 6.5, 7.5, 9, 11, 12, 13.5, 17, 18.5, 20),
                (0, 0, 1, 1, 0.2, 0.8, 1, 0.2, 0.7, 1, 0.2),
            )
            value = 350.0 - 4.0 * k - 30.0 * cooking + wander(b.rng, t, 2.5, 900.0)
            if bad and zone == 2:
                value -= DIGGER_SHARE[k] * DIGGER.at(hours(t, b.start_ns))
            b.readings(id_, "gas_pressure", t, glitches(b.rng, sensed(b.rng, value, 0.8, 0.1), 0.0008, 0.0))
    if bad:
        reached = {3: _at(b, 5.5 + 0.03 * 40 / 105), 2: _at(b, 5.5 + 0.03 * 80 / 105)}
        b.truth(
            "gas_pressure_loss",
            "GZ-2",
            2,
            reached[3],
            _at(b, DIGGER.h[2]),
            within_s=300.0,
            reaches_ns=reached,
        )


def _power(b: Builder, bad: bool) -> None:
    for k in range(1, 7):
        id_ = f"BS-{k}"
        lon, lat = spot(70 + k)
        b.place(id_, "pump_station", Text(f"泵站 {k}", f"Pump station {k}"), zone=f"PS-{k}", lon=lon, lat=lat)
        b.device(id_, "power_monitor", id_)
        t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.005)
        h = hours(t, b.start_ns)
        value = 226.0 - 6.0 * _demand(t) + wander(b.rng, t, 1.5, 1800.0)
        value -= 70.0 * bursts(b.rng, t, 0.15, 40.0)  # sags: a big motor starts, a fault two streets away
        if bad and k == 3:
            value *= DARK.at(h)
        b.readings(id_, "supply_voltage", t, np.maximum(sensed(b.rng, value, 0.4, 0.1), 0))
    if bad:
        b.truth(
            "power_failure", "BS-3", 2, _at(b, 1.5), _at(b, 2.4), within_s=300.0, reaches_ns={2: _at(b, 1.5)}
        )


def _structures(b: Builder, bad: bool) -> None:
    for k in range(1, 7):
        id_ = f"BR-{k}"
        lon, lat = spot(80 + k)
        b.place(id_, "bridge", Text(f"桥 {k}", f"Bridge {k}"), zone="BRIDGES", lon=lon, lat=lat)
        b.device(id_, "bridge_monitor", id_, deflection_warn_mm=30.0, deflection_limit_mm=40.0)
        t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.01)
        warm = daily(t, (0, 6, 10, 15, 20), (-0.6, -1.0, 0.2, 1.0, 0.2))
        lorry = bursts(b.rng, t, 4.0, 59.0) * b.rng.uniform(
            8.0, 34.0, len(t)
        )  # a column of lorries passes just then
        jam = bursts(b.rng, t, 0.1, 1200.0) * 12.0
        sag = 6.0 + 2.0 * warm + np.maximum(lorry, jam) + wander(b.rng, t, 0.3, 900.0)
        b.readings(id_, "deflection", t, sensed(b.rng, sag, 0.05, 0.01))
        t = b.times(300.0, phase_s=float(b.rng.uniform(0, 299)), missing=0.01)
        lean = 0.012 * daily(t, (0, 6, 10, 15, 20), (-0.6, -1.0, 0.2, 1.0, 0.2)) + wander(
            b.rng, t, 0.002, 3600.0
        )
        if bad and k == 2:
            lean = lean + STRUCK.at(hours(t, b.start_ns))
        b.readings(id_, "structure_tilt", t, glitches(b.rng, sensed(b.rng, lean, 0.002, 0.001), 0.002, 0.4))
    for k in range(1, 5):
        id_ = f"TN-{k}"
        lon, lat = spot(90 + k)
        b.place(id_, "tunnel", Text(f"隧道断面 {k}", f"Tunnel section {k}"), zone="TUNNELS", lon=lon, lat=lat)
        b.device(f"{id_}-CR", "crack_gauge", id_)
        b.device(f"{id_}-CV", "convergence_gauge", id_)
        t = b.times(600.0, phase_s=float(b.rng.uniform(0, 599)), missing=0.01)
        crack = CRACK.at(hours(t, b.start_ns)) if bad and k == 1 else np.full(len(t), 0.25)
        b.readings(
            f"{id_}-CR", "crack_width", t, sensed(b.rng, crack + wander(b.rng, t, 0.01, 7200.0), 0.01, 0.01)
        )
        b.readings(
            f"{id_}-CV", "convergence", t, sensed(b.rng, 4.0 + wander(b.rng, t, 0.3, 7200.0), 0.1, 0.1)
        )
    if bad:
        begin = _at(b, STRUCK.first(0.1))
        b.truth(
            "structure_danger",
            "BR-2",
            3,
            begin,
            _at(b, STRUCK.last(0.1)),
            within_s=1500.0,
            reaches_ns={3: begin},
        )
        reached = {4: _at(b, CRACK.first(0.5)), 3: _at(b, CRACK.first(1.0))}
        b.truth(
            "structure_danger",
            "TN-1",
            3,
            reached[4],
            _at(b, CRACK.last(0.5)),
            within_s=1500.0,
            reaches_ns=reached,
        )


def _tunnels(b: Builder, bad: bool) -> None:
    for k in range(1, 9):
        id_ = f"UT-{k}"
        lon, lat = spot(100 + k)
        b.place(
            id_,
            "utility_tunnel",
            Text(f"管廊 {k} 舱", f"Utility tunnel {k}"),
            zone=f"UT-Z{(k + 3) // 4}",
            lon=lon,
            lat=lat,
        )
        b.device(f"{id_}-AIR", "utility_tunnel_station", id_)
        b.device(f"{id_}-PIT", "utility_tunnel_sump", id_)
        t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.01)
        h = hours(t, b.start_ns)
        lel = 0.8 + wander(b.rng, t, 0.3, 3600.0) + (GAS.at(h) if bad and k == 2 else 0.0)
        oxygen = AIR.at(h) if bad and k == 5 else np.full(len(t), 20.8)
        warmth = HOT.at(h) if bad and k == 7 else 27.0 + 2.0 * daily(t, (0, 6, 15), (-0.5, -1, 1))
        b.readings(f"{id_}-AIR", "gas_lel", t, np.maximum(sensed(b.rng, lel, 0.2, 0.1), 0))
        oxygen = glitches(b.rng, sensed(b.rng, oxygen, 0.04, 0.1), 0.001, 17.0)
        b.readings(f"{id_}-AIR", "tunnel_oxygen", t, oxygen)
        b.readings(f"{id_}-AIR", "tunnel_temperature", t, sensed(b.rng, warmth, 0.1, 0.1))
        t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.01)
        # the sump fills and is pumped out at 80 cm
        water = 20.0 + 60.0 * ((t / (3600.0 * SECOND) * b.rng.uniform(0.2, 0.5) + b.rng.uniform(0, 1)) % 1.0)
        if bad and k == 6:
            water = FILLING.at(hours(t, b.start_ns))
        b.readings(f"{id_}-PIT", "tunnel_water", t, sensed(b.rng, water, 0.3, 0.1))
    if bad:
        begin = _at(b, GAS.first(25.0))
        b.truth("gas_leak", "UT-2", 2, begin, _at(b, GAS.last(25.0)), within_s=180.0, reaches_ns={2: begin})
        for place, course, limits, falling, within_s in (
            ("UT-5", AIR, {3: 19.5}, True, 240.0),
            ("UT-6", FILLING, {3: 100.0}, False, 120.0),
            ("UT-7", HOT, {4: 40.0, 3: 55.0}, False, 240.0),
        ):
            reached = {level: _at(b, course.first(x, falling=falling)) for level, x in limits.items()}
            end = _at(b, course.last(next(iter(limits.values())), falling=falling))
            b.truth(
                "utility_tunnel_danger",
                place,
                3,
                min(reached.values()),
                end,
                within_s=within_s,
                reaches_ns=reached,
            )
