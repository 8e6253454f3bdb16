"""The live socket over a real connection; hub without services."""

import asyncio
import json
import socket as sockets
import struct
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from aiokafka import TopicPartition
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.ws_server.bodies import hub, incident, order, output, result
from ws_server import life, socket
from ws_server.client import LiveClient
from ws_server.hub import Hub
from ws_server.loopback import listen
from ws_server.messages import MAX_MESSAGE_BYTES
from ws_server.session import Session
from yiwang import codec
from yiwang.columns import Readings
from yiwang.errors import YiwangError
from yiwang.model import Acknowledge, Command, CommandResult, Incident, Order, SendReceipt


class FakeProducer:
    """Takes commands as Kafka would; the district answers each at once."""

    def __init__(self, made: Hub) -> None:
        self.hub = made
        self.commands: list[tuple[int, Command]] = []

    async def send_and_wait(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> None:
        assert topic == "test.commands"
        assert headers[0][0] == "ingest"
        command = codec.decode_command(value)
        self.commands.append((partition, command))
        says(self.hub, result(command.command_id, command.by))


def says(made: Hub, body: Any, district: int = 0) -> None:
    """A district says something."""
    offset = made.view.at[district] + 1
    made.output(district, offset, output(offset, body), ingest_ns=made.clock.now_ns(), agent_ns=None)


@pytest.fixture
def made() -> Hub:
    """A ready hub with a fake producer."""
    made = hub()
    made.producer = FakeProducer(made)
    return made


@pytest.fixture
async def url(made: Hub) -> AsyncIterator[str]:
    """Address of a live socket on that hub."""
    listener = listen("127.0.0.1", 0, "test")
    server = await socket.start(made, listener, origins=socket.origins_of("127.0.0.1", 8420))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.close()
        await server.wait_closed()


async def test_a_screen_gets_a_snapshot_then_deltas(made: Hub, url: str) -> None:
    """From hello to the newest state, over a real connection."""
    says(made, incident())
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.of(Incident))
        says(made, incident(rev=2, severity=1))
        await screen.until(lambda s: s.of(Incident)["I-1"].rev == 2)
        assert (screen.snapshots, screen.at) == (1, {"0": 1, "1": -1})
        assert made.health()["screens"] == {"desk-0": 1}


async def test_a_command_goes_to_the_district_and_its_result_comes_back(made: Hub, url: str) -> None:
    """Accepted when Kafka has it; the result follows to everybody at the post."""
    says(made, incident())
    async with LiveClient(url, "desk-0") as one, LiveClient(url, "desk-0") as two:
        await one.until(lambda s: s.snapshots)
        await two.until(lambda s: s.snapshots)
        outcome = await one.command(Acknowledge(incident="I-1"), command_id="c-1")
        assert outcome == CommandResult(command_id="c-1", by="desk-0", ok=True, t_ns=outcome.t_ns)
        await two.until(lambda s: "c-1" in s.results)
    assert isinstance(made.producer, FakeProducer)
    assert [(p, c.by) for p, c in made.producer.commands] == [(0, "desk-0")]


async def test_a_unit_may_not_act_on_anothers_order(made: Hub, url: str) -> None:
    """Refused with a code; nothing reaches Kafka."""
    says(made, order("O-1", unit="U-1"))
    async with LiveClient(url, "U-2") as other:
        await other.until(lambda s: s.snapshots)
        assert other.of(Order) == {}
        with pytest.raises(YiwangError) as refused:
            await other.command(SendReceipt(order="O-1", receipt="accepted"))
    assert refused.value.code == "command.other_order"
    assert isinstance(made.producer, FakeProducer)
    assert made.producer.commands == []


async def test_without_kafka_a_command_is_refused_and_the_screen_goes_on(made: Hub, url: str) -> None:
    """The page keeps it and tries again; the live view still works."""
    made.producer = None
    says(made, incident())
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        asking = asyncio.create_task(screen.command(Acknowledge(incident="I-1"), command_id="c-1"))
        says(made, incident(rev=2))
        await screen.until(lambda s: s.of(Incident)["I-1"].rev == 2)
        made.producer = FakeProducer(made)
        assert (await asking).ok


async def test_a_line_that_breaks_is_resumed_without_a_snapshot(made: Hub, url: str) -> None:
    """Only what was missed comes, once."""
    says(made, incident())
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        for n in range(2, 6):
            screen.drop_line()
            says(made, incident(f"I-{n}"))
            await screen.until(lambda s, n=n: f"I-{n}" in s.of(Incident))
        await screen.until(lambda s: s.resumed)
        assert screen.snapshots == 1


async def test_a_slow_screen_holds_nobody_and_loses_nothing(made: Hub, url: str) -> None:
    """One client does not read; another gets every delta. Then the slow one reads: a snapshot, and all is there."""
    text = "路" * 2500
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 65536)  # or the system takes tens of MB for it
    line.connect(("127.0.0.1", urlsplit(url).port))
    async with (
        connect(url, sock=line, max_size=None, compression=None, max_queue=1, ping_interval=None) as slow,
        LiveClient(url, "desk-1") as fast,
    ):
        await slow.send(json.dumps({"id": 1, "do": "hello", "post": "desk-0"}))
        await fast.until(lambda s: s.snapshots)
        seen: list[int] = []
        async with fast.listening() as pushes:
            for rev in range(1, 4001):
                says(made, incident(f"I-{rev % 40}", rev, place_name_zh=text))
                if rev % 20 == 0:  # as the districts do: not all in one turn of the loop
                    await fast.until(lambda s, rev=rev: s.at["0"] >= rev - 1)
            async for push in pushes:
                seen.append(push.body.rev)  # type: ignore[union-attr]  # deltas of incidents
                if seen[-1] == 4000:
                    break
        assert seen == list(range(1, 4001))
        assert fast.snapshots == 1
        state: dict[str, int] = {}
        snapshots = 0
        async for raw in slow:
            message = json.loads(raw)
            if message.get("type") == "snapshot":
                snapshots += 1
                state = {b["id"]: b["rev"] for b in message["objects"]}
            elif message.get("type") == "delta":
                state[message["body"]["id"]] = max(
                    message["body"]["rev"], state.get(message["body"]["id"], 0)
                )
            if len(state) == 40 and min(state.values()) > 3960:
                break
        assert snapshots >= 2


async def test_a_screen_that_breaks_off_while_it_is_written_to_is_no_mistake_of_ours(
    made: Hub, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A reset with data on the way ends the session, and nobody is called."""
    async with connect(url, max_size=None, compression=None, max_queue=1, ping_interval=None) as slow:
        await slow.send(json.dumps({"id": 1, "do": "hello", "post": "desk-0"}))
        await slow.recv()
        (client,) = made._sessions
        text = "路" * 100_000
        rev = 0
        while not client._out._changes:  # as long as the system takes what is written
            rev += 1
            says(made, incident("I-1", rev, place_name_zh=text))
            await asyncio.sleep(0)
        linger = struct.pack("ii", 1, 0)  # a close is then a reset
        slow.transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
        slow.transport.abort()
    while made._sessions:  # noqa: ASYNC110  its shell tells nobody
        await asyncio.sleep(0.01)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_who_asks_and_takes_no_answers_is_not_heard_for_a_while(made: Hub, url: str) -> None:
    """Answers that wait are bounded; when they are taken, the rest is answered."""
    asked = 5000
    async with connect(url, max_size=None, compression=None, max_queue=1, ping_interval=None) as slow:
        await slow.send(json.dumps({"id": 1, "do": "hello", "post": "desk-0"}))
        await slow.recv()
        (client,) = made._sessions
        rev = 0
        while not client._out._changes:  # as long as the system takes what is written
            rev += 1
            says(made, incident("I-1", rev, place_name_zh="路" * 100_000))
            await asyncio.sleep(0)

        async def ask() -> None:
            for n in range(asked):
                await slow.send(json.dumps({"id": n + 2, "do": "ping", "sent_ms": 0.0}))

        asking = asyncio.create_task(ask())
        most, still = 0, 0
        while still < 200:
            still = 0 if client.replies > most or most == 0 else still + 1
            most = max(most, client.replies)
            await asyncio.sleep(0)
        assert socket.MOST_REPLIES < most <= socket.MOST_REPLIES + 2  # a ping has two
        answered: set[int] = set()
        async for raw in slow:
            message = json.loads(raw)
            answered |= {message["re"]} if "re" in message else set()
            if asked + 1 in answered:
                break
        await asking
    assert answered >= set(range(2, asked + 2))


async def test_watched_values_arrive_and_others_do_not(made: Hub, url: str) -> None:
    """Newest value of what is watched, with the stamp of ingest."""
    t = made.clock.now_ns()
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        await screen.watch([(0, 3)])
        made.readings(0, Readings.of([(3, t, 1.5, 0), (4, t, 9.0, 0)]), t)
        await screen.until(lambda s: s.values)
        assert screen.values == {(0, 3): (0, 3, t / 1e6, 1.5, 0)}
        assert np.isfinite(screen.latencies_ms[-1])


async def test_what_screens_tell_is_counted_for_the_whole_gateway(made: Hub, url: str) -> None:
    """Two screens' latencies to the pixel are in one histogram, and what is wrong closes no line."""
    async with connect(url) as one, connect(url) as two:
        for line in (one, two):
            await line.send(json.dumps({"id": 1, "do": "hello", "post": "desk-0"}))
            await line.send(json.dumps({"id": 2, "do": "drawn", "took": [[0, -1]]}))
            await line.send(json.dumps({"id": 3, "do": "drawn", "took": [[0, 40], [0, 60]]}))
            answers = {}
            while 3 not in answers:
                message = json.loads(await line.recv())
                answers[message.get("re")] = message
            assert answers[2]["error"]["code"] == "message.invalid"
            assert answers[3]["ok"] is True
    assert made.stages.histograms["screen", 0].n == 4


async def test_a_beat_tells_how_things_are(made: Hub, url: str) -> None:
    """Event time per feed, services, position."""
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        made.view.event_ns[0] = 5_000_000
        made.beat()
        await screen.until(lambda s: s.beat)
        assert screen.beat is not None
        assert (screen.beat.event_ms, screen.beat.kafka, screen.beat.database) == (5.0, True, True)
        assert screen.beat.feeds["0"].event_ms == 5.0
        assert screen.beat.at == {"0": -1, "1": -1}


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://127.0.0.1:8420", "127.0.0.1", 101),
        ("http://localhost:8420", "localhost:1", 101),
        (None, "[::1]:1", 101),
        ("http://127.0.0.1:9999", "127.0.0.1", 403),
        ("https://evil.example", "127.0.0.1", 403),
        ("null", "127.0.0.1", 403),
        (None, "evil.example", 421),
        ("http://127.0.0.1:8420", "127.0.0.1\r\nHost: evil.example", 421),
        (None, None, 421),
    ],
)
async def test_only_our_own_pages_may_connect(
    url: str, origin: str | None, host: str | None, status: int
) -> None:
    """Another page in the same browser is refused, and a name that was made to point here."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    lines = [
        "GET / HTTP/1.1",
        *([f"Host: {host}"] if host else []),
        *([f"Origin: {origin}"] if origin else []),
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    first = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert int(first.split()[1]) == status


async def test_a_message_that_is_too_large_ends_the_connection(url: str) -> None:
    """With the code that the standard has for it."""
    async with connect(url, compression=None) as line:
        await line.send(" " * (MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_before_the_run_is_known_a_client_is_asked_to_come_again(made: Hub, url: str) -> None:
    """The database has not been reached yet."""
    made.run = None
    async with connect(url, compression=None) as line:
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "database.unavailable")


async def test_what_is_said_leaves_at_once(made: Hub) -> None:
    """Nagle's algorithm would keep a small message back until the one before is acknowledged, 40 ms."""
    listener = listen("127.0.0.1", 0, "test")
    server = await socket.start(made, listener, origins=[])
    async with connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", compression=None):
        (line,) = server.connections
        accepted = line.transport.get_extra_info("socket")
        assert accepted.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY)
    server.close()
    await server.wait_closed()


async def test_a_session_that_ends_is_forgotten(made: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that kept every session would grow for ever."""
    left = asyncio.Event()
    leave = made.leave

    def leave_and_tell(session: Session) -> None:
        leave(session)
        left.set()

    monkeypatch.setattr(made, "leave", leave_and_tell)
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        assert made.health()["screens"] == {"desk-0": 1}
    await left.wait()
    assert made.health()["screens"] == {}


async def test_an_unknown_post_is_told_to_the_program(url: str) -> None:
    """The client raises what the gateway said."""
    async with LiveClient(url, "nobody") as screen:
        with pytest.raises(YiwangError) as refused:
            await screen.until(lambda s: s.snapshots)
    assert refused.value.code == "session.unknown_post"


async def test_a_consumer_that_gives_nothing_though_outputs_wait_is_made_anew(made: Hub) -> None:
    """One that moves, or has nothing to give, is left alone."""

    class Consumer:
        ends: dict[Any, int]

        def assignment(self) -> set[Any]:
            return set(self.ends)

        async def end_offsets(self, parts: list[Any]) -> dict[Any, int]:
            return {part: self.ends[part] for part in parts}

    part = TopicPartition("test.outputs", 0)
    consumer = made.consumer = Consumer()
    for _ in range(3 * life.SILENT_LOOKS):
        consumer.ends = {part: made.view.at[0] + 1}
        await life._look_at_kafka(made)
    for n in range(3 * life.SILENT_LOOKS):
        consumer.ends = {part: made.view.at[0] + 3}
        says(made, incident(f"I-{n}"))
        await life._look_at_kafka(made)
    assert not made.silent.is_set()
    for _ in range(life.SILENT_LOOKS):
        await life._look_at_kafka(made)
    assert made.silent.is_set()
    assert made.counts["silences"] == 1
