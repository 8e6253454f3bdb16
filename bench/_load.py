"""JSON readings over HTTP at a rate: ``python -m bench._load --ports 1,2 --devices N …``; a process of its own.

Bodies are made beforehand, every device once in a random order; before a body is sent its times are written over
with the present one, so that a device's readings are never late. One JSON line at the end says what was accepted.
"""

import argparse
import json
import selectors
import socket
import sys
import time
from datetime import UTC, datetime

import numpy as np

CLOCK = b"2026-01-01T00:00:00.000"


class Bodies:
    """Requests that hold each device once.

    Args:
        devices: how many there are; device i is called ``NAME % i``.
        rows: readings a request.
        seed: of order and values.
        high: one reading in so many is high water; 0: none.
        spare: one device in so many, from the first on, is left to others; 0: none.
    """

    def __init__(
        self, devices: int, rows: int, *, seed: int, high: int, spare: int = 0, host: str = "bench"
    ) -> None:
        chance = np.random.default_rng(seed)
        order = chance.permutation(devices)
        if spare:
            order = order[order % spare != 0]
        value = 5 + chance.normal(0, 0.3, len(order))
        if high:
            value[high - 1 :: high] += 30
        self.requests: list[tuple[bytearray, np.ndarray, int]] = []
        for at in range(0, len(order), rows):
            pieces = [
                b'{"device":"%s","metric":"water_depth","time":"%sZ","value":%.2f,"unit":"cm"}'
                % (NAME % i, CLOCK, v)
                for i, v in zip(order[at : at + rows].tolist(), value[at : at + rows].tolist(), strict=True)
            ]
            body = b"[" + b",".join(pieces) + b"]"
            head = (
                b"POST /v1/readings HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (host.encode(), len(body))
            )
            request = bytearray(head + body)
            ends = np.cumsum([len(p) + 1 for p in pieces]) + len(head) + 1
            starts = ends - [len(p) + 1 for p in pieces] + [p.index(CLOCK) for p in pieces]
            self.requests.append((request, starts[:, None] + np.arange(len(CLOCK)), len(pieces)))
        self._at = 0

    def next(self) -> tuple[memoryview, int]:
        """The next request, stamped with now, and how many readings it holds; valid until its turn comes again."""
        request, where, rows = self.requests[self._at]
        self._at = (self._at + 1) % len(self.requests)
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")[: len(CLOCK)].encode()
        np.frombuffer(request, np.uint8)[where] = np.frombuffer(stamp, np.uint8)
        return memoryview(request), rows


NAME = b"WL-%07d"


class Line:
    """One connection with one request under way at most; servers close those that were idle for long."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.request = self.left = memoryview(b"")
        self.rows = 0  # of the request under way
        self.sent_s = 0.0
        self.answer = b""

    def give(self, request: memoryview, rows: int) -> None:
        """Begin a request."""
        self.request = self.left = request
        self.rows, self.sent_s, self.answer = rows, time.perf_counter(), b""
        self.push()

    def push(self) -> None:
        """Send as much as goes."""
        while self.left:
            try:
                self.left = self.left[self.socket.send(self.left) :]
            except BlockingIOError:
                return
            except ConnectionError:
                return  # as reading says next

    def taken(self) -> int | None:
        """Status of the answer when it is whole, else None."""
        came = self.socket.recv(65536)
        if not came:
            raise ConnectionResetError
        self.answer += came
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = next(
            int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")
        )
        return int(head.split(b" ", 2)[1]) if len(body) >= length else None


def _events(line: Line) -> int:
    """What to wait for."""
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if line.left else 0)


def run(
    bodies: Bodies, ports: list[int], *, seconds: float, lines: int, rate: float
) -> dict[str, float | int]:
    """Send for so long; 0 as rate: as fast as answers come. What Kafka has is what counts."""
    selector = selectors.DefaultSelector()
    idle = []
    for k in range(lines):
        line = Line(ports[k % len(ports)])
        selector.register(line.socket, selectors.EVENT_READ, line)
        idle.append(line)
    began = time.perf_counter()
    cpu = time.process_time()
    accepted = refused = offered = resent = 0
    waits: list[float] = []
    while True:
        now = time.perf_counter() - began
        over = now >= seconds
        if over and len(idle) == lines:
            break
        while idle and not over and (not rate or offered < rate * now):
            line = idle.pop()  # the one that was idle for the shortest time
            request, rows = bodies.next()
            offered += rows
            line.give(request, rows)
            if line.left:
                selector.modify(line.socket, _events(line), line)
        for key, events in selector.select(0.001 if rate else 0.1):
            line = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    line.push()
                status = line.taken() if events & selectors.EVENT_READ else None
            except ConnectionError:
                # closed because it was idle, perhaps just as the next request was on its way: that goes again
                selector.unregister(line.socket)
                line.socket.close()
                fresh = Line(line.port)
                selector.register(fresh.socket, selectors.EVENT_READ, fresh)
                if line in idle:
                    idle[idle.index(line)] = fresh
                else:
                    resent += 1
                    fresh.give(line.request, line.rows)
                    selector.modify(fresh.socket, _events(fresh), fresh)
                continue
            if events & selectors.EVENT_WRITE and not line.left:
                selector.modify(line.socket, selectors.EVENT_READ, line)
            if status is None:
                continue
            waits.append(time.perf_counter() - line.sent_s)
            if status == 202:
                accepted += line.rows
            else:
                refused += line.rows
            idle.append(line)
    took = time.perf_counter() - began
    p50, p99 = np.percentile(waits, (50, 99)) if waits else (0.0, 0.0)
    return {
        "offered": offered,
        "accepted": accepted,
        "refused": refused,
        "resent": resent,
        "seconds": took,
        "per_s": accepted / took,
        "answer_p50_ms": p50 * 1e3,
        "answer_p99_ms": p99 * 1e3,
        "cpu": (time.process_time() - cpu) / took,
    }


def main() -> None:
    """Make the bodies, say so, wait for a line on standard input, send, say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ports", required=True, help="of ingest, comma-separated")
    parser.add_argument("--devices", type=int, required=True)
    parser.add_argument("--rows", type=int, default=2000, help="readings a request")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--lines", type=int, default=64, help="connections")
    parser.add_argument("--rate", type=float, default=0.0, help="readings a second; 0: as fast as it goes")
    parser.add_argument("--high", type=int, default=200_000, help="one reading in so many is high water")
    parser.add_argument("--spare", type=int, default=0, help="one device in so many is left to others")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    bodies = Bodies(given.devices, given.rows, seed=given.seed, high=given.high, spare=given.spare)
    print(json.dumps({"ready": "load", "requests": len(bodies.requests)}), flush=True)
    sys.stdin.readline()
    ports = [int(p) for p in given.ports.split(",")]
    result = run(bodies, ports, seconds=given.seconds, lines=given.lines, rate=given.rate)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
