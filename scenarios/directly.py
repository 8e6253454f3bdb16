"""A scenario straight through the district machines, in one process, without broker and database."""

from itertools import chain

from scenarios.model import Scenario
from scenarios.playing import feed, opening
from streams.machine import DistrictMachine
from yiwang.columns import Readings
from yiwang.model import Body, Incident, Order


def bodies(scenario: Scenario, *, cut_rows: int = 5000, cut_s: float = 3600.0) -> dict[int, list[Body]]:
    """Everything each district puts out, in order."""
    machines = {number: DistrictMachine(number) for number in scenario.registries}
    out: dict[int, list[Body]] = {number: [] for number in scenario.registries}
    for item in chain(opening(scenario), feed(scenario, cut_rows=cut_rows, cut_s=cut_s)):
        machine = machines[item.district]
        if isinstance(item.content, Readings):
            out[item.district] += machine.readings(item.content)
        else:
            out[item.district] += machine.message(item.content)
    return out


def incidents_and_orders(scenario: Scenario) -> tuple[tuple[Incident, ...], tuple[Order, ...]]:
    """The last state of every incident and order, each in order of time."""
    incidents: dict[str, Incident] = {}
    orders: dict[str, Order] = {}
    for district in bodies(scenario).values():
        for body in district:
            if isinstance(body, Incident):
                incidents[body.id] = body
            elif isinstance(body, Order):
                orders[body.id] = body
    return (
        tuple(sorted(incidents.values(), key=lambda i: (i.opened_ns, i.id))),
        tuple(sorted(orders.values(), key=lambda o: (o.sent_ns, o.id))),
    )
