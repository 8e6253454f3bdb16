"""Building a scenario piece by piece: what generators and importers use.

>>> import numpy as np
>>> from yiwang.registry import Text
>>> b = Builder("puddle", Text("水坑", "Puddle"), start_ns=1_700_000_000 * SECOND, seed=1, duration_s=600)
>>> b.place("P1", "road", zone="Z1", lon=113.0, lat=23.0, closure_depth_cm=25)
>>> b.device("D1", "road_water_level", "P1")
>>> t_ns = b.times(60)
>>> b.readings("D1", "water_depth", t_ns, np.linspace(0, 20, len(t_ns)))
>>> b.truth("road_flooding", "P1", 3, int(t_ns[8]), b.end_ns, within_s=60)
>>> scenario = b.build()
>>> scenario.reading_count, scenario.truth[0].place
(10, 'P1')
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenarios.model import Event, Scenario, Truth, registries
from yiwang.clock import SECOND
from yiwang.columns import F64, I64, U8, Readings
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Command, Report, VideoEvent, Warning  # noqa: A004  CAP's word
from yiwang.registry import Device, District, Place, Text, Unit


class Builder:
    """Takes places, devices, signals, events and truth in any order.

    Args:
        start_ns: begin, event time.
        seed: of ``rng``.
        duration_s: length, seconds.
        tick_s: spacing of ticks and grid of detectors.
        settle_s: how long ticks go on after the end.
        merge_s: truths of one place closer than this may be found as one incident.
        overrides: the city's own values, as in an ``overrides:`` list.
        lateness_s: how long ticks wait for late readings.

    Attributes:
        rng: numpy generator of the seed.
        start_ns: as given.
        end_ns: begin plus length.
        domains: the packs, compiled.
    """

    def __init__(
        self,
        name: str,
        title: Text,
        *,
        start_ns: int,
        seed: int,
        duration_s: float,
        tick_s: float = 1.0,
        settle_s: float = 900.0,
        merge_s: float = 0.0,
        overrides: Sequence[Mapping[str, Any]] = (),  # Any: as in an ``overrides:`` list of a city file
        lateness_s: float = 10.0,
    ) -> None:
        self.name, self.title = name, title
        self.start_ns, self.end_ns = start_ns, start_ns + round(duration_s * SECOND)
        self.tick_s, self.settle_s, self.merge_s = tick_s, settle_s, merge_s
        self.rng = np.random.default_rng(seed)
        self.rules = load_rules(overrides=overrides, lateness_s=lateness_s, tick_s=tick_s)
        self.domains = compile_rules(self.rules)
        self.base_map: dict[str, Any] = {"type": "FeatureCollection", "features": []}  # Any: GeoJSON
        self.notes: list[str] = []
        self.expect_support = False
        self._districts: list[District] = []
        self._places: dict[str, Place] = {}
        self._devices: dict[str, Device] = {}
        self._units: list[Unit] = []
        self._signals: list[tuple[str, str, I64, F64, U8, I64]] = []
        self._events: list[tuple[int, int, Event]] = []
        self._truth: list[Truth] = []

    # ---- who is there ----

    def district(self, code: str, name: Text) -> int:
        """One more district; returns its number. A scenario without any has one."""
        self._districts.append(District(number=len(self._districts), code=code, name=name))
        return len(self._districts) - 1

    def place(
        self,
        id: str,  # noqa: A002  as in the registry
        kind: str,
        name: Text | None = None,
        *,
        zone: str,
        lon: float,
        lat: float,
        district: int = 0,
        **attributes: float,
    ) -> None:
        """A place; ``attributes`` are numbers that thresholds refer to."""
        self._new(id, self._places, "place")
        self._places[id] = Place(
            id=id,
            district=district,
            zone=zone,
            kind=kind,
            name=name or Text(id, id),
            lon=float(lon),
            lat=float(lat),
            attributes={k: float(v) for k, v in attributes.items()},
        )

    def device(
        self,
        id: str,  # noqa: A002  as in the registry
        kind: str,
        place: str,
        *,
        name: Text | None = None,
        lon: float | None = None,
        lat: float | None = None,
        **attributes: float,
    ) -> None:
        """A sensor or camera at a place that is there already; it has the metrics of its kind.

        Raises:
            BadInput: ``scenario.build``.
        """
        self._new(id, self._devices, "device")
        if place not in self._places:
            raise _wrong(f"device {id}: there is no place {place!r} yet")
        if kind not in self.domains.device_kinds:
            raise _wrong(f"device {id}: no pack has the device kind {kind!r}")
        at = self._places[place]
        self._devices[id] = Device(
            id=id,
            district=at.district,
            kind=kind,
            place=place,
            name=name or at.name,
            lon=at.lon if lon is None else float(lon),
            lat=at.lat if lat is None else float(lat),
            series=(),
            attributes={k: float(v) for k, v in attributes.items()},
        )

    def unit(
        self,
        id: str,  # noqa: A002  as in the registry
        skill: str,
        *,
        lon: float,
        lat: float,
        district: int = 0,
        name: Text | None = None,
    ) -> None:
        """A crew that can be sent."""
        self._units.append(
            Unit(
                id=id,
                district=district,
                name=name or Text(id, id),
                skill=skill,
                lon=float(lon),
                lat=float(lat),
            )
        )

    # ---- what is said ----

    def times(
        self, period_s: float, *, phase_s: float | None = None, jitter_s: float = 0.0, missing: float = 0.0
    ) -> I64:
        """Reporting times of a sensor over the whole scenario, ns.

        Args:
            period_s: how often it reports.
            phase_s: its first report after the begin; without, at the begin.
            jitter_s: standard deviation of each report's time; the order stays.
            missing: share of reports that never come.
        """
        first = self.start_ns + round((phase_s or 0.0) * SECOND)
        t_ns = np.arange(first, self.end_ns, round(period_s * SECOND), dtype=np.int64)
        if jitter_s:
            t_ns = np.sort(t_ns + np.rint(self.rng.normal(0, jitter_s, len(t_ns)) * SECOND).astype(np.int64))
            t_ns = np.unique(t_ns[(t_ns >= self.start_ns) & (t_ns < self.end_ns)])
        if missing:
            t_ns = t_ns[self.rng.random(len(t_ns)) >= missing]
        return t_ns

    def readings(
        self,
        device: str,
        metric: str,
        t_ns: I64,
        value: F64,
        *,
        quality: U8 | None = None,
        arrival_ns: I64 | None = None,
    ) -> None:
        """What one series says.

        Args:
            t_ns: int64 (n,), event time.
            value: float64 (n,), in the metric's unit.
            quality: uint8 (n,); without, all good.
            arrival_ns: int64 (n,), when each comes in; without, at its event time.

        Raises:
            BadInput: ``scenario.build`` for a device or metric that is not there.
        """
        if device not in self._devices:
            raise _wrong(f"readings of {device}: there is no such device yet")
        kind = self._devices[device].kind
        if metric not in self.domains.device_kinds[kind].metrics:
            raise _wrong(f"readings of {device}: a {kind} has no metric {metric!r}")
        good = np.zeros(len(t_ns), np.uint8) if quality is None else quality
        self._signals.append(
            (
                device,
                metric,
                t_ns,
                np.asarray(value, np.float64),
                good,
                t_ns if arrival_ns is None else arrival_ns,
            )
        )

    def video(
        self, device: str, event_class: str, t_ns: int, confidence: float, *, event_id: str = ""
    ) -> None:
        """One sighting by a camera."""
        t_ns, confidence = int(t_ns), float(confidence)
        id_ = event_id or derive("V", device, event_class, t_ns)
        self._events.append(
            (
                t_ns,
                self._devices[device].district,
                VideoEvent(
                    event_id=id_,
                    device=device,
                    event_class=event_class,
                    confidence=confidence,
                    t_ns=t_ns,
                    ingest_ns=t_ns,
                ),
            )
        )

    def report(
        self,
        kind: str,
        t_ns: int,
        *,
        by: str,
        place: str = "",
        lon: float = 0.0,
        lat: float = 0.0,
        level: int = 3,
        certainty: float = 0.5,
        text: str = "",
        district: int = 0,
    ) -> None:
        """What a person says has happened."""
        t_ns, certainty = int(t_ns), float(certainty)
        content = Report(
            report_id=derive("R", kind, by, place, t_ns),
            kind=kind,
            by=by,
            t_ns=t_ns,
            ingest_ns=t_ns,
            place=place,
            lon=float(lon),
            lat=float(lat),
            level=level,
            certainty=certainty,
            text=text,
        )
        self._events.append((t_ns, self._places[place].district if place else district, content))

    def warning(
        self,
        event: str,
        t_ns: int,
        until_ns: int,
        *,
        level: int,
        areas: tuple[str, ...] = (),
        headline: Text | None = None,
        district: int = 0,
    ) -> None:
        """An outside warning."""
        t_ns, until_ns = int(t_ns), int(until_ns)
        content = Warning(
            warning_id=derive("W", event, district, t_ns),
            event=event,
            level=level,
            t_ns=t_ns,
            until_ns=until_ns,
            ingest_ns=t_ns,
            areas=areas,
            sender="weather",
            headline_zh=headline.zh if headline else "",
            headline_en=headline.en if headline else "",
        )
        self._events.append((t_ns, district, content))

    def command(self, district: int, command: Command) -> None:
        """A decision that somebody took, at its own time."""
        self._events.append((command.t_ns, district, command))

    # ---- what is true ----

    def truth(
        self,
        kind: str,
        place: str,
        severity: int,
        begin_ns: int,
        end_ns: int,
        *,
        within_s: float,
        district: int | None = None,
        reaches_ns: Mapping[int, int] | None = None,
        episode_ns: tuple[int, int] | None = None,
        also: tuple[str, ...] = (),
        optional: bool = False,
        reasons: tuple[str, ...] = (),
    ) -> None:
        """Something that really happened; see ``Truth``.

        Raises:
            BadInput: ``scenario.build`` for a kind that no pack has.
        """
        if kind not in self.domains.kinds:
            raise _wrong(f"truth at {place}: no pack has the incident kind {kind!r}")
        begin_ns, end_ns = int(begin_ns), int(end_ns)
        at = self._places.get(place)
        device = self._devices.get(place)
        where = at.district if at else device.district if device else 0
        self._truth.append(
            Truth(
                id=f"{kind}@{place}@{(begin_ns - self.start_ns) // SECOND}",
                kind=kind,
                district=where if district is None else district,
                place=place,
                severity=int(severity),
                begin_ns=begin_ns,
                end_ns=end_ns,
                within_s=within_s,
                reaches_ns={str(int(level)): int(t) for level, t in (reaches_ns or {}).items()},
                episode_ns=None if episode_ns is None else (int(episode_ns[0]), int(episode_ns[1])),
                also=also,
                optional=optional,
                reasons=reasons,
            )
        )

    # ---- the whole ----

    def build(self) -> Scenario:
        """The scenario."""
        if not self._districts:
            self.district("900001", Text("演示区", "Demo district"))
        places, devices = tuple(self._places.values()), tuple(self._devices.values())
        metrics = {k: kind.metrics for k, kind in self.domains.device_kinds.items()}
        regs = registries(places, devices, tuple(self._units), metrics, tuple(self._districts))
        number = {
            (d.id, s.metric): s.number
            for registry in regs.values()
            for d in registry.devices
            for s in d.series
        }
        parts: dict[int, list[tuple[Readings, I64]]] = defaultdict(list)
        for device, metric, t_ns, value, quality, arrival_ns in self._signals:
            series = np.full(len(t_ns), number[device, metric], np.int32)
            batch = Readings(series=series, t_ns=t_ns, value=value, quality=quality)
            parts[self._devices[device].district].append((batch, arrival_ns))
        readings, arrivals = {}, {}
        for district in regs:
            batch = Readings.join([b for b, _ in parts[district]])
            comes_in = np.concatenate([a for _, a in parts[district]] or [np.empty(0, np.int64)])
            order = np.lexsort((batch.t_ns, comes_in))
            readings[district] = Readings(
                series=batch.series[order],
                t_ns=batch.t_ns[order],
                value=batch.value[order],
                quality=batch.quality[order],
            )
            if not np.array_equal(comes_in, batch.t_ns):
                arrivals[district] = comes_in[order]
        return Scenario(
            name=self.name,
            title=self.title,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            settle_s=self.settle_s,
            tick_s=self.tick_s,
            districts=tuple(self._districts),
            registries=regs,
            rules=self.rules,
            base_map=self.base_map,
            readings=readings,
            arrivals=arrivals,
            events=tuple(sorted(self._events, key=lambda e: (e[0], e[1]))),
            truth=tuple(sorted(self._truth, key=lambda t: (t.begin_ns, t.id))),
            merge_s=self.merge_s,
            expect_support=self.expect_support,
            notes=tuple(self.notes),
        )

    def _new(self, id_: str, known: Mapping[str, object], what: str) -> None:
        if id_ in known:
            raise _wrong(f"there is a {what} {id_!r} already")


def _wrong(problem: str) -> BadInput:
    return BadInput("scenario.build", problem)
