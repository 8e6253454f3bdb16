"""A scenario straight through the district machines, in one process, without broker and database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeVar

from scenarios.model import Scenario
from scenarios.playing import feed, opening
from streams.machine import DistrictMachine
from yiwang.columns import Readings
from yiwang.model import Body, Finding, Incident, Order, Situation, Tick, Trouble

B = TypeVar("B", Incident, Situation, Order)
Probe = Callable[[int, int, DistrictMachine], None]
"""Called after each tick with its event time, the district and its machine; may look, not touch."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """All that a scenario's districts put out, in order, and what can be read off it."""

    bodies: dict[int, list[Body]]

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Last state of each, in order of opening."""
        return tuple(sorted(self._last(Incident).values(), key=lambda i: (i.opened_ns, i.id)))

    @cached_property
    def situations(self) -> tuple[Situation, ...]:
        """Last state of each, in order of opening."""
        return tuple(sorted(self._last(Situation).values(), key=lambda s: (s.opened_ns, s.id)))

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """Last state of each, in order of sending."""
        return tuple(sorted(self._last(Order).values(), key=lambda o: (o.sent_ns, o.id)))

    @cached_property
    def findings(self) -> tuple[tuple[int, Finding], ...]:
        """Every word of every finding with its district, in order of district and output."""
        return tuple((d, b) for d, out in self.bodies.items() for b in out if isinstance(b, Finding))

    @cached_property
    def troubles(self) -> tuple[tuple[int, Trouble], ...]:
        """What could not be used, with its district."""
        return tuple((d, b) for d, out in self.bodies.items() for b in out if isinstance(b, Trouble))

    @cached_property
    def confidence(self) -> dict[str, float]:
        """The highest confidence that each incident ever had, by id."""
        highest: dict[str, float] = {}
        for out in self.bodies.values():
            for body in out:
                if isinstance(body, Incident):
                    highest[body.id] = max(body.confidence, highest.get(body.id, 0.0))
        return highest

    def _last(self, kind: type[B]) -> dict[str, B]:
        return {b.id: b for out in self.bodies.values() for b in out if isinstance(b, kind)}


def play(
    scenario: Scenario, *, cut_rows: int = 5000, cut_s: float = 3600.0, probes: Sequence[Probe] = ()
) -> Played:
    """Everything that the districts put out."""
    machines = {number: DistrictMachine(number) for number in scenario.registries}
    out: dict[int, list[Body]] = {number: [] for number in scenario.registries}
    for item in chain(opening(scenario), feed(scenario, cut_rows=cut_rows, cut_s=cut_s)):
        machine = machines[item.district]
        if isinstance(item.content, Readings):
            out[item.district] += machine.readings(item.content)
        else:
            out[item.district] += machine.message(item.content)
            if isinstance(item.content, Tick):
                for probe in probes:
                    probe(item.t_ns, item.district, machine)
    return Played(bodies=out)


def bodies(scenario: Scenario, *, cut_rows: int = 5000, cut_s: float = 3600.0) -> dict[int, list[Body]]:
    """Everything each district puts out, in order."""
    return play(scenario, cut_rows=cut_rows, cut_s=cut_s).bodies


def incidents_and_orders(scenario: Scenario) -> tuple[tuple[Incident, ...], tuple[Order, ...]]:
    """The last state of every incident and order, each in order of time."""
    played = play(scenario)
    return played.incidents, played.orders
