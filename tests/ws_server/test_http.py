"""The HTTP API: answers, refusals, headers. Without database and broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.ws_server.bodies import hub
from ws_server.http import application, policy
from ws_server.hub import Hub
from ws_server.static import Pages
from yiwang.metrics import Metrics


@pytest.fixture
def made() -> Hub:
    """A hub that is ready; its database does not answer."""
    return hub()


@pytest.fixture
async def web(made: Hub, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of sorts, at the gateway's own address."""
    (tmp_path / "console.html").write_text("<!doctype html><title>值班</title>", encoding="utf-8")
    (tmp_path / "page.js").write_text("export {}")
    transport = httpx.ASGITransport(
        application(made, Pages(tmp_path), Metrics("gateway", "live"), socket_port=4321)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
        yield client


async def test_the_session_says_where_the_socket_is_and_who_can_sit_here(web: httpx.AsyncClient) -> None:
    """Under the host name that the page itself was opened with."""
    answer = (await web.get("/api/session")).json()
    assert (answer["run"], answer["kind"], answer["epoch"]) == ("test", "demo", "test.1")
    assert answer["socket"] == "ws://127.0.0.1:4321/"
    assert [p["id"] for p in answer["posts"]] == ["desk-0", "desk-1", "desk-city", "U-1", "U-2", "U-3"]
    assert answer["posts"][0] == {
        "id": "desk-0",
        "role": "desk",
        "name": {"zh": "云溪区值班席", "en": "Yunxi desk"},
        "district": 0,
        "skill": "",
    }
    assert answer["districts"][1]["name"]["zh"] == "澄湖区"
    other = await web.get("/api/session", headers={"host": "localhost:8420"})
    assert other.json()["socket"] == "ws://localhost:4321/"
    six = await web.get("/api/session", headers={"host": "[::1]:8420"})
    assert six.json()["socket"] == "ws://[::1]:4321/"


async def test_before_the_database_was_reached_the_session_is_unavailable(
    web: httpx.AsyncClient, made: Hub
) -> None:
    """503 with a code and when to come again."""
    made.run = None
    answer = await web.get("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (503, "session.starting")
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.7:8420", "localhost.evil.example", ""])
async def test_other_host_names_are_refused(web: httpx.AsyncClient, host: str) -> None:
    """A name elsewhere that resolves to this machine would let its pages read ours."""
    for path in ("/", "/api/session", "/page.js"):
        answer = await web.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "http.host")


async def test_every_answer_carries_the_policy(web: httpx.AsyncClient) -> None:
    """Also errors: nothing from elsewhere, no inline script, only our own socket."""
    for path in ("/", "/page.js", "/api/session", "/api/nope", "/nope"):
        headers = (await web.get(path)).headers
        assert headers["content-security-policy"] == policy("127.0.0.1", 4321)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    rules = dict(r.strip().split(" ", 1) for r in policy("127.0.0.1", 4321).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self' ws://127.0.0.1:4321"
    assert rules["worker-src"] == "'self' blob:"
    assert "unsafe" not in str(rules)


async def test_pages_are_revalidated(web: httpx.AsyncClient) -> None:
    """Type by our own table, an ETag, 304 where it still holds."""
    first = await web.get("/")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "值班" in first.text
    assert first.headers["cache-control"] == "no-cache"
    again = await web.get("/", headers={"if-none-match": f"W/{first.headers['etag']}"})
    assert (again.status_code, again.content) == (304, b"")
    module = await web.get("/page.js")
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    head = await web.head("/page.js")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/api/domains", "/api/registry", "/api/map"])
async def test_what_changes_seldom_is_revalidated(web: httpx.AsyncClient, path: str) -> None:
    """The registry of a city is large; a page asks for it at every load."""
    first = await web.get(path)
    assert first.status_code == 200
    assert isinstance(first.json(), dict)
    assert (await web.get(path, headers={"if-none-match": first.headers["etag"]})).status_code == 304


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api", 404, "http.not_found"),
        ("/api/nope", 404, "http.not_found"),
        ("/nope.html", 404, "http.not_found"),
        ("/api/readings", 400, "http.parameter"),
        ("/api/readings?district=0&series=x&from_ms=0&to_ms=1", 400, "http.parameter"),
        ("/api/readings?district=0&series=1&from_ms=0&to_ms=nan", 400, "http.parameter"),
        ("/api/readings?district=0&series=1&from_ms=0&to_ms=inf", 400, "http.parameter"),
        ("/api/readings?district=99999&series=1&from_ms=0&to_ms=1", 400, "http.parameter"),
        ("/api/readings?district=0&series=1&from_ms=5&to_ms=5", 400, "http.range"),
        ("/api/readings?district=0&series=1&from_ms=0&to_ms=99999999999", 400, "http.range"),
        ("/api/readings?district=0&series=1&from_ms=0&to_ms=1&points=1", 400, "http.parameter"),
        ("/api/incidents?state=burning", 400, "http.parameter"),
        ("/api/incidents?limit=501", 400, "http.parameter"),
        ("/api/incidents?before_ms=-1", 400, "http.parameter"),
        ("/api/incidents", 503, "database.unavailable"),
        ("/api/readings?district=0&series=1&from_ms=0&to_ms=1", 503, "database.unavailable"),
    ],
)
async def test_what_is_wrong_is_named(web: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    """Every refusal is JSON with code, message and args."""
    answer = await web.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"code", "message", "args"}


async def test_only_reading_is_possible(web: httpx.AsyncClient) -> None:
    """Whatever decides goes over the socket."""
    answer = await web.post("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (405, "http.method")


async def test_health_tells_what_is_wrong(web: httpx.AsyncClient, made: Hub) -> None:
    """It answers in any case; ``ok`` and the problems say how things are."""
    well = (await web.get("/api/health")).json()
    assert (well["ok"], well["kafka"], well["database"], well["problems"]) == (True, True, True, {})
    assert well["screens"] == {}
    from yiwang.broker import unavailable

    made.problem("broker", unavailable("127.0.0.1:1", ConnectionError("refused")))
    ill = (await web.get("/api/health")).json()
    assert (ill["ok"], ill["kafka"], ill["database"]) == (False, False, True)
    assert ill["problems"]["broker"]["code"] == "kafka.unavailable"
    made.well("broker")
    assert (await web.get("/api/health")).json()["ok"] is True


async def test_health_counts_the_pages_that_were_opened(web: httpx.AsyncClient) -> None:
    """The demo begins its night with the first: opened anew or out of the browser's cache, but no script."""
    assert (await web.get("/api/health")).json()["pages"] == 0
    first = await web.get("/")
    await web.get("/page.js")
    await web.get("/nothing.html")
    await web.get("/console.html", headers={"if-none-match": first.headers["etag"]})
    assert (await web.get("/api/health")).json()["pages"] == 2
