"""Readings, video events, reports by people and outside warnings over HTTP, answered when Kafka has them.

``POST /v1/readings``, ``/v1/events``, ``/v1/reports`` and ``/v1/warnings`` take a JSON array (or one object) or NDJSON, plain or gzip.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.intake import HTTP, HTTP_EVENTS, HTTP_REPORTS, HTTP_WARNINGS, Intake
from ingest.rows import Form
from yiwang.errors import BadInput, Unavailable, YiwangError
from yiwang.metrics import Metrics

RETRY_AFTER_S = 5
BODY_TIMEOUT_S = 30.0
FORMS: dict[str, Form] = {
    "application/json": "array",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
}
_STATUS = {
    "body.too_large": 413,
    "body.rows": 413,
    "body.type": 415,
    "body.encoding": 415,
    "body.slow": 408,
    "http.path": 404,
    "http.method": 405,
}


def app(
    intake: Intake,
    *,
    body_limit: int,
    health: Callable[[], dict[str, Any]],
    metrics: Metrics | None = None,
    body_timeout_s: float = BODY_TIMEOUT_S,
) -> ASGIApp:
    """The application.

    Args:
        intake: takes the bodies.
        body_limit: largest body, bytes, packed and unpacked.
        health: what ``GET /healthz`` answers.
        metrics: what ``GET /metrics`` shows.
        body_timeout_s: a body takes no longer than this to arrive.
    """
    takes = {
        path: _Take(intake, source, body_limit, body_timeout_s)
        for path, source in (
            ("/v1/readings", HTTP),
            ("/v1/events", HTTP_EVENTS),
            ("/v1/reports", HTTP_REPORTS),
            ("/v1/warnings", HTTP_WARNINGS),
        )
    }

    async def counters(request: Request) -> Response:
        del request
        return _json(intake.counters.as_json(), 200)

    async def healthz(request: Request) -> Response:
        del request
        return _json(health(), 200)

    async def figures(request: Request) -> Response:
        assert metrics is not None
        body, content_type = metrics.text(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    rest = Starlette(
        routes=[
            *(Route(path, one, methods=["POST"]) for path, one in takes.items()),
            Route("/v1/counters", counters, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
            *([Route("/metrics", figures, methods=["GET"])] if metrics else []),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        found = takes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (found or rest)(scope, receive, send)  # a body goes straight to its place

    return application


class _Take:
    """Takes the bodies of one path.

    Args:
        intake: where to.
        source: name in the counters.
        limit: largest body, bytes.
        timeout_s: a body takes no longer than this to arrive.
    """

    def __init__(self, intake: Intake, source: str, limit: int, timeout_s: float) -> None:
        self._intake = intake
        self._source = source
        self._limit = limit
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = dict(scope["headers"])
        client = scope.get("client")
        sender = f"http:{client[0]}" if client else HTTP
        try:
            self._intake.limiter.check(sender, self._intake.clock.now_ns())
            form = _form(headers)
            async with asyncio.timeout(self._timeout_s):
                payload = await _body(headers, receive, self._limit)
        except TimeoutError:
            error = BadInput("body.slow", f"the body did not arrive within {self._timeout_s:g} s")
            answer = self._refused(error)
        except BadInput as error:
            answer = self._refused(error)
        except Unavailable as error:  # its sender sends too much
            answer = refusal(error)
        else:
            if payload is None:
                return  # the client has gone: nobody reads an answer
            try:
                answer = _json(await self._intake.body(payload, form, self._source, sender), 202)
            except YiwangError as error:
                answer = refusal(error)
        await answer(scope, receive, send)

    def _refused(self, error: BadInput) -> Response:
        self._intake.counters.of(self._source).rejected[error.code] += 1
        return refusal(error)


def _json(data: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(data), status, headers, "application/json")


def refusal(error: YiwangError, headers: dict[str, str] | None = None) -> Response:
    """How an error is answered."""
    if isinstance(error, Unavailable):
        retry_s = error.details.get("retry_s", RETRY_AFTER_S)
        status = 429 if error.code == "ingest.rate_limited" else 503
        return _json(error.as_json(), status, {"Retry-After": str(retry_s)})
    return _json(error.as_json(), _STATUS.get(error.code, 400), headers)


def _not_found(request: Request, _: Exception) -> Response:
    return refusal(
        BadInput(
            "http.path",
            f"there is nothing at {request.url.path[:100]}; there are POST /v1/readings, /v1/events,"
            " /v1/reports, /v1/warnings, GET /v1/counters, GET /healthz, GET /metrics",
        )
    )


def _not_allowed(request: Request, exc: Exception) -> Response:
    allow = exc.headers["Allow"] if isinstance(exc, HTTPException) and exc.headers else ""
    message = f"{request.url.path} takes {allow}, not {request.method[:20]}"
    return refusal(BadInput("http.method", message, allow=allow), {"Allow": allow})


def _form(headers: Mapping[bytes, bytes]) -> Form:
    given = headers.get(b"content-type", b"").decode("latin-1")
    form = FORMS.get(given) or FORMS.get(given.partition(";")[0].strip().lower())
    if form is None:
        raise BadInput(
            "body.type",
            f"Content-Type {given[:80]!r} is not taken; send application/json or application/x-ndjson",
        )
    return form


async def _body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes | None:
    """The whole body, unpacked, never holding more than ``limit`` bytes of either kind; None if it breaks off."""
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise BadInput("body.encoding", f"Content-Encoding {encoding[:40]!r} is not taken; send gzip or none")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    unpacker = _Gunzip(limit) if encoding == "gzip" else None
    parts: list[bytes] = []
    came, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        came += len(chunk)
        if came > limit:
            raise _too_large(limit)
        if chunk:
            parts.append(unpacker.feed(chunk) if unpacker else chunk)
    if unpacker:
        unpacker.end()
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Gunzip:
    """Unpacks piece by piece and stops at the limit, however small the packed body is."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._out = 0
        self._member = zlib.decompressobj(wbits=31)
        self._began = False

    def feed(self, data: bytes) -> bytes:
        parts = []
        while data:
            if self._member.eof:  # a gzip file may have several members
                self._member = zlib.decompressobj(wbits=31)
            self._began = True
            try:
                part = self._member.decompress(data, self._limit - self._out + 1)
            except zlib.error as error:
                raise BadInput(
                    "body.gzip", f"the body is not the gzip that Content-Encoding says: {error}"
                ) from None
            self._out += len(part)
            if self._out > self._limit:
                raise _too_large(self._limit)
            parts.append(part)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return b"".join(parts)

    def end(self) -> None:
        if not self._began or not self._member.eof:
            raise BadInput("body.gzip", "the gzip body ends too early")


def _too_large(limit: int) -> BadInput:
    return BadInput(
        "body.too_large", f"the body is larger than {limit} bytes; send fewer rows at once", limit=limit
    )
