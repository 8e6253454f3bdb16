"""Chromium for tests of the pages, and pages that watch for what must never happen."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.chromium import chromium_path
from tests.web.fake_gateway import FakeGateway

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
NO_GL = ["--disable-3d-apis"]  # a map drawn by software is what costs most; few tests need it

Open = Callable[..., Page]


class Browsers:
    """Chromium with and without WebGL, each started when first asked for."""

    def __init__(self, playwright: Playwright, path: str) -> None:
        self._playwright, self._path = playwright, path
        self._running: dict[bool, Browser] = {}

    def get(self, *, gl: bool) -> Browser:
        """The one of the two."""
        if gl not in self._running:
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            self._running[gl] = self._playwright.chromium.launch(
                executable_path=self._path, args=[*(GL if gl else NO_GL), *root]
            )
        return self._running[gl]

    def close(self) -> None:
        """End them."""
        for running in self._running.values():
            running.close()


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    """Chromium for a file's tests; skips where there is none, fails where CI demands one.

    Not for the whole session: Playwright keeps a loop running in this thread, in which no asynchronous test of
    another file could run.
    """
    path = chromium_path()
    assert path is not None  # else the test was skipped before it came here
    if not (ROOT / "web" / "vendor" / "lit-html").is_dir():
        pytest.skip("web/vendor is empty: run make setup")
    with sync_playwright() as playwright:
        both = Browsers(playwright, path)
        yield both
        both.close()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fake gateway on a quiet evening."""
    with FakeGateway() as running:
        yield running


class Watched:
    """What a page did that no page may do."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []

    def follow(self, page: Page, host: str) -> None:
        """Listen to a page."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("request", lambda request: self._request(request.url, host))

    def _console(self, kind: str, text: str) -> None:
        # Tests cut lines, stop requests and answer 503 on purpose; anything else is a fault of the page.
        on_purpose = ("WebSocket connection", "net::ERR_FAILED", "503 (Service Unavailable)")
        if kind == "error" and not any(part in text for part in on_purpose):
            self.errors.append(text)

    def _request(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != host:
            self.foreign.append(url)


@pytest.fixture
def open_page(browsers: Browsers) -> Iterator[Open]:
    """``open_page(gateway, path)``: a page of its own context; at the end no error and no foreign host.

    ``phone``: 360 by 740 with touch instead of 1920 by 1080. ``gl``: with WebGL, so that there is a map.
    """
    contexts: list[BrowserContext] = []
    watched = Watched()

    def opened(
        gateway: FakeGateway, path: str = "", *, phone: bool = False, gl: bool = False, **settings: Any
    ) -> Page:
        size = {"width": 360, "height": 740} if phone else {"width": 1920, "height": 1080}
        context = browsers.get(gl=gl).new_context(
            viewport=settings.pop("viewport", size),
            timezone_id="Asia/Shanghai",
            has_touch=phone,
            reduced_motion="reduce",  # nothing half-way when it is looked at
            **settings,
        )
        contexts.append(context)
        page = context.new_page()
        watched.follow(page, urlsplit(gateway.url).netloc)
        page.goto(gateway.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watched.foreign == []
    assert watched.errors == []


def picture(page: Page, name: str, **settings: Any) -> None:
    """Keep a picture for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", **settings)


def axe(page: Page) -> list[str]:
    """What axe-core has against the page, one line a rule."""
    source = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    page.evaluate(source)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in found["violations"]
    ]
