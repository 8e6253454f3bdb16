"""Both services in one folder."""

import json
import os
from pathlib import Path

import pytest

from yiwang.embedded import stack as stack_module
from yiwang.embedded.stack import EmbeddedStack, FolderLock
from yiwang.errors import Conflict, Unavailable


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_both_start_and_nothing_is_left(tmp_path: Path) -> None:
    """Progress is told, a second start names the first, and a run that is not kept leaves no data."""
    stages: list[tuple[str, str]] = []
    folder = tmp_path / "data"
    with EmbeddedStack(folder, keep=False, durable=False, progress=lambda *it: stages.append(it)) as first:
        first.announce("http://127.0.0.1:8750")
        with pytest.raises(Conflict, match=r"http://127\.0\.0\.1:8750") as caught:
            EmbeddedStack(folder, keep=False).start()
        pids = (first.kafka.pid, first.postgres.pid)
        assert all(pids)
    assert caught.value.code == "stack.already_running"
    assert caught.value.details["pid"] == os.getpid()
    assert stages[-1] == ("services", "ready")
    assert {stage for stage, _ in stages} == {"kafka", "postgres", "services"}
    assert not (folder / "kafka").exists()
    assert not (folder / "postgres").exists()


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """What a killed owner left in the file does not stop the next one."""
    (tmp_path / "running.json").write_text(json.dumps({"pid": 1, "address": "http://127.0.0.1:1"}))
    lock = FolderLock(tmp_path)
    lock.take()
    lock.release()


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    """One owner at a time; before it has an address the error still names its process."""
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.take()
    with pytest.raises(Conflict, match=f"process {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room gives numbers and the folder, and the folder is free for a later try."""
    monkeypatch.setattr(stack_module, "LEAST_FREE_MB", 1 << 40)
    for _ in range(2):
        with pytest.raises(Unavailable, match="MB are needed") as caught:
            EmbeddedStack(tmp_path, keep=False).start()
        assert caught.value.code == "stack.disk_full"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives one clear error."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable) as caught:
        EmbeddedStack(tmp_path / "file" / "data", keep=False).start()
    assert caught.value.code == "stack.folder"


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.slow
def test_one_that_fails_stops_the_other_and_kept_data_stays(tmp_path: Path) -> None:
    """A broker that cannot start takes the database down with it, but deletes nothing that was kept."""
    (tmp_path / "kafka" / "log").mkdir(parents=True)
    (tmp_path / "kafka" / "log" / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=x\n")
    broken = EmbeddedStack(tmp_path, keep=False, durable=False)
    with pytest.raises(Unavailable) as caught:
        broken.start()
    assert caught.value.code == "kafka.start_failed"
    assert broken.postgres.pid is None
    assert (tmp_path / "kafka" / "log" / "meta.properties").exists()
