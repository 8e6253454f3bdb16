"""The spool on disk: what was appended is there, in order, whatever happens to the process or the files."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import spool as module
from ingest.spool import Key, Queue, Spool
from yiwang.errors import Unavailable

KEY: Key = ("live.feed", 3)
MANY = 10**9


_OPENED: list[Spool] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _OPENED:
        _OPENED.pop().close()


def opened(folder: Path, limit: int = MANY) -> Spool:
    spool = Spool(folder / "live", limit_bytes=limit).open()
    _OPENED.append(spool)
    return spool


def put(spool: Spool, *values: bytes, key: Key = KEY) -> list[int]:
    return spool.append([(spool.queue(key), [("ingest", b"7")], value) for value in values])


def values(spool: Spool, key: Key = KEY) -> list[bytes]:
    """Everything that Kafka does not have, as it would be sent."""
    queue = spool.queue(key)
    n, found = queue.delivered, []
    while batch := spool.read(queue, n):
        found += [r.value for r in batch]
        assert all(r.headers == [("ingest", b"7")] for r in batch)
        n = batch[-1].n + 1
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.spool"))


def test_what_was_appended_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    """Of each partition by itself; numbers go on."""
    first = opened(tmp_path)
    assert put(first, b"a", b"b") == [0, 1]
    put(first, b"x", key=("live.deadletters", 0))
    put(first, b"c")
    first.close()
    again = opened(tmp_path)
    assert values(again) == [b"a", b"b", b"c"]
    assert values(again, ("live.deadletters", 0)) == [b"x"]
    assert put(again, b"d") == [3]
    assert again.waiting == 5


def test_what_kafka_has_is_not_there_any_more_and_its_files_go(tmp_path: Path) -> None:
    """Number and offset survive a restart; with all delivered no bytes are left."""
    spool = opened(tmp_path)
    put(spool, b"a", b"b", b"c")
    queue = spool.queue(KEY)
    spool.deliver(queue, 2, 41)
    spool.close()
    again = opened(tmp_path)
    queue = again.queue(KEY)
    assert (values(again), queue.offset, queue.waiting) == ([b"c"], 41, 1)
    again.deliver(queue, 3, 42)
    assert (again.bytes, files(tmp_path)) == (0, [])
    assert put(again, b"d") == [3]
    again.close()
    assert values(opened(tmp_path)) == [b"d"]


def test_large_queues_go_on_in_new_files_and_are_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files end when they are large; each goes away when Kafka has all of it."""
    monkeypatch.setattr(module, "FILE_BYTES", 500)
    monkeypatch.setattr(module, "READ_BYTES", 150)
    spool = opened(tmp_path)
    all_ = [b"%03d" % n * 30 for n in range(40)]
    for value in all_:
        put(spool, value)
    assert len(files(tmp_path)) > 5
    assert values(spool) == all_
    before = spool.bytes
    spool.deliver(spool.queue(KEY), 20, 20)
    assert before / 3 < spool.bytes < before * 0.7
    spool.close()
    again = opened(tmp_path)
    assert values(again) == all_[20:]
    assert again.bytes == sum(f.stat().st_size for f in files(tmp_path))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_torn_tail_is_cut_and_what_was_answered_is_kept(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Wherever the last record was cut off, or what garbage stands in its place."""
    folder = tmp_path_factory.mktemp("torn")
    spool = opened(folder)
    put(spool, b"first", b"second")
    (path,) = files(folder)
    whole = path.stat().st_size
    put(spool, b"third, never answered")
    spool.close()
    end = data.draw(st.integers(whole, path.stat().st_size - 1))
    os.truncate(path, end)
    if data.draw(st.booleans()):
        with path.open("ab") as file:
            file.write(data.draw(st.binary(max_size=40)))
    again = opened(folder)
    assert values(again) == [b"first", b"second"]
    put(again, b"fourth")
    again.close()
    last = opened(folder)
    assert values(last) == [b"first", b"second", b"fourth"]
    assert last.damaged == 0
    last.close()


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 10**6), change=st.integers(1, 255))
def test_damage_in_the_middle_loses_that_record_alone_and_is_kept_for_looking_at(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    """One byte of the middle record is another one: its neighbours are there, a copy is kept, the bytes are counted."""
    folder = tmp_path_factory.mktemp("damaged")
    spool = opened(folder)
    ends = []
    for value in (b"first", b"middle" * 10, b"last"):
        put(spool, value)
        ends.append(files(folder)[0].stat().st_size)
    spool.close()
    (path,) = files(folder)
    content = bytearray(path.read_bytes())
    content[ends[0] + at % (ends[1] - ends[0])] ^= change
    path.write_bytes(content)
    again = opened(folder)
    assert values(again) == [b"first", b"last"]
    assert again.damaged == ends[1] - ends[0]
    assert next(folder.glob("**/*.damaged")).read_bytes() == bytes(content)
    assert put(again, b"new") == [3]
    again.close()


def test_a_damaged_note_of_what_kafka_has_sends_again_rather_than_loses(tmp_path: Path) -> None:
    """Then everything in the files counts as not delivered."""
    spool = opened(tmp_path)
    put(spool, b"a", b"b")
    spool.deliver(spool.queue(KEY), 1, 5)
    spool.close()
    next(tmp_path.glob("**/delivered")).write_bytes(b"rubbish")
    assert values(opened(tmp_path)) == [b"a", b"b"]


def test_the_spool_is_bounded_and_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """ingest.spool_full with the limit; what was there stays as it was."""
    spool = opened(tmp_path, limit=200)
    put(spool, b"a" * 50)
    with pytest.raises(Unavailable) as caught:
        put(spool, b"b" * 50, b"c" * 100)
    assert caught.value.code == "ingest.spool_full"
    assert values(spool) == [b"a" * 50]
    assert put(spool, b"d") == [1]


def test_a_disk_that_refuses_leaves_the_spool_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room on the device while synchronising: nothing is answered, nothing half written is sent."""
    spool = opened(tmp_path)
    put(spool, b"a")
    real = os.fsync

    def refuse(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(Unavailable, match="No space left") as caught:
        put(spool, b"b", b"c")
    assert caught.value.code == "ingest.spool"
    monkeypatch.setattr(os, "fsync", real)
    assert values(spool) == [b"a"]
    assert put(spool, b"d") == [1]
    assert spool.bytes == sum(f.stat().st_size for f in files(tmp_path))
    spool.close()
    assert values(opened(tmp_path)) == [b"a", b"d"]


def test_two_processes_have_folders_of_their_own_and_one_takes_over_what_another_left(tmp_path: Path) -> None:
    """While it lives nobody touches it; when it is gone, whoever starts next sends what it left."""
    one, two = opened(tmp_path), opened(tmp_path)
    put(one, b"1a", b"1b")
    put(two, b"2a", b"2b")
    two.deliver(two.queue(KEY), 1, 9)
    one.close()
    alone = opened(tmp_path)
    assert values(alone) == [b"1a", b"1b"]
    alone.close()
    two.close()
    heir = opened(tmp_path)
    assert values(heir) == [b"1a", b"1b", b"2b"]
    heir.close()
    assert values(opened(tmp_path)) == [b"1a", b"1b", b"2b"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / "live").write_text("a file")
    with pytest.raises(Unavailable, match="spool_mb") as caught:
        opened(tmp_path)
    assert caught.value.code == "ingest.spool"


def test_a_process_that_is_killed_loses_nothing_it_has_answered(tmp_path: Path) -> None:
    """Writes until it is killed by signal 9, and says after each batch that it is safe."""
    code = """
        import sys
        from pathlib import Path
        from ingest.spool import Spool
        spool = Spool(Path(sys.argv[1]) / "live", limit_bytes=10**9).open()
        queue = spool.queue(("live.feed", 3))
        n = 0
        while True:
            spool.append([(queue, [("ingest", b"7")], b"%d" % i * 100) for i in range(n, n + 5)])
            n += 5
            print(n, flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    with child, child.stdout:
        for _ in range(20):
            child.stdout.readline()
        child.kill()
        answered = 100 + 5 * len(child.stdout.read().splitlines())
    found = values(opened(tmp_path))
    assert len(found) >= answered
    assert found == [b"%d" % i * 100 for i in range(len(found))]


def test_reading_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    """Nothing behind the end; what comes later is there at once."""
    spool = opened(tmp_path)
    queue: Queue = spool.queue(KEY)
    assert spool.read(queue, 0) == []
    put(spool, b"a")
    assert [r.n for r in spool.read(queue, 0)] == [0]
    assert spool.read(queue, 1) == []
    put(spool, b"b")
    assert [r.value for r in spool.read(queue, 1)] == [b"b"]
