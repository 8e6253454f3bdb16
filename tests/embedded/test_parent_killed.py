"""Nothing outlives us, even after ``kill -9``."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Starts the services, prints their process ids, and waits to be killed.
OWNER = """
import signal, sys
from pathlib import Path
from yiwang.embedded.stack import EmbeddedStack
stack = EmbeddedStack(Path(sys.argv[1]), keep=False).start()
print(stack.kafka.pid, stack.postgres.pid, flush=True)
signal.pause()
"""
SUPERVISOR = """
import signal, sys
from pathlib import Path
from yiwang.embedded.supervise import Child, LogLine, Supervisor
code = "import signal; print('up', flush=True); signal.pause()"
it = Supervisor(Path(sys.argv[1]))
it.start(Child(name="one", argv=[sys.executable, "-c", code], ready=LogLine(pattern="up")))
it.start(Child(name="two", argv=[sys.executable, "-c", code], ready=LogLine(pattern="up")))
print(it.pid("one"), it.pid("two"), flush=True)
signal.pause()
"""


def start_owner(code: str, folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    owner = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        return owner, [int(pid) for pid in owner.stdout.readline().split()]


def kill_and_await_all(owner: subprocess.Popen[str], pids: list[int]) -> None:
    """Kill the owner; fails unless each of the other processes ends too (awaited, not polled)."""
    handles = [os.pidfd_open(pid) for pid in pids]
    try:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        for handle in handles:
            ended, _, _ = select.select([handle], [], [], 20)
            assert ended, "a process outlived its killed owner"
    finally:
        for handle in handles:
            os.close(handle)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_services_end_with_their_killed_owner_and_start_again(tmp_path: Path) -> None:
    """``kill -9`` of the owner leaves no broker and no database; the folder can be used at once again."""
    for _ in range(2):
        owner, pids = start_owner(OWNER, tmp_path)
        assert len(pids) == 2
        kill_and_await_all(owner, pids)


def test_children_end_with_their_killed_supervisor(tmp_path: Path) -> None:
    """``kill -9`` of a supervisor leaves none of its children."""
    owner, pids = start_owner(SUPERVISOR, tmp_path)
    assert len(pids) == 2
    kill_and_await_all(owner, pids)
