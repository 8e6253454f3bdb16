"""Pages over the real system, in Chromium."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.web.conftest import Browsers, browsers

__all__ = ["browsers"]  # the fixture, for this folder too

OpenReal = Callable[..., Page]


@pytest.fixture
def open_real(browsers: Browsers) -> Iterator[OpenReal]:
    """``open_real(url)``: a page of its own context; at the end no page has raised or asked another machine."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    foreign: list[str] = []

    def follow(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            foreign.append(url)

    def opened(url: str, *, phone: bool = False, gl: bool = False) -> Page:
        size = {"width": 360, "height": 740} if phone else {"width": 1920, "height": 1080}
        context = browsers.get(gl=gl).new_context(
            viewport=size, timezone_id="Asia/Shanghai", has_touch=phone, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: follow(request.url))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []
