"""From a stretch of a run's logs to a scenario; pure.

What the machine saw is kept: everything comes in between the same two ticks, in the same order. The time at which
something comes in is its event time where that lies between them, else the nearest moment that does.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from scenarios.model import Event, Scenario
from yiwang import codec, frames
from yiwang.clock import SECOND
from yiwang.columns import I64, Readings
from yiwang.errors import BadInput
from yiwang.model import Command, RegistryChange, Report, RulesChange, Tick, VideoEvent
from yiwang.model import Warning as OutsideWarning
from yiwang.registry import District, Registry, Rules, Text

Logged = tuple[int, bytes, int]
"""Offset, payload, and when the broker got it, ns of the wall clock."""
_FOREVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """A stretch of one district's logs.

    Attributes:
        feed: in order of offset.
        commands: in order of offset.
        applied: command id to the position in the feed at which it took effect, as its result says.
    """

    feed: Sequence[Logged]
    commands: Sequence[Logged] = ()
    applied: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a district's logs hold.

    Attributes:
        readings: in order of arrival.
        arrival_ns: int64 (n,), sorted.
        events: with the moment each comes in.
        ticks_ns: event times of the ticks.
        registry: what registry messages in the stretch say, put together; None where there is none.
        rules: the newest in the stretch.
        unreadable: messages that were left out.
    """

    readings: Readings
    arrival_ns: I64
    events: tuple[tuple[int, Event], ...]
    ticks_ns: tuple[int, ...]
    registry: Registry | None
    rules: Rules | None
    changes: int
    unreadable: int


def hear(logs: Logs) -> Heard:
    """Take a district's logs apart."""
    messages: list[tuple[float, Any]] = []  # Any: a frame's readings or a feed message
    unreadable = 0
    for offset, payload, _ in logs.feed:
        try:
            frame = frames.is_frame(payload)
            content = (
                frames.finite(frames.decode(payload).readings)[0] if frame else codec.decode_feed(payload)
            )
            messages.append((offset, content))
        except BadInput:
            unreadable += 1
    messages += _commands(logs)
    messages.sort(key=lambda m: m[0])  # a command's position is that of the message before it, and a half
    ticks = [(at, m.t_ns) for at, (_, m) in enumerate(messages) if isinstance(m, Tick)]
    parts: list[Readings] = []
    arrivals: list[I64] = []
    events: list[tuple[int, Event]] = []
    registry: Registry | None = None
    rules: Rules | None = None
    changes, now_ns, next_tick = 0, -_FOREVER, 0
    for at, (_, content) in enumerate(messages):
        while next_tick < len(ticks) and ticks[next_tick][0] < at:
            now_ns = max(now_ns, ticks[next_tick][1] + 1)
            next_tick += 1
        before_ns = max(now_ns, ticks[next_tick][1]) if next_tick < len(ticks) else _FOREVER
        match content:
            case Readings() if len(content):
                arrival = np.maximum.accumulate(np.clip(content.t_ns, now_ns, before_ns))
                parts.append(content)
                arrivals.append(arrival)
                now_ns = int(arrival[-1])
            case VideoEvent() | Report() | OutsideWarning() | Command():
                now_ns = min(max(content.t_ns, now_ns), before_ns)
                events.append((now_ns, _of_feed(content, now_ns)))
            case RegistryChange():
                registry = merged(registry, content.registry)
                changes += 1
            case RulesChange():
                rules = content.rules
                changes += 1
    return Heard(
        readings=Readings.join(parts),
        arrival_ns=np.concatenate(arrivals) if arrivals else np.empty(0, np.int64),
        events=tuple(events),
        ticks_ns=tuple(t for _, t in ticks),
        registry=registry,
        rules=rules,
        changes=changes,
        unreadable=unreadable,
    )


def _commands(logs: Logs) -> list[tuple[float, Command]]:
    """Commands with their place among the feed's offsets: as their result says, else as the broker got them."""
    offsets = [offset for offset, _, _ in logs.feed]
    stamps = [stamp for _, _, stamp in logs.feed]
    found = []
    for _, payload, stamp in logs.commands:
        try:
            command = codec.decode_command(payload)
        except BadInput:
            continue
        position = logs.applied.get(command.command_id)
        if position is None:
            before = bisect_right(stamps, stamp)
            position = offsets[before] if before < len(offsets) else (offsets[-1] + 1 if offsets else 0)
        found.append((position - 0.5, command))
    return found


def _of_feed(content: Event, comes_in_ns: int) -> Event:
    """As it stands in a feed that is played: a command there waits for nothing."""
    if isinstance(content, Command):
        return msgspec.structs.replace(content, ingest_ns=comes_in_ns, seen_feed=0)
    return msgspec.structs.replace(content, ingest_ns=comes_in_ns)


def merged(registry: Registry | None, change: Registry) -> Registry:
    """A registry after a change; what is there already keeps its place."""
    if registry is None:
        return change
    tables: dict[str, Any] = {}  # Any: tuples of places, devices or units
    for name in ("places", "devices", "units"):
        rows = {x.id: x for x in getattr(registry, name)} | {x.id: x for x in getattr(change, name)}
        tables[name] = tuple(rows.values())
    return Registry(version=change.version, **tables)


def in_number_order(registry: Registry) -> Registry:
    """Devices in the order of their series, so that a folder numbers them the same."""
    devices = sorted(registry.devices, key=lambda d: min((s.number for s in d.series), default=0))
    return msgspec.structs.replace(registry, devices=tuple(devices))


def scenario_of(
    heard: Mapping[int, Heard],
    *,
    name: str,
    title: Text,
    districts: Sequence[District],
    registries: Mapping[int, Registry],
    rules: Rules,
    base_map: dict[str, Any],  # Any: GeoJSON
    notes: Sequence[str] = (),
) -> Scenario:
    """The scenario of what was heard.

    Raises:
        BadInput: ``scenario.empty`` when nothing was.
    """
    moments = [t for h in heard.values() for t in (*h.ticks_ns[:1], *h.ticks_ns[-1:])]
    moments += [int(t) for h in heard.values() for t in (*h.arrival_ns[:1], *h.arrival_ns[-1:])]
    moments += [t for h in heard.values() for t, _ in h.events]
    if not any(len(h.arrival_ns) or h.events for h in heard.values()):
        raise BadInput("scenario.empty", "nothing came in in this time: no readings and no events")
    steps = np.concatenate([np.diff(np.array(h.ticks_ns, np.int64)) for h in heard.values()])
    steps = steps[steps > 0]
    tick_s = float(np.median(steps)) / SECOND if len(steps) else rules.tick_s
    readings = {n: h.readings for n, h in heard.items()}
    return Scenario(
        name=name,
        title=title,
        start_ns=min(moments) - min(moments) % SECOND,
        end_ns=max(moments),
        settle_s=900.0,
        tick_s=tick_s,
        districts=tuple(districts),
        registries={n: in_number_order(registries[n]) for n in heard},
        rules=rules,
        base_map=base_map,
        readings=readings,
        arrivals={
            n: h.arrival_ns for n, h in heard.items() if not np.array_equal(h.arrival_ns, h.readings.t_ns)
        },
        events=tuple(sorted(((t, n, e) for n, h in heard.items() for t, e in h.events), key=lambda e: e[:2])),
        notes=tuple(notes),
    )
