"""Rounds of faults on the real services, under load: nothing is lost, nothing doubled, and there is one story.

One of each kind runs with all tests; ``make test-faults`` runs twenty (``YIWANG_TEST_FAULTS``).
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.faults.judging import judge
from tests.faults.rig import City, Ground, city, ground
from yiwang.commands._processes import SILENT_S

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("YIWANG_TEST_FAULTS", "1"))
PAUSE_S = float(os.environ.get("YIWANG_TEST_PAUSE_S", "60" if ROUNDS > 1 else "8"))
"""Longer than the session time-out of 6 s: others take over, and the paused one wakes up to that."""

Round = Callable[[City, int], Awaitable[None]]


async def kill_streams(one: City, n: int) -> None:
    """``kill -9`` of a district worker, every third time of both and the city worker."""
    await one.kill(*(("district0", "district1", "city0") if n % 3 == 2 else (f"district{n % 2}",)))


async def kill_ingest(one: City, _: int) -> None:
    """``kill -9`` of ingest."""
    await one.kill("ingest")


async def kill_persist(one: City, _: int) -> None:
    """``kill -9`` of persist."""
    await one.kill("persist0")


async def kill_gateway(one: City, _: int) -> None:
    """``kill -9`` of the gateway."""
    await one.kill("serve")


async def kill_all(one: City, _: int) -> None:
    """``kill -9`` of every process at the same moment, as when a machine loses its power."""
    await one.kill(*one.children)


PAUSED = (
    ("district0", "persist0"),
    ("district1", "ingest"),
    ("district0", "district1", "serve"),
    ("persist0", "city0"),
)


async def pause(one: City, n: int) -> None:
    """SIGSTOP of several at once, and SIGCONT after others have taken over."""
    await one.pause(*PAUSED[n % len(PAUSED)], seconds=PAUSE_S)


async def broker_again(one: City, n: int) -> None:
    """The broker restarted, after ``kill -9`` and in order by turns."""
    await asyncio.to_thread(one.ground.broker_again, clean=n % 2 == 1)


async def database_again(one: City, n: int) -> None:
    """The database restarted, as after a crash and fast by turns."""
    await asyncio.to_thread(one.ground.database_again, immediate=n % 2 == 0)


async def rebalance(one: City, _: int) -> None:
    """A district worker more, and gone again."""
    await one.rebalance(one.recovered)


KINDS: dict[str, Round] = {
    kind.__name__: kind
    for kind in (
        kill_streams,
        kill_ingest,
        kill_persist,
        kill_gateway,
        kill_all,
        pause,
        broker_again,
        database_again,
        rebalance,
    )
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A broker and a database that may be killed."""
    with ground(tmp_path_factory.mktemp("faults")) as both:
        yield both


def _of(kind: str) -> list[tuple[str, int]]:
    return [(kind, n) for n in range(ROUNDS)]


async def carry(
    at: Ground, name: str, rounds: list[tuple[str, int]], *, silent_s: float | None = None
) -> None:
    """A city under load, a fault after the other, each when everything has recovered from the last; then judged."""
    took: dict[str, list[float]] = {}
    async with city(at, name, silent_s=silent_s) as one:
        for kind, n in rounds:
            begun = time.monotonic()
            await KINDS[kind](one, n)
            await one.recovered()
            took.setdefault(kind, []).append(round(time.monotonic() - begun, 1))
            print(json.dumps({"run": name, "round": kind, "n": n, "s": took[kind][-1]}), flush=True)
    verdict = await judge(one)
    print(json.dumps({"run": name, "took_s": took, "counts": verdict.counts}), flush=True)
    assert not verdict.wrong, "\n".join(verdict.wrong)
    counts = verdict.counts
    assert min(counts[what] for what in ("readings", "incident", "work_order", "commands")) > 0


@pytest.mark.skipif(ROUNDS > 1, reason="the rounds run kind by kind")
async def test_one_round_of_each(services: Ground) -> None:
    """Every kind of fault in one run; of the kills that of all processes at once."""
    quick = [kind for kind in KINDS if kind == "kill_all" or not kind.startswith("kill")]
    await carry(services, "each", [(kind, 0) for kind in quick])


@pytest.mark.skipif(ROUNDS == 1, reason="one round of each runs in one go; make test-faults runs more")
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_rounds(services: Ground, kind: str) -> None:
    """Many rounds of one kind."""
    await carry(services, kind.replace("_", "-"), _of(kind))


@pytest.mark.skipif(ROUNDS == 1, reason="make test-faults: the watch takes its time")
async def test_consumers_that_fall_silent_are_noticed(services: Ground) -> None:
    """Processes that live and read nothing: the watch over their progress ends them, or gives them a new connection."""
    deaf = ("district0", "persist0", "city0", "serve")
    async with city(services, "deaf", deaf=deaf) as one:
        await one.all_deaf(deaf)
        await one.recovered()
        assert all(one.restarts(role) for role in deaf if role != "serve")
    verdict = await judge(one)
    assert not verdict.wrong, "\n".join(verdict.wrong)


@pytest.mark.skipif(
    ROUNDS == 1, reason="make test-faults: the pauses are longer than the watchdog's patience"
)
async def test_the_watchdog_ends_what_is_silent(services: Ground) -> None:
    """A process that was stopped is named, ended and started again long before anybody lets it go on."""
    async with city(services, "watchdog", silent_s=SILENT_S) as one:
        for roles in PAUSED:
            before = [one.silences(role) for role in roles]
            await one.pause(*roles, seconds=PAUSE_S)
            assert [one.silences(role) for role in roles] == [n + 1 for n in before]
            await one.recovered()
    verdict = await judge(one)
    assert not verdict.wrong, "\n".join(verdict.wrong)
