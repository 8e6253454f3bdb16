"""``yiwang serve`` as a process."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from sql import migrate
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.runs import Run


@asynccontextmanager
async def serve(folder: Path, *options: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "yiwang", "serve", *options,
        cwd=folder,
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def fetch(address: str) -> tuple[int, str]:
    with build_opener(ProxyHandler({})).open(f"http://{address}", timeout=30) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.slow
async def test_it_says_where_it_serves_and_ends_on_sigterm(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """One JSON line when it serves; an orderly end without a word of complaint."""
    run = Run(name="serve-test", kind="demo", ticks="player", districts=1)
    await asyncio.to_thread(migrate, pg_dsn, run)
    async with serve(
        tmp_path, "--run", "serve-test", "--port", "0",
        YIWANG_KAFKA=kafka.bootstrap, YIWANG_DATABASE=pg_dsn,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(await process.stdout.readline())
        assert ready.keys() == {"ready", "http", "socket"}
        assert ready["ready"] == "serve"
        status, health = await asyncio.to_thread(fetch, f"{ready['http']}/api/health")
        assert status == 200
        assert "screens" in json.loads(health)
        process.send_signal(signal.SIGTERM)
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 0
        assert "Traceback" not in said


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.com"])
async def test_it_refuses_to_listen_beyond_this_machine(tmp_path: Path, host: str) -> None:
    """One line with the code, exit status 2, before anything else is tried."""
    async with serve(tmp_path, "--host", host, "--port", "0") as process:
        _, stderr = await process.communicate()
    assert process.returncode == 2
    assert "[serve.loopback]" in stderr.decode()
    assert "Traceback" not in stderr.decode()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """So that one knows what to stop or to choose."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        async with serve(tmp_path, "--port", port) as process:
            _, stderr = await process.communicate()
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in stderr.decode()
    assert "[serve.port_taken]" in stderr.decode()
