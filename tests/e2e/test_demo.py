"""``yiwang demo`` as a user meets it: one command, one address, a night, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenReal
from tests.web.conftest import ARTIFACTS, picture

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("YIWANG_")}


def yiwang(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "yiwang", *arguments]


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that have something to do with the folder."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "environ"]):
        try:
            words = [*process.info["cmdline"], *(process.info["environ"] or {}).values()]
        except TypeError:
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words or ()):
            found.append(" ".join(process.info["cmdline"])[:120])
    return found


class Demo:
    """A running demo; its address and what it says."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._log = (folder / "demo.log").open("w+")
        self.process = subprocess.Popen(
            yiwang("demo", "--data", str(folder), "--port", "0", *arguments),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=ENVIRONMENT,
        )
        assert self.process.stdout is not None
        self.address = ""
        for line in self.process.stdout:
            if match := re.search(r"http://\S+", line):
                self.address = match.group(0)
                break
        assert self.address, self.said()

    def said(self) -> str:
        """Its standard error so far."""
        return (self.folder / "demo.log").read_text()

    def end(self) -> int:
        """Ctrl-C; if that is not heard within a minute, the hard way, so that the tests go on."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.process.communicate()
            self._log.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short-lived data folder, taken away even though it is large."""
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.browser
def test_the_night_on_the_pages(folder: Path, open_real: OpenReal) -> None:
    """The night begins with the first page; alerts, crews and the neighbour's help appear; Ctrl-C ends it all.

    Its pictures are those of the README.
    """
    demo = Demo(folder, "--speed", "60")
    try:
        console = open_real(f"{demo.address}console.html?post=desk-0", gl=True)
        console.wait_for_selector("body[data-map=ready]")
        expect(console.locator("body")).to_contain_text("演示")

        flood = console.locator(".row", has_text="道路积水")
        expect(flood).to_contain_text("达到 50 cm", timeout=120_000)
        expect(console.locator(".row", has_text="燃气泄漏")).to_have_count(1, timeout=30_000)
        expect(console.locator(".row", has_text="交通事件")).to_have_count(1)
        flood.click()
        expect(console.locator("#work")).to_contain_text("澄湖排水", timeout=60_000)
        console.wait_for_timeout(1500)  # the curve and the map's picture of the choice; nothing is asserted
        picture(console, "console")

        worker = open_real(f"{demo.address}worker.html?post=TRAFFIC-03", phone=True)
        expect(worker.locator("article.card, .past li").first).to_contain_text("交通事件")
        picture(worker, "worker")

        console.click("text=English")
        expect(console.locator(".row", has_text="Water depth")).not_to_have_count(0)
        p99 = console.locator("#p99").inner_text()
        assert re.fullmatch(r"\d+", p99), p99

        second = subprocess.run(
            yiwang("demo", "--data", str(folder), "--port", "0"),
            capture_output=True,
            check=False,
            text=True,
            env=ENVIRONMENT,
        )
        assert second.returncode == 2
        assert "stack.already_running" in second.stderr
        assert str(demo.process.pid) in second.stderr
        assert demo.address in second.stderr

        taken = subprocess.run(
            yiwang("demo", "--data", str(folder / "other"), "--port", demo.address.split(":")[2].strip("/")),
            capture_output=True,
            check=False,
            text=True,
            env=ENVIRONMENT,
        )
        assert taken.returncode == 2
        assert "demo.port_taken" in taken.stderr
    finally:
        status = demo.end()
    assert status == 130, demo.said()
    assert left_behind(folder) == []
    if target := os.environ.get("YIWANG_TEST_PICTURES"):
        for name in ("console", "worker"):
            shutil.copy(ARTIFACTS / f"{name}.png", target)
