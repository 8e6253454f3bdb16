"""One screen's side of the live socket, without any I/O.

The shell hands in what the client says (``receive``) and what happens (``publish``, ``values_due``, ``beat``),
carries out the effects it gets back, and sends what ``to_send`` gives whenever the client can take more.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from ws_server import messages
from ws_server.messages import CommandRequest, Drawn, Hello, Ping, Watch
from ws_server.outgoing import QUEUE_BYTES, QUEUE_MESSAGES, Outgoing
from ws_server.posts import Post, route
from ws_server.stages import Stages
from ws_server.values import SERIES_LIMIT
from ws_server.view import Change, LiveView
from ws_server.watching import Watching
from yiwang.clock import SECOND
from yiwang.errors import BadInput, Conflict, NotAllowed, Unavailable, YiwangError
from yiwang.model import Command, CommandResult, Incident, Order

MAX_PENDING_COMMANDS = 64
DRAWN_GAP_NS = 5 * SECOND  # half of what pages keep to, since their timers are not exact

PostOf = Callable[[str], Post | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Produce:
    """Effect: put the command on Kafka, then call ``accepted`` or ``refused`` with ``re``."""

    re: int
    district: int
    command: Command


class Session:
    """A connection from its first message to its end.

    Args:
        view: what there is to see.
        watching: what screens watch.
        post_of: the posts there are at the moment.
        ticks: who ticks in this run (``Run.ticks``): ``agent``, then a command happens at the wall clock's
            time; ``player``, then at the newest tick's.
        queue_messages: beyond so many waiting changes the client gets a snapshot instead.
        queue_bytes: or beyond so many bytes.
        counts: what is left out for slow screens, counted for the whole gateway (see ``Outgoing``).
        stages: what screens tell of their latency goes there, for the whole gateway.

    Attributes:
        post: who the client speaks for; None before its hello was answered.
        snapshots: sent so far.
    """

    def __init__(
        self,
        view: LiveView,
        watching: Watching,
        post_of: PostOf,
        *,
        ticks: Literal["agent", "player"],
        queue_messages: int = QUEUE_MESSAGES,
        queue_bytes: int = QUEUE_BYTES,
        counts: Counter[str] | None = None,
        stages: Stages | None = None,
    ) -> None:
        self.post: Post | None = None
        self.snapshots = 0
        self._view = view
        self._post_of = post_of
        self._ticks = ticks
        self._stages = Stages() if stages is None else stages
        self._drawn_ns: int | None = None  # when the client last told
        self._out = Outgoing(
            watching,
            Counter() if counts is None else counts,
            most_messages=queue_messages,
            most_bytes=queue_bytes,
        )
        self._last_id = 0
        self._pending = 0
        self._waiting: Hello | None = None  # until the view is ready
        self._ahead: dict[int, int] = {}  # positions of a client that has seen more, at another gateway
        self._mine: set[str] = set()  # of a unit's post: incidents of its orders
        self._brought: set[str] = set()  # those of them that the client surely has

    # ---- from the client ----

    def receive(self, text: str | bytes, now_ns: int) -> list[Produce]:
        """Take a message; whatever is wrong with it is answered, never raised.

        Args:
            text: as it came.
            now_ns: wall clock.
        """
        re: int | None = None
        try:
            request = messages.decode_request(text)
            re = request.id
            if re <= self._last_id:
                raise BadInput(
                    "message.id", f"ids must rise: {re} came after {self._last_id}", id=re, last=self._last_id
                )
            self._last_id = re
            match request:
                case Hello():
                    self._hello(request)
                case CommandRequest():
                    return [self._command(request, now_ns)]
                case Watch():
                    self._watch(request)
                case Drawn():
                    self._drawn(request, now_ns)
                case Ping():
                    self._out.reply(messages.ok(re))
                    pong = {"type": "pong", "sent_ms": request.sent_ms, "now_ms": now_ns / 1e6}
                    self._out.reply(messages.encode(pong))
        except YiwangError as error:
            if error.code == "message.invalid":
                re = error.details.pop("re", None)
            self._out.reply(messages.refused(re, error))
        return []

    def accepted(self, re: int) -> None:
        """Kafka has the command of request ``re``."""
        self._pending -= 1
        self._out.reply(messages.ok(re, accepted=True))

    def refused(self, re: int, error: YiwangError) -> None:
        """Kafka does not have it."""
        self._pending -= 1
        self._out.reply(messages.refused(re, error))

    def _hello(self, request: Hello) -> None:
        if not self._view.ready:
            self._waiting = request
            return
        post = self._post_of(request.post)
        if post is None:
            raise BadInput("session.unknown_post", f"there is no post {request.post!r}", post=request.post)
        at = _positions(request.at)
        missed = self._missed(at, request.epoch)
        self.post = post
        self._mine = {order.incident for order, _ in self._view.orders_of(post.id)}
        self._ahead = {}
        self._out.reply(messages.ok(request.id, epoch=self._view.epoch, resumed=missed is not None))
        if at is None or missed is None:
            self._out.owe_snapshot()
            return
        self._out.start_over()
        here = self._view.at
        self._ahead = {d: offset for d, offset in at.items() if offset > here[d]}
        self._brought = set()
        for change in missed:
            self.publish(change)

    def _missed(self, at: dict[int, int] | None, epoch: str) -> list[Change] | None:
        """What a resuming client has missed, None where it needs a snapshot."""
        if at is None or (epoch and epoch != self._view.epoch):
            return None
        here = self._view.at
        if not epoch and any(offset > here.get(d, -1) for d, offset in at.items()):
            return None  # nothing says that these positions are of this log
        return self._view.since(at)

    def _command(self, request: CommandRequest, now_ns: int) -> Produce:
        if self.post is None:
            raise Conflict("session.no_post", "say hello with a post first")
        if self._pending >= MAX_PENDING_COMMANDS:
            raise Unavailable(
                "session.busy", f"{self._pending} commands are still on their way; wait for them"
            )
        district = route(self.post, request.action, self._view)
        t_ns = now_ns if self._ticks == "agent" else self._view.now_ns()
        assert t_ns is not None  # there is an object, and it has a time
        self._pending += 1
        command = Command(
            command_id=request.command_id,
            by=self.post.id,
            t_ns=t_ns,
            ingest_ns=now_ns,
            action=request.action,
            seen_feed=self._view.seen_feed(district),
        )
        return Produce(re=request.id, district=district, command=command)

    def _watch(self, request: Watch) -> None:
        if self.post is None:
            raise Conflict("session.no_post", "say hello with a post first")
        if self.post.role == "unit" and request.series:
            raise NotAllowed("session.watch", "a unit's post sees no series", post=self.post.id)
        wanted: dict[int, list[int]] = {}
        for district, series in request.series:
            if not 0 <= series < SERIES_LIMIT:
                raise BadInput(
                    "session.series", f"there is no series {series}", district=district, series=series
                )
            wanted.setdefault(district, []).append(series)
        self._out.watch(self, wanted)
        self._out.reply(messages.ok(request.id))

    def _drawn(self, request: Drawn, now_ns: int) -> None:
        """Count all of it, or nothing."""
        if self.post is None:
            raise Conflict("session.no_post", "say hello with a post first")
        for district, _ in request.took:
            if district not in self._view.at:
                raise BadInput(
                    "session.district", f"there is no district {district} in this run", district=district
                )
        if self._drawn_ns is not None and 0 <= now_ns - self._drawn_ns < DRAWN_GAP_NS:
            gap_s = DRAWN_GAP_NS // SECOND
            raise Unavailable(
                "session.too_often", f"tell how long drawing took at most every {gap_s} s", gap_s=gap_s
            )
        self._drawn_ns = now_ns
        for district, took_ms in request.took:
            self._stages.observe("screen", district, took_ms / 1e3)
        self._out.reply(messages.ok(request.id))

    # ---- from the hub ----

    def started(self) -> None:
        """The view has become ready: answer a hello that had to wait."""
        request, self._waiting = self._waiting, None
        if request is not None:
            try:
                self._hello(request)
            except YiwangError as error:
                self._out.reply(messages.refused(request.id, error))

    def publish(self, change: Change) -> None:
        """Something has changed; what this post may see of it will be sent."""
        post, body = self.post, change.body
        if post is None or change.offset <= self._ahead.get(change.district, -1):
            return
        if isinstance(body, CommandResult):
            if body.by == post.id:
                self._out.result(change.text)
            return
        if post.role == "unit":
            if isinstance(body, Order) and body.unit == post.id:
                self._bring_incident(body.incident, change)
            elif not isinstance(body, Incident) or body.id not in self._mine:
                return
        self._out.change(change.text)

    def _bring_incident(self, key: str, change: Change) -> None:
        """Before an order of a unit that may not have its incident yet, that incident as it is now.

        It goes under the position before the order's, so that a client cut off between the two asks again.
        """
        self._mine.add(key)
        if key in self._brought:
            return
        self._brought.add(key)
        incident = self._view.incident(key)
        if incident is not None:
            self._out.change(replace(change, body=incident).message(change.offset - 1))

    def values_due(self) -> None:
        """Series that this client watches have newer values."""
        self._out.values_due()

    def end(self) -> None:
        """The connection is gone."""
        self._out.watch(self, {})

    def beat(self, status: Mapping[str, object]) -> None:
        """Every two seconds: how things are, and up to where the client has been sent everything."""
        if self.post is None and self._waiting is None:
            return
        at = None
        if self.post is not None and not self._out.snapshot_due:
            at = {str(d): max(offset, self._ahead.get(d, -1)) for d, offset in self._view.at.items()}
        self._out.beat(messages.encode({"type": "beat", **status, "at": at}))

    # ---- to the client ----

    @property
    def replies(self) -> int:
        """Answers that wait to be sent."""
        return self._out.replies

    def to_send(self, now_ns: int) -> list[bytes]:
        """What to send now, in order; call it again once that is sent, until nothing is left.

        Args:
            now_ns: wall clock.
        """
        out = self._out.take_replies()
        if self._out.snapshot_due and self.post is not None:
            out.append(self._snapshot(self.post, now_ns))
        return out + self._out.take(now_ns)

    def _snapshot(self, post: Post, now_ns: int) -> bytes:
        self._out.snapshot_due = False
        self.snapshots += 1
        shown: msgspec.Raw | list[msgspec.Raw]
        if post.role == "desk":
            shown = self._view.all_json(first=post.district)
        else:
            orders = self._view.orders_of(post.id)
            self._mine = {order.incident for order, _ in orders}
            self._brought = set(self._mine)
            incidents = [
                self._view.incident_json(key) for key in dict.fromkeys(o.incident for o, _ in orders)
            ]
            shown = [raw for raw in incidents if raw is not None] + [raw for _, raw in orders]
        return messages.encode(
            {
                "type": "snapshot",
                "at": {str(d): offset for d, offset in self._view.at.items()},
                "epoch": self._view.epoch,
                "now_ms": now_ns / 1e6,
                "objects": shown,
                "values": self._out.watched_rows(),
            }
        )


def _positions(at: dict[str, int] | None) -> dict[int, int] | None:
    if at is None:
        return None
    try:
        return {int(district): offset for district, offset in at.items()}
    except ValueError:
        raise BadInput("session.at", "at is a map from district number to offset", at=at) from None
