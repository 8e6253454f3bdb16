"""A parameter set beside a run: a district's own logs through a second machine under other values. Pure.

The second machine gets the very same feed and commands at the very same places, which the run's outputs name. Only
rules differ: to all that come in the feed, and to those in force at the start, the set's overrides are added. What it
puts out goes nowhere but into the comparison.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scenarios.comparing import Change, compare, raised
from scenarios.sets import ParameterSet
from streams.machine import DistrictMachine
from yiwang import frames
from yiwang.codec import decode_command, decode_feed, decode_output
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.model import Body, Finding, Incident, RegistryChange, RulesChange
from yiwang.registry import Registry, Rules

JOINED_ROWS = 100_000

Message = tuple[int, bytes]
"""Offset and payload."""


@dataclass(slots=True)
class Said:
    """What one of the two said: last state of each incident, and episodes of findings by entry."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    findings: dict[str, set[str]] = field(default_factory=dict)

    def take(self, bodies: Iterable[Body], from_ns: int) -> None:
        """Note some outputs; findings of episodes that began before ``from_ns`` are left out."""
        for body in bodies:
            if isinstance(body, Incident):
                self.incidents[body.id] = body
            elif isinstance(body, Finding) and body.level and body.since_ns >= from_ns:
                self.findings.setdefault(body.detector, set()).add(body.id)


class Beside:
    """One district's shadow.

    Args:
        machine: in the state of the run at the offsets ``feed`` and ``commands``; or a fresh one, with ``rules`` and
            ``registry`` to begin with.
        set_: whose overrides are added.
        from_ns: what was raised before is not compared.
    """

    def __init__(
        self,
        machine: DistrictMachine,
        set_: ParameterSet,
        *,
        feed: int,
        commands: int,
        from_ns: int,
        rules: Rules | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.machine, self.set, self.from_ns = machine, set_, from_ns
        self.feed, self.commands = feed, commands
        self.live, self.shadow = Said(), Said()
        self.apart = 0  # commands that named something the shadow does not have
        self._places: dict[int, int] = {}
        self._done = commands
        self._waiting: list[Readings] = []
        self._rows = 0
        if rules is not None:
            self._take(machine.message(RulesChange(rules=set_.over(rules))))
        if registry is not None:
            self._take(machine.message(RegistryChange(registry=registry)))

    def outputs(self, payloads: Iterable[bytes]) -> None:
        """The run's own outputs, in order; they also say where commands took effect."""
        for payload in payloads:
            output = decode_output(payload)
            if output.commands > self._done:
                for command in range(self._done, output.commands):
                    self._places[command] = output.feed
                self._done = output.commands
            self.live.take([output.body], self.from_ns)

    def logs(self, feed: Sequence[Message], commands: Sequence[Message]) -> None:
        """The next stretch of both logs; the outputs up to its end must have been taken before."""
        waiting = list(commands)
        for offset, payload in feed:
            if offset < self.feed:
                continue
            waiting = self._commands(waiting, offset)
            self._message(payload)
            self.feed = offset + 1
        waiting = self._commands(waiting, self.feed)
        self._join()
        for offset, payload in waiting:  # the run has not said yet where they took effect
            self._command(offset, payload)

    def changes(self) -> list[Change]:
        """What the shadow says otherwise than the run, of what either raised since ``from_ns``."""
        found = compare(raised(self.live.incidents.values()), raised(self.shadow.incidents.values()))
        return [c for c in found if max(x.raised_ns for x in (c.a, c.b) if x is not None) >= self.from_ns]

    def _commands(self, waiting: list[Message], feed: int) -> list[Message]:
        while waiting and self._places.get(waiting[0][0], feed + 1) <= feed:
            self._command(*waiting.pop(0))
        return waiting

    def _command(self, offset: int, payload: bytes) -> None:
        if offset < self.commands:
            return
        self._join()
        self.commands = offset + 1
        try:
            bodies = self.machine.command(decode_command(payload))
        except BadInput as error:
            bodies = self.machine.unusable(error)
        self.apart += any(not getattr(b, "ok", True) for b in bodies)
        self._take(bodies)

    def _message(self, payload: bytes) -> None:
        try:
            if frames.is_frame(payload):
                readings = frames.finite(frames.decode(payload).readings)[0]
                self._waiting.append(readings)
                self._rows += len(readings)
                if self._rows >= JOINED_ROWS:
                    self._join()
                return
            message = decode_feed(payload)
            if isinstance(message, RulesChange):
                message = RulesChange(rules=self.set.over(message.rules))
        except BadInput as error:
            self._join()
            self._take(self.machine.unusable(error))
            return
        self._join()
        self._take(self.machine.message(message))

    def _join(self) -> None:
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if waiting:
            self._take(self.machine.readings(Readings.join(waiting)))

    def _take(self, bodies: Iterable[Body]) -> None:
        self.shadow.take(bodies, self.from_ns)


def as_json(districts: dict[int, Beside], changes: list[dict[str, Any]]) -> dict[str, Any]:  # Any: plain JSON
    """Everything that differs, as one object."""
    entries = sorted({e for b in districts.values() for said in (b.live, b.shadow) for e in said.findings})
    return {
        "districts": sorted(districts),
        "differences": changes,
        "live_raised": sum(len(_counted(b, b.live)) for b in districts.values()),
        "shadow_raised": sum(len(_counted(b, b.shadow)) for b in districts.values()),
        "findings": {
            e: {
                "live": sum(len(b.live.findings.get(e, ())) for b in districts.values()),
                "shadow": sum(len(b.shadow.findings.get(e, ())) for b in districts.values()),
            }
            for e in entries
        },
        "commands_apart": sum(b.apart for b in districts.values()),
    }


def _counted(beside: Beside, said: Said) -> list[str]:
    return [r.id for r in raised(said.incidents.values()) if r.raised_ns >= beside.from_ns]
