"""What a district machine goes by: the rules in force, compiled, and what is registered. Pure."""

import re
from collections.abc import Iterator

import detectors.registry
from yiwang.domains import Domains, Entry, compile_rules
from yiwang.errors import BadInput
from yiwang.registry import Device, Place, Registry, Rules

_NAME = re.compile(r"\{(\w+)")


class Rulebook:
    """Rules, compiled.

    Args:
        rules: as they came in the feed.
        check: whether it must be found out if this release has the detectors they name.

    Raises:
        BadInput: ``domain.…`` when the packs are wrong, or name a detector that this release does not have.
    """

    def __init__(self, rules: Rules, *, check: bool = True) -> None:
        self.rules = rules
        self.domains: Domains = compile_rules(rules)
        if check:
            detectors.registry.check(self.domains)
        if rules.tick_s <= 0 or rules.lateness_s < 0:
            raise BadInput(
                "domain.value",
                f"tick_s {rules.tick_s} must be above 0 and lateness_s {rules.lateness_s} not below",
            )
        self._numbers: dict[str, dict[int, tuple[str, ...]]] = {}
        for entry in self.domains.detectors:
            self._numbers[entry.id] = self._of(entry)

    def numbers(self, entry: str) -> dict[int, tuple[str, ...]]:
        """Reason of an entry's detector to those of its parameters that the sentence names."""
        return self._numbers[entry]

    def _of(self, entry: Entry) -> dict[int, tuple[str, ...]]:
        needed: dict[int, tuple[str, ...]] = {}
        reasons: tuple[str, ...] = detectors.registry.get(entry.use).reasons  # type: ignore[attr-defined]
        for i, reason in enumerate(reasons):
            text = self.domains.reasons.get(reason)
            named = _NAME.findall(text.zh + text.en) if text else []
            needed[i] = tuple(dict.fromkeys(n for n in named if n in entry.params))
        return needed


class Book:
    """What is registered in a district, merged from all changes."""

    def __init__(self) -> None:
        self.version = 0
        self.places: dict[str, Place] = {}
        self.devices: dict[str, Device] = {}
        self.series: dict[int, tuple[str, str]] = {}  # series -> device, metric

    def apply(self, change: Registry) -> set[str]:
        """Take a change; returns the devices whose series, kind, place or parameters may be others now."""
        self.version = change.version
        moved = {p.id for p in change.places if self.places.get(p.id) != p}
        self.places |= {p.id: p for p in change.places}
        touched = {d.id for d in change.devices if self.devices.get(d.id) != d}
        for device in change.devices:
            before = self.devices.get(device.id)
            for gone in before.series if before else ():
                self.series.pop(gone.number, None)
            self.devices[device.id] = device
            self.series |= {s.number: (device.id, s.metric) for s in device.series}
        if moved:
            touched |= {d.id for d in self.devices.values() if d.place in moved}
        return touched

    def zone(self, device: Device) -> str:
        """The zone a device works for; its place where no place is known."""
        place = self.places.get(device.place)
        return place.zone if place else device.place

    def rows(self, entry: Entry, only: set[str] | None = None) -> Iterator[tuple[int, Device]]:
        """Series that an entry watches, with their devices; of the devices ``only``, or of all."""
        for id_ in self.devices if only is None else sorted(only):
            device = self.devices[id_]
            for series in device.series:
                if entry.reads(device.kind, series.metric):
                    yield series.number, device
