"""Frames that are followed by traces, through the stream workers. Made only where traces are on."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from streams.outbox import Outbox
from yiwang.errors import YiwangError
from yiwang.topics import HEADER_INGEST
from yiwang.tracing import Headers, Step, Traces, parent_of

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

Key = tuple[int, bytes]
"""District and ingest stamp: what an output names the frame by that caused it."""

WAITING = 1000
"""So many frames may be under way and be followed; the oldest beyond that is followed no further."""

_K = TypeVar("_K")


class DistrictTraces:
    """The stage ``detect``: from reading a message to having worked on it.

    Args:
        traces: of the process.
    """

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._steps: dict[Key, Step] = {}

    def received(self, district: int, headers: Headers | None) -> None:
        """A message of the feed was read."""
        parent = parent_of(headers)
        stamp = _stamp(headers)
        if parent is None or stamp is None:
            return
        step = self._traces.follow("detect", parent, district=district)
        if step is not None:
            _add(self._steps, (district, stamp), step)

    def worked(self) -> None:
        """Everything that was read is worked on, and its outputs are on their way."""
        for step in self._steps.values():
            step.end()
        self._steps.clear()

    def caused(self, district: int, headers: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
        """The headers of an output; with ``traceparent`` where what caused it is followed."""
        step = self._steps.get((district, _stamp(headers) or b""))
        return headers if step is None else [*headers, step.header]

    def flush(self) -> None:
        """Send what is not sent yet."""
        self._traces.flush()


class TracedOutbox(Outbox):
    """An outbox that marks outputs of frames that are followed.

    Args:
        producer, fail: as of an outbox.
        traces: knows them.
    """

    def __init__(
        self, producer: "AIOKafkaProducer", fail: Callable[[YiwangError], None], traces: DistrictTraces
    ) -> None:
        super().__init__(producer, fail)
        self._traces = traces

    def put(
        self, topic: str, partition: int, payload: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> "asyncio.Future[int]":
        """As the outbox does."""
        return super().put(topic, partition, payload, self._traces.caused(partition, headers))


class PersistTraces:
    """The stage ``persist``: from reading a message to its commit.

    Args:
        traces: of the process.
        feed: topic whose frames are known by their stamp when they are stored; of others the acknowledgement tells.
    """

    def __init__(self, traces: Traces, feed: str) -> None:
        self._traces = traces
        self._feed = feed
        self._steps: dict[tuple[int, int], Step] = {}

    def received(
        self, topic: str, partition: int, headers: Headers | None, ack: Callable[[], None]
    ) -> Callable[[], None]:
        """A message was read; gives the function to acknowledge it by."""
        parent, stamp = parent_of(headers), _stamp(headers)
        if parent is None:
            return ack
        step = self._traces.follow("persist", parent, district=partition, topic=topic)
        if step is None:
            return ack
        if topic == self._feed:
            if stamp is not None and stamp.isdigit():
                _add(self._steps, (partition, int(stamp)), step)
            return ack

        def acknowledged() -> None:
            step.end()
            ack()

        return acknowledged

    def stored(self, district: int, stamps: Sequence[tuple[int, int]]) -> None:
        """Frames of these stamps of ingest are committed."""
        if self._steps:
            for ingest_ns, readings in stamps:
                step = self._steps.pop((district, ingest_ns), None)
                if step is not None:
                    step.end(readings=readings)

    def flush(self) -> None:
        """Send what is not sent yet."""
        self._traces.flush()


def _add(steps: dict[_K, Step], key: _K, step: Step) -> None:
    steps[key] = step
    if len(steps) > WAITING:
        del steps[next(iter(steps))]


def _stamp(headers: Headers | None) -> bytes | None:
    for key, value in headers or ():
        if key == HEADER_INGEST:
            return value
    return None
