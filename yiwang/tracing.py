"""Traces by OpenTelemetry, for whoever wants them: the way of a frame, and of what it caused, through all stages.

Off unless the setting ``traces`` names a collector: ``start`` gives None then, nothing is imported, and Kafka messages
carry no header. On, ingest takes one frame in so many (``trace_ratio``); only its messages carry a W3C ``traceparent``,
and only messages that carry one are followed, so that the share is decided in one place.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from yiwang.errors import BadInput
from yiwang.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

HEADER = "traceparent"
FLUSH_MS = 1000
_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-01")

Headers = Iterable[tuple[str, bytes]]


def parent_of(headers: Headers | None) -> bytes | None:
    """The ``traceparent`` of a message; None where it is not followed, or the header is none of ours."""
    for key, value in headers or ():
        if key == HEADER and _PARENT.fullmatch(value):
            return value
    return None


class Step:
    """A stage that has begun.

    Attributes:
        header: what messages that it causes carry.
    """

    __slots__ = ("_span", "header")

    def __init__(self, span: "Span") -> None:
        self._span = span
        context = span.get_span_context()
        assert context is not None
        self.header = (HEADER, f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode())

    def end(self, **attributes: str | int) -> None:
        """It is over."""
        self._span.set_attributes(attributes)
        self._span.end()


class Traces:
    """Makes the steps of one process.

    Args:
        provider: of spans; with a sampler that takes a share of those without a parent and all others.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("yiwang")

    def begin(self, name: str, **attributes: str | int) -> Step | None:
        """The first stage of a way; None for all but a share of them."""
        return self._step(name, None, attributes)

    def follow(self, name: str, parent: bytes, **attributes: str | int) -> Step | None:
        """The next stage of a way that is followed.

        Args:
            name: of the stage.
            parent: as ``parent_of`` gives it.
            attributes: what is known at its begin.
        """
        return self._step(name, _context(parent), attributes)

    def flush(self) -> None:
        """Send what is not sent yet; a collector that is away is not waited for."""
        self._provider.force_flush(FLUSH_MS)

    def _step(self, name: str, context: "Context | None", attributes: Mapping[str, str | int]) -> Step | None:
        from opentelemetry.context import Context
        from opentelemetry.sdk.trace import Span

        span = self._tracer.start_span(name, context or Context(), attributes=attributes)
        return Step(span) if isinstance(span, Span) else None  # one that is not taken is of another class


def start(settings: Settings, role: str) -> Traces | None:
    """Traces of this process; None where they are off.

    Args:
        settings: ``traces`` and ``trace_ratio``, run and worker.
        role: ingest, district, persist or gateway.

    Raises:
        BadInput: ``traces.missing`` without the extra, ``traces.url``.
    """
    if not settings.traces:
        return None
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", settings.traces):
        raise BadInput(
            "traces.url",
            f"traces={settings.traces!r} is no address such as http://127.0.0.1:4318",
            url=settings.traces,
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadInput(
            "traces.missing",
            f"the setting traces wants the extra: pip install 'yiwang[otel]' ({error}); without it leave traces empty",
        ) from None
    endpoint = settings.traces.rstrip("/")
    endpoint += "" if endpoint.endswith("/v1/traces") else "/v1/traces"
    about = {
        "service.name": f"yiwang-{role}",
        "service.instance.id": settings.worker,
        "yiwang.run": settings.run,
    }
    return made(about, settings.trace_ratio, BatchSpanProcessor(OTLPSpanExporter(endpoint)))


def made(about: Mapping[str, str], ratio: float, processor: "SpanProcessor") -> Traces:
    """Traces that go to ``processor``.

    Args:
        about: of the process.
        ratio: share of ways that are followed, 0 to 1.
        processor: takes finished spans.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)), resource=Resource(dict(about)), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    return Traces(provider)


def _context(parent: bytes) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    match = _PARENT.fullmatch(parent)
    assert match is not None
    trace_id, span_id = (int(part, 16) for part in match.groups())
    remote = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(remote), Context())
