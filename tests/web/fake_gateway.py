"""A small gateway for tests of the pages: real messages and the real desk's logic, no Kafka, no database.

It serves ``web/`` and speaks the live socket's protocol on one port, in a thread of its own.
``python -m tests.web.fake_gateway [--quiet]`` plays a bad night for somebody who works on the pages.
"""

import asyncio
import contextlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.web.fake_city import FakeCity
from ws_server.messages import CommandRequest, Drawn, Hello, Ping, Watch, decode_request
from ws_server.posts import posts_of
from ws_server.static import MIME, Pages, folder
from yiwang.clock import SystemClock
from yiwang.errors import YiwangError
from yiwang.model import (
    Body,
    Case,
    CloseCase,
    Command,
    CommandResult,
    Incident,
    Order,
    SendReceipt,
    UnitState,
)

SAMPLE = 3  # devices on the map of a city that is not whole
BEAT_S = 0.5  # tests wait for beats; the real gateway's are slower
KEPT = (Incident, Case, Order, UnitState)
STRICT = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
T = TypeVar("T")


class _Screen:
    """One connected page."""

    def __init__(self, ws: ServerConnection) -> None:
        self.ws = ws
        self.post = ""
        self.watched: set[tuple[int, int]] = set()


class FakeGateway:
    """Start with ``with FakeGateway() as gateway``; ``gateway.do(...)`` runs in its thread.

    Attributes:
        url: of the console page.
        requests: decoded requests of all pages, in order.
        refuse: pages are turned away at the door while set.
        whole: the city is small: all its devices are told; else pages have to ask.
        mute: commands are taken and nothing comes back while set, until ``let_go``.
    """

    def __init__(self, *, kind: str = "live", speed: float = 1.0) -> None:
        self.kind, self.speed = kind, speed
        self.requests: list[Any] = []  # Any: what decode_request gives
        self._asked = threading.Condition()
        self.refuse = False
        self.whole = True
        self.mute = False
        self._held: list[tuple[_Screen, CommandRequest]] = []
        self._screens: list[_Screen] = []
        self._objects: dict[tuple[type, str], Body] = {}
        self._log: dict[int, list[Body]] = {0: [], 1: []}
        self._clock = SystemClock()
        self._tasks: set[asyncio.Task[None]] = set()  # held so that none is collected while it runs
        self._pages = Pages(folder())
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),))
        self.city = FakeCity(self._emit)
        self._posts = posts_of(self.city.geography.districts, self.city.registries)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    # ---- for tests ----

    def do(self, work: Callable[[FakeCity], T]) -> T:
        """Run ``work(city)`` in the gateway's thread and wait for it."""

        async def inside() -> T:
            return work(self.city)

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(30)

    def reading(self, device: str, metric: str, value: float) -> None:
        """A reading arrives: stored, and sent to whoever watches."""

        def work(city: FakeCity) -> None:
            district, series, t_ms = city.reading(device, metric, value)
            now = self._clock.now_ns() / 1e6
            rows = [[district, series, t_ms, value, 0]]
            for screen in self._screens:
                if (district, series) in screen.watched:
                    self._send(screen, {"type": "values", "rows": rows, "ingest_ms": now, "gateway_ms": now})

        self.do(work)

    def heard(self, kind: type[T]) -> T:
        """The first request of a kind; waits for it."""

        def first() -> T | None:
            return next((r for r in self.requests if isinstance(r, kind)), None)

        with self._asked:
            request = self._asked.wait_for(first, 30)
        assert request is not None, f"no page has sent a {kind.__name__}"
        return request

    def let_go(self) -> None:
        """Commands that were held back while mute are carried out and answered."""

        async def inside() -> None:
            self.mute = False
            held, self._held = self._held, []
            for screen, request in held:
                await self._obey(screen, request)

        asyncio.run_coroutine_threadsafe(inside(), self._loop).result(30)

    def cut(self) -> None:
        """Every line goes down."""

        async def inside() -> None:
            for screen in list(self._screens):
                screen.ws.transport.abort()

        asyncio.run_coroutine_threadsafe(inside(), self._loop).result(30)

    def incidents(self) -> list[Incident]:
        """All incidents as they are now."""
        return self.do(lambda _: [b for b in self._objects.values() if isinstance(b, Incident)])

    def orders(self) -> list[Order]:
        """All orders as they are now."""
        return self.do(lambda _: [b for b in self._objects.values() if isinstance(b, Order)])

    # ---- the live socket ----

    async def _main(self) -> None:
        async with serve(
            self._screen, "127.0.0.1", 0, process_request=self._http, close_timeout=0.2
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}/"
            self._ready.set()
            beats = asyncio.create_task(self._beats())
            await self._stop.wait()
            beats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beats

    async def _beats(self) -> None:
        while True:
            now_ms = self._clock.now_ns() / 1e6
            event_ms = self.city.now_ns / 1e6
            feeds = {str(d): {"event_ms": event_ms, "ingest_ms": now_ms} for d in self._log}
            for screen in self._screens:
                beat = {"type": "beat", "now_ms": now_ms, "event_ms": event_ms, "feeds": feeds}
                self._send(screen, {**beat, "kafka": True, "database": True, "ready": True})
            await asyncio.sleep(BEAT_S)

    async def _screen(self, ws: ServerConnection) -> None:
        screen = _Screen(ws)
        with contextlib.suppress(ConnectionClosed):
            async for text in ws:
                await self._answer(screen, text)
        if screen in self._screens:
            self._screens.remove(screen)

    async def _answer(self, screen: _Screen, text: str | bytes) -> None:
        request = decode_request(text)
        with self._asked:
            self.requests.append(request)
            self._asked.notify_all()
        match request:
            case Hello():
                if request.post not in self._posts:
                    await self._say(
                        screen, {"re": request.id, "ok": False, "error": _error("session.unknown_post")}
                    )
                    return
                screen.post = request.post
                await self._say(screen, {"re": request.id, "ok": True, "epoch": "fake"})
                await self._catch_up(screen, request)
                self._screens.append(screen)
            case Ping():
                now_ms = self._clock.now_ns() / 1e6
                await self._say(screen, {"re": request.id, "ok": True})
                await self._say(screen, {"type": "pong", "sent_ms": request.sent_ms, "now_ms": now_ms})
            case Watch():
                screen.watched = {(d, s) for d, s in request.series}
                await self._say(screen, {"re": request.id, "ok": True})
            case Drawn():
                await self._say(screen, {"re": request.id, "ok": True})
            case CommandRequest():
                if self.mute:
                    self._held.append((screen, request))
                else:
                    await self._obey(screen, request)

    async def _obey(self, screen: _Screen, request: CommandRequest) -> None:
        await self._say(screen, {"re": request.id, "ok": True, "accepted": True})
        self._command(screen, request)

    def _command(self, screen: _Screen, request: CommandRequest) -> None:
        now = self._clock.now_ns()
        command = Command(
            command_id=request.command_id,
            by=screen.post,
            t_ns=self.city.now_ns,
            ingest_ns=now,
            action=request.action,
        )
        action = request.action
        key = (
            action.order
            if isinstance(action, SendReceipt)
            else action.case
            if isinstance(action, CloseCase)
            else ""
        )
        key = key or getattr(action, "incident", "")
        found = next((b for (_, id_), b in self._objects.items() if id_ == key), None)
        self.city.command(getattr(found, "district", 0), command)

    async def _catch_up(self, screen: _Screen, hello: Hello) -> None:
        if hello.at is not None and hello.epoch == "fake":
            for district, log in self._log.items():
                for offset in range(hello.at.get(str(district), -1) + 1, len(log)):
                    if self._may_see(screen, log[offset]):
                        await self._say(screen, self._delta(district, offset, log[offset]))
            return
        snapshot = {
            "type": "snapshot",
            "at": {str(d): len(log) - 1 for d, log in self._log.items()},
            "epoch": "fake",
            "now_ms": self._clock.now_ns() / 1e6,
            "objects": [b for b in self._objects.values() if self._may_see(screen, b)],
            "values": [],
        }
        await self._say(screen, snapshot)

    def _may_see(self, screen: _Screen, body: Body) -> bool:
        if isinstance(body, CommandResult):
            return body.by == screen.post
        if self._posts[screen.post].role == "desk":
            return True
        if isinstance(body, Order):
            return body.unit == screen.post
        orders = [b for b in self._objects.values() if isinstance(b, Order) and b.unit == screen.post]
        return isinstance(body, Incident) and any(o.incident == body.id for o in orders)

    def _emit(self, district: int, bodies: list[Body]) -> None:
        for body in bodies:
            if isinstance(body, KEPT):
                self._objects[type(body), body.id] = body
            self._log[district].append(body)
            offset = len(self._log[district]) - 1
            for screen in self._screens:
                if self._may_see(screen, body):
                    self._send(screen, self._delta(district, offset, body))
                if isinstance(body, Order) and body.unit == screen.post:
                    incident = self._objects.get((Incident, body.incident))
                    if incident is not None:
                        self._send(screen, self._delta(district, offset, incident))

    def _delta(self, district: int, offset: int, body: Body) -> dict[str, Any]:
        now_ms = self._clock.now_ns() / 1e6
        kind = "result" if isinstance(body, CommandResult) else "delta"
        stamps = {"ingest_ms": now_ms - 12, "agent_ms": now_ms - 5, "gateway_ms": now_ms}
        return {"type": kind, "at": [district, offset], "body": body, **stamps}

    def _send(self, screen: _Screen, message: object) -> None:
        task = self._loop.create_task(self._say(screen, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say(self, screen: _Screen, message: object) -> None:
        with contextlib.suppress(ConnectionClosed):
            await screen.ws.send(msgspec.json.encode(message).decode())

    # ---- HTTP ----

    def _http(self, _: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path == "/live":
            return _reply(503, b"closed", "text/plain") if self.refuse else None
        if url.path.startswith("/api/"):
            try:
                body = self._api(url.path[5:], {k: v[0] for k, v in parse_qs(url.query).items()})
            except YiwangError as error:
                return _reply(400, msgspec.json.encode(error.as_json()), "application/json")
            return _reply(200, msgspec.json.encode(body), "application/json")
        file = self._pages.find(url.path)
        if file is None:
            return _reply(404, b"there is no such file", "text/plain")
        return _reply(200, file.read_bytes(), MIME[file.suffix])

    def _api(self, name: str, query: dict[str, str]) -> object:
        match name:
            case "session":
                return {
                    "run": "fake",
                    "kind": self.kind,
                    "speed": self.speed,
                    "socket": f"ws://127.0.0.1:{self.port}/live",
                    "districts": self.city.geography.districts,
                    "posts": list(self._posts.values()),
                    "server_ns": self._clock.now_ns(),
                }
            case "domains":
                return self.city.domains.to_json()
            case "registry":
                registries = self.city.registries.values()
                all_of = {
                    k: [x for r in registries for x in getattr(r, k)] for k in ("places", "devices", "units")
                }
                counts = {
                    "places": len(all_of["places"]),
                    "devices": dict(Counter(d.kind for d in all_of["devices"])),
                }
                shown = all_of if self.whole else {**all_of, "places": [], "devices": []}
                return {**shown, "whole": self.whole, "counts": counts}
            case "registry/some":
                wanted = {k: set(query[k].split(",")) for k in ("devices", "places") if k in query}
                registries = self.city.registries.values()
                return {
                    k: [x for r in registries for x in getattr(r, k) if x.id in wanted.get(k, ())]
                    for k in ("places", "devices")
                }
            case "registry/around":
                west, south, east, north = (float(query[k]) for k in ("west", "south", "east", "north"))
                inside = [
                    (d.kind, d.lon, d.lat)
                    for r in self.city.registries.values()
                    for d in r.devices
                    if west <= d.lon <= east and south <= d.lat <= north
                ]
                return {"devices": inside[:SAMPLE], "total": len(inside)}
            case "map":
                return self.city.geography.base_map
            case "readings":
                key = (int(query["district"]), int(query["series"]))
                lo, hi = float(query["from_ms"]), float(query["to_ms"])
                rows = sorted(r for r in self.city.readings.get(key, []) if lo <= r[0] <= hi)
                return {
                    "t_ms": [t for t, _ in rows],
                    "value": [v for _, v in rows],
                    "quality": [0] * len(rows),
                }
        raise YiwangError("http.not_found", f"no {name}")


def _error(code: str) -> dict[str, object]:
    return {"code": code, "message": code, "args": {}}


def _reply(status: int, body: bytes, kind: str) -> Response:
    headers = Headers()
    headers["Content-Type"] = kind
    headers["Content-Length"] = str(len(body))
    headers["Content-Security-Policy"] = STRICT
    headers["Cache-Control"] = "no-cache"
    headers["Connection"] = "close"
    return Response(status, "OK" if status == 200 else "Error", headers, body)


def main() -> None:
    """Play a bad night until Ctrl-C."""
    from tests.web.night import night

    with FakeGateway(kind="demo") as running:
        print(json.dumps({"ready": "fake gateway", "http": running.url}), flush=True)
        if "--quiet" not in sys.argv:
            night(running)
        pause = threading.Event()
        with contextlib.suppress(KeyboardInterrupt):
            while not pause.wait(1):
                running.do(lambda city: city.tick(1))


if __name__ == "__main__":
    main()
