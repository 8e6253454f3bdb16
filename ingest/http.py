"""Readings, video events, reports by people and outside warnings over HTTP, answered when Kafka has them.

``POST /v1/readings``, ``/v1/events``, ``/v1/reports`` and ``/v1/warnings`` take a JSON array (or one object) or NDJSON, plain or gzip.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

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
) -> Starlette:
    """The application.

    Args:
        intake: takes the bodies.
        body_limit: largest body, bytes, packed and unpacked.
        health: what ``GET /healthz`` answers.
        metrics: what ``GET /metrics`` shows.
        body_timeout_s: a body takes no longer than this to arrive.
    """

    def take(source: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                form = _form(request)
                async with asyncio.timeout(body_timeout_s):
                    payload = await _body(request, body_limit)
            except TimeoutError:
                error = BadInput("body.slow", f"the body did not arrive within {body_timeout_s:g} s")
                intake.counters.of(source).rejected[error.code] += 1
                return _refusal(error)
            except BadInput as error:
                intake.counters.of(source).rejected[error.code] += 1
                return _refusal(error)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            try:
                return _json(await intake.body(payload, form, source), 202)
            except YiwangError as error:
                return _refusal(error)

        return endpoint

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

    return Starlette(
        routes=[
            Route("/v1/readings", take(HTTP), methods=["POST"]),
            Route("/v1/events", take(HTTP_EVENTS), methods=["POST"]),
            Route("/v1/reports", take(HTTP_REPORTS), methods=["POST"]),
            Route("/v1/warnings", take(HTTP_WARNINGS), methods=["POST"]),
            Route("/v1/counters", counters, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
            *([Route("/metrics", figures, methods=["GET"])] if metrics else []),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


def _json(data: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(data), status, headers, "application/json")


def _refusal(error: YiwangError, headers: dict[str, str] | None = None) -> Response:
    if isinstance(error, Unavailable):
        return _json(error.as_json(), 503, {"Retry-After": str(RETRY_AFTER_S)})
    return _json(error.as_json(), _STATUS.get(error.code, 400), headers)


def _not_found(request: Request, _: Exception) -> Response:
    return _refusal(
        BadInput(
            "http.path",
            f"there is nothing at {request.url.path[:100]}; there are POST /v1/readings, /v1/events,"
            " /v1/reports, /v1/warnings, GET /v1/counters, GET /healthz, GET /metrics",
        )
    )


def _not_allowed(request: Request, exc: Exception) -> Response:
    allow = exc.headers["Allow"] if isinstance(exc, HTTPException) and exc.headers else ""
    message = f"{request.url.path} takes {allow}, not {request.method[:20]}"
    return _refusal(BadInput("http.method", message, allow=allow), {"Allow": allow})


def _form(request: Request) -> Form:
    given = request.headers.get("content-type", "")
    form = FORMS.get(given.partition(";")[0].strip().lower())
    if form is None:
        raise BadInput(
            "body.type",
            f"Content-Type {given[:80]!r} is not taken; send application/json or application/x-ndjson",
        )
    return form


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, unpacked, never holding more than ``limit`` bytes of either kind."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise BadInput("body.encoding", f"Content-Encoding {encoding[:40]!r} is not taken; send gzip or none")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    unpacker = _Gunzip(limit) if encoding == "gzip" else None
    parts: list[bytes] = []
    came = 0
    async for chunk in request.stream():
        came += len(chunk)
        if came > limit:
            raise _too_large(limit)
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
