"""``yiwang replay`` as an engineer uses it: through Kafka, listed, dropped, interrupted."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from scenarios import files
from tests.real_run import part
from yiwang.embedded.kafka import EmbeddedKafka

pytestmark = pytest.mark.slow


def environment(kafka: EmbeddedKafka, dsn: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YIWANG_")}
    return {**kept, "YIWANG_KAFKA": kafka.bootstrap, "YIWANG_DATABASE": dsn}


def yiwang(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yiwang", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=200, check=False)


def test_a_replay_is_a_run_of_its_own(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """It is scored, listed and dropped; the same name is refused twice; nothing is left after the drop."""
    env = environment(kafka, pg_dsn)
    files.save(part(files.load("quiet"), 0.0, 300.0), tmp_path / "five-minutes")
    done = yiwang("replay", "five-minutes", "--name", "mine", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["run"], result["lost"], result["doubled"], result["met"]) == ("mine", 0, 0, True)
    assert result["stored"] == result["readings"] > 3_000

    again = yiwang("replay", "five-minutes", "--name", "mine", cwd=tmp_path, env=env)
    assert again.returncode == 2
    assert "run.exists" in again.stderr

    listed = yiwang("replay", "--list", "--json", cwd=tmp_path, env=env)
    assert [(r["name"], r["state"]) for r in json.loads(listed.stdout)] == [("mine", "finished")]
    unknown = yiwang("replay", "--drop", "yours", cwd=tmp_path, env=env)
    assert unknown.returncode == 2
    assert "run.unknown" in unknown.stderr
    assert "mine" in unknown.stderr
    assert yiwang("replay", "--drop", "live", cwd=tmp_path, env=env).returncode == 2
    assert yiwang("replay", "--drop", "mine", cwd=tmp_path, env=env).returncode == 0
    assert json.loads(yiwang("replay", "--list", "--json", cwd=tmp_path, env=env).stdout) == []
    with psycopg.connect(pg_dsn) as connection:
        left = connection.execute("select 1 from pg_namespace where nspname = 'run_mine'").fetchall()
    assert left == []


def test_ctrl_c_leaves_the_store_consistent(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """Stopped in mid-play: exit 130, the run is marked, what is stored is there once."""
    process = subprocess.Popen(
        [sys.executable, "-m", "yiwang", "replay", "night", "--name", "cut", "--speed", "60"],
        cwd=tmp_path,
        env=environment(kafka, pg_dsn),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stored = "select count(*), count(distinct (district, series, t)) from run_cut.reading"
    with psycopg.connect(pg_dsn, autocommit=True) as connection:
        for _ in range(600):
            there = connection.execute("select to_regclass('run_cut.reading')").fetchone()
            if there and there[0] and (connection.execute(stored).fetchone() or (0,))[0] > 500:
                break
            assert process.poll() is None, process.communicate()
            connection.execute("select pg_sleep(0.1)")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Traceback" not in said
        assert "what was stored is whole" in said
        count, distinct = connection.execute(stored).fetchone() or (0, 0)
        assert count == distinct > 500
        state = connection.execute("select state from yiwang.run where name = 'cut'").fetchone()
        assert state == ("stopped",)
