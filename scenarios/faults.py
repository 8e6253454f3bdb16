"""Faults of transport laid over any scenario: lost, late, doubled and shuffled readings, wrong clocks. Pure.

A fault changes when a reading arrives, whether it arrives, how often, or what its clock says; never what is true.
The same seed gives the same faults. Between the series of a district no order is promised to the machine, and a
reading that was there already is only counted: shuffled and doubled copies of a scenario must give the same
incidents, late and thinned ones may give them later, never wrongly.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from scenarios.model import Scenario
from scenarios.problems import Problems, suggest
from scenarios.spec import Clock, Dropped, Duplicated, Faults, Late, Shuffled
from yiwang.clock import SECOND
from yiwang.columns import I64, U8, Quality, Readings
from yiwang.registry import Registry
from yiwang.settings import Settings

Mask = NDArray[np.bool_]

CLOCK_LIMITS_S = tuple(Settings.model_fields[f].default for f in ("past_limit_s", "future_limit_s"))
"""How far behind and ahead a clock may be before ingest stamps the reading with its arrival, unless set otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """A district's readings with their arrivals, and what is registered there."""

    registry: Registry
    readings: Readings
    arrival_ns: I64
    start_ns: int

    def take(
        self,
        rows: I64 | Mask | slice = slice(None),
        *,
        t_ns: I64 | None = None,
        quality: U8 | None = None,
        arrival_ns: I64 | None = None,
    ) -> "_Stream":
        """Some rows, in the order given, with columns replaced."""
        r = self.readings
        return replace(
            self,
            readings=Readings(
                series=r.series[rows],
                t_ns=(r.t_ns if t_ns is None else t_ns)[rows],
                value=r.value[rows],
                quality=(r.quality if quality is None else quality)[rows],
            ),
            arrival_ns=(self.arrival_ns if arrival_ns is None else arrival_ns)[rows],
        )

    def of(self, devices: Collection[str], metrics: Collection[str]) -> Mask:
        """Which rows are of these devices and metrics; of all where none is named."""
        size = 1 + max((s.number for d in self.registry.devices for s in d.series), default=-1)
        wanted = np.zeros(size, np.bool_)
        for device in self.registry.devices:
            if not devices or device.id in devices:
                for series in device.series:
                    wanted[series.number] = not metrics or series.metric in metrics
        return wanted[self.readings.series]

    def during(self, from_s: float, to_s: float | None) -> Mask:
        """Which rows lie between these seconds after the start."""
        since = self.readings.t_ns - self.start_ns
        inside = since >= round(from_s * SECOND)
        return inside if to_s is None else inside & (since < round(to_s * SECOND))


def inject(scenario: Scenario, faults: Faults) -> Scenario:
    """The scenario as it would have come in with these faults.

    Truths gain the longest delay of a late reading in ``within_s``: nobody can know of it before it comes.
    """
    readings, arrivals = {}, {}
    for number, registry in scenario.registries.items():
        stream = _Stream(
            registry=registry,
            readings=scenario.readings[number],
            arrival_ns=scenario.comes_in(number),
            start_ns=scenario.start_ns,
        )
        for at, step in enumerate(_steps(faults, round(scenario.tick_s * SECOND))):
            stream = step(stream, np.random.default_rng([faults.seed, number, at]))
        order = np.argsort(stream.arrival_ns, kind="stable")
        stream = stream.take(order)
        readings[number], arrivals[number] = stream.readings, stream.arrival_ns
    delay_s = max((late.by_s[1] for late in faults.late), default=0.0)
    return replace(
        scenario,
        readings=readings,
        arrivals=arrivals,
        truth=tuple(msgspec.structs.replace(t, within_s=t.within_s + delay_s) for t in scenario.truth),
    )


Step = Callable[[_Stream, np.random.Generator], _Stream]


def _steps(faults: Faults, tick_ns: int) -> list[Step]:
    steps: list[Step] = [lambda s, rng, f=f: _drop(s, rng, f) for f in faults.dropped]  # type: ignore[misc]
    steps += [lambda s, rng, f=f: _clock(s, rng, f) for f in faults.clock]  # type: ignore[misc]
    steps += [lambda s, rng, f=f: _late(s, rng, f) for f in faults.late]  # type: ignore[misc]
    steps += [lambda s, rng, f=f: _duplicate(s, rng, f) for f in faults.duplicated]  # type: ignore[misc]
    shuffled = faults.shuffled
    if shuffled is not None:
        steps.append(lambda s, rng: _shuffle(s, rng, shuffled, tick_ns))
    return steps


def _drawn(mask: Mask, share: float, rng: np.random.Generator) -> Mask:
    return mask & (rng.random(len(mask)) < share)


def _drop(stream: _Stream, rng: np.random.Generator, fault: Dropped) -> _Stream:
    meant = stream.of(fault.devices, fault.metrics) & stream.during(fault.from_s, fault.to_s)
    return stream.take(~_drawn(meant, fault.share, rng))


def _clock(stream: _Stream, rng: np.random.Generator, fault: Clock) -> _Stream:
    """A clock that is wrong beyond what ingest believes gets the time of arrival and its mark, as ingest does it."""
    ids = [d.id for d in stream.registry.devices if not fault.devices or d.id in fault.devices]
    chosen = {i for i, draw in zip(ids, rng.random(len(ids)).tolist(), strict=True) if draw < fault.share}
    if not chosen:
        return stream
    meant = stream.of(chosen, ()) & stream.during(fault.from_s, fault.to_s)
    behind_s, ahead_s = CLOCK_LIMITS_S
    r = stream.readings
    if -behind_s <= fault.by_s <= ahead_s:
        t_ns = np.where(meant, r.t_ns + round(fault.by_s * SECOND), r.t_ns)
        return stream.take(t_ns=t_ns)
    t_ns = np.where(meant, stream.arrival_ns, r.t_ns)
    quality = np.where(meant, r.quality | np.uint8(Quality.CLOCK), r.quality)
    return stream.take(t_ns=t_ns, quality=quality)


def _late(stream: _Stream, rng: np.random.Generator, fault: Late) -> _Stream:
    meant = _drawn(stream.of(fault.devices, fault.metrics), fault.share, rng)
    by_ns = np.round(rng.uniform(*fault.by_s, len(meant)) * SECOND).astype(np.int64)
    return stream.take(arrival_ns=stream.arrival_ns + np.where(meant, by_ns, 0))


def _duplicate(stream: _Stream, rng: np.random.Generator, fault: Duplicated) -> _Stream:
    again = np.flatnonzero(_drawn(stream.of(fault.devices, fault.metrics), fault.share, rng))
    rows = np.concatenate((np.arange(len(stream.readings)), again))
    doubled = stream.take(rows)
    after_ns = np.round(rng.uniform(0.0, fault.within_s, len(again)) * SECOND).astype(np.int64)
    arrival = doubled.arrival_ns.copy()
    arrival[len(stream.readings) :] += after_ns
    return replace(doubled, arrival_ns=arrival)


def _shuffle(stream: _Stream, rng: np.random.Generator, fault: Shuffled, tick_ns: int) -> _Stream:
    """In each window the series take turns in a drawn order; the moments of arrival stay where they were."""
    by_time = stream.take(np.argsort(stream.arrival_ns, kind="stable"))
    window_ns = round(fault.window_s * SECOND) or tick_ns
    window = -(-by_time.arrival_ns // window_ns)  # ends with a tick, which belongs to it
    series = by_time.readings.series.astype(np.int64)
    size = int(series.max(initial=0)) + 1
    # A number drawn for each (window, series), the same for all its rows, so that a series keeps its own order.
    _, which = np.unique(window * size + series, return_inverse=True)
    turn = rng.random(int(which.max(initial=-1)) + 1)[which]
    order = np.lexsort((np.arange(len(series)), turn, window))
    return replace(by_time.take(order), arrival_ns=by_time.arrival_ns)


def check(faults: Faults, scenario: Scenario, problems: Problems, *, file: str) -> None:
    """Note shares that are none, times that go backwards, and devices and metrics that nobody has."""
    devices = {d.id for r in scenario.registries.values() for d in r.devices}
    metrics = {s.metric for r in scenario.registries.values() for d in r.devices for s in d.series}

    def wrong(field: str, message: str) -> None:
        problems.add("scenario.fault", message, file=file, field=f"faults.{field}")

    for name in ("dropped", "clock", "late", "duplicated"):
        for i, fault in enumerate(getattr(faults, name)):
            field = f"{name}.{i}"
            if not 0.0 <= fault.share <= 1.0:
                wrong(f"{field}.share", f"{fault.share:g} is no share: give 0 to 1")
            for device in set(fault.devices) - devices:
                wrong(f"{field}.devices", f"there is no device {device!r}{suggest(device, devices)}")
            for metric in set(getattr(fault, "metrics", ())) - metrics:
                wrong(f"{field}.metrics", f"no device has metric {metric!r}{suggest(metric, metrics)}")
            to_s = getattr(fault, "to_s", None)
            if to_s is not None and to_s <= fault.from_s:
                wrong(f"{field}.to_s", f"{to_s:g} is not after from_s {fault.from_s:g}")
    for i, late in enumerate(faults.late):
        if not 0.0 <= late.by_s[0] <= late.by_s[1]:
            wrong(
                f"late.{i}.by_s",
                f"{list(late.by_s)} must be [least, most] seconds, least first, none below 0",
            )
    for i, doubled in enumerate(faults.duplicated):
        if doubled.within_s < 0:
            wrong(f"duplicated.{i}.within_s", f"{doubled.within_s:g} must be 0 or more seconds")
    if faults.shuffled is not None and faults.shuffled.window_s < 0:
        wrong("shuffled.window_s", f"{faults.shuffled.window_s:g} must be 0 (a tick) or more seconds")
