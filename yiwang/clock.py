"""The one clock. Only edges read it; everything that decides takes time as an argument.

All times are int64 nanoseconds since 1970-01-01 UTC.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from yiwang.errors import BadInput

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock(Protocol):
    """Where "now" comes from."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The wall clock."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()


@dataclass
class ManualClock:
    """A clock that stands still until it is moved; for tests."""

    t_ns: int = 0

    def now_ns(self) -> int:
        """The time it was last set to."""
        return self.t_ns

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds`` (may not be negative)."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.t_ns += round(seconds * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledClock:
    """Event time that runs ``speed`` times as fast as ``base``, from ``event_ns`` at ``base_ns``."""

    base: Clock
    base_ns: int
    event_ns: int
    speed: float

    def now_ns(self) -> int:
        """Event time now."""
        return self.event_ns + round((self.base.now_ns() - self.base_ns) * self.speed)


def to_datetime(t_ns: int) -> datetime:
    """Aware UTC datetime, microseconds, for edges such as SQL parameters and messages."""
    return datetime.fromtimestamp(t_ns // SECOND, UTC).replace(microsecond=t_ns % SECOND // 1000)


def iso(t_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``."""
    return to_datetime(t_ns).strftime("%Y-%m-%dT%H:%M:%S.") + f"{t_ns % SECOND // MILLISECOND:03d}Z"


def parse_iso(text: str) -> int:
    """ISO 8601 with a zone to nanoseconds.

    Raises:
        BadInput: ``time.format`` when it is no such time, ``time.zone`` when it names no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            "time.format", f"{text!r} is no ISO 8601 time such as 2026-06-01T20:15:00+08:00", value=text
        ) from None
    if moment.tzinfo is None:
        raise BadInput("time.zone", f"{text!r} names no zone; write +08:00 or Z behind it", value=text)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * SECOND + moment.microsecond * 1000
