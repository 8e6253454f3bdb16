"""What a scenario's rules and registry say about its incidents: their domain, and where "the same place" is. Pure."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from scenarios.model import Scenario, Truth
from yiwang.clock import SECOND
from yiwang.domains import Domains, IncidentKind, compile_rules
from yiwang.model import Incident
from yiwang.registry import Device

HEALTH = "health"
"""Incidents of sensors are a domain of their own, whichever pack names them."""
DISTRICT = "*"
"""The one spot of kinds that are judged for the whole district."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A scenario's rules and places, ready to be asked.

    Attributes:
        domains: the rules, compiled.
        zone_of: place id to zone id.
        place_of: device id to place id.
    """

    domains: Domains
    zone_of: dict[str, str] = field(default_factory=dict)
    place_of: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scenario: Scenario) -> Self:
        """From the scenario's own rules and registries."""
        ground = cls(compile_rules(scenario.rules))
        for registry in scenario.registries.values():
            ground.zone_of.update({p.id: p.zone for p in registry.places})
            ground.place_of.update({d.id: d.place for d in registry.devices})
        return ground

    def domain(self, kind: str) -> str:
        """The domain a kind is counted under; ``unknown`` for a kind that no pack has."""
        known = self.domains.kinds.get(kind)
        return "unknown" if known is None else HEALTH if known.nature == "health" else known.domain

    def watched(self, scenario: Scenario) -> dict[str, int]:
        """Domains that the scenario watches, each with its number of sensors.

        A domain is watched where a sensor is registered that one of its detector entries listens to; one that has
        only a truth is there too, with no sensor.
        """
        listens: dict[tuple[str, str], set[str]] = {}
        found = {self.domain(t.kind): 0 for t in scenario.truth}
        for registry in scenario.registries.values():
            for device in registry.devices:
                domains: set[str] = set()
                for series in device.series:
                    key = (device.kind, series.metric)
                    if key not in listens:
                        listens[key] = {self.domain(e.kind) for e in self.domains.detectors if e.reads(*key)}
                    domains |= listens[key]
                for domain in domains:
                    found[domain] = found.get(domain, 0) + 1
        return dict(sorted(found.items()))

    def spots_of_truth(self, truth: Truth) -> frozenset[str]:
        """Where a truth may be raised: its place and those it names beside it."""
        return self._spots(truth.kind, {truth.place, *truth.also})

    def spots(self, incident: Incident) -> frozenset[str]:
        """Where an incident is: its own place, and those of its evidence.

        A kind that is judged by device is at its devices, one judged by zone at the zones of its places.
        """
        kind = self.domains.kinds.get(incident.kind)
        if kind is not None and kind.by == "device":
            return frozenset({incident.place, *(e.device for e in incident.evidence)})
        places = {incident.place, *(e.place or self.place_of.get(e.device, "") for e in incident.evidence)}
        return self._spots(incident.kind, places - {""})

    def spot(self, kind: str, device: Device) -> str:
        """Where an incident of a kind is that a device's reading speaks of."""
        by = self.domains.kinds[kind].by
        if by == "device":
            return device.id
        if by == "district":
            return DISTRICT
        return self.zone_of.get(device.place, device.place) if by == "zone" else device.place

    def _spots(self, kind: str, places: set[str]) -> frozenset[str]:
        known: IncidentKind | None = self.domains.kinds.get(kind)
        if known is not None and known.by == "district":
            return frozenset({DISTRICT})
        if known is not None and known.by == "zone":
            return frozenset(self.zone_of.get(p, p) for p in places)
        return frozenset(places)


def watched_h(scenario: Scenario) -> float:
    """Hours of event time in which the scenario says something; silence that is passed over is left out."""
    limit = max(3600 * SECOND, 2 * round(scenario.settle_s * SECOND))
    parts = [r.t_ns for r in scenario.readings.values() if len(r)]
    if not parts:
        return (scenario.end_ns - scenario.start_ns) / SECOND / 3600
    times = np.unique(np.concatenate([*parts, [scenario.end_ns]]))
    gaps = np.diff(times)
    return float(gaps[gaps <= limit].sum()) / SECOND / 3600
