"""The live view: what is so now, and the last changes for screens that come back. Pure.

The view trusts the outputs' own order: an object of a higher ``rev`` replaces one of a lower, and a repeat
(after a crash of a worker, or because the gateway read a stretch again) changes nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ws_server.messages import encode
from ws_server.values import NewestValues
from yiwang.model import (
    Body,
    Case,
    CommandResult,
    Finding,
    Incident,
    Order,
    Output,
    Situation,
    SupportNeeded,
    SupportOffer,
    Trouble,
    UnitState,
)

RING = 1024  # changes kept per district for screens that resume
CLOSED_KEPT = 200  # closed objects of each type that stay visible
RESULTS_KEPT = 10_000

Kept = Incident | Situation | Case | Order | UnitState | SupportNeeded | SupportOffer
TYPES: tuple[type[Kept], ...] = (Incident, Situation, Case, Order, UnitState, SupportNeeded, SupportOffer)

_OVER = frozenset({"verified", "cancelled", "declined"})


def key_of(body: Kept) -> str:
    """What identifies an object within its type."""
    return f"{body.request}:{body.district}" if isinstance(body, SupportOffer) else body.id


def is_closed(body: Kept) -> bool:
    """Whether nothing more is expected to happen to the object."""
    match body:
        case Incident() | Situation():
            return body.state == "closed"
        case Case():
            return body.stage == "closed"
        case Order():
            return body.state in _OVER
        case UnitState():
            return False
        case SupportNeeded() | SupportOffer():
            return True


def is_newer(body: Kept, held: Kept) -> bool:
    """Whether ``body`` replaces ``held``; support is asked for and answered once and has no ``rev``."""
    if isinstance(body, SupportNeeded | SupportOffer) or isinstance(held, SupportNeeded | SupportOffer):
        return body != held
    return body.rev > held.rev


@dataclass(frozen=True, kw_only=True)
class Change:
    """One output that screens may want, with its stamps; encoded once for all of them.

    Attributes:
        seq: order of arrival at this gateway, over all districts.
        offset: in the district's partition of ``outputs``.
        ingest_ns: wall clock of ingest, of what caused it; None where nothing measured did.
        agent_ns: wall clock of the district agent.
        gateway_ns: wall clock of this gateway.
    """

    seq: int
    district: int
    offset: int
    body: Body
    ingest_ns: int | None
    agent_ns: int | None
    gateway_ns: int

    @cached_property
    def raw_body(self) -> msgspec.Raw:
        """The body as JSON."""
        return msgspec.Raw(encode(self.body))

    @cached_property
    def text(self) -> bytes:
        """The message for the socket."""
        return self.message(self.offset)

    def message(self, offset: int) -> bytes:
        """The message, under another offset than its own."""
        return encode(
            {
                "type": "result" if isinstance(self.body, CommandResult) else "delta",
                "at": (self.district, offset),
                "body": self.raw_body,
                "ingest_ms": _ms(self.ingest_ns),
                "agent_ms": _ms(self.agent_ns),
                "gateway_ms": _ms(self.gateway_ns),
            }
        )


def _ms(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e6


class LiveView:
    """Objects, newest values, positions and recent changes of one run.

    Attributes:
        epoch: names this life of the run's log; positions of another epoch mean nothing.
        ready: everything that was there at the start has been taken in; before that no screen is served.
        event_ns: newest tick per district.
        ingest_ns: wall-clock stamp of the newest frame per district.
    """

    def __init__(self, *, ring: int = RING, closed_kept: int = CLOSED_KEPT) -> None:
        self.epoch = ""
        self.ready = False
        self.values = NewestValues()
        self.event_ns: dict[int, int] = {}
        self.ingest_ns: dict[int, int] = {}
        self._ring_size = ring
        self._closed_kept = closed_kept
        self._objects: dict[type[Kept], dict[str, tuple[Kept, msgspec.Raw]]] = {t: {} for t in TYPES}
        self._closed: dict[type[Kept], dict[str, None]] = {t: {} for t in TYPES}  # oldest first
        self._results: dict[str, None] = {}
        self._rings: dict[int, deque[Change]] = {}
        self._base: dict[int, int] = {}  # every change after this offset is in the ring
        self._at: dict[int, int] = {}
        self._seen_feed: dict[int, int] = {}
        self._seq = 0
        self._all: dict[int, msgspec.Raw] = {}  # all objects as one JSON array, by whose come first

    # ---- taking in ----

    def load(self, bodies: Iterable[Kept]) -> None:
        """Objects as the database has them."""
        for body in bodies:
            self._keep(body, msgspec.Raw(encode(body)))

    def begin(self, district: int, next_offset: int) -> None:
        """The first output that will be taken of this district is the one at ``next_offset``."""
        self._rings[district] = deque()
        self._base[district] = self._at[district] = next_offset - 1

    def skip(self, district: int, offset: int) -> None:
        """A message of the outputs that is no output, or does not count."""
        self._at[district] = max(offset, self._at[district])

    def apply(
        self,
        district: int,
        offset: int,
        output: Output,
        *,
        ingest_ns: int | None,
        agent_ns: int | None,
        gateway_ns: int,
    ) -> Change | None:
        """Take an output; the change to publish, or None where screens need not know.

        Findings are not shown: the incident they belong to carries them as evidence.
        """
        if offset <= self._at[district]:
            return None
        self._at[district] = offset
        self._seen_feed[district] = max(output.feed, self._seen_feed.get(district, 0))
        if isinstance(output.body, Finding):
            return None
        self._seq += 1
        change = Change(
            seq=self._seq,
            district=district,
            offset=offset,
            body=output.body,
            ingest_ns=ingest_ns,
            agent_ns=agent_ns,
            gateway_ns=gateway_ns,
        )
        ring = self._rings[district]
        ring.append(change)
        if len(ring) > self._ring_size:
            self._base[district] = ring.popleft().offset
        return change if self._news(change) else None

    def _news(self, change: Change) -> bool:
        body = change.body
        if isinstance(body, CommandResult):
            if body.command_id in self._results:
                return False
            self._results[body.command_id] = None
            if len(self._results) > RESULTS_KEPT:
                del self._results[next(iter(self._results))]
            return True
        return isinstance(body, Finding | Trouble) or self._keep(body, change.raw_body)

    def _keep(self, body: Kept, raw: msgspec.Raw) -> bool:
        kind, key = type(body), key_of(body)
        held = self._objects[kind].get(key)
        if held is not None and not is_newer(body, held[0]):
            return False
        self._objects[kind][key] = (body, raw)
        self._all.clear()
        closed = self._closed[kind]
        closed.pop(key, None)
        if is_closed(body):
            closed[key] = None
            self._evict(kind)
        return True

    def _evict(self, kind: type[Kept]) -> None:
        """Let the longest closed objects of a type leave; an incident stays as long as its case is open."""
        closed = self._closed[kind]
        surplus = len(closed) - self._closed_kept
        if surplus <= 0:
            return
        for key in [k for k in closed if not self._needed(kind, k)][:surplus]:
            del closed[key]
            del self._objects[kind][key]

    def _needed(self, kind: type[Kept], key: str) -> bool:
        if kind is not Incident:
            return False
        incident = self.incident(key)
        case = self.case(incident.case) if incident else None
        return case is not None and case.stage != "closed"

    # ---- asking ----

    def incident(self, key: str) -> Incident | None:
        """An incident by id."""
        held = self._objects[Incident].get(key)
        return held[0] if held and isinstance(held[0], Incident) else None

    def situation(self, key: str) -> Situation | None:
        """A situation by id."""
        held = self._objects[Situation].get(key)
        return held[0] if held and isinstance(held[0], Situation) else None

    def case(self, key: str) -> Case | None:
        """A case by id."""
        held = self._objects[Case].get(key)
        return held[0] if held and isinstance(held[0], Case) else None

    def order(self, key: str) -> Order | None:
        """An order by id."""
        held = self._objects[Order].get(key)
        return held[0] if held and isinstance(held[0], Order) else None

    def objects(self, *, first: int = -1) -> Iterator[tuple[Kept, msgspec.Raw]]:
        """All objects with their JSON: those of district ``first`` first, incidents before what follows them."""
        for own in (True, False):
            for kind in TYPES:
                for held in self._objects[kind].values():
                    if (held[0].district == first) is own:
                        yield held

    def all_json(self, *, first: int) -> msgspec.Raw:
        """All objects as one JSON array; made once for all screens that ask before the next change."""
        made = self._all.get(first)
        if made is None:
            pieces = [bytes(raw) for _, raw in self.objects(first=first)]
            made = self._all[first] = msgspec.Raw(b"[" + b",".join(pieces) + b"]")
        return made

    def orders_of(self, unit: str) -> list[tuple[Order, msgspec.Raw]]:
        """Orders of a unit, with their JSON."""
        return [
            (o, raw) for o, raw in self._objects[Order].values() if isinstance(o, Order) and o.unit == unit
        ]

    def incident_json(self, key: str) -> msgspec.Raw | None:
        """An incident as JSON, by id."""
        held = self._objects[Incident].get(key)
        return held[1] if held else None

    @property
    def at(self) -> dict[int, int]:
        """Offset of the last output taken, per district (-1: none yet)."""
        return dict(self._at)

    def seen_feed(self, district: int) -> int:
        """Newest position of the feed that an output of the district came from."""
        return self._seen_feed.get(district, 0)

    def now_ns(self) -> int | None:
        """Newest event time known: ticks, else what the objects say."""
        ticks = list(self.event_ns.values())
        if ticks:
            return max(ticks)
        said = (
            body.updated_ns if isinstance(body, Incident | Situation | Case | Order) else body.t_ns
            for body, _ in self.objects()
        )
        return max(said, default=None)

    def since(self, at: Mapping[int, int]) -> list[Change] | None:
        """The changes after these positions in order of arrival, or None when the ring no longer has them all.

        A position ahead of this gateway's own (it lags behind another one) is fine: then nothing was missed.
        """
        if set(at) != set(self._at) or any(at[d] < self._base[d] for d in at):
            return None
        missed = [c for d, ring in self._rings.items() for c in ring if c.offset > at[d]]
        return sorted(missed, key=lambda c: c.seq)
