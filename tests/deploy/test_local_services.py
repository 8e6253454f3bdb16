"""deploy/local-services where it cannot work: it says so and changes nothing."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "local-services"


def run(
    *arguments: str, folder: Path, path: str | None = None, user: str | None = None
) -> tuple[int, str, str]:
    done = subprocess.run(
        [SCRIPT, *arguments],
        env={"PATH": path or os.environ["PATH"], "YIWANG_LOCAL_SERVICES": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        user=user,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_wrong_use_shows_the_right_one(tmp_path: Path) -> None:
    """An unknown word is answered with the four known ones."""
    status, out, err = run("begin", folder=tmp_path / "home")
    assert (status, out) == (2, "")
    assert "start|stop|status|dsn" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: becomes another account")
def test_without_root_it_names_the_way_out() -> None:
    """Another account gets one line with what to do, and exit status 4: cannot be had."""
    script = SCRIPT.read_text("utf-8")
    done = subprocess.run(
        ["bash", "-s", "start"],
        input=script,
        user="nobody",
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 4
    assert "needs root" in done.stderr
    assert "compose.yaml" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it another message comes first")
def test_without_debootstrap_it_names_the_package(tmp_path: Path) -> None:
    """A missing tool is named with the command that installs it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "id", "mkdir", "flock", "mountpoint"):
        found = next(Path(folder, tool) for folder in ("/usr/bin", "/bin") if Path(folder, tool).exists())
        (tools / tool).symlink_to(found)
    script = SCRIPT.read_text("utf-8").replace(":/usr/sbin:/sbin", "")
    done = subprocess.run(
        ["/bin/bash", "-s", "start"],
        input=script,
        env={"PATH": str(tools), "YIWANG_LOCAL_SERVICES": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "apt-get install debootstrap" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it another message comes first")
def test_status_and_dsn_of_nothing(tmp_path: Path) -> None:
    """Where nothing runs no address is printed, and stopping it is no error."""
    for command in ("status", "dsn"):
        status, out, err = run(command, folder=tmp_path / "home")
        assert (status, out) == (3, "")
        assert "not running" in err
    assert run("stop", folder=tmp_path / "home")[0] == 0
