"""Who sends too much is named and limited; nobody else notices."""

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import http
from ingest.deadletters import DeadLetters
from ingest.feeder import Feeder
from ingest.intake import Intake
from ingest.limits import NAMED, OTHERS, SOURCES, Limiter, Rates, count
from ingest.pressure import Bounded
from tests.ingest.producer import FakeProducer
from tests.ingest.town import LIMITS, NOW_NS, array, catalogue, row
from yiwang.clock import SECOND, ManualClock
from yiwang.columns import Readings
from yiwang.errors import Unavailable
from yiwang.topics import Topics

T = NOW_NS


def refused(limiter: Limiter, source: str, t_ns: int) -> Unavailable | None:
    try:
        limiter.check(source, t_ns)
    except Unavailable as error:
        return error
    return None


def test_a_source_may_send_its_rate_and_ten_seconds_of_it_at_once() -> None:
    """Then it is refused, by name, with the time to come again; after that time it is taken."""
    limiter = Limiter(Rates(readings=100))
    limiter.took("http:10.0.0.1", T, good=1000, bad=0)
    error = refused(limiter, "http:10.0.0.1", T)
    assert error is not None
    assert error.code == "ingest.rate_limited"
    assert error.details == {"source": "http:10.0.0.1", "what": "readings", "limit": 100, "retry_s": 1}
    assert "http:10.0.0.1 sends too many readings: at most 100 a second" in error.message
    assert refused(limiter, "http:10.0.0.2", T) is None
    assert refused(limiter, "http:10.0.0.1", T + SECOND) is None
    assert limiter.refused.bodies == {"http:10.0.0.1": 1}


@given(
    rate=st.sampled_from([1.0, 50.0, 1000.0]),
    sends=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 3000)), max_size=40),
)
def test_in_the_long_run_no_more_than_the_rate_is_taken(rate: float, sends: list[tuple[float, int]]) -> None:
    """The bucket, one body of debt at most, and what flows in; whoever comes at the time said is taken."""
    limiter = Limiter(Rates(readings=rate))
    t_ns, taken, largest = T, 0, 0
    for gap_s, n in sends:
        t_ns += round(gap_s * SECOND)
        error = refused(limiter, "s", t_ns)
        if error is not None:
            again_ns = t_ns + error.details["retry_s"] * SECOND
            assert limiter.wait_s("s", again_ns) == 0
            t_ns = again_ns
        limiter.took("s", t_ns, good=n, bad=0)
        taken, largest = taken + n, max(largest, n)
        if largest <= 60 * rate:  # debt is remembered for a minute
            assert taken <= rate * 10 + largest + rate * (t_ns - T) / SECOND + 1


def test_without_limits_nothing_is_remembered() -> None:
    """The default for readings."""
    limiter = Limiter()
    assert limiter.took("s", T, good=10**9, bad=10**6) == 10**6
    assert refused(limiter, "s", T) is None
    assert not limiter._sources


def test_bad_rows_beyond_the_rate_are_counted_and_not_kept_while_good_ones_are_taken() -> None:
    """Only a source that sends nothing good is refused, and only until its bucket has filled a little."""
    limiter = Limiter(Rates(bad=10))
    assert limiter.took("s", T, good=50, bad=590) == 590
    assert limiter.took("s", T, good=50, bad=20) == 10
    assert refused(limiter, "s", T) is None
    assert limiter.took("s", T, good=0, bad=5) == 0
    error = refused(limiter, "s", T)
    assert error is not None
    assert error.details["what"] == "bad rows"
    assert refused(limiter, "s", T + error.details["retry_s"] * SECOND) is None
    assert limiter.refused.letters == {"s": 15}


def test_sources_and_names_are_bounded() -> None:
    """A million addresses cost no more than a few thousand; the longest silent one is forgotten."""
    limiter = Limiter(Rates(readings=1))
    for n in range(SOURCES + 10):
        limiter.took(f"s{n}", T + n, good=100, bad=0)
    assert len(limiter._sources) == SOURCES
    assert refused(limiter, "s0", T + 9999) is None
    assert refused(limiter, f"s{SOURCES}", T + 9999) is not None
    names: Counter[str] = Counter()
    for n in range(NAMED + 50):
        count(names, str(n))
    assert len(names) == NAMED + 1
    assert names[OTHERS] == 50


@given(
    batches=st.lists(st.lists(st.integers(0, 4), max_size=40), max_size=8),
    gaps=st.lists(st.integers(0, 30), min_size=8, max_size=8),
)
def test_of_one_series_no_more_than_its_rate_is_taken_whatever_the_batches(
    batches: list[list[int]], gaps: list[int]
) -> None:
    """In each window of ten seconds the first readings of a series are taken, and nobody else's are left out."""
    limiter = Limiter(Rates(series=0.5))  # five in a window
    t_ns = T
    had: Counter[tuple[int, int]] = Counter()
    for batch, gap in zip(batches, gaps, strict=False):
        t_ns += gap * SECOND
        window = t_ns // (10 * SECOND)
        rows = Readings.of([(s, t_ns + i, float(i), 0) for i, s in enumerate(batch)])
        expected, gone = [], Counter[str]()
        for i, s in enumerate(batch):
            had[window, s] += 1
            if had[window, s] <= 5:
                expected.append(float(i))
            else:
                gone[f"3/{s}"] += 1
        kept, told = limiter.thin({3: rows}, t_ns)
        assert kept[3].value.tolist() == expected
        assert told == gone


class Door:
    """The whole HTTP side, with limits."""

    def __init__(self, rates: Rates, *, inflight: int = 10**9) -> None:
        self.producer, self.clock = FakeProducer(), ManualClock(NOW_NS)
        topics, present = Topics("test"), catalogue()
        self.feeder = Feeder(self.producer, topics, clock=self.clock, frame_ms=1, frame_rows=100)
        self.intake = Intake(
            self.feeder,
            DeadLetters(self.producer, topics),
            lambda: present,
            LIMITS,
            self.clock,
            Limiter(rates),
        )
        inner = http.app(self.intake, body_limit=10_000, health=lambda: {"ok": True})
        self.app = Bounded(inner, limit_bytes=inflight, body_limit=10_000, refusal=http.refusal)

    async def post(self, *rows: dict[str, Any], client: str = "10.0.0.1", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as one:
            return await one.post(
                "/v1/readings",
                content=array(*rows),
                headers={"content-type": "application/json"}
                | {k.replace("_", "-"): v for k, v in headers.items()},
            )

    async def counters(self) -> dict[str, Any]:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as one:
            found: dict[str, Any] = (await one.get("/v1/counters")).json()
            return found


async def test_a_client_that_sends_too_much_gets_429_and_the_others_202() -> None:
    """With Retry-After, its name and the limit; counted by name."""
    door = Door(Rates(readings=1))
    async with door.feeder:
        assert (await door.post(*[row()] * 30)).status_code == 202
        answer = await door.post(row())
        assert (answer.status_code, answer.json()["code"]) == (429, "ingest.rate_limited")
        assert answer.headers["retry-after"] == "21"
        assert answer.json()["args"]["source"] == "http:10.0.0.1"
        assert (await door.post(row(), client="10.0.0.2")).status_code == 202
        door.clock.advance(21)
        assert (await door.post(row(time="2026-06-01T20:15:01+08:00"))).status_code == 202
        assert (await door.counters())["refused"]["bodies"] == {"http:10.0.0.1": 1}
    assert len(door.producer.values()) == 32


async def test_a_series_with_too_many_readings_is_named_in_the_answer() -> None:
    """The rest of the body is taken."""
    door = Door(Rates(series=0.2))
    async with door.feeder:
        answer = await door.post(row(device="WL-9"), *[row(value=v) for v in (1, 2, 3, 4)])
        assert answer.json()["accepted"] == 3
        (told,) = answer.json()["warnings"]
        assert told["code"] == "ingest.rate_limited"
        assert told["message"].startswith("series 0 of district 0: 2 readings beyond 0.2 a second")
    assert sorted(door.producer.values()) == [1.0, 2.0, 12.5]


async def test_too_many_bad_rows_are_counted_and_not_kept() -> None:
    """The answer says so; good neighbours are taken; a body without any is then refused."""
    door = Door(Rates(bad=0.05))  # three
    async with door.feeder:
        answer = await door.post(row(), *[row(unit="ell")] * 5)
        assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (202, 1, 5)
        assert answer.json()["warnings"][0]["args"]["count"] == 2
        assert (await door.post(row(), row(unit="ell"))).status_code == 202
        assert (await door.post(row(unit="ell"))).status_code == 202
        assert (await door.post(row(unit="ell"))).status_code == 429
        counters = await door.counters()
        assert counters["refused"]["letters"] == {"http:10.0.0.1": 4}
        assert counters["sources"]["http"]["rejected"] == {"reading.unit_unknown": 7}
    assert len(door.producer.letters) == 3


async def test_a_body_that_is_no_json_counts_as_bad() -> None:
    """Garbage is not kept without end either."""
    door = Door(Rates(bad=1 / 60))
    async with door.feeder:
        statuses = []
        for _ in range(3):
            transport = httpx.ASGITransport(door.app, client=("10.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as one:
                answer = await one.post(
                    "/v1/readings", content=b"[{", headers={"content-type": "application/json"}
                )
                statuses.append(answer.status_code)
    assert statuses == [400, 429, 429]
    assert len(door.producer.letters) == 1


async def test_bodies_under_way_are_bounded() -> None:
    """While Kafka is silent, what is beyond the limit gets 503 ingest.busy before it is read; later it is taken."""
    size = len(array(*[row()] * 20))
    door = Door(Rates(), inflight=size + 100)
    door.producer.hold = True
    async with door.feeder:
        waiting = asyncio.create_task(door.post(*[row()] * 20))
        await door.producer.arrived(1)
        answer = await door.post(*[row()] * 20)
        assert (answer.status_code, answer.json()["code"]) == (503, "ingest.busy")
        assert answer.headers["retry-after"] == "1"
        assert (await door.counters())["sources"] == {}  # other requests are answered
        packed = await door.post(row(), content_encoding="gzip")
        assert packed.json()["code"] == "ingest.busy"
        door.producer.acknowledge()
        assert (await waiting).status_code == 202
        assert (door.app.bytes, door.app.refused) == (0, 2)
        door.producer.hold = False
        assert (await door.post(*[row()] * 25)).status_code == 202  # a lone one is always taken


def test_large_series_numbers_cost_memory_for_those_there_are() -> None:
    """The window of a district grows with its largest series."""
    limiter = Limiter(Rates(series=1))
    rows = Readings.of([(1_000_000, T, 1.0, 0)])
    kept, gone = limiter.thin({0: rows, 1: Readings.of([])}, T)
    assert (len(kept[0]), gone) == (1, {})
    assert limiter._counts[0].dtype == np.int32
    assert json.dumps(limiter.refused.as_json()) == '{"bodies": {}, "readings": {}, "letters": {}}'


@pytest.mark.parametrize("rates", [Rates(readings=5), Rates(bad=5), Rates(readings=5, bad=5)])
def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing(rates: Rates) -> None:
    """Wall clocks are set now and then."""
    limiter = Limiter(rates)
    limiter.took("s", T, good=49, bad=0)
    limiter.took("s", T - 3600 * SECOND, good=0, bad=0)
    assert refused(limiter, "s", T - 7200 * SECOND) is None
