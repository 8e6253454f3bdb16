"""The demo: a city night through the real system, to watch, or headless to be judged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from ingest.feeder import Feeder
from scenarios import night
from scenarios.model import Scenario
from scenarios.player import Player, Progress
from scenarios.running import Stored, collect, wait_until_through
from scenarios.scoring import Score, score
from scenarios.workers import Measured, SimulatedStaff
from yiwang.broker import start_producer
from yiwang.clock import Clock
from yiwang.model import Order
from yiwang.runs import Run

LIFE_PIECE_S = 300.0  # the quiet life after the night is made in pieces of this length
CLOSED_ORDERS = ("done", "verified")
DEAD_ORDERS = ("cancelled", "declined")
PATIENCE_S = 30.0
"""Crews that have done nothing for so long at the end of the play are not waited for."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a headless night came to."""

    score: Score
    stored: Stored
    sent: int  # readings the player sent
    latency: Measured

    @property
    def support(self) -> bool:
        """Whether a neighbour's crew was sent."""
        return supported(self.stored.orders)

    @property
    def lost(self) -> int:
        """Readings that were sent and are not stored."""
        return self.sent - (self.stored.readings - self.stored.doubled)

    def orders(self) -> dict[str, int]:
        """Orders that units took on, and how many of them are done."""
        live = _live(self.stored.orders)
        return {"sent": len(live), "closed": sum(o.state in CLOSED_ORDERS for o in live)}

    def as_json(self, scenario: Scenario, seconds: float) -> dict[str, object]:
        """The one line that ``yiwang demo --once --json`` ends with."""
        counts = self.score.summary()
        return {
            "truth_met": self.met(scenario),
            "incidents": {key: counts[key] for key in ("expected", "found", "missed", "false")},
            "orders": self.orders(),
            "readings": {
                "sent": self.sent,
                "stored": self.stored.readings,
                "lost": self.lost,
                "doubled": self.stored.doubled,
            },
            "latency_ms": {"p50": self.latency.p50_ms, "p99": self.latency.p99_ms},
            "seconds": round(seconds, 1),
        }

    def unmet(self, scenario: Scenario) -> list[str]:
        """What is missing, in words; empty where the night went as it should."""
        orders, problems = self.orders(), []
        if not self.score.met:
            problems.append("the incidents are not those of the truth; see the table")
        if not all_done(self.stored.orders):
            problems.append(f"of {orders['sent']} orders that units took on {orders['closed']} are done")
        if self.support < scenario.expect_support:
            problems.append("no crew of a neighbouring district was sent")
        if self.lost or self.stored.doubled:
            problems.append(f"{self.lost} readings lost, {self.stored.doubled} stored twice")
        return problems

    def met(self, scenario: Scenario) -> bool:
        """Every truth found as it was, every order done, and the neighbour's crew sent where it was needed."""
        return self.score.met and all_done(self.stored.orders) and self.support >= scenario.expect_support


def _live(orders: Iterable[Order]) -> list[Order]:
    return [o for o in orders if o.state not in DEAD_ORDERS]


def all_done(orders: Sequence[Order]) -> bool:
    """Whether there are orders, and every one that a unit took on is done."""
    live = _live(orders)
    return bool(live) and all(o.state in CLOSED_ORDERS for o in live)


def supported(orders: Sequence[Order]) -> bool:
    """Whether a crew of one district has done an order for another."""
    return any(o.for_district >= 0 and o.state in CLOSED_ORDERS for o in orders)


async def once(
    run: Run,
    scenario: Scenario,
    *,
    bootstrap: str,
    dsn: str,
    socket: str,
    clock: Clock,
    speed: float,
    tell: Callable[[Progress], None],
) -> Outcome:
    """Play the night headless, with simulated workers on the same socket as a phone, and judge it."""
    producer = await start_producer(bootstrap, client_id=f"yiwang-player-{run.name}")
    units = [u for r in scenario.registries.values() for u in r.units]
    watched = [(n, s.number) for n, r in scenario.registries.items() for d in r.devices for s in d.series]
    try:
        async with (
            Feeder(producer, run.topics, clock=clock, frame_ms=20, frame_rows=5000) as feeder,
            SimulatedStaff(socket, units, watched=watched, clock=clock, speed=speed) as staff,
        ):
            player = Player(scenario, feeder, clock, speed=speed, tell=tell)
            await player.open()
            await player.play()
            stored = await _carried_out(run, scenario, bootstrap=bootstrap, dsn=dsn)
            latency = staff.measured()
    finally:
        await producer.stop()
    return Outcome(
        score=score(scenario, stored.incidents),
        stored=stored,
        sent=player.progress.readings,
        latency=latency,
    )


async def _carried_out(run: Run, scenario: Scenario, *, bootstrap: str, dsn: str) -> Stored:
    """What is stored when all is through and the crews, who work by the wall clock, are done with their orders.

    A machine that is slower than the play has orders under way when the feed ends. When nothing is stored any more
    for ``PATIENCE_S``, what there is counts.
    """
    loop = asyncio.get_running_loop()
    last: tuple[Order, ...] = ()
    moved_at = loop.time()
    while True:
        await wait_until_through(run, bootstrap=bootstrap, dsn=dsn)
        stored = await collect(run, dsn=dsn)
        if all_done(stored.orders) and supported(stored.orders) >= scenario.expect_support:
            return stored
        if stored.orders != last:
            last, moved_at = stored.orders, loop.time()
        elif loop.time() - moved_at > PATIENCE_S:
            return stored
        await asyncio.sleep(POLL_S)


async def watch(
    run: Run,
    scenario: Scenario,
    *,
    bootstrap: str,
    socket: str,
    clock: Clock,
    speed: float,
    taken: Callable[[], Awaitable[frozenset[str]]],
    first_page: Callable[[], Awaitable[None]],
    tell: Callable[[str], None],
) -> None:
    """Play the night when the first page opens, then let the city live on quietly until cancelled.

    Args:
        taken: posts that people have taken on the pages; simulated workers leave those units alone.
        first_page: returns when a page is open.
        tell: told what happens, in words.
    """
    producer = await start_producer(bootstrap, client_id=f"yiwang-player-{run.name}")
    units = [u for r in scenario.registries.values() for u in r.units]
    try:
        async with Feeder(producer, run.topics, clock=clock, frame_ms=20, frame_rows=5000) as feeder:
            player = Player(scenario, feeder, clock, speed=speed)
            await player.open()
            tell("waiting for the first page to open")
            await first_page()
            async with SimulatedStaff(socket, units, clock=clock, speed=speed, taken=taken):
                tell("the night begins")
                await player.play()
                tell("the night is over; the city lives on quietly")
                await _live_on(player, scenario, feeder, clock)
    finally:
        await producer.stop()


async def _live_on(player: Player, scenario: Scenario, feeder: Feeder, clock: Clock) -> None:
    """Quiet readings and ticks, at the pace of the clock, for ever."""
    while True:
        scenario = night.calm(scenario, start_ns=player.progress.event_ns, duration_s=LIFE_PIECE_S)
        player = Player(scenario, feeder, clock, speed=1.0)
        await player.play()
