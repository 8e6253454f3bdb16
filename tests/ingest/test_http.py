"""The HTTP application, with a broker that answers when the test says so."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ingest import http
from ingest.deadletters import DeadLetters
from ingest.feeder import Feeder
from ingest.intake import Intake
from tests.ingest.producer import FakeProducer
from tests.ingest.town import LIMITS, NOW_NS, array, catalogue, event, lines, report, row, warning
from yiwang import codec
from yiwang.clock import ManualClock
from yiwang.model import Report, VideoEvent
from yiwang.model import Warning as OutsideWarning
from yiwang.topics import Topics

JSON = {"content-type": "application/json"}
LIMIT = 4096


class Server:
    """The application over a fake producer, with a client."""

    def __init__(self, deliver_s: float = 5.0) -> None:
        self.producer = FakeProducer()
        clock, topics = ManualClock(NOW_NS), Topics("test")
        self.feeder = Feeder(
            self.producer, topics, clock=clock, frame_ms=1, frame_rows=100, deliver_s=deliver_s
        )
        present = catalogue()
        dead = DeadLetters(self.producer, topics, deliver_s=deliver_s)
        self.intake = Intake(self.feeder, dead, lambda: present, LIMITS, clock)
        app = http.app(self.intake, body_limit=LIMIT, health=lambda: {"ok": True}, body_timeout_s=0.05)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest")

    async def post(self, body: Any, path: str = "/v1/readings", **headers: str) -> httpx.Response:
        return await self.client.post(
            path,
            content=body,
            headers={
                k.replace("_", "-"): v for k, v in ({"content_type": JSON["content-type"]} | headers).items()
            },
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    async with found.client, found.feeder:
        yield found


async def test_accepted_is_answered_only_when_kafka_has_it(server: Server) -> None:
    """While the broker is silent there is no answer; then 202 with the count."""
    server.producer.hold = True
    request = asyncio.create_task(server.post(array(row(), row(device="WL-9"))))
    await server.producer.arrived(2)
    assert not request.done()
    server.producer.acknowledge()
    answer = await request
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": [], "warnings": []})
    assert {stamp for _, _, stamp in server.producer.sent} == {NOW_NS}


@pytest.mark.parametrize("type_", ["application/x-ndjson", "application/x-ndjson; charset=utf-8"])
async def test_lines_and_gzip_are_taken(server: Server, type_: str) -> None:
    """NDJSON packed as two gzip members, as log shippers send it."""
    body = gzip.compress(lines(row(value=1)) + b"\n") + gzip.compress(lines(row(value=2)))
    answer = await server.post(body, content_type=type_, content_encoding="gzip")
    assert answer.json()["accepted"] == 2
    assert server.producer.values() == [1.0, 2.0]


async def test_rejected_rows_are_answered_counted_and_kept_as_dead_letters(server: Server) -> None:
    """Good neighbours are in Kafka, the bad rows in the dead letters with their reason and bytes."""
    bad = [row(unit=...), row(device="WL-404"), row(value=5000)]
    answer = await server.post(array(row(), *bad, row(time="2016-06-01T20:15:00Z")))
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    rejected = [(r["row"], r["code"]) for r in body["rejected"]]
    assert rejected == [
        (1, "reading.unit_missing"),
        (2, "reading.unknown_device"),
        (3, "reading.out_of_range"),
    ]
    assert body["warnings"][0]["code"] == "reading.clock"
    assert body["warnings"][0]["args"]["device"] == "WL-1"
    letters = server.producer.letters
    assert [(x.code, x.source, json.loads(x.raw)) for x in letters] == [
        (code, "http", raw) for (_, code), raw in zip(rejected, bad, strict=True)
    ]
    assert len({x.id for x in letters}) == 3
    counters = (await server.client.get("/v1/counters")).json()
    assert counters["sources"]["http"] == {"accepted": 2, "rejected": {code: 1 for _, code in rejected}}
    assert counters["wrong_clocks"] == {"WL-1": 1}


async def test_video_events_become_messages_of_the_feed(server: Server) -> None:
    """POST /v1/events, with a bad neighbour."""
    answer = await server.post(array(event(), event(**{"class": "riot"})), "/v1/events")
    assert answer.json()["accepted"] == 1
    message = codec.decode_feed(server.producer.sent[0][1])
    assert isinstance(message, VideoEvent)
    assert message.device == "CAM-1"
    assert server.producer.letters[0].source == "http:events"


async def test_reports_and_warnings_become_messages_of_the_feed(server: Server) -> None:
    """POST /v1/reports and /v1/warnings, each with a bad neighbour; a warning goes to every district."""
    answer = await server.post(array(report(), report(kind="riot")), "/v1/reports")
    assert (answer.json()["accepted"], answer.json()["rejected"][0]["code"]) == (1, "report.unknown_kind")
    answer = await server.post(array(warning(), warning(event="eclipse")), "/v1/warnings")
    assert (answer.json()["accepted"], answer.json()["rejected"][0]["code"]) == (1, "warning.unknown_event")
    sent = [codec.decode_feed(payload) for _, payload, *_ in server.producer.sent]
    assert [type(m) for m in sent] == [Report, OutsideWarning, OutsideWarning]
    assert [x.source for x in server.producer.letters] == ["http:reports", "http:warnings"]
    counters = (await server.client.get("/v1/counters")).json()["sources"]
    assert counters["http:warnings"] == {"accepted": 1, "rejected": {"warning.unknown_event": 1}}


async def test_broken_json_is_refused_with_the_position_and_kept(server: Server) -> None:
    """400 json.syntax; the body is a dead letter."""
    answer = await server.post(b'[{"device": }]')
    assert (answer.status_code, answer.json()["code"]) == (400, "json.syntax")
    assert answer.json()["args"]["position"] == 12
    assert server.producer.letters[0].raw == b'[{"device": }]'


@pytest.mark.parametrize(
    ("status", "code", "path", "body", "headers"),
    [
        (415, "body.type", "/v1/readings", b"[]", {"content_type": "text/csv"}),
        (415, "body.type", "/v1/readings", b"[]", {"content_type": ""}),
        (415, "body.encoding", "/v1/readings", b"[]", {"content_encoding": "br"}),
        (413, "body.too_large", "/v1/readings", b"[" + b" " * LIMIT + b"]", {}),
        (400, "body.gzip", "/v1/readings", b"no gzip", {"content_encoding": "gzip"}),
        (400, "body.gzip", "/v1/readings", b"", {"content_encoding": "gzip"}),
        (400, "body.gzip", "/v1/readings", gzip.compress(b"[]", mtime=0)[:-4], {"content_encoding": "gzip"}),
        (
            413,
            "body.too_large",
            "/v1/readings",
            gzip.compress(b" " * 3_000_000, mtime=0),
            {"content_encoding": "gzip"},
        ),
        (400, "json.shape", "/v1/readings", b"5", {}),
        (404, "http.path", "/v2/readings", b"[]", {}),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_with_a_code(
    server: Server, status: int, code: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    """Each with a JSON error that says what would be right."""
    answer = await server.post(body, path, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message", "args"}
    assert server.producer.sent == []


async def test_a_body_without_a_length_is_cut_off_at_the_limit(server: Server) -> None:
    """The rest of an endless body is not read."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 1024

    answer = await server.post(endless())
    assert answer.json()["code"] == "body.too_large"
    assert read <= LIMIT // 1024 + 2


async def test_a_body_that_trickles_is_given_up(server: Server) -> None:
    """A client that stops in the middle of its body does not hold a place for ever."""

    async def stuck() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    answer = await server.post(stuck())
    assert (answer.status_code, answer.json()["code"]) == (408, "body.slow")


async def test_the_wrong_method_is_told_the_right_one(server: Server) -> None:
    """405 with Allow."""
    answer = await server.client.get("/v1/readings")
    assert (answer.status_code, answer.json()["code"]) == (405, "http.method")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("bad", [True, False])
async def test_a_broker_that_is_away_is_503_with_retry_after(bad: bool) -> None:
    """Both for readings and for dead letters, after a bounded wait; nothing is counted as accepted."""
    server = Server(deliver_s=0.02)
    server.producer.hold = True
    async with server.client:
        answer = await server.post(array(row(unit=...) if bad else row()))
        assert (answer.status_code, answer.json()["code"]) == (503, "kafka.unavailable")
        assert answer.headers["retry-after"] == "5"
        assert (await server.client.get("/v1/counters")).json()["sources"] == {}
        assert (await server.client.get("/healthz")).json() == {"ok": True}
