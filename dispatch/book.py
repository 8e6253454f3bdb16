"""The book of one call: takes changed objects, and at the end says each of them once, with its new revision."""

from collections.abc import Iterator
from typing import Any, cast

from msgspec.structs import replace

from dispatch.state import Spot, State, remember
from yiwang.book import Book as Registered
from yiwang.model import (
    Body,
    Case,
    Finding,
    Incident,
    Order,
    Situation,
    Step,
    SupportNeeded,
    SupportOffer,
    Trouble,
    UnitState,
)

Row = Incident | Situation | Case | Order | UnitState

STEPS = 128
"""Longest history of one object: the first step, one that counts what was left out, and the newest."""

_RANKS: tuple[type, ...] = (Incident, Situation, Case, Order, UnitState)
_FINISHED = frozenset({"verified", "declined", "cancelled"})


def grown(history: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """A history with one more step, never longer than ``STEPS``."""
    history = (*history, step)
    if len(history) <= STEPS:
        return history
    first, second, third, *rest = history
    left_out = second.args["count"] if second.what == "omitted" else 1
    omitted = Step(t_ns=third.t_ns, what="omitted", args={"count": left_out + 1})
    return (first, omitted, *rest)


class Book:
    """Writes to a state during one call.

    Args:
        state: changed in place.
        t_ns: when the call takes effect, event time.
        registered: the places there are.

    Attributes:
        worse: incidents that were opened, confirmed or reopened, or became more severe, in this call.
        trusted: devices on which a person found nothing wrong, and the reason for which they had been doubted.
        weather: whether outside warnings have begun or ended in this call.
    """

    def __init__(self, state: State, t_ns: int, registered: Registered) -> None:
        self.state = state
        self._registered = registered
        self.t_ns = t_ns
        self._before: dict[tuple[int, str], Row | None] = {}
        self._said: list[Body] = []
        self._found: list[Finding] = []
        self.worse: dict[str, None] = {}
        self.trusted: dict[str, str] = {}
        self.weather = False

    def spot(self, place: str) -> Spot | None:
        """Where a place is, if it is registered."""
        found = self._registered.places.get(place)
        return Spot(found.zone, found.name, found.lon, found.lat) if found else None

    def spots(self, lat: float, degrees: float) -> Iterator[tuple[str, Spot]]:
        """Places no further north or south than that."""
        for place in self._registered.places_near(lat, degrees):
            yield place.id, Spot(place.zone, place.name, place.lon, place.lat)

    def put(self, row: Row) -> None:
        """The new state of an object; revision and time of change are set by ``close``."""
        rank = _RANKS.index(type(row))
        table = self._table(rank)
        self._before.setdefault((rank, row.id), table.get(row.id))
        table[row.id] = row

    def say(self, body: SupportNeeded | SupportOffer | Trouble) -> None:
        """A message that is not an object with revisions."""
        self._said.append(body)

    def find(self, finding: Finding) -> None:
        """A finding that the desk makes itself, of what people report."""
        self._found.append(finding)

    def incidents(self) -> list[tuple[Incident, Incident | None]]:
        """The incidents changed in this call so far, as they are and as they were before it."""
        return [
            (self.state.incidents[id_], cast("Incident | None", old))
            for (rank, id_), old in self._before.items()
            if rank == 0
        ]

    def step(self, what: str, by: str = "", /, **args: Any) -> Step:  # Any: plain JSON values
        """A line of history of this moment."""
        return Step(t_ns=self.t_ns, what=what, by=by, args=args)

    def note_incident(self, incident: str, step: Step) -> None:
        """Add a line to an incident's history; a closed incident is not changed any more."""
        row = self.state.incidents[incident]
        if row.state != "closed":
            self.put(replace(row, history=grown(row.history, step)))

    def note_case(self, case: str, step: Step) -> None:
        """Add a line to a case's history."""
        row = self.state.cases[case]
        self.put(replace(row, history=grown(row.history, step)))

    def close(self) -> list[Body]:
        """What changed, each object once: findings, incidents, situations, cases, orders, units, then the rest.

        What is over leaves the state.
        """
        bodies: list[Body] = [*self._found]
        touched: dict[str, None] = {}
        for (rank, id_), old in sorted(self._before.items(), key=lambda entry: entry[0][0]):
            table = self._table(rank)
            row = table[id_]
            if row == old:
                continue
            rev = 1 if old is None else old.rev + 1
            if isinstance(row, UnitState):
                row = replace(row, rev=rev, t_ns=max(row.t_ns, self.t_ns))
            else:
                row = replace(row, rev=rev, updated_ns=max(row.updated_ns, self.t_ns))
                if not isinstance(row, Situation):
                    touched[row.id if isinstance(row, Incident) else row.incident] = None
            table[id_] = row
            bodies.append(row)
            if isinstance(row, Order) and row.for_district >= 0 and row.state in _FINISHED:
                remember(self.state.gone, id_, row.state)
                del self.state.orders[id_]
            elif isinstance(row, Situation) and row.state == "closed":
                remember(self.state.gone, id_, row.state)
                del self.state.situations[id_]
        for incident in touched:
            self._retire(incident)
        return bodies + self._said

    def _retire(self, incident: str) -> None:
        state = self.state
        row = state.incidents.get(incident)
        if row is None or row.state != "closed":
            return
        if row.case:
            case = state.cases[row.case]
            if case.stage != "closed":
                return
            for order in case.orders:
                remember(state.gone, order, state.orders.pop(order).state)
            remember(state.gone, case.id, "closed")
            del state.cases[case.id]
            del state.notes[case.id]
        state.asks.pop(incident, None)
        state.past.pop(incident, None)
        state.told.pop(incident, None)
        state.verdicts.pop(incident, None)
        remember(state.gone, incident, "closed")
        del state.incidents[incident]

    def _table(self, rank: int) -> dict[str, Row]:
        state = self.state
        tables = (state.incidents, state.situations, state.cases, state.orders, state.units)
        return cast("dict[str, Row]", tables[rank])  # a row only ever goes into the table of its own type
