"""Traces: off they cost nothing, on they follow a share of the frames through all stages, as one way."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ingest.feeder import Feeder
from ingest.traced import TracedProducer
from streams.traced import DistrictTraces, PersistTraces
from tests.ingest.producer import FakeProducer
from ws_server.traced import GatewayTraces
from yiwang import tracing
from yiwang.clock import ManualClock
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.settings import load
from yiwang.topics import HEADER_INGEST, Topics

sdk = pytest.importorskip("opentelemetry.sdk.trace.export", reason="the extra yiwang[otel] is not installed")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

TOPICS = Topics("test")
NOW = 1_780_000_000 * 10**9


class Wired(FakeProducer):
    """Keeps the headers."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[list[tuple[str, bytes]]] = []

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        self.headers.append(headers)
        return await super().send(topic, value, partition=partition, headers=headers)


def process(ratio: float = 1.0) -> tuple[tracing.Traces, Any]:
    """A process' traces, and where its spans arrive."""
    exporter = memory.InMemorySpanExporter()
    return tracing.made({"service.name": "test"}, ratio, sdk.SimpleSpanProcessor(exporter)), exporter


async def sent(producer: Wired, traces: tracing.Traces, frames: int = 1) -> list[Sequence[tuple[str, bytes]]]:
    """Headers of frames that ingest has sent and the broker has acknowledged."""
    async with Feeder(
        TracedProducer(producer, traces, TOPICS.feed),
        TOPICS,
        clock=ManualClock(NOW),
        frame_ms=1,
        frame_rows=1,
    ) as feeder:
        for n in range(frames):
            await (await feeder.readings(3, Readings.of([(0, NOW, 1.0, 0)]), ingest_ns=NOW + n))
    return [list(headers) for headers in producer.headers]


async def test_one_way_through_all_stages() -> None:
    """Ingest, district, persist and gateway are one trace; each stage hangs on the one before it."""
    traces, arrived = process()
    (headers,) = await sent(Wired(), traces)
    district, gateway = DistrictTraces(traces), GatewayTraces(traces)
    persist = PersistTraces(traces, TOPICS.feed)

    acks: list[str] = []
    persist.received(TOPICS.feed, 3, headers, lambda: acks.append("feed"))()
    district.received(3, headers)
    output = district.caused(3, [("agent", b"1"), (HEADER_INGEST, b"%d" % NOW)])
    other = district.caused(3, [(HEADER_INGEST, b"%d" % (NOW + 1))])
    district.worked()
    assert district.caused(3, [(HEADER_INGEST, b"%d" % NOW)]) == [(HEADER_INGEST, b"%d" % NOW)]  # it is over
    gateway.taken(3, output)
    await asyncio.sleep(0)
    persist.received(TOPICS.outputs, 3, output, lambda: acks.append("outputs"))()
    persist.stored(3, [(NOW, 1), (NOW + 7, 5)])

    assert tracing.parent_of(other) is None
    assert acks == ["feed", "outputs"]
    spans = {(s.name, dict(s.attributes).get("topic", "")): s for s in arrived.get_finished_spans()}
    assert set(spans) == {
        ("ingest", ""),
        ("detect", ""),
        ("gateway", ""),
        ("persist", TOPICS.feed),
        ("persist", TOPICS.outputs),
    }
    assert len({s.context.trace_id for s in spans.values()}) == 1
    root, detect = spans["ingest", ""], spans["detect", ""]
    assert root.parent is None
    assert dict(root.attributes)["outcome"] == "acknowledged"
    for child, parent in (
        (detect, root),
        (spans["persist", TOPICS.feed], root),
        (spans["gateway", ""], detect),
        (spans["persist", TOPICS.outputs], detect),
    ):
        assert child.parent.span_id == parent.context.span_id
        assert child.start_time <= child.end_time
    assert dict(spans["persist", TOPICS.feed].attributes)["readings"] == 1


async def test_the_header_is_that_of_the_standard() -> None:
    """W3C trace context: version, trace, span, sampled; the library reads it too."""
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    traces, arrived = process()
    (headers,) = await sent(Wired(), traces)
    value = dict(headers)["traceparent"].decode()
    seen = get_current_span(
        TraceContextTextMapPropagator().extract({"traceparent": value})
    ).get_span_context()
    (span,) = arrived.get_finished_spans()
    assert (seen.trace_id, seen.span_id) == (span.context.trace_id, span.context.span_id)
    assert seen.trace_flags.sampled


async def test_only_a_share_is_followed() -> None:
    """Of frames that are not taken nothing goes on: no header, no span anywhere."""
    traces, arrived = process(ratio=0.0)
    producer = Wired()
    for headers in await sent(producer, traces, 20):
        assert [name for name, _ in headers] == [HEADER_INGEST]
        DistrictTraces(traces).received(3, headers)
    assert arrived.get_finished_spans() == ()
    traces, arrived = process(ratio=0.5)
    followed = [tracing.parent_of(h) is not None for h in await sent(Wired(), traces, 200)]
    assert 50 < sum(followed) < 150
    assert len(arrived.get_finished_spans()) == sum(followed)


async def test_lost_frames_end_too() -> None:
    """What the broker refuses is a stage that ended badly, not one that never ends."""
    traces, arrived = process()
    producer = Wired()
    producer.hold = True
    future = await TracedProducer(producer, traces, TOPICS.feed).send(
        TOPICS.feed, b"x", partition=0, headers=[(HEADER_INGEST, b"1")]
    )
    future.set_exception(RuntimeError("no"))
    await asyncio.sleep(0)
    (span,) = arrived.get_finished_spans()
    assert dict(span.attributes)["outcome"] == "lost"


@pytest.mark.parametrize(
    "value",
    [b"", b"00-1-2-01", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-00", b"\xff" * 55, b"01-" + b"a" * 52],
)
def test_a_foreign_header_is_not_followed(value: bytes) -> None:
    """Whatever stands there: a message is worked on as any other."""
    assert tracing.parent_of([("traceparent", value)]) is None
    assert tracing.parent_of(None) is None


def test_what_never_ends_is_forgotten() -> None:
    """A partition that goes away leaves its frames unstored; they do not pile up."""
    from streams.traced import WAITING

    traces, _ = process()
    persist = PersistTraces(traces, TOPICS.feed)
    step = traces.begin("ingest")
    assert step is not None
    for n in range(WAITING + 50):
        persist.received(TOPICS.feed, 0, [step.header, (HEADER_INGEST, b"%d" % n)], lambda: None)
    assert len(persist._steps) == WAITING


def test_spans_arrive_at_the_collector() -> None:
    """By OTLP over HTTP at the standard path, with the name of the process; all sent before the process ends."""
    asked: list[tuple[str, str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append((self.path, self.headers["content-type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        traces = tracing.start(load(traces=url, trace_ratio=1.0, worker="w7"), "district")
        assert traces is not None
        step = traces.begin("ingest", district=3)
        assert step is not None
        step.end()
        traces.flush()
        server.shutdown()
        thread.join()
    ((path, content_type, body),) = asked
    assert (path, content_type) == ("/v1/traces", "application/x-protobuf")
    assert b"yiwang-district" in body
    assert b"w7" in body


def test_settings_that_cannot_be() -> None:
    """An address that is none is refused with an example; without one there are no traces."""
    assert tracing.start(load(), "ingest") is None
    with pytest.raises(BadInput, match="4318") as caught:
        tracing.start(load(traces="collector:4318"), "ingest")
    assert caught.value.code == "traces.url"


def test_without_the_extra_it_is_said() -> None:
    """The error names what to install; with traces off nothing of it is even looked for."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'opentelemetry':\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import ingest.service, streams.district, streams.persist, ws_server.gateway\n"
        "from yiwang import tracing\n"
        "from yiwang.settings import Settings\n"
        "assert tracing.start(Settings(), 'ingest') is None\n"
        "assert not any(m.split('.')[0] == 'opentelemetry' for m in sys.modules)\n"
        "try:\n"
        "    tracing.start(Settings(traces='http://127.0.0.1:4318'), 'ingest')\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install 'yiwang[otel]'" in done.stdout
    assert "[traces.missing]" in done.stdout
