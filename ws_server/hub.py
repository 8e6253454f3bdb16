"""Where everything meets: the live view, the city, all sessions, and how things are. No reading of Kafka here."""

import asyncio
from collections import Counter
from collections.abc import Callable

import aiokafka
from aiokafka.errors import KafkaError

from ws_server.city import City
from ws_server.posts import Post
from ws_server.session import Produce, Session
from ws_server.stages import Stages
from ws_server.store import Store
from ws_server.traced import GatewayTraces
from ws_server.view import Change, LiveView
from ws_server.watching import Watching
from yiwang import codec, logs
from yiwang.broker import unavailable
from yiwang.clock import SECOND, Clock
from yiwang.columns import Readings
from yiwang.errors import Unavailable, YiwangError
from yiwang.fencing import Fence
from yiwang.model import Output
from yiwang.registry import Rules
from yiwang.runs import Run
from yiwang.topics import HEADER_INGEST, Topics

SEND_LIMIT_S = 8.0  # below the time after which a page asks again
ROUND_S = 0.05  # values go to screens this often at most
LONGEST_ROUND_S = 1.0
ROUND_SHARE = 4  # and so rarely that handing them over takes at most one part in so many of the time
STAGE_PERIOD_NS = 60 * SECOND

_log = logs.get("hub")


class Hub:
    """The heart of a gateway; ``life.live`` keeps it going.

    Args:
        bootstrap: Kafka.
        topics: the run's.
        store: the run's database.
        built_in: rules to show until the database has some.
        clock: wall clock.

    Attributes:
        run: the run's row, None as long as the database has not been reached.
        city: registry, posts, map, rules as they are now.
        city_changed: set when there is a reason to read the city again.
        problems: what is away or wrong now, by the task that found it.
        producer: for commands; None until Kafka was reached.
        consumer: of outputs; None while there is none.
        fences: which outputs of each district count.
        lag: outputs not yet taken, per district.
        seen_at: offsets taken at the last look at Kafka; still: looks in a row at which none had moved though outputs
            wait; silent: set when that is too many.
        skipped: feed messages left out for screens because the gateway was behind.
        stages: how long each stage takes.
        traces: follow some outputs; None where they are off.
        counts: ``outputs`` and ``values`` (readings) taken in, ``rounds`` of values, ``deliveries`` (messages handed
            to sockets), and what was left out for slow screens (see ``Outgoing``).
    """

    def __init__(
        self, *, bootstrap: str, topics: Topics, store: Store, built_in: Rules, clock: Clock
    ) -> None:
        self.bootstrap = bootstrap
        self.topics = topics
        self.store = store
        self.built_in = built_in
        self.clock = clock
        self.view = LiveView()
        self.watching = Watching(self.view.values)
        self.stages = Stages()
        self.traces: GatewayTraces | None = None
        self.counts: Counter[str] = Counter()
        self.city = City()
        self.city_changed = asyncio.Event()
        self.run: Run | None = None
        self.problems: dict[str, YiwangError] = {}
        self.producer: aiokafka.AIOKafkaProducer | None = None
        self.consumer: aiokafka.AIOKafkaConsumer | None = None
        self.fences: dict[int, Fence] = {}
        self.lag: dict[int, int] = {}
        self.seen_at: dict[int, int] = {}
        self.still = 0
        self.silent = asyncio.Event()
        self.skipped = 0
        self.pages_opened = 0  # since the start; the demo begins its night with the first
        self._sessions: dict[Session, Callable[[], None]] = {}
        self._told: list[Change] = []  # in this turn of the loop
        self._round: asyncio.TimerHandle | None = None
        self._next_round = 0.0  # on the loop's clock
        self._turned_ns = 0

    # ---- sessions ----

    def join(self, session: Session, wake: Callable[[], None]) -> None:
        """From now on ``session`` is told everything; ``wake`` is called when it has something to send."""
        self._sessions[session] = wake

    def leave(self, session: Session) -> None:
        """The session has ended."""
        session.end()
        self._sessions.pop(session, None)

    @property
    def clients(self) -> int:
        """Live sockets that are open."""
        return len(self._sessions)

    def post_of(self, key: str) -> Post | None:
        """A post as it is registered now."""
        return self.city.posts.get(key)

    # ---- what comes in ----

    def open_doors(self) -> None:
        """The view is complete: answer every hello that had to wait."""
        self.view.ready = True
        _log.info("view_ready", at=self.view.at)
        for session, wake in self._sessions.items():
            session.started()
            wake()

    def output(
        self, district: int, offset: int, output: Output, *, ingest_ns: int | None, agent_ns: int | None
    ) -> None:
        """Take an output and tell everybody who may see it. Nothing may come between the two."""
        change = self.view.apply(
            district,
            offset,
            output,
            ingest_ns=ingest_ns,
            agent_ns=agent_ns,
            gateway_ns=self.clock.now_ns(),
        )
        self.counts["outputs"] += 1
        if change is not None and self.view.ready:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        for session, wake in self._sessions.items():
            session.publish(change)
            wake()
        if not self._told:  # the sessions' shells write at the end of this turn, and then this is called
            asyncio.get_running_loop().call_soon(self._measure)
        self._told.append(change)

    def _measure(self) -> None:
        now_ns = self.clock.now_ns()
        for change in self._told:
            self.stages.add("detect", change.district, change.ingest_ns, change.agent_ns)
            self.stages.add("gateway", change.district, change.agent_ns, now_ns)
        self._told.clear()

    def readings(self, district: int, batch: Readings, ingest_ns: int) -> None:
        """Take readings; whoever watches some of them is told in the next round of values."""
        self.counts["values"] += len(batch)
        due = self.watching.update(district, batch, ingest_ns)
        self.view.ingest_ns[district] = max(ingest_ns, self.view.ingest_ns.get(district, 0))
        if due and self._round is None:
            self._plan_round()

    def _plan_round(self) -> None:
        loop = asyncio.get_running_loop()
        self._round = loop.call_at(max(self._next_round, loop.time()), self._begin_round)

    def _begin_round(self) -> None:
        """Tell those who watch what has changed, at most every ``ROUND_S``, and more rarely where that takes long."""
        loop = asyncio.get_running_loop()
        self.counts["rounds"] += 1
        began, from_ns = loop.time(), dict(self.watching.pending_ns)
        for session in self.watching.round():
            assert isinstance(session, Session)
            self._sessions[session]()
        loop.call_soon(self._end_round, began, from_ns)

    def _end_round(self, began: float, from_ns: dict[int, int]) -> None:
        now, now_ns = asyncio.get_running_loop().time(), self.clock.now_ns()
        for district, ingest_ns in from_ns.items():
            self.stages.add("values", district, ingest_ns, now_ns)
        self._next_round = began + min(LONGEST_ROUND_S, max(ROUND_S, ROUND_SHARE * (now - began)))
        self._round = None
        if self.watching.pending:  # came meanwhile
            self._plan_round()

    def beat(self) -> None:
        """Tell everybody how things are."""
        now_ns = self.clock.now_ns()
        if now_ns - self._turned_ns > STAGE_PERIOD_NS:
            self.stages.turn()
            self._turned_ns = now_ns
        status = self.status()
        for session, wake in self._sessions.items():
            session.beat(status)
            wake()

    # ---- what goes out ----

    async def send(self, effect: Produce) -> None:
        """Put a command on Kafka.

        Raises:
            Unavailable: ``kafka.unavailable``. It may still arrive later; asking again with the same
                command id does no harm.
        """
        if self.producer is None:
            raise unavailable(self.bootstrap, ConnectionError("not connected yet"))
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await self.producer.send_and_wait(
                    self.topics.commands,
                    codec.encode(effect.command),
                    partition=effect.district,
                    headers=[(HEADER_INGEST, str(effect.command.ingest_ns).encode())],
                )
        except (KafkaError, OSError, TimeoutError) as error:
            raise unavailable(self.bootstrap, error) from error

    # ---- how things are ----

    async def find_run(self) -> Run:
        """The run's row, read once.

        Raises:
            BadInput: ``run.unknown``, ``database.not_migrated``.
            YiwangError: ``database.…``.
        """
        if self.run is None:
            run = await self.store.run()
            self.view.epoch = f"{run.name}.{run.created_ns}"
            self.run = run
        return self.run

    async def first_look(self) -> None:
        """Find the run, so that a wrong set-up is told at the start; a database that is away is waited for.

        Raises:
            BadInput: ``run.unknown``, ``database.not_migrated`` and the like.
            NotAllowed: ``database.auth`` and the like.
        """
        try:
            await self.find_run()
        except Unavailable as error:
            self.problem("city", error)

    def problem(self, task: str, error: YiwangError) -> None:
        """Something is away or wrong."""
        known = self.problems.get(task)
        if known is None or known.code != error.code:
            _log.warning("problem", task=task, code=error.code, reason=error.message)
        self.problems[task] = error

    def well(self, task: str) -> None:
        """It is no longer."""
        if self.problems.pop(task, None) is not None:
            _log.info("problem_over", task=task)

    def status(self) -> dict[str, object]:
        """The content of a beat."""
        view = self.view
        return {
            "now_ms": self.clock.now_ns() / 1e6,
            "event_ms": _ms(max(view.event_ns.values(), default=None)),
            "feeds": {
                str(d): {"event_ms": _ms(view.event_ns.get(d)), "ingest_ms": _ms(view.ingest_ns.get(d))}
                for d in view.at
            },
            "kafka": self.has("kafka"),
            "database": self.has("database"),
            "ready": view.ready,
        }

    def health(self) -> dict[str, object]:
        """The content of /api/health; ``screens`` counts connections by post."""
        return {
            "ok": self.view.ready and not self.problems,
            **self.status(),
            "problems": {task: error.as_json() for task, error in self.problems.items()},
            "at": {str(d): offset for d, offset in self.view.at.items()},
            "lag": {str(d): lag for d, lag in self.lag.items()},
            "pages": self.pages_opened,
            "screens": Counter(s.post.id for s in self._sessions if s.post is not None),
            "skipped": self.skipped,
            "stages": self.stages.as_json(),
            "counts": dict(self.counts),
        }

    def has(self, service: str) -> bool:
        """Whether a service, kafka or database, is there as far as we have tried."""
        return not any(error.code.startswith(f"{service}.") for error in self.problems.values())


def _ms(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e6
