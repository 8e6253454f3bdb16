"""The desk of one district: its incidents, cases, orders and units, as one object over one state."""

from typing import Self

import msgspec
from msgspec.structs import replace

from dispatch import commands, deadlines, fusion, judging, outside, response, situations
from dispatch.book import Book
from dispatch.freezing import freeze
from dispatch.plans import plans_of, situations_of
from dispatch.state import State, remember
from yiwang.book import Book as Registered
from yiwang.domains import Domains
from yiwang.errors import YiwangError
from yiwang.model import (
    Body,
    Command,
    CommandResult,
    Finding,
    Report,
    Trouble,
    UnitState,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Registry

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


class Desk:
    """Turns findings, reports, warnings, ticks and commands into incidents, situations, cases and orders.

    Every call returns the objects it changed, each once and whole: findings of reports, incidents, situations,
    cases, orders, units, then support messages and troubles; a command's result comes last. Nothing but the calls and their order decides what comes
    out.

    Args:
        district: number of the district.
        registered: the places there are, brought up to date by whoever gives them; without, the desk keeps them.
    """

    def __init__(self, district: int, registered: Registered | None = None) -> None:
        self._state = State(district=district)
        self._own = registered is None
        self._registered = Registered() if registered is None else registered

    def rules(self, domains: Domains) -> None:
        """Take the rules in force; open incidents go on, under their old plan where their kind is gone."""
        state = self._state
        plans = plans_of(domains)
        for incident in state.incidents.values():
            if incident.kind not in plans:
                plans[incident.kind] = state.plans[incident.kind]
        situation_plans = situations_of(domains)
        for situation in state.situations.values():
            if situation.kind not in situation_plans:
                situation_plans[situation.kind] = state.situation_plans[situation.kind]
        state.plans = plans
        state.situation_plans = situation_plans
        state.rules = domains.version
        judging.refit(state)
        situations.refit(state)

    def registry(self, change: Registry) -> list[Body]:
        """Take places and units that are new or changed; returns the units whose duty changed or that are new."""
        state = self._state
        if self._own:
            self._registered.apply(replace(change, devices=(), units=()))
        book = self._book(state.now_ns)
        for unit in change.units:
            state.roster[unit.id] = unit
            old = state.units.get(unit.id)
            if old is None or old.on_duty != unit.on_duty:
                order = "" if old is None else old.order
                rev = 0 if old is None else old.rev
                book.put(
                    UnitState(
                        id=unit.id,
                        rev=rev,
                        district=state.district,
                        on_duty=unit.on_duty,
                        order=order,
                        t_ns=state.now_ns,
                    )
                )
        return book.close()

    def finding(self, f: Finding, now_ns: int) -> list[Body]:
        """Fuse a finding into an incident and do what that needs."""
        book = self._book(max(self._now(now_ns), f.t_ns))
        plan = self._state.plans.get(f.kind)
        if plan is None:
            args = {"kind": f.kind, "detector": f.detector, "finding": f.id}
            return [Trouble(code="dispatch.unknown_kind", t_ns=book.t_ns, args=args)]
        incident = fusion.take(book, plan, f)
        return self._finish(book, incident)

    def report(self, r: Report, now_ns: int) -> list[Body]:
        """Take what a person says has happened: a finding, and what follows from it."""
        book = self._book(max(self._now(now_ns), r.t_ns))
        return self._finish(book, outside.report(book, r))

    def warning(self, w: OutsideWarning, now_ns: int) -> list[Body]:
        """Take an outside warning, a change of one, or its end."""
        book = self._book(self._now(now_ns))
        outside.warning(book, w)
        return self._finish(book)

    def tick(self, now_ns: int) -> list[Body]:
        """Close what is over, look after deadlines, offer orders to the next unit."""
        book = self._book(self._now(now_ns))
        deadlines.tick(book)
        return self._finish(book)

    def command(self, c: Command, now_ns: int) -> list[Body]:
        """Carry out a decision; the last body is its one ``CommandResult``."""
        state = self._state
        t_ns = max(self._now(now_ns), c.t_ns)
        if c.command_id in state.commands:
            first = {"first": state.commands[c.command_id]}
            result = CommandResult(
                command_id=c.command_id, by=c.by, ok=True, t_ns=t_ns, code="command.repeat", args=first
            )
            return [result]
        book = self._book(t_ns)
        try:
            args = commands.apply(book, c)
            result = CommandResult(command_id=c.command_id, by=c.by, ok=True, t_ns=t_ns, args=args)
        except YiwangError as error:
            result = CommandResult(
                command_id=c.command_id,
                by=c.by,
                ok=False,
                t_ns=t_ns,
                code=error.code,
                message=error.message,
                args=error.details,
            )
        remember(state.commands, c.command_id, result.code)
        return [*self._finish(book), result]

    def dump(self) -> bytes:
        """The whole state, without registered places that others keep; equal histories give equal bytes."""
        self._state.registered = self._registered.dump() if self._own else b""
        return _encoder.encode(self._state)

    def freeze(self) -> State:
        """The state as it is now, taken in a moment; ``freezing.Encoding`` makes of it what ``dump`` gives."""
        self._state.registered = self._registered.dump() if self._own else b""
        return freeze(self._state)

    @classmethod
    def load(cls, data: bytes, domains: Domains, registered: Registered | None = None) -> Self:
        """The desk that ``dump`` described, over the places it had; it goes on exactly as the other would have."""
        state = _decoder.decode(data)
        desk = cls(state.district, registered)
        if desk._own and state.registered:
            desk._registered = Registered.load(state.registered)
        desk._state = state
        desk.rules(domains)
        return desk

    def _book(self, t_ns: int) -> Book:
        return Book(self._state, t_ns, self._registered)

    @staticmethod
    def _finish(book: Book, incident: str = "") -> list[Body]:
        """Do what incidents need after a call, ``incident`` first; what was refused has changed nothing."""
        for device, reason in book.trusted.items():
            fusion.weigh_again(book, device, "trusted", reason)
        if incident and incident not in book.worse:
            response.respond(book, incident, worse=False)
        for other in list(book.worse):
            response.respond(book, other, worse=True)
        situations.review(book)
        return book.close()

    def _now(self, now_ns: int) -> int:
        """Event time never goes back. A reading's or a command's own time is not trusted to move it on."""
        self._state.now_ns = max(self._state.now_ns, now_ns)
        return self._state.now_ns
