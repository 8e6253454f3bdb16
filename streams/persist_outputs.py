"""Messages as parameters of the statements that store them; pure."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from yiwang.clock import to_datetime
from yiwang.ids import derive
from yiwang.model import (
    Body,
    Case,
    CommandResult,
    DeadLetter,
    FeedMessage,
    Finding,
    Incident,
    Order,
    Output,
    Report,
    RulesChange,
    Situation,
    SupportNeeded,
    SupportOffer,
    Trouble,
    UnitState,
    VideoEvent,
)
from yiwang.model import (
    Warning as OutsideWarning,
)

Statement = tuple[str, tuple[object, ...]]
"""Name of the query and its parameters."""

_RAW_LIMIT = 64 * 1024
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def of_output(district: int, output: Output) -> list[Statement]:
    """What stores an output of a district."""
    body = output.body
    return _STORE[type(body)](district, output.n, body)


def of_feed(district: int, message: FeedMessage) -> list[Statement]:
    """What stores a feed message that is not a frame; ticks, commands and registry changes store nothing."""
    if isinstance(message, VideoEvent):
        return [
            (
                "persist/video_event",
                (
                    _text(message.event_id),
                    district,
                    _text(message.device),
                    _text(message.event_class),
                    message.confidence,
                    to_datetime(message.t_ns),
                    _text(message.image_url),
                ),
            )
        ]
    if isinstance(message, Report):
        return [_report(district, message)]
    if isinstance(message, OutsideWarning):
        return [_warning(district, message)]
    if isinstance(message, RulesChange):
        return [("persist/rules", (_text(message.rules.version), _json(message.rules)))]
    return []


def of_dead_letter(letter: DeadLetter) -> list[Statement]:
    """What stores a dead letter."""
    return [
        (
            "persist/dead_letter",
            (
                _text(letter.id),
                _text(letter.code),
                _text(letter.message),
                _text(letter.source),
                to_datetime(letter.ingest_ns),
                _json(letter.args),
                letter.raw,
            ),
        )
    ]


def unreadable(
    code: str, message: str, *, topic: str, partition: int, offset: int, ns: int, raw: bytes, row: str = ""
) -> DeadLetter:
    """The dead letter for a message that persist could not read or the database refused.

    Args:
        code: of the error.
        message: its sentence.
        topic: where the message stood.
        partition: where the message stood.
        offset: where the message stood; makes the id, so that a repeat is the same letter.
        ns: wall clock.
        raw: its bytes, or the parameters refused; cut at 64 KiB.
        row: which row of a batch that ends with the message, where one reading was refused.
    """
    return DeadLetter(
        id=derive("D", "persist", topic, partition, offset, *([row] if row else [])),
        code=code,
        message=message,
        source=f"persist:{topic}[{partition}]@{offset}",
        ingest_ns=ns,
        raw=raw[:_RAW_LIMIT],
    )


def _finding(district: int, n: int, f: Finding) -> list[Statement]:
    return [
        (
            "persist/finding",
            (
                _text(f.id),
                district,
                n,
                _text(f.kind),
                f.series,
                _text(f.device),
                _text(f.place),
                f.level,
                to_datetime(f.since_ns),
                to_datetime(f.t_ns),
                _json(f),
            ),
        ),
        (
            "persist/finding_change",
            (_text(f.id), f.t_ns, f.level, district, n, f.value, f.limit, _text(f.reason)),
        ),
    ]


def _incident(_district: int, _n: int, i: Incident) -> list[Statement]:
    return [
        (
            "persist/incident",
            (
                _text(i.id),
                i.rev,
                i.district,
                _text(i.domain),
                _text(i.kind),
                _text(i.place),
                i.state,
                i.severity,
                i.peak,
                to_datetime(i.opened_ns),
                to_datetime(i.updated_ns),
                _time(i.cleared_ns),
                _time(i.closed_ns),
                i.standing,
                i.confidence,
                _text(i.situation),
                _time(i.confirmed_ns),
                _time(i.annunciated_ns),
                _json(i),
            ),
        )
    ]


def _situation(_district: int, _n: int, s: Situation) -> list[Statement]:
    return [
        (
            "persist/situation",
            (
                _text(s.id),
                s.rev,
                s.district,
                _text(s.kind),
                s.state,
                s.severity,
                s.peak,
                s.sites,
                to_datetime(s.opened_ns),
                to_datetime(s.updated_ns),
                _time(s.closed_ns),
                _json(s),
            ),
        )
    ]


def _case(_district: int, _n: int, c: Case) -> list[Statement]:
    return [
        (
            "persist/case",
            (
                _text(c.id),
                c.rev,
                c.district,
                _text(c.incident),
                _text(c.category),
                c.severity,
                c.stage,
                to_datetime(c.opened_ns),
                to_datetime(c.updated_ns),
                _time(c.deadline_ns),
                _time(c.closed_ns),
                _json(c),
            ),
        )
    ]


def _order(_district: int, _n: int, o: Order) -> list[Statement]:
    return [
        (
            "persist/order",
            (
                _text(o.id),
                o.rev,
                o.district,
                _text(o.case),
                _text(o.incident),
                _text(o.unit),
                o.state,
                to_datetime(o.sent_ns),
                to_datetime(o.updated_ns),
                _time(o.deadline_ns),
                _json(o),
            ),
        )
    ]


def _unit(_district: int, _n: int, u: UnitState) -> list[Statement]:
    return [
        (
            "persist/unit_state",
            (_text(u.id), u.rev, u.district, u.on_duty, _text(u.order), to_datetime(u.t_ns), _json(u)),
        )
    ]


def _support_needed(_district: int, _n: int, s: SupportNeeded) -> list[Statement]:
    return [
        (
            "persist/support_request",
            (_text(s.id), s.district, _text(s.incident), to_datetime(s.t_ns), _json(s)),
        )
    ]


def _support_offer(_district: int, _n: int, s: SupportOffer) -> list[Statement]:
    return [
        (
            "persist/support_offer",
            (_text(s.request), s.district, s.granted, to_datetime(s.t_ns), _json(s)),
        )
    ]


def _result(district: int, _n: int, r: CommandResult) -> list[Statement]:
    return [
        (
            "persist/command_result",
            (_text(r.command_id), district, _text(r.by), r.ok, _text(r.code), to_datetime(r.t_ns), _json(r)),
        )
    ]


def _trouble(district: int, n: int, t: Trouble) -> list[Statement]:
    return [("persist/trouble", (district, n, _text(t.code), t.count, to_datetime(t.t_ns), _json(t)))]


def _report(district: int, r: Report) -> Statement:
    return (
        "persist/report",
        (
            _text(r.report_id),
            district,
            _text(r.kind),
            _text(r.place),
            _text(r.by),
            r.lon,
            r.lat,
            r.certainty,
            to_datetime(r.t_ns),
            _json(r),
        ),
    )


def _warning(district: int, w: OutsideWarning) -> Statement:
    return (
        "persist/warning",
        (
            _text(w.warning_id),
            district,
            _text(w.event),
            w.level,
            w.cancelled,
            to_datetime(w.t_ns),
            to_datetime(w.until_ns),
            _json(w),
        ),
    )


# Any: each function takes the one type it is listed under.
_STORE: dict[type[Body], Callable[[int, int, Any], list[Statement]]] = {
    Finding: _finding,
    Incident: _incident,
    Situation: _situation,
    Case: _case,
    Order: _order,
    UnitState: _unit,
    SupportNeeded: _support_needed,
    SupportOffer: _support_offer,
    CommandResult: _result,
    Trouble: _trouble,
}


def _time(t_ns: int | None) -> datetime | None:
    return None if t_ns is None else to_datetime(t_ns)


def _text(text: str) -> str:
    """PostgreSQL's text has no NUL; one in a message may not stop its neighbours."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _json(value: object) -> str:
    """The message as JSON text; jsonb has no NUL either, see ``_text``."""
    return _NUL.sub("\\1\N{REPLACEMENT CHARACTER}", msgspec.json.encode(value).decode())
