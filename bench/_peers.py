"""Other stream processors at the same job, each held to one core: what they do with one JSON reading a message."""

import asyncio
import json
import subprocess
import sys
import uuid
from pathlib import Path

from bench._stack import ROOT, Stack, cores, spawn
from yiwang.errors import Unavailable

PEERS = ROOT / "bench" / "peers"
HOME = ROOT / ".yiwang" / "bench-peers"
LIMIT_S = 300
SENSORS = 100_000
READINGS = {"faust": 150_000, "quix": 600_000, "bytewax": 1_500_000}
QUICK = {"faust": 60_000, "quix": 200_000, "bytewax": 500_000}


def python() -> Path:
    """Python of the peers' own environment (their pins are not ours), made from the lock file where it is missing.

    Raises:
        Unavailable: ``bench.peers`` when it cannot be made, with what the installer said.
    """
    lock = PEERS / "requirements.lock"
    stamp = HOME / "lock"
    made = HOME / "bin" / "python"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return made
    uv = Path(sys.executable).parent / "uv"
    for step in (
        [uv, "venv", "-q", "--clear", "--python", sys.executable, HOME],
        [uv, "pip", "install", "-q", "--python", made, "--require-hashes", "-r", lock],
    ):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(
                "bench.peers", f"the peers' environment could not be made: {done.stderr.strip()}"
            )
    stamp.write_bytes(lock.read_bytes())
    return made


async def _topic(bootstrap: str, *names: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()


def _one(peer: str, argv: list[str | Path], stack: Stack, env: dict[str, str]) -> dict[str, float]:
    """Run one until its meter has ended it; what it printed."""
    log = stack.folder / f"{peer}.log"
    child = spawn(argv, core=cores()[0], env=env, log=log)
    try:
        line, _ = child.communicate(timeout=LIMIT_S)
    finally:
        child.kill()
    if not line.strip():
        raise Unavailable("bench.peer", f"{peer} ended without a result:\n{log.read_text()[-2000:]}")
    taken = json.loads(line.splitlines()[-1])
    return {
        "per_s": taken["readings"] / taken["seconds"],
        "cpu_us": taken["cpu_s"] / taken["readings"] * 1e6,
        "findings": taken["findings"],
    }


def bare(stack: Stack, run: str, readings: int) -> dict[str, dict[str, float]]:
    """Our frames and our machine in bare aiokafka and in Quix Streams, over the feed of a run that was measured."""
    theirs = python()
    found = {}
    for name, argv in {
        "bare_aiokafka": [sys.executable, "-m", "bench._bare"],
        "bare_quix": [theirs, PEERS / "quix_frames.py"],
    }.items():
        out = f"{run}-{name}"
        folder = stack.folder / out
        folder.mkdir()
        asyncio.run(_topic(stack.kafka, out))
        env = {"PYTHONPATH": str(ROOT)}
        found[name] = _one(name, [*argv, stack.kafka, run, out, str(readings), str(folder)], stack, env)
    return found


def measure(stack: Stack, *, quick: bool) -> dict[str, dict[str, float]]:
    """Peer to readings a second and CPU microseconds a reading; all read the same topic from its beginning."""
    amounts = QUICK if quick else READINGS
    theirs = python()
    source = f"json-{uuid.uuid4().hex[:6]}"
    asyncio.run(_topic(stack.kafka, source, *(f"{source}-{peer}" for peer in amounts)))
    subprocess.run(
        [theirs, PEERS / "produce.py", stack.kafka, source, str(max(amounts.values())), str(SENSORS)],
        check=True,
        timeout=LIMIT_S,
    )
    commands = {
        "faust": [sys.executable, "-m", "bench.peers.faust_agent"],
        "quix": [theirs, PEERS / "quix.py"],
        "bytewax": [theirs, PEERS / "bytewax_flow.py"],
    }
    found = {}
    for peer, total in amounts.items():
        folder = stack.folder / peer
        folder.mkdir()
        argv = [*commands[peer], stack.kafka, source, f"{source}-{peer}", str(total), str(folder)]
        found[peer] = _one(peer, argv, stack, {})
    return found
