"""A real MQTT broker for tests: mosquitto where it is installed, otherwise amqtt from PyPI.

amqtt pins an older websockets than ours, so it lives in an environment of its own, kept in the user's cache. It
does not send again what a kept session has not acknowledged (0.12), so tests of that need mosquitto.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from yiwang.embedded.ports import free_port, is_taken

AMQTT = "amqtt==0.12.0"
CHOICE = "YIWANG_TEST_MQTT"  # mosquitto or amqtt, to force one


class Absent(Exception):
    """Neither broker can be had; the message says why."""


def command(folder: Path, port: int) -> list[str]:
    """How to start a broker on ``port`` with its files in ``folder``."""
    choice = os.environ.get(CHOICE, "")
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if mosquitto and choice != "amqtt":
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n", "utf-8"
        )
        return [mosquitto, "-c", str(config)]
    if choice == "mosquitto":
        raise Absent("mosquitto is not installed (Debian: apt-get install mosquitto)")
    config = folder / "amqtt.yaml"
    config.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\nplugins:\n"
        "  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n",
        "utf-8",
    )
    return [str(_amqtt()), "-c", str(config)]


def _amqtt() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yiwang" / "test-amqtt"
    program = home / "bin" / "amqtt"
    if not program.exists():
        uv = [sys.executable, "-m", "uv"] if shutil.which("uv") is None else ["uv"]
        try:
            subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(home)], check=True)
            subprocess.run(
                [*uv, "pip", "install", "-q", "--python", str(home / "bin" / "python"), AMQTT], check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(home, ignore_errors=True)
            raise Absent(f"no mosquitto here, and {AMQTT} could not be installed: {error}") from error
    return program


class Broker:
    """A broker on a port that stays the same when it is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._command = command(folder, self.port)
        self.keeps_sessions = "mosquitto" in self._command[0]
        self._log = folder / "broker.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Self:
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(self._command, stdout=log, stderr=log)
        while not is_taken(self.port):
            if self._child.poll() is not None:
                raise AssertionError(self._log.read_text("utf-8"))
        return self

    def stop(self) -> None:
        if self._child:
            self._child.terminate()
            self._child.wait(10)
            self._child = None
