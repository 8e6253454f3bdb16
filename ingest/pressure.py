"""A bound on what ingest works on at once: the bytes of all bodies that are under way."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response

from yiwang.errors import Unavailable

Scope = MutableMapping[str, Any]  # Any: as ASGI has them
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
RETRY_S = 1
UNPACKED = 16
"""A packed body is taken to be so many times as large unpacked."""


class Bounded:
    """An application that refuses bodies while too many are under way, before a byte of them is read.

    A body is under way from its first byte until it is answered, which is when Kafka has it: so a broker that is
    slow holds the senders back, and not the memory.

    Args:
        app: what takes the bodies.
        limit_bytes: of all bodies together, unpacked. A lone body is always taken.
        body_limit: largest body, bytes; counted for one whose length is not announced.
        refusal: how an error is answered.

    Attributes:
        bytes: under way now.
        refused: bodies refused since the start.
    """

    def __init__(
        self, app: App, *, limit_bytes: int, body_limit: int, refusal: Callable[[Unavailable], Response]
    ) -> None:
        self._app = app
        self.limit_bytes = limit_bytes
        self._body_limit = body_limit
        self._refusal = refusal
        self.bytes = 0
        self.refused = 0

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        size = self._size(scope)
        if self.bytes and self.bytes + size > self.limit_bytes:
            self.refused += 1
            error = Unavailable(
                "ingest.busy",
                f"ingest has {self.bytes // 2**20} MB of bodies under way, {self.limit_bytes // 2**20} MB is the limit;"
                f" send again in {RETRY_S} s",
                limit=self.limit_bytes,
                retry_s=RETRY_S,
            )
            await self._refusal(error)(scope, receive, send)
            return
        self.bytes += size
        try:
            await self._app(scope, receive, send)
        finally:
            self.bytes -= size

    def _size(self, scope: Scope) -> int:
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        size = int(announced) if announced.isdigit() else self._body_limit
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            size *= UNPACKED
        return min(size, self._body_limit)
