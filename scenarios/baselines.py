"""Trivial detectors that ours must beat, on the same readings, as incidents that the same function scores. Pure.

* ``never`` says nothing: precision is easy to have.
* ``always`` raises every kind at every place that watches for it, anew each hour: recall is easy to have, and its
  precision is the share of place-hours in which something is true.
* ``threshold`` is the alarm of a data logger: the first limit of each entry of ladder, ebbing, grade or sightings
  against the raw reading, raised and closed by single readings, without hysteresis, delay, health or fusion.
* ``gaussian`` is the windowed Gaussian of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, doi
  10.1109/ICMLA.2015.141; detector ``windowedGaussian``): mean and standard deviation of the last 6400 readings of
  the series, made anew every 100 once there are so many and with each before, and a reading that lies more than ``Z`` of them off is an anomaly.

``BASELINES`` may be added to: a function from ``Material`` to the incidents it raises.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.ground import DISTRICT, Ground
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64, Quality, Readings
from yiwang.domains import Entry
from yiwang.domains.types import VIDEO_PREFIX
from yiwang.model import Incident, Step, VideoEvent
from yiwang.registry import Device

HOUR_NS = 3600 * SECOND
WINDOW = 6400
REFRESH = 100
FIRST = 20
"""The Gaussian speaks from this reading of a series on."""
Z = 4.0

Baseline = Callable[["Material"], tuple[Incident, ...]]
Stretch = tuple[int, int | None]
"""From, and to (None: still so at the end), ns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A series that a detector entry listens to, with what the entry sees of it.

    Attributes:
        t_ns: int64 (n,), event times, not falling.
        value: float64 (n,), in the unit of the entry's metric; finite, nothing that a device itself suspects.
        limit: the entry's first limit for this series, NaN where the entry has none that we know.
        sign: 1 where high is bad, -1 where low is.
        spot: where an incident of the entry's kind is.
    """

    district: int
    entry: Entry
    device: Device
    spot: str
    t_ns: I64
    value: F64
    limit: float
    sign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a baseline is given: the scenario, its rules and places, and its series as the entries read them."""

    scenario: Scenario
    ground: Ground
    watched: tuple[Watched, ...]

    @classmethod
    def of(cls, scenario: Scenario, ground: Ground | None = None) -> "Material":
        """All series that some entry's first role reads."""
        ground = ground or Ground.of(scenario)
        return cls(scenario=scenario, ground=ground, watched=tuple(_watched(scenario, ground)))


# ---- the baselines ----


def never(material: Material) -> tuple[Incident, ...]:
    """Nothing, ever."""
    del material
    return ()


def always(material: Material) -> tuple[Incident, ...]:
    """Every kind at every place that watches for it, anew each hour."""
    begin, end = material.scenario.start_ns, material.scenario.end_ns
    spots = {(w.district, w.entry.kind, w.spot): w for w in material.watched}
    return tuple(
        incident(material, w, (t, min(t + HOUR_NS, end)), name="always")
        for w in spots.values()
        for t in _hours(begin, end, w.t_ns)
    )


def threshold(material: Material) -> tuple[Incident, ...]:
    """Raw readings against each entry's first limit."""

    def over(w: Watched) -> NDArray[np.bool_] | None:
        return None if np.isnan(w.limit) else w.value * w.sign >= w.limit * w.sign

    return raised(material, over, name="threshold")


def gaussian(material: Material) -> tuple[Incident, ...]:
    """Readings far from the mean of their series' own window."""

    def far(w: Watched) -> NDArray[np.bool_] | None:
        return None if w.entry.source == "video" else unusual(w.value)

    return raised(material, far, name="gaussian")


BASELINES: dict[str, Baseline] = {
    "never": never,
    "always": always,
    "threshold": threshold,
    "gaussian": gaussian,
}
"""By name, in the order of the tables."""


# ---- for baselines ----


def raised(
    material: Material, judge: Callable[[Watched], NDArray[np.bool_] | None], *, name: str
) -> tuple[Incident, ...]:
    """Incidents of a rule that calls single readings bad: one for each stretch in which any series at a spot is.

    Args:
        material: what is judged.
        judge: bool (n,) for each reading of a series; None: it does not judge that one.
        name: of the baseline.
    """
    at: dict[tuple[int, str, str], list[Stretch]] = {}
    first: dict[tuple[int, str, str], Watched] = {}
    for w in material.watched:
        bad = judge(w)
        if bad is None or not bad.any():
            continue
        key = w.district, w.entry.kind, w.spot
        at.setdefault(key, []).extend(stretches(w.t_ns, bad))
        first.setdefault(key, w)
    return tuple(
        incident(material, first[key], stretch, name=name)
        for key, found in at.items()
        for stretch in _joined(found)
    )


def stretches(t_ns: I64, bad: NDArray[np.bool_]) -> list[Stretch]:
    """From each first bad reading to the next good one."""
    edges = np.flatnonzero(np.diff(bad.astype(np.int8), prepend=0, append=0))
    return [
        (int(t_ns[a]), int(t_ns[b]) if b < len(t_ns) else None)
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]


def unusual(value: F64) -> NDArray[np.bool_]:
    """Whether each reading lies more than ``Z`` deviations from the mean of the window before it: bool (n,)."""
    n = len(value)
    bad = np.zeros(n, np.bool_)
    if n <= FIRST:
        return bad
    filling = min(n, WINDOW)
    about = value - value[0]  # sums of squares keep their digits near zero
    seen = np.arange(1, filling)
    mean = np.cumsum(about[: filling - 1]) / seen
    spread = np.sqrt(np.maximum(np.cumsum(about[: filling - 1] ** 2) / seen - mean**2, 0.0))
    bad[1:filling] = np.abs(about[1:filling] - mean) > Z * np.maximum(spread, 1e-6)
    bad[:FIRST] = False
    for begin in range(WINDOW, n, REFRESH):
        window, part = value[begin - WINDOW : begin], value[begin : begin + REFRESH]
        bad[begin : begin + REFRESH] = np.abs(part - window.mean()) > Z * max(float(window.std()), 1e-6)
    return bad


def incident(material: Material, w: Watched, stretch: Stretch, *, name: str, severity: int = 3) -> Incident:
    """A baseline's incident as the district's own would be: confirmed and annunciated at once."""
    begin, end = stretch
    place = f"{w.district}" if w.spot == DISTRICT else w.spot
    steps = [Step(t_ns=begin, what="opened", args={"severity": severity})]
    if end is not None:
        steps.append(Step(t_ns=end, what="closed"))
    return Incident(
        id=f"{name}-{w.entry.kind}-{place}-{w.district}-{begin}",
        rev=1,
        district=w.district,
        domain=material.ground.domain(w.entry.kind),
        kind=w.entry.kind,
        place=place,
        place_name_zh="",
        place_name_en="",
        lon=0.0,
        lat=0.0,
        state="open" if end is None else "closed",
        severity=severity,
        peak=severity,
        opened_ns=begin,
        updated_ns=begin if end is None else end,
        cleared_ns=end,
        closed_ns=end,
        confirmed_ns=begin,
        annunciated_ns=begin,
        history=tuple(steps),
    )


# ---- material ----

_LIMITS: dict[str, tuple[tuple[str, ...], int]] = {
    # detector: its limits, and 1 where high is bad
    "ladder": (("rung_iv", "rung_iii", "rung_ii", "rung_i"), 1),
    "ebbing": (("rung_iv", "rung_iii", "rung_ii", "rung_i"), 1),
    "grade": (("light_kmh", "moderate_kmh", "heavy_kmh"), -1),
    "sightings": (("min_confidence",), 1),
}


def _watched(scenario: Scenario, ground: Ground) -> Iterator[Watched]:
    domains = ground.domains
    for number, registry in scenario.registries.items():
        columns = by_series(scenario.readings[number])
        columns |= sightings(scenario, number, registry.devices)
        places = {p.id: p for p in registry.places}
        for entry in domains.detectors:
            for device in registry.devices:
                for series in device.series:
                    how = entry.watches.get(series.metric)
                    found = columns.get(series.number)
                    if how is None or how.role or found is None:
                        continue
                    if not entry.reads(device.kind, series.metric):
                        continue
                    place = places.get(device.place)
                    scale, offset = domains.transform(entry, device, place, series.metric)
                    params = domains.params(entry, device, place, how.metric)
                    limit, sign = first_limit(entry.use, {n: p.value for n, p in params.items()})
                    value = found[1] * scale + offset
                    good = np.isfinite(value)
                    yield Watched(
                        district=number,
                        entry=entry,
                        device=device,
                        spot=ground.spot(entry.kind, device),
                        t_ns=found[0][good],
                        value=value[good],
                        limit=limit,
                        sign=sign,
                    )


def first_limit(use: str, params: dict[str, float]) -> tuple[float, int]:
    """The limit that is reached first, and its direction; (NaN, 1) for a detector whose limits are not plain.

    >>> first_limit("ladder", {"rung_iv": float("nan"), "rung_iii": 15.0, "rung_i": 50.0})
    (15.0, 1)
    >>> first_limit("grade", {"light_kmh": 30.0, "light_level": 0.0, "moderate_kmh": 20.0, "moderate_level": 4.0})
    (20.0, -1)
    """
    names, direction = _LIMITS.get(use, ((), 1))
    values = [
        params[name]
        for name in names
        if name in params
        and not np.isnan(params[name])
        and params.get(name.replace("_kmh", "_level"), 1.0)  # a grade of level 0 says nothing
    ]
    if not values:
        return float("nan"), direction
    return (min(values) if direction > 0 else max(values)), direction


def by_series(readings: Readings) -> dict[int, tuple[I64, F64]]:
    """Series number to its times and values, in order of time; what the device itself suspects is left out."""
    keep = np.isfinite(readings.value) & ((readings.quality & Quality.SUSPECT) == 0)
    series, t_ns, value = readings.series[keep], readings.t_ns[keep], readings.value[keep]
    order = np.lexsort((t_ns, series))
    series, t_ns, value = series[order], t_ns[order], value[order]
    if len(series) == 0:
        return {}
    numbers, first = np.unique(series, return_index=True)
    ends = [*first[1:].tolist(), len(series)]
    return {
        n: (t_ns[a:b], value[a:b]) for n, a, b in zip(numbers.tolist(), first.tolist(), ends, strict=True)
    }


def sightings(scenario: Scenario, district: int, devices: Iterable[Device]) -> dict[int, tuple[I64, F64]]:
    """Video events as the readings of their cameras' series: the confidence, and 0 a second later."""
    numbers = {(d.id, s.metric): s.number for d in devices for s in d.series}
    rows: dict[int, list[tuple[int, float]]] = {}
    for t_ns, where, event in scenario.events:
        if where == district and isinstance(event, VideoEvent):
            number = numbers.get((event.device, VIDEO_PREFIX + event.event_class))
            if number is not None:
                rows.setdefault(number, []).extend([(t_ns, event.confidence), (t_ns + SECOND, 0.0)])
    return {
        n: (np.array([t for t, _ in sorted(r)], np.int64), np.array([v for _, v in sorted(r)]))
        for n, r in rows.items()
    }


def _joined(found: list[Stretch]) -> list[Stretch]:
    """Overlapping stretches as one."""
    joined: list[Stretch] = []
    for begin, end in sorted(found, key=lambda s: (s[0], s[1] is not None, s[1] or 0)):
        if joined and (joined[-1][1] is None or joined[-1][1] >= begin):
            last = joined[-1]
            joined[-1] = (last[0], None if last[1] is None or end is None else max(last[1], end))
        else:
            joined.append((begin, end))
    return joined


def _hours(begin: int, end: int, t_ns: I64) -> Iterator[int]:
    """Starts of the hours in which a series says something."""
    spoken = {begin, *(begin + ((t_ns - begin) // HOUR_NS * HOUR_NS)).tolist()}
    return (t for t in sorted(spoken) if begin <= t < end)
