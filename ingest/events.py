"""Video events: bytes to messages of the feed. Pure, like ``ingest.parse``; events are few, so one by one."""

import math
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ingest.catalogue import Catalogue, cut
from ingest.parse import ClockFault, Limits, clock_faults, for_device
from ingest.rows import Event, Form, Reader, Rejected
from ingest.times import time_us
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Report, VideoEvent
from yiwang.model import Warning as OutsideWarning

M = TypeVar("M", VideoEvent, Report, OutsideWarning)

_TEXT_LIMIT = 2000
_reader: Reader[Event] = Reader(Event, "event")


@dataclass(slots=True, kw_only=True)
class ParsedEvents(Generic[M]):
    """What became of a body of video events, reports or warnings.

    Attributes:
        events: (district, message) in the order of the body.
        rows: how many rows they come of; one may concern several districts.
        rejected: those that cannot be used.
        clocks: camera to its clock fault; its events are among ``events``, at the time of arrival.
    """

    events: list[tuple[int, M]] = field(default_factory=list)
    rows: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    clocks: dict[str, ClockFault] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """How many rows are taken."""
        return self.rows


def parse_events(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> ParsedEvents[VideoEvent]:
    """A body of video events, as JSON array (or one object) or as lines.

    Args, Raises: as ``ingest.parse.parse``.
    """
    found = _reader.read(payload, form)
    parsed: ParsedEvents[VideoEvent] = ParsedEvents(rejected=found.rejected)
    oldest, newest = limits.window_us(received_ns)
    late: list[tuple[str, int]] = []
    for i, row in enumerate(found.rows):
        try:
            district = _district(row, catalogue)
            t_us = time_us(row.time)
        except BadInput as error:
            error = for_device(error, row.device)
            parsed.rejected.append(Rejected(row=found.number(i), error=error, raw=found.raw(i)))
            continue
        t_ns = t_us * 1000
        if not oldest <= t_us <= newest:
            late.append((row.device, t_us))
            t_ns = received_ns
        event = VideoEvent(
            event_id=row.event_id or derive("V", row.device, row.event_class, row.time),
            device=row.device,
            event_class=row.event_class,
            confidence=row.confidence,
            t_ns=t_ns,
            ingest_ns=received_ns,
            image_url=row.image_url,
        )
        parsed.events.append((district, event))
        parsed.rows += 1
    parsed.rejected.sort(key=lambda r: r.row)
    if late:
        parsed.clocks = clock_faults(
            [device for device, _ in late], np.array([t for _, t in late], np.int64), received_ns
        )
    return parsed


def _district(row: Event, catalogue: Catalogue) -> int:
    """The camera's district, after everything but the time was checked."""
    given = {"device": row.device, "class": row.event_class, "time": row.time}
    for name, text in given.items():
        if not text:
            raise BadInput(
                "event.field",
                f"camera {cut(row.device) or '?'!r}: {name} is missing",
                device=cut(row.device),
                field=name,
            )
    for name, text in (*given.items(), ("event_id", row.event_id), ("image_url", row.image_url)):
        if len(text) > _TEXT_LIMIT:
            raise BadInput(
                "event.field",
                f"camera {cut(row.device)!r}: {name} has {len(text)} characters, at most {_TEXT_LIMIT}",
                device=cut(row.device),
                field=name,
            )
    if row.image_url and not row.image_url.startswith(("http://", "https://")):
        raise BadInput(
            "event.field",
            f"camera {cut(row.device)!r}: image_url is {cut(row.image_url, 30)!r}; it starts with http:// or https://",
            device=cut(row.device),
            field="image_url",
        )
    device = catalogue.device(row.device, code="event.unknown_device")
    mine = device.group.metrics
    classes = [c.id for c in catalogue.domains.video.values() if c.metric in mine]
    if row.event_class not in classes:
        can = (
            f"its classes: {', '.join(classes)}"
            if classes
            else f"it is no camera but {device.group.kind}; readings go to /v1/readings"
        )
        raise BadInput(
            "event.unknown_class",
            f"device {device.id!r} reports no {cut(row.event_class)!r}; {can}",
            device=device.id,
            event_class=cut(row.event_class),
        )
    if not 0.0 <= row.confidence <= 1.0:
        what = "is missing" if math.isnan(row.confidence) else f"is {row.confidence:g}"
        raise BadInput(
            "event.confidence",
            f"camera {device.id!r}: confidence {what}; it is a number from 0 to 1",
            device=device.id,
        )
    return device.group.district
