"""The one way in: whatever a feed has parsed is fed, written to the dead letters and counted here."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingest.catalogue import Catalogue
from ingest.deadletters import DeadLetters
from ingest.events import ParsedEvents, parse_events
from ingest.feeder import Feeder
from ingest.limits import Limiter, Refused
from ingest.limits import count as named
from ingest.outside import parse_reports, parse_warnings
from ingest.parse import Limits, Parsed, parse
from ingest.rows import Form, Rejected
from yiwang.clock import Clock
from yiwang.errors import BadInput

HTTP = "http"
HTTP_EVENTS = "http:events"
HTTP_REPORTS = "http:reports"
HTTP_WARNINGS = "http:warnings"
PARSERS: dict[str, Callable[..., Parsed | ParsedEvents[Any]]] = {
    HTTP: parse,
    HTTP_EVENTS: parse_events,
    HTTP_REPORTS: parse_reports,
    HTTP_WARNINGS: parse_warnings,
}
"""Source to what reads its bodies."""
MQTT = "mqtt"
_LARGE = 512 * 1024  # bytes; parsed in a thread, so that a large body full of mistakes holds up nobody else


@dataclass(slots=True)
class Count:
    """Of one source."""

    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Counters:
    """What has come in since the process started.

    Attributes:
        sources: http, http:events, http:reports, http:warnings, mqtt; a topic of MQTT is no source of its own here, there may be millions.
        clocks: readings and events per device whose clock was wrong; of at most ``NAMED`` devices, and the others.
        dropped: messages of MQTT quality of service 0 that came faster than they could be taken.
        refused: what sources sent too much of.
    """

    sources: dict[str, Count] = field(default_factory=dict)
    clocks: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    refused: Refused = field(default_factory=Refused)

    def of(self, source: str) -> Count:
        """The counts of a source."""
        return self.sources.setdefault(source, Count())

    def as_json(self) -> dict[str, Any]:  # Any: plain JSON values
        """The form of ``GET /v1/counters``."""
        return {
            "sources": {
                s: {"accepted": c.accepted, "rejected": dict(c.rejected)} for s, c in self.sources.items()
            },
            "wrong_clocks": dict(self.clocks),
            "mqtt_dropped": self.dropped,
            "refused": self.refused.as_json(),
        }


class Intake:
    """Takes bodies and parsed batches; returns when Kafka has them.

    Args:
        feeder: into the feed.
        dead: into the dead letters.
        catalogue: gives the present one.
        limits: for clock faults.
        clock: the wall clock.
        limiter: of what one source may send; None: no limits.
    """

    def __init__(
        self,
        feeder: Feeder,
        dead: DeadLetters,
        catalogue: Callable[[], Catalogue],
        limits: Limits,
        clock: Clock,
        limiter: Limiter | None = None,
    ) -> None:
        self.feeder = feeder
        self.dead = dead
        self.catalogue = catalogue
        self.limits = limits
        self.clock = clock
        self.limiter = limiter or Limiter()
        self.counters = Counters(refused=self.limiter.refused)

    async def body(
        self, payload: bytes, form: Form, source: str, sender: str = ""
    ) -> dict[str, Any]:  # Any: plain JSON values
        """A whole body of readings, video events, reports or warnings, as ``PARSERS`` has them by source.

        Args:
            payload: the body, unpacked.
            form: of its JSON.
            source: which of ``PARSERS`` reads it.
            sender: who sent it, for the limits; ``limiter.check`` is the caller's.

        Returns:
            The answer: accepted, rejected, warnings.

        Raises:
            BadInput: ``json.…`` or ``body.rows`` when nothing of it can be used; it is a dead letter then.
            Unavailable: ``kafka.unavailable``, ``ingest.spool_full``.
        """
        received_ns = self.clock.now_ns()
        try:
            work = partial(
                PARSERS[source],
                payload,
                received_ns,
                self.catalogue(),
                self.limits,
                form=form,
            )
            parsed = await asyncio.to_thread(work) if len(payload) > _LARGE else work()
        except BadInput as error:
            if self.limiter.took(sender, received_ns, good=0, bad=1):
                await self.dead.put(
                    [(source, Rejected(row=0, error=error, raw=payload))], ingest_ns=received_ns
                )
            self.counters.of(source).rejected[error.code] += 1
            raise
        keep = self.limiter.took(sender, received_ns, good=parsed.accepted, bad=len(parsed.rejected))
        gone: dict[str, int] = {}
        if isinstance(parsed, ParsedEvents):
            await self.take_events(parsed, source, received_ns, keep)
            code = "event.clock"
        else:
            if self.limiter.rates.series:
                parsed.batches, gone = self.limiter.thin(parsed.batches, received_ns)
                parsed.accepted -= sum(gone.values())
            sources = [source] * keep
            await asyncio.gather(*await self.take(parsed, source, sources, received_ns))
            code = "reading.clock"
        self.count(parsed, source)
        return {
            "accepted": parsed.accepted,
            "rejected": [r.as_json() for r in parsed.rejected],
            "warnings": [
                *(c.as_json(code, device) for device, c in parsed.clocks.items()),
                *(self._too_many(name, n) for name, n in gone.items()),
                *(
                    [self._not_kept(sender, len(parsed.rejected) - keep)]
                    if keep < len(parsed.rejected)
                    else []
                ),
            ],
        }

    def _too_many(self, series: str, left_out: int) -> dict[str, Any]:  # Any: plain JSON values
        limit = self.limiter.rates.series
        district, _, number = series.partition("/")
        return {
            "code": "ingest.rate_limited",
            "message": f"series {number} of district {district}: {left_out} readings beyond {limit:g} a second are"
            " not taken",
            "args": {"source": series, "what": "readings", "limit": limit, "count": left_out},
        }

    def _not_kept(self, sender: str, left_out: int) -> dict[str, Any]:  # Any: plain JSON values
        limit = self.limiter.rates.bad
        return {
            "code": "ingest.rate_limited",
            "message": f"{sender} sends too many rows that cannot be used: beyond {limit:g} a second they are not"
            f" kept as dead letters, {left_out} of these are not",
            "args": {"source": sender, "what": "bad rows", "limit": limit, "count": left_out},
        }

    async def take(
        self, parsed: Parsed, source: str, sources: Sequence[str], ingest_ns: int
    ) -> list["asyncio.Future[None]"]:
        """Hand over parsed readings; dead letters are in Kafka on return, readings when the futures are done.

        Args:
            parsed: what to take.
            source: name in the counters.
            sources: name of each rejected row's source in its dead letter; where they are fewer than the rows, only
                so many become letters.
            ingest_ns: wall clock when it came in.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        futures = [await self.feeder.batches(parsed.batches, ingest_ns=ingest_ns)]
        if parsed.rejected:
            await self.dead.put(list(zip(sources, parsed.rejected, strict=False)), ingest_ns=ingest_ns)
        return futures

    async def take_events(self, parsed: ParsedEvents[Any], source: str, ingest_ns: int, keep: int) -> None:
        """Hand over parsed events, reports or warnings; everything is in Kafka on return, ``keep`` dead letters too.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        futures = [
            await self.feeder.message(district, event, ingest_ns=ingest_ns)
            for district, event in parsed.events
        ]
        if parsed.rejected:
            await self.dead.put([(source, r) for r in parsed.rejected[:keep]], ingest_ns=ingest_ns)
        await asyncio.gather(*futures)

    def count(self, parsed: Parsed | ParsedEvents[Any], source: str) -> None:
        """Count what Kafka has."""
        count = self.counters.of(source)
        count.accepted += parsed.accepted
        count.rejected.update(r.error.code for r in parsed.rejected)
        for device, fault in parsed.clocks.items():
            named(self.counters.clocks, device, fault.count)
