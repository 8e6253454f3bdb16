"""The small server of a worker's metrics, and its place among the other processes."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from yiwang import metrics_http, processes
from yiwang.errors import Unavailable
from yiwang.metrics import Metrics
from yiwang.metrics_http import OFF, registered, shown
from yiwang.processes import Registration, found


async def get(address: str, request: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_worker_shows_its_metrics_and_where(tmp_path: Path) -> None:
    """On a free port, as long as the block lasts, and the file says where."""
    metrics, entry = registered(tmp_path, "district", "live", "a")
    async with shown(metrics, entry, "127.0.0.1", 0) as address:
        answer = await get(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"yiwang_process_build_info" in body
        (one,) = found(tmp_path, "live")
        assert (one.role, one.worker, one.address, one.pid) == ("district", "a", address, os.getpid())
        assert one.alive
        assert one.name == "district a"
    assert found(tmp_path) == []
    with pytest.raises(OSError, match="onnect"):
        await get(address, b"GET /metrics HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metricsx HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", b"200"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\xff\xfe\r\n\r\n", b"404"),
    ],
)
def test_what_else_is_asked(request_: bytes, status: bytes) -> None:
    """Only GET and HEAD of /metrics are answered with metrics; no bytes make it raise."""
    answer = metrics_http.answer(Metrics("city", "live"), request_)
    assert answer.split()[1] == status
    assert (b"yiwang_process" in answer) == (status == b"200" and not request_.startswith(b"HEAD"))


async def test_a_request_without_end_is_dropped(tmp_path: Path) -> None:
    """More than eight kilobytes of head are no request; the connection closes and the next is served."""
    metrics, entry = registered(tmp_path, "city", "live", "")
    async with shown(metrics, entry, "127.0.0.1", 0) as address:
        with contextlib.suppress(ConnectionError):  # closed before it was all sent
            assert await get(address, b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 20_000) == b""
        assert b"200 OK" in await get(address, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The error says which port and what to do."""
    metrics, entry = registered(tmp_path, "city", "live", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*YIWANG_METRICS_PORT") as caught:
            async with shown(metrics, entry, "127.0.0.1", port):
                pass
    assert caught.value.code == "metrics.port"


async def test_without_metrics(tmp_path: Path) -> None:
    """Port -1: nothing listens and nothing is written."""
    metrics, entry = registered(tmp_path, "city", "live", "")
    async with shown(metrics, entry, "127.0.0.1", OFF) as address:
        assert address == ""
    assert found(tmp_path) == []


def test_a_worker_that_was_killed_is_counted(tmp_path: Path) -> None:
    """A file left behind is a life that did not end in order; one that ended in order starts anew at none."""
    for expected in (0, 1, 2):
        entry = Registration(tmp_path, "district", "live", "a")
        assert entry.restarts == expected
        entry.announce("127.0.0.1:1")
    entry.withdraw()
    assert Registration(tmp_path, "district", "live", "a").restarts == 0
    assert Registration(tmp_path, "district", "live", "").restarts == 0


def test_a_killed_process_is_seen_as_gone(tmp_path: Path) -> None:
    """Its file stays and says so; one without a name is forgotten when the next one comes."""
    code = (
        "import os, sys; from pathlib import Path; from yiwang.processes import Registration\n"
        "for name in ('a', ''):\n"
        "    Registration(Path(sys.argv[1]), 'district', 'live', name).announce('127.0.0.1:1')\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    assert [(e.worker, e.alive) for e in found(tmp_path)].count(("a", False)) == 1
    assert len(found(tmp_path)) == 2
    Registration(tmp_path, "ingest", "live", "").announce("127.0.0.1:2")
    assert [(e.role, e.worker, e.alive) for e in found(tmp_path)] == [
        ("district", "a", False),
        ("ingest", "", True),
    ]


def test_a_file_is_what_prometheus_reads(tmp_path: Path) -> None:
    """A list of groups with targets and labels that are strings; what is not for it begins with two underscores."""
    Registration(tmp_path, "district", "live", "a/b 区").announce("127.0.0.1:4711")
    (path,) = (tmp_path / processes.FOLDER).iterdir()
    (group,) = json.loads(path.read_text("utf-8"))
    assert group["targets"] == ["127.0.0.1:4711"]
    assert group["labels"].items() >= {"role": "district", "run": "live", "worker": "a/b 区"}.items()
    assert all(isinstance(v, str) for v in group["labels"].values())
    assert all(k in ("role", "run", "worker") or k.startswith("__meta_yiwang_") for k in group["labels"])


def test_other_files_and_folders_do_no_harm(tmp_path: Path) -> None:
    """No folder, half a file, another program's file: left out. A folder that cannot be written: said in the log."""
    assert found(tmp_path / "nowhere") == []
    folder = tmp_path / processes.FOLDER
    folder.mkdir()
    for n, text in enumerate(('[{"targets": [', "[]", '[{"targets": ["x:1"], "labels": {}}]', "\xff")):
        (folder / f"{n}.json").write_text(text, "latin-1")
    assert found(tmp_path) == []
    blocked = tmp_path / "file"
    blocked.write_text("")
    entry = Registration(blocked, "district", "live", "a")
    entry.announce("127.0.0.1:1")
    entry.withdraw()
    assert found(blocked) == []
