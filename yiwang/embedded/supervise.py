"""Our own processes: started in order, watched, restarted, stopped in reverse order, none left behind.

A child that has ended is started again at once. One that is there but gives no sign of life (stopped, or waiting for
something that never comes) is ended by force and started again; see ``Child.silent_s``.
"""

import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from yiwang.embedded import process
from yiwang.errors import BadInput, Unavailable

# Told (name, event, detail); events: started, ready, silent, crashed, restarted, gave_up, stopped.
OnEvent = Callable[[str, str, str], None]
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
WINDOW_S = 60.0
LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOk:
    """Ready when a GET of ``url`` answers 200."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """Ready when a line that the child wrote since its start matches the regular expression ``pattern``."""

    pattern: str


Ready = HttpOk | LogLine | Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run.

    Attributes:
        name: unique; its log is ``logs/NAME.log``.
        argv: program and arguments.
        env: laid over our own environment.
        ready: what to wait for after the first start; None does not wait.
        ready_limit_s: how long to wait for it.
        grace_s: how long it may take to end after SIGTERM.
        silent_s: a child whose main thread has neither worked nor woken up for so long is ended by force and started
            again. For programs that always have something to do, such as an event loop with a timer of a second;
            None for all others.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None
    ready_limit_s: float = 30.0
    grace_s: float = 10.0
    silent_s: float | None = None


class _Running:
    """A child and its history; the supervisor's lock guards it."""

    def __init__(self, spec: Child, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.log_start = 0
        self.process: subprocess.Popen[bytes]
        self.restarts = 0
        self.silences = 0
        self.recent: deque[float] = deque()
        self.watcher: threading.Thread | None = None
        self.ending = threading.Event()
        self.spawn()

    def spawn(self) -> None:
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.process = process.spawn(
            self.spec.argv, log=self.log, env={**os.environ, **self.spec.env}, death_signal=signal.SIGKILL
        )

    def wait(self, told: Callable[[str], None], stopping: threading.Event) -> int:
        """Wait for the child's end, which silence brings about; ``told`` hears why. Returns the exit status."""
        silent_s = self.spec.silent_s
        if silent_s is None:
            return self.process.wait()
        look_s = min(LOOK_S, silent_s / 4)
        life, looks = (
            b"",
            0,
        )  # looks in a row are counted, not time: we may have stood still together with the child
        while True:
            try:
                return self.process.wait(look_s)
            except subprocess.TimeoutExpired:
                before, life = life, process.signs_of_life(self.process.pid)
                looks = looks + 1 if life == before and not stopping.is_set() else 0
                if looks * look_s >= silent_s:
                    self.silences += 1
                    told(f"no sign of life for {silent_s:g} s, ended by force")
                    self.process.kill()
                    looks = 0

    def is_ready(self) -> bool:
        ready = self.spec.ready
        if isinstance(ready, HttpOk):
            return _answers(ready.url)
        if isinstance(ready, LogLine):
            with self.log.open("rb") as file:
                file.seek(self.log_start)
                text = file.read().decode("utf-8", "replace")
            return re.search(ready.pattern, text, re.MULTILINE) is not None
        return ready is None or ready()


def _answers(url: str) -> bool:
    # No proxy: what we wait for is on this machine, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


class Supervisor:
    """Runs children as a context manager; whatever ends the block, all of them are stopped.

    Inside the block SIGTERM raises ``SystemExit`` (when entered in the main thread), so that it ends the
    block as Ctrl-C does. After ``kill -9`` of this process the kernel ends the children (see ``process``).

    Args:
        data_dir: logs go to ``data_dir/logs``.
        max_restarts: more than this many restarts of one child within a minute, and it gives up.
        on_event: told what happens, from several threads.
    """

    def __init__(self, data_dir: Path, *, max_restarts: int = 5, on_event: OnEvent = lambda *_: None) -> None:
        self._logs = data_dir / "logs"
        self._max_restarts = max_restarts
        self._on_event = on_event
        self._children: dict[str, _Running] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failure: Unavailable | None = None
        self._old_handler: Callable[[int, FrameType | None], object] | int | None = None
        self._handles_sigterm = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._old_handler = signal.signal(signal.SIGTERM, _exit)
            self._handles_sigterm = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            if self._handles_sigterm:
                signal.signal(signal.SIGTERM, self._old_handler)
                self._handles_sigterm = False

    def start(self, child: Child) -> None:
        """Start a child and wait until it is ready.

        Raises:
            BadInput: ``supervise.name_taken``.
            Unavailable: ``supervise.start_failed`` with its last log lines, ``process.not_found``.
        """
        with self._changed:
            if child.name in self._children:
                raise BadInput("supervise.name_taken", f"a process named {child.name} is already there")
            self._logs.mkdir(parents=True, exist_ok=True)
            log = self._logs / f"{child.name}.log"
            process.start_new_log(log)
            running = self._children[child.name] = _Running(child, log)
        self._on_event(child.name, "started", f"process {running.process.pid}")
        self._wait_until_ready(running)
        self._on_event(child.name, "ready", "")
        running.watcher = threading.Thread(
            target=self._watch, args=(running,), name=f"yiwang-watch-{child.name}", daemon=True
        )
        running.watcher.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until ``stop``, a signal, or a child that is given up.

        Raises:
            Unavailable: ``supervise.gave_up``.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._stopping.is_set(), timeout_s)
            if self._failure is not None:
                raise self._failure

    def stop(self) -> None:
        """Stop all children, the last started first; a second call does nothing."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
            children = [self._children.pop(name) for name in reversed(list(self._children))]
        for running in children:
            process.stop(running.process, signal.SIGTERM, running.spec.grace_s)
            self._on_event(running.spec.name, "stopped", f"exit status {running.process.returncode}")
        for running in children:
            if running.watcher is not None:
                running.watcher.join()

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> None:
        """Send a child a signal, for fault tests; it is restarted as after any crash."""
        with self._changed:
            self._children[name].process.send_signal(signal_number)

    def pid(self, name: str) -> int:
        """Process id of a child's present process."""
        with self._changed:
            return self._children[name].process.pid

    def restarts(self, name: str) -> int:
        """How often a child was restarted."""
        with self._changed:
            return self._children[name].restarts

    def silences(self, name: str) -> int:
        """How often a child was restarted because it gave no sign of life."""
        with self._changed:
            return self._children[name].silences

    def end(self, name: str) -> None:
        """Stop one child in order and forget it."""
        with self._changed:
            running = self._children.pop(name)
            running.ending.set()
        process.stop(running.process, signal.SIGTERM, running.spec.grace_s)
        if running.watcher is not None:
            running.watcher.join()
        self._on_event(name, "stopped", f"exit status {running.process.returncode}")

    def log_tail(self, name: str, lines: int = 20) -> str:
        """A child's last log lines."""
        return process.tail(self._logs / f"{name}.log", lines)

    def wait_for_restart(self, name: str, count: int, timeout_s: float = 30.0) -> None:
        """Block until a child was restarted ``count`` times in all and is ready again.

        Raises:
            Unavailable: ``supervise.gave_up``, or ``supervise.start_failed`` where it does not come back.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            running = self._children[name]
            self._changed.wait_for(lambda: self._failure or running.restarts >= count, timeout_s)
            if self._failure is not None:
                raise self._failure
        while running.restarts < count or not running.is_ready():
            if time.monotonic() > end:
                raise self._failed(running, f"was not restarted and ready within {timeout_s:.0f} s")
            time.sleep(0.02)

    def _wait_until_ready(self, running: _Running) -> None:
        end = time.monotonic() + running.spec.ready_limit_s
        while not running.is_ready():
            if running.process.poll() is not None:
                raise self._failed(running, f"ended with exit status {running.process.returncode}")
            if time.monotonic() > end:
                raise self._failed(running, f"was not ready within {running.spec.ready_limit_s:.0f} s")
            time.sleep(0.02)

    def _watch(self, running: _Running) -> None:
        """Thread of one child: wait for its end, restart it, until told to stop or until it is hopeless."""
        name = running.spec.name
        while True:
            status = running.wait(lambda why: self._on_event(name, "silent", why), self._stopping)
            if self._stopping.is_set() or running.ending.is_set():
                return
            self._on_event(name, "crashed", f"exit status {status}")
            now = time.monotonic()
            while running.recent and running.recent[0] < now - WINDOW_S:
                running.recent.popleft()
            if len(running.recent) >= self._max_restarts:
                hopeless = (
                    f"was restarted {len(running.recent)} times within a minute, last exit status {status}"
                )
                break
            backoff_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** len(running.recent))
            if self._stopping.wait(backoff_s):
                return
            with self._changed:
                if self._stopping.is_set() or running.ending.is_set():
                    return
                try:
                    running.spawn()
                except (Unavailable, OSError) as error:
                    hopeless = str(error)
                    break
                running.restarts += 1
                running.recent.append(now)
                self._changed.notify_all()
            self._on_event(name, "restarted", f"process {running.process.pid}, restart {running.restarts}")
        failure = self._failed(running, hopeless, code="supervise.gave_up")
        self._on_event(name, "gave_up", str(failure))
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def _failed(self, running: _Running, what: str, *, code: str = "supervise.start_failed") -> Unavailable:
        lines = process.tail(running.log)
        return Unavailable(
            code,
            f"process {running.spec.name} {what}; the end of {running.log}:\n{lines}",
            name=running.spec.name,
            log=lines,
        )


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
