"""The supervisor, with tiny Python children."""

import http.server
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from yiwang.embedded.supervise import Child, HttpOk, LogLine, Supervisor
from yiwang.errors import BadInput, Unavailable

FOREVER = "import signal; print('up', flush=True)\nwhile True: signal.pause()"
READY = LogLine(pattern="^up$")


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Events:
    """What the supervisor told, with a way to wait for it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, name: str, event: str, _detail: str) -> None:
        with self._changed:
            self.seen.append((name, event))
            self._changed.notify_all()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def supervisor(tmp_path: Path, events: Events) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, max_restarts=2, on_event=events) as it:
        yield it


def test_children_stop_in_reverse_order(tmp_path: Path, events: Events) -> None:
    """The last started is stopped first, each with SIGTERM, and none is left."""
    with Supervisor(tmp_path, on_event=events) as it:
        for name in ("first", "second", "third"):
            it.start(Child(name=name, argv=python(FOREVER), ready=READY))
        pids = [it.pid(name) for name in ("first", "second", "third")]
    assert [name for name, event in events.seen if event == "stopped"] == ["third", "second", "first"]
    assert not any(alive(pid) for pid in pids)


def test_a_killed_child_comes_back(supervisor: Supervisor, events: Events) -> None:
    """After SIGKILL another process of the same name runs, ready, and the restart is counted and told."""
    supervisor.start(Child(name="worker", argv=python(FOREVER), ready=READY))
    first = supervisor.pid("worker")
    supervisor.kill("worker")
    supervisor.wait_for_restart("worker", 1)
    assert supervisor.pid("worker") != first
    assert supervisor.restarts("worker") == 1
    assert ("worker", "crashed") in events.seen


LIVELY = "import time; print('up', flush=True)\nwhile True: time.sleep(0.05)"


def test_a_child_that_gives_no_sign_of_life_is_ended_and_comes_back(
    supervisor: Supervisor, events: Events
) -> None:
    """A stopped process can do nothing for itself: it is named, ended by force, counted and started again."""
    supervisor.start(Child(name="worker", argv=python(LIVELY), ready=READY, silent_s=0.4))
    supervisor.start(Child(name="other", argv=python(LIVELY), ready=READY, silent_s=0.4))
    first = supervisor.pid("worker")
    supervisor.kill("worker", signal.SIGSTOP)
    supervisor.wait_for_restart("worker", 1)
    assert supervisor.pid("worker") != first
    assert (supervisor.silences("worker"), supervisor.restarts("worker")) == (1, 1)
    assert (supervisor.silences("other"), supervisor.restarts("other")) == (0, 0)
    told = [event for name, event in events.seen if name == "worker"]
    assert told[-3:] == ["silent", "crashed", "restarted"]


def test_a_child_that_works_without_waking_up_is_alive(supervisor: Supervisor) -> None:
    """A long computation is not silence; an idle child without a limit is left alone too."""
    busy = "print('up', flush=True)\nwhile True: pass"
    supervisor.start(Child(name="busy", argv=python(busy), ready=READY, silent_s=0.6))
    supervisor.start(Child(name="idle", argv=python(FOREVER), ready=READY))
    supervisor.start(Child(name="stuck", argv=python(FOREVER), ready=READY, silent_s=1.0))
    supervisor.wait_for_restart("stuck", 1)
    assert supervisor.restarts("idle") == 0
    assert supervisor.silences("busy") == 0


def test_one_child_can_be_ended_for_good(supervisor: Supervisor, events: Events) -> None:
    """It is not started again, and its name is free."""
    supervisor.start(Child(name="worker", argv=python(FOREVER), ready=READY))
    pid = supervisor.pid("worker")
    supervisor.end("worker")
    assert not alive(pid)
    assert events.seen[-1] == ("worker", "stopped")
    supervisor.start(Child(name="worker", argv=python(FOREVER), ready=READY))
    assert supervisor.pid("worker") != pid


def test_a_hopeless_child_is_given_up_with_its_last_words(supervisor: Supervisor) -> None:
    """A child that keeps ending is restarted only so often, then whoever waits gets its log."""
    supervisor.start(Child(name="broken", argv=python("print('no such table'); raise SystemExit(3)")))
    with pytest.raises(Unavailable, match="no such table") as caught:
        supervisor.wait(timeout_s=30)
    assert caught.value.code == "supervise.gave_up"
    assert supervisor.restarts("broken") == 2


def test_a_child_that_never_gets_ready_is_an_error_with_its_log(supervisor: Supervisor) -> None:
    """Ending before being ready is told at once, with the exit status and the log."""
    child = Child(name="early", argv=python("print('bad setting'); raise SystemExit(9)"), ready=READY)
    with pytest.raises(Unavailable, match=r"(?s)exit status 9.*bad setting") as caught:
        supervisor.start(child)
    assert caught.value.code == "supervise.start_failed"


def test_a_child_that_is_too_slow_is_an_error(supervisor: Supervisor) -> None:
    """Where readiness does not come in time the limit is named and the child is stopped with the rest."""
    child = Child(name="slow", argv=python(FOREVER), ready=LogLine(pattern="^never$"), ready_limit_s=0.05)
    with pytest.raises(Unavailable, match="not ready within"):
        supervisor.start(child)


def test_ready_by_http(supervisor: Supervisor) -> None:
    """An address counts as ready when it answers 200, not when it answers."""
    answers = iter([503, 503, 200])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(next(answers))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/ready"
        supervisor.start(Child(name="web", argv=python(FOREVER), ready=HttpOk(url=url)))
        server.shutdown()
        thread.join()
    assert next(answers, "all used") == "all used"


def test_ready_by_question(supervisor: Supervisor, tmp_path: Path) -> None:
    """Any callable may decide; the child's environment is ours plus its own."""
    mark = tmp_path / "mark"
    code = f"import os, signal; open(os.environ['MARK'], 'w').close()\n{FOREVER}"
    supervisor.start(Child(name="file", argv=python(code), env={"MARK": str(mark)}, ready=mark.exists))
    assert mark.exists()


def test_a_name_is_used_once(supervisor: Supervisor) -> None:
    """Two children of one name would share a log and a kill switch."""
    supervisor.start(Child(name="one", argv=python(FOREVER)))
    with pytest.raises(BadInput) as caught:
        supervisor.start(Child(name="one", argv=python(FOREVER)))
    assert caught.value.code == "supervise.name_taken"


def test_a_missing_program_is_named(supervisor: Supervisor) -> None:
    """A typo in a command is told before anything runs."""
    with pytest.raises(Unavailable, match="no-such-program") as caught:
        supervisor.start(Child(name="typo", argv=["no-such-program"]))
    assert caught.value.code == "process.not_found"


def test_sigterm_ends_the_block(tmp_path: Path) -> None:
    """SIGTERM while waiting stops all children, and the old handler is back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    pids: list[int] = []

    def run() -> None:
        with Supervisor(tmp_path) as it:
            it.start(Child(name="worker", argv=python(FOREVER), ready=READY))
            pids.append(it.pid("worker"))
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
            it.wait(timeout_s=30)

    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 128 + signal.SIGTERM
    assert not alive(pids[0])
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stubborn_child_is_ended_by_force(tmp_path: Path) -> None:
    """A child that ignores SIGTERM is killed after its grace."""
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FOREVER}"
    with Supervisor(tmp_path) as it:
        it.start(Child(name="deaf", argv=python(code), ready=READY, grace_s=0.1))
        pid = it.pid("deaf")
    assert not alive(pid)
