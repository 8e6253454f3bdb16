"""The built wheel, installed in an empty environment outside the checkout, runs the same demo."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YIWANG_", "VIRTUAL_ENV", "PYTHON"))}
    return subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_the_wheel_runs_the_demo(tmp_path: Path) -> None:
    """Pages and all come out of the wheel, nothing of the checkout is on its path, and the night is judged.

    ``demo --once --json``: simulated workers on the phones' socket, the truth met, nothing lost or doubled.
    """
    if not (ROOT / "web" / "vendor" / "lit-html").is_dir():
        pytest.skip("web/vendor is empty: run make setup")
    built = run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path / "dist",
        ROOT,
        cwd=ROOT,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    wheel = next((tmp_path / "dist").glob("yiwang-*.whl"))
    uv = Path(sys.executable).parent / "uv"
    python = tmp_path / "env" / "bin" / "python"
    for step in (
        [uv, "venv", "-q", "--python", sys.executable, tmp_path / "env"],
        [uv, "pip", "install", "-q", "--python", python, "-c", ROOT / "requirements.lock", wheel],
    ):
        done = run(*step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    where = run(
        python, "-c", "import yiwang, ws_server.static as s; print(yiwang.__file__, s.folder())", cwd=tmp_path
    )
    assert str(ROOT) not in where.stdout.replace(str(tmp_path), "")
    assert (Path(where.stdout.split()[1]) / "vendor" / "maplibre-gl").is_dir()
    demo = run(
        python.parent / "yiwang",
        "demo",
        "--once",
        "--json",
        "--speed",
        "100",
        "--data",
        tmp_path / "data",
        cwd=tmp_path,
    )
    assert demo.returncode == 0, demo.stderr[-3000:] + demo.stdout[-1000:]
    result = json.loads(demo.stdout.splitlines()[-1])
    assert result["truth_met"] is True
    assert result["incidents"] == {"expected": 4, "found": 4, "missed": 0, "false": 0}
    assert result["orders"]["sent"] == result["orders"]["closed"] > 3
    readings = result["readings"]
    assert readings["sent"] == readings["stored"] > 50_000
    assert readings["lost"] == readings["doubled"] == 0
    assert result["latency_ms"]["p99"] >= result["latency_ms"]["p50"] > 0
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / "env")
