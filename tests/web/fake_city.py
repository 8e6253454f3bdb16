"""A city for tests of the pages: the real desks and the invented geography, on a clock that only a test moves."""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from dispatch.city import CityDesk
from dispatch.desk import Desk
from scenarios.city import generate
from yiwang.domains import compile_rules, load_rules
from yiwang.ids import derive
from yiwang.model import Body, Command, Finding
from yiwang.registry import Device, Registry, Series

SECOND = 1_000_000_000
NIGHT_NS = 1_784_375_000 * SECOND  # 2026-07-18, a quarter to eight in the evening in China

Emit = Callable[[int, list[Body]], None]


class FakeCity:
    """Two desks and the city's; what they say goes to ``emit(district, bodies)``."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.now_ns = NIGHT_NS
        self.geography = generate()
        self.domains = compile_rules(load_rules())
        self.registries = {d.number: self._registry(d.number) for d in self.geography.districts}
        self.devices = {d.id: d for r in self.registries.values() for d in r.devices}
        self.places = {p.id: p for r in self.registries.values() for p in r.places}
        self.readings: dict[tuple[int, int], list[tuple[float, float]]] = {}
        self._desks = {number: Desk(number) for number in self.registries}
        self._city = CityDesk(tuple(self.registries))
        self._since: dict[tuple[str, str], int] = {}
        for number, desk in self._desks.items():
            desk.rules(self.domains)
            self.out(number, desk.registry(self.registries[number]))

    def _registry(self, district: int) -> Registry:
        number = 0
        devices: list[Device] = []
        for device in self.geography.devices:
            if device.district != district:
                continue
            series = []
            for metric in self.domains.device_kinds[device.kind].metrics:
                series.append(Series(number=number, metric=metric))
                number += 1
            devices.append(replace(device, series=tuple(series)))
        return Registry(
            version=1,
            places=tuple(p for p in self.geography.places if p.district == district),
            devices=tuple(devices),
            units=tuple(u for u in self.geography.units if u.district == district),
        )

    def series(self, device: str, metric: str) -> tuple[int, int]:
        """District and number of a series."""
        found = self.devices[device]
        return found.district, next(s.number for s in found.series if s.metric == metric)

    def out(self, district: int, bodies: list[Body]) -> None:
        """Tell what a desk says, and let the city answer."""
        self.emit(district, bodies)
        for body in bodies:
            for other, command in self._city.output(district, body, self.now_ns):
                self.command(other, command)

    def command(self, district: int, command: Command) -> None:
        """A decision reaches a district."""
        self.out(district, self._desks[district].command(command, self.now_ns))

    def tick(self, seconds: float) -> None:
        """Event time goes on."""
        self.now_ns += round(seconds * SECOND)
        for number, desk in self._desks.items():
            self.out(number, desk.tick(self.now_ns))

    def reading(self, device: str, metric: str, value: float, ago_s: float = 0.0) -> tuple[int, int, float]:
        """A reading as persist would have it; returns district, series and time in ms."""
        key = self.series(device, metric)
        t_ms = self.now_ns / 1e6 - ago_s * 1000
        self.readings.setdefault(key, []).append((t_ms, value))
        return (*key, t_ms)

    def found(
        self,
        device: str,
        metric: str,
        level: int,
        value: float,
        limit: float,
        *,
        reason: str = "ladder.above",
        source: Literal["sensor", "video"] = "sensor",
        numbers: dict[str, float] | None = None,
        confidence: float = 1.0,
    ) -> None:
        """A detector says something about one series (level 0: it is over)."""
        at = self.devices[device]
        entry = next(
            d
            for d in self.domains.detectors
            if d.reads(at.kind, metric) and self.domains.kinds[d.kind].nature == "incident"
        )
        since = self._since.setdefault((device, metric), self.now_ns)
        if level == 0:
            del self._since[device, metric]
        finding = Finding(
            id=derive("F", device, metric, since),
            detector=entry.id,
            version=self.domains.version,
            domain=entry.domain,
            kind=entry.kind,
            series=self.series(device, metric)[1],
            device=device,
            metric=metric,
            place=at.place,
            level=level,
            since_ns=since,
            t_ns=self.now_ns,
            value=value,
            limit=limit,
            reason=reason,
            source=source,
            numbers=numbers or {},
            confidence=confidence,
        )
        self.out(at.district, self._desks[at.district].finding(finding, self.now_ns))

    def burst(self, count: int) -> None:
        """Many new incidents at places that were never heard of, all at once."""
        device = next(d for d in self.devices.values() if d.kind == "road_water_level")
        for k in range(count):
            place = replace(self.places[device.place], id=f"BURST-{k}", zone=f"CA-{k % 7}")
            self._desks[0].registry(Registry(version=2, places=(place,)))
            finding = Finding(
                id=derive("F", "burst", k),
                detector="depth.ladder",
                version=self.domains.version,
                domain="flooding",
                kind="road_flooding",
                series=0,
                device=device.id,
                metric="water_depth",
                place=place.id,
                level=3 if k % 10 else 2,
                since_ns=self.now_ns,
                t_ns=self.now_ns,
                value=16.0,
                limit=15.0,
                reason="ladder.above",
            )
            self.out(0, self._desks[0].finding(finding, self.now_ns))
