"""The HTTP API and the pages: a Starlette application. Only reading; everything that decides is a command."""

import asyncio
import math
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ws_server.hub import Hub
from ws_server.loopback import host_of, in_url, is_loopback
from ws_server.messages import encode
from ws_server.static import Pages, matches
from yiwang.clock import MILLISECOND, SECOND
from yiwang.errors import BadInput, Conflict, NotAllowed, Unavailable, YiwangError
from yiwang.metrics import Metrics

MOST_POINTS = 5000
MOST_INCIDENTS = 500
MOST_LOOKED_UP = 200
MOST_SHOWN = 2000
LONGEST_NS = 366 * 86400 * SECOND
LATEST_MS = 253_402_300_799_000  # the year 9999, PostgreSQL's and Python's last in common

_STATUS: dict[type[YiwangError], int] = {BadInput: 400, NotAllowed: 403, Conflict: 409, Unavailable: 503}

Handler = Callable[[Request], Awaitable[Response]]


def application(hub: Hub, pages: Pages, metrics: Metrics, *, socket_port: int) -> ASGIApp:
    """The whole HTTP side.

    Args:
        hub: what is going on.
        pages: the files.
        metrics: of the process, shown at /metrics.
        socket_port: where the live socket listens.
    """
    api = _Api(hub, socket_port)

    async def page(request: Request) -> Response:
        answer = await pages.answer(request)
        if answer is None:
            return await missing(request)
        hub.pages_opened += request.url.path.rpartition(".")[2] == "html" or "." not in request.url.path
        return answer

    async def figures(request: Request) -> Response:
        body, content_type = metrics.text(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def missing(request: Request) -> Response:
        return _error(404, "http.not_found", f"there is no {request.url.path}", path=request.url.path)

    app = Starlette(
        routes=[
            Route("/api/session", api.session),
            Route("/api/domains", api.domains),
            Route("/api/registry", api.registry),
            Route("/api/registry/some", api.some),
            Route("/api/registry/around", api.around),
            Route("/api/map", api.map),
            Route("/api/readings", api.readings),
            Route("/api/incidents", api.incidents),
            Route("/api/health", api.health),
            Route("/metrics", figures),
            Route("/api", missing),
            Route("/api/{rest:path}", missing),
            Route("/{path:path}", page),
        ],
        exception_handlers={YiwangError: _refused, 405: _not_that_way, 500: _failed},
    )
    return _Guard(app, socket_port)


class _Api:
    def __init__(self, hub: Hub, socket_port: int) -> None:
        self._hub = hub
        self._socket_port = socket_port

    async def session(self, request: Request) -> Response:
        """Which run this is, where its socket is, who can sit here."""
        hub, run = self._hub, self._hub.run
        if run is None or not hub.city.posts:
            raise hub.problems.get("city") or Unavailable("session.starting", "the gateway is still starting")
        host = in_url(request.url.hostname or "127.0.0.1")
        return _json(
            {
                "run": run.name,
                "kind": run.kind,
                "scenario": run.scenario,
                "speed": run.speed,
                "epoch": hub.view.epoch,
                "socket": f"ws://{host}:{self._socket_port}/",
                "districts": hub.city.districts,
                "posts": list(hub.city.posts.values()),
                "server_ns": hub.clock.now_ns(),
            }
        )

    async def domains(self, request: Request) -> Response:
        """Names, units, kinds and sentences of the domain packs in force."""
        return _cached(request, self._hub.city.domains_json)

    async def registry(self, request: Request) -> Response:
        """Units of all districts, places and devices as well if the city is not large, and how many there are."""
        return _cached(request, self._hub.city.registry_json)

    async def some(self, request: Request) -> Response:
        """Devices and places by id: ``devices``, ``places``, comma-separated; unknown ones are left out."""
        devices, places = (_ids(request, name) for name in ("devices", "places"))
        found = await self._hub.store.some(devices, places)
        return _json({"devices": found[0], "places": found[1]})

    async def around(self, request: Request) -> Response:
        """Devices of a large city in a rectangle: ``west``, ``south``, ``east``, ``north``; an even sample of many."""
        west, south, east, north = (_degrees(request, n) for n in ("west", "south", "east", "north"))
        points = self._hub.city.points
        if points is None:
            raise Conflict("registry.whole", "/api/registry has all devices of this city")
        shown, total = await asyncio.to_thread(points.inside, west, south, east, north, MOST_SHOWN)
        return _json({"devices": shown, "total": total})

    async def map(self, request: Request) -> Response:
        """The base map."""
        return _cached(request, self._hub.city.map_json)

    async def readings(self, request: Request) -> Response:
        """A curve: ``district``, ``series``, ``from_ms``, ``to_ms``, ``points``."""
        district = _number(request, "district", least=0, most=32_767)
        series = _number(request, "series", least=0, most=2**31 - 1)
        from_ns = _number(request, "from_ms", least=0, most=LATEST_MS) * MILLISECOND
        to_ns = _number(request, "to_ms", least=0, most=LATEST_MS) * MILLISECOND
        points = _number(request, "points", default=1000, least=10, most=MOST_POINTS)
        if not 0 < to_ns - from_ns <= LONGEST_NS:
            raise BadInput("http.range", "from_ms must be before to_ms, by at most 366 days", field="to_ms")
        curve = await self._hub.store.readings(district, series, from_ns, to_ns, points)
        return _json({"t_ms": curve.t_ms, "value": curve.value, "quality": curve.quality})

    async def incidents(self, request: Request) -> Response:
        """History: ``state`` (open, cleared, closed; all without it), ``before_ms`` (opened), ``limit``."""
        state = request.query_params.get("state") or None
        if state not in (None, "open", "cleared", "closed"):
            raise BadInput("http.parameter", f"state={state!r}: open, cleared or closed", field="state")
        before_ms = _number(request, "before_ms", default=LATEST_MS, least=0, most=LATEST_MS)
        limit = _number(request, "limit", default=100, least=1, most=MOST_INCIDENTS)
        found = await self._hub.store.incidents(state, before_ms * MILLISECOND, limit)
        return _json({"incidents": found})

    async def health(self, request: Request) -> Response:
        """How the gateway and what it needs are; ``ok`` says whether all is well."""
        del request
        return _json(self._hub.health())


def _json(content: object, *, status: int = 200) -> Response:
    return Response(
        encode(content), status, media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _cached(request: Request, content: bytes) -> Response:
    etag = f'"{zlib.crc32(content):08x}-{len(content):x}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if matches(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _number(request: Request, name: str, *, least: int, most: int, default: int | None = None) -> int:
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        number = round(float(text or ""))
    except (ValueError, OverflowError):
        number = least - 1
    if not least <= number <= most:
        raise BadInput(
            "http.parameter", f"{name}={text!r}: a number from {least} to {most} is needed", field=name
        )
    return number


def _ids(request: Request, name: str) -> list[str]:
    ids = [i for i in request.query_params.get(name, "").split(",") if i]
    if len(ids) > MOST_LOOKED_UP:
        raise BadInput(
            "http.parameter", f"{name}: {len(ids)} ids; at most {MOST_LOOKED_UP} at once", field=name
        )
    return ids


def _degrees(request: Request, name: str) -> float:
    text = request.query_params.get(name, "")
    try:
        degrees = float(text)
    except ValueError:
        degrees = math.nan
    if not -540 <= degrees <= 540:  # a map that was moved around the world says such things
        raise BadInput("http.parameter", f"{name}={text!r}: degrees are needed", field=name)
    return degrees


def _error(status: int, code: str, message: str, **args: Any) -> Response:  # Any: plain JSON values
    return _json({"code": code, "message": message, "args": args}, status=status)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, YiwangError)
    status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
    answer = _json(error.as_json(), status=status)
    if status == 503:
        answer.headers["Retry-After"] = "2"
    return answer


async def _not_that_way(request: Request, error: Exception) -> Response:
    del error
    return _error(
        405, "http.method", f"{request.method} is not possible here; only GET is", method=request.method
    )


async def _failed(request: Request, error: Exception) -> Response:
    del request, error  # the server logs it
    return _error(500, "http.failed", "the gateway made a mistake; its log says which")


def policy(host: str, socket_port: int) -> str:
    """The Content-Security-Policy of our pages: nothing from elsewhere, no inline script, our own socket only."""
    rules: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": f"'self' ws://{in_url(host)}:{socket_port}",
        "worker-src": "'self' blob:",  # the map library starts its worker from a blob
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class _Guard:
    """Answers loopback names only (a name elsewhere may be made to point here), and adds what keeps pages safe."""

    def __init__(self, app: ASGIApp, socket_port: int) -> None:
        self._app = app
        self._socket_port = socket_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = host_of(Headers(scope=scope).get("host", ""))

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy(host, self._socket_port)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(self)"
            await send(message)

        if not is_loopback(host):
            host = "127.0.0.1"
            refusal = _error(
                421, "http.host", "this gateway answers to loopback names only (127.0.0.1, ::1, localhost)"
            )
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
