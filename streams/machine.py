"""The district machine: everything that decides in a district, in one pass. Pure; see ``design.md``.

Readings go through the detectors in rounds, what they find is fused and dispatched by the desk. Only ticks move
time on; so how the log is cut or joined, and when its state is kept and taken back, changes nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Self

from dispatch.desk import Desk
from streams import machine_codec
from streams.blocks import Pieces
from streams.machine_watch import Said, Watch
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.frames import Recent
from yiwang.model import (
    Body,
    Command,
    CommandResult,
    FeedMessage,
    Finding,
    RegistryChange,
    Report,
    RulesChange,
    Tick,
    Trouble,
    VideoEvent,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Registry, Rules


class DistrictMachine:
    """A district's detectors and desk.

    Every method returns its outputs in order; the n-th output of a district is the same however the log was
    cut. Never raises for what is in the log: what cannot be used is told in a ``Trouble``.

    Attributes:
        now_ns: event time of the newest tick; 0 before the first.
        n: outputs so far.
        recent: the newest frames, so that one sent twice counts once; part of the state.
    """

    def __init__(self, district: int) -> None:
        self.district = district
        self.now_ns = 0
        self.n = 0
        self.watch = Watch()
        self.desk = Desk(district, self.watch.book)
        self.recent = Recent()

    # ---- what comes in ----

    def readings(self, batch: Readings) -> list[Body]:
        """Take readings in order of arrival, from one frame or several."""
        return [body for _, body in self.located(batch)]

    def located(self, batch: Readings) -> list[tuple[int, Body]]:
        """As ``readings``, each output with the position in the batch of the reading that caused it."""
        located = [
            (position, body)
            for position, said in self.watch.batch(batch, self.now_ns)
            for body in self._consequences([said])
        ]
        self.n += len(located)
        return located

    def message(self, m: FeedMessage) -> list[Body]:
        """Take a single message of the feed."""
        match m:
            case Tick():
                bodies = self._tick(m.t_ns)
            case VideoEvent():
                bodies = self._video(m)
            case Report():
                bodies = self._desk("report", lambda: self.desk.report(m, self.now_ns))
            case OutsideWarning():
                bodies = self._desk("warning", lambda: self.desk.warning(m, self.now_ns))
            case RegistryChange():
                bodies = self._registry(m.registry)
            case RulesChange():
                bodies = self._rules(m.rules)
            case Command():
                return self.command(m)
        self.n += len(bodies)
        return bodies

    def command(self, c: Command) -> list[Body]:
        """Take a decision; the last body is its one ``CommandResult``.

        It takes effect now, or at its own time where that is later.
        """
        t_ns = max(c.t_ns, self.now_ns)
        bodies = self._desk("command", lambda: self.desk.command(c, self.now_ns))
        if not bodies or not isinstance(bodies[-1], CommandResult):
            why = "the desk could not carry it out; see the trouble before this"
            bodies.append(
                CommandResult(
                    command_id=c.command_id, by=c.by, ok=False, t_ns=t_ns, code="desk.failed", message=why
                )
            )
        self.n += len(bodies)
        return bodies

    def unusable(self, error: BadInput) -> list[Body]:
        """Take note of a message of the logs that cannot be read."""
        self.n += 1
        args = {"reason": error.code, "message": error.message}
        return [Trouble(code="feed.message", t_ns=self.now_ns, args=args)]

    # ---- snapshot ----

    def dump(self) -> bytes:
        """The whole state in one piece, exact."""
        return machine_codec.dump(self)

    @classmethod
    def load(cls, data: bytes | Pieces) -> Self:
        """The machine that ``dump`` described, or whose pieces were kept; it goes on exactly as that would have.

        Raises:
            BadInput: ``snapshot.version``, ``snapshot.damaged`` or ``state.shape``.
        """
        machine = cls(0)
        if isinstance(data, Pieces):
            machine_codec.fill(machine, data)
        else:
            machine_codec.load(machine, data)
        return machine

    # ---- single messages ----

    def _tick(self, t_ns: int) -> list[Body]:
        if t_ns <= self.now_ns:
            return []
        first, self.now_ns = self.now_ns == 0, t_ns
        said = self.watch.told(t_ns)
        if self.watch.rulebook:
            rules = self.watch.rulebook.rules
            horizon_ns = t_ns - round(rules.lateness_s * SECOND)
            if not first:
                said += self.watch.tick(horizon_ns, round(rules.tick_s * SECOND), t_ns)
            self.watch.horizon_ns = max(self.watch.horizon_ns, horizon_ns)
        return self._consequences(said) + self._desk("tick", lambda: self.desk.tick(t_ns))

    def _video(self, event: VideoEvent) -> list[Body]:
        """A sighting is a reading of the camera's series for that class."""
        watch = self.watch
        video = watch.rulebook.domains.video.get(event.event_class) if watch.rulebook else None
        device = watch.book.devices.get(event.device)
        for series in device.series if device and video else ():
            if video and series.metric == video.metric:
                row = Readings.of([(series.number, event.t_ns, event.confidence, 0)])
                return self._consequences(said for _, said in watch.batch(row, self.now_ns, event.image_url))
        watch.wait("feed.unknown_device", [f"{event.device} {event.event_class}"])
        return []

    def _registry(self, change: Registry) -> list[Body]:
        said = self.watch.registry(change, self.now_ns)
        return self._desk("registry", lambda: self.desk.registry(change)) + self._consequences(said)

    def _rules(self, rules: Rules) -> list[Body]:
        try:
            said = self.watch.rules(rules, self.now_ns)
        except BadInput as error:
            args = {"version": rules.version, "reason": error.code, "message": error.message}
            return [Trouble(code="rules.refused", t_ns=self.now_ns, args=args)]
        return self._desk("rules", self._new_rules) + self._consequences(said)

    def _new_rules(self) -> list[Body]:
        if self.watch.rulebook:
            self.desk.rules(self.watch.rulebook.domains)
        return []

    # ---- the desk ----

    def _consequences(self, said: Iterable[Said]) -> list[Body]:
        """Each finding, and behind it what the desk makes of it."""
        bodies: list[Body] = []
        for one in said:
            bodies.append(one)
            if isinstance(one, Finding):
                bodies += self._desk("finding", partial(self.desk.finding, one, self.now_ns))
        return bodies

    def _desk(self, what: str, call: Callable[[], list[Body]]) -> list[Body]:
        """A mistake in the desk must not stop the district: it is told, and the rest goes on."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  a task boundary
            args = {"call": what, "error": type(error).__name__, "message": str(error)}
            return [Trouble(code="desk.failed", t_ns=self.now_ns, args=args)]
