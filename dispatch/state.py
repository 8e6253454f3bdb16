"""All that a district's desk knows. Bounded: what is over leaves it, memories have a size."""

from typing import Literal, TypeVar

import msgspec

from dispatch.plans import Plan
from yiwang.model import Case, Incident, Order, RequestSupport, SupportNeeded, UnitState
from yiwang.registry import Text, Unit

REMEMBERED = 10_000
"""How many command ids, and how many ids of finished objects, are remembered."""

V = TypeVar("V")


class Spot(msgspec.Struct, frozen=True):
    """What an incident needs of a place."""

    zone: str
    name: Text
    lon: float
    lat: float


class Notes(msgspec.Struct, frozen=True):
    """What the desk remembers about a case besides the case itself."""

    escalated: bool = False
    late_ns: int = 0  # the deadline whose passing has been noted
    since: int = 0  # number of orders before the last rework: they no longer count as work done


class Ask(msgspec.Struct, frozen=True):
    """A request for support by this district and what became of it."""

    needed: SupportNeeded
    answer: Literal["", "granted", "refused"] = ""


class Help(msgspec.Struct, frozen=True):
    """Support that this district gives to another: what was asked, its newest order, the units tried."""

    request: RequestSupport
    order: str
    tried: tuple[str, ...]


class State(msgspec.Struct, kw_only=True):
    """The desk's state. Every dict is in order of insertion, also after dump and load: outputs depend on it."""

    district: int
    now_ns: int = 0
    rules: str = ""
    plans: dict[str, Plan] = {}
    places: dict[str, Spot] = {}
    roster: dict[str, Unit] = {}
    units: dict[str, UnitState] = {}
    incidents: dict[str, Incident] = {}
    live: dict[str, dict[str, int]] = {}  # incident -> finding -> its level, of all evidence not over
    found: dict[str, str] = {}  # finding not over -> its incident
    open: dict[str, str] = {}  # ``spot_key`` -> incident not closed
    cases: dict[str, Case] = {}
    notes: dict[str, Notes] = {}  # case -> notes
    orders: dict[str, Order] = {}
    asks: dict[str, dict[str, Ask]] = {}  # incident -> support request -> ask
    helps: dict[str, Help] = {}  # support request of another district -> help
    gone: dict[str, str] = {}  # finished object -> its last state
    commands: dict[str, str] = {}  # command -> error code or empty
    dismissed: dict[str, int] = {}  # finding called a false alarm -> severity of the incident then


def spot_key(kind: str, place: str) -> str:
    """The identity of an open episode: one incident at a time for each kind and place (or zone)."""
    return f"{kind}\x1f{place}"


def remember(memory: dict[str, V], key: str, value: V) -> None:
    """Keep ``value``; the oldest key leaves when there are more than ``REMEMBERED``."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
