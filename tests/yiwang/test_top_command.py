"""``yiwang top``: what it makes of the pages of processes, and what it says where they are away."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from yiwang import metrics
from yiwang.cli import cli
from yiwang.commands import top
from yiwang.commands._city_rows import City, city
from yiwang.commands._pages import Between, Kept, Page, between, fetch, parse
from yiwang.commands._top_view import _bytes, _number, _time, tables
from yiwang.errors import YiwangError
from yiwang.latency import Latency
from yiwang.metrics import Metrics
from yiwang.processes import Entry, Registration


def entry(role: str, worker: str = "a", address: str = "127.0.0.1:1") -> Entry:
    return Entry(role=role, run="live", worker=worker, address=address, pid=1, host="elsewhere")


def page(shown: Metrics, at_s: float) -> Page:
    return parse(shown.text()[0].decode(), at_s)


class Worker:
    """A district worker's counters, as its page shows them."""

    def __init__(self, name: str, district: int) -> None:
        self.shown = Metrics("district", "live", name)
        self.readings = 0
        self.lag_s = 0.0
        self.detect = Latency()
        d = str(district)
        self.shown.add(
            "it",
            lambda: [
                (metrics.DISTRICT_READINGS, (d,), self.readings),
                (metrics.DISTRICT_LAG, (d, "feed"), 12),
                (metrics.DISTRICT_LAG, (d, "commands"), 1),
                (metrics.DISTRICT_LAG_S, (d,), self.lag_s),
                (metrics.STAGE, ("detect", d), self.detect),
                (metrics.SNAPSHOT_AGE, (d,), 4.0),
                (metrics.QUEUE, ("outbox", ""), 50),
                (metrics.QUEUE_LIMIT, ("outbox", ""), 200),
                (metrics.AWAY, ("database",), 0),
            ],
        )


def test_rates_are_of_the_interval_and_latencies_of_what_came_in_it() -> None:
    """Ten thousand readings in two seconds are 5000/s, whatever came before; old latencies do not count."""
    worker = Worker("a", 3)
    worker.readings = 1_000_000
    worker.detect.observe(50.0, 1_000_000)
    before = page(worker.shown, 100.0)
    worker.readings += 10_000
    worker.detect.observe(0.015, 10_000)
    found = city("live", [entry("district")], between([before], [page(worker.shown, 102.0)]))
    (row,) = found.processes
    assert row.name == "district a"
    assert row.readings_per_s == 5000
    assert row.lag_messages == 13
    assert (row.stage, row.fullest) == ("detect", 0.25)
    assert row.p99_s is not None
    assert 0.01 < row.p99_s <= 0.02
    assert row.rss_bytes is not None
    (district,) = found.districts
    assert (district.district, district.worker, district.readings_per_s) == (3, "a", 5000)
    assert found.as_json()["missing"] == []


def test_with_nothing_new_latency_is_that_since_the_start() -> None:
    """A quiet process is not one without figures."""
    worker = Worker("a", 0)
    worker.detect.observe(0.015, 10)
    one = page(worker.shown, 0.0)
    latency = Between(one, page(worker.shown, 1.0)).latency(0.5, stage="detect")
    assert latency is not None
    assert 0.01 < latency <= 0.02
    assert Between(one, one).rate(metrics.DISTRICT_READINGS) is None  # no time has passed


def test_a_counter_that_began_again_counts_from_there() -> None:
    """A restarted worker has no negative rate."""
    worker = Worker("a", 0)
    worker.readings = 1000
    before = page(worker.shown, 0.0)
    worker.readings = 40
    assert Between(before, page(worker.shown, 2.0)).rate(metrics.DISTRICT_READINGS) == 20


def test_who_is_held_back_now() -> None:
    """Sources whose refusals grew meanwhile, the worst first; who was held back yesterday is not named."""
    shown = Metrics("ingest", "live")
    counts = {"10.0.0.1": 5, "10.0.0.2": 90, "10.0.0.3": 1}
    shown.add("it", lambda: [(metrics.INGEST_LIMITED, ("bodies", s), n) for s, n in counts.items()])
    before = page(shown, 0.0)
    counts["10.0.0.1"] += 2
    counts["10.0.0.3"] += 7
    (row,) = city("live", [entry("ingest")], between([before], [page(shown, 1.0)])).processes
    assert row.limited == ("10.0.0.3", "10.0.0.1")


def test_the_worst_comes_first() -> None:
    """One that does not answer, then one that waits for a service, then the one furthest behind."""
    calm, late, waiting = Worker("calm", 0), Worker("late", 1), Worker("waits", 2)
    late.lag_s = 9.0
    waiting.shown.add("away", lambda: [(metrics.AWAY, ("kafka",), 1)])
    pages: list[Between | str] = [Between(p, p) for p in (page(w.shown, 0.0) for w in (calm, late, waiting))]
    entries = [entry("district", name) for name in ("calm", "late", "waits", "dead")]
    found = city("live", entries, [*pages, "Connection refused"])
    assert [p.name for p in found.processes] == [
        "district dead",
        "district waits",
        "district late",
        "district calm",
    ]
    assert [d.district for d in found.districts] == [1, 0, 2]
    assert found.as_json()["missing"] == ["district dead"]
    assert found.processes[1].away == ("kafka",)


def test_the_way_to_the_screen_is_that_of_the_worst_gateway() -> None:
    """Over the longer time, since screens report rarely; without a report there is no figure."""
    gateways = [Metrics("gateway", "live", name) for name in ("g", "h")]
    drawn = [Latency(), Latency()]
    for shown, latency in zip(gateways, drawn, strict=True):
        shown.add("it", lambda latency=latency: [(metrics.STAGE, ("screen", "0"), latency)])
    entries = [entry("gateway", name) for name in ("g", "h")]
    first = [page(shown, 0.0) for shown in gateways]
    assert city("live", entries, between(first, first)).screen_p99_s is None
    drawn[0].observe(50.0, 1000)
    old = [page(shown, 1.0) for shown in gateways]
    drawn[0].observe(0.04, 100)
    drawn[1].observe(0.18, 100)
    before = [page(shown, 10.0) for shown in gateways]
    now = [page(shown, 12.0) for shown in gateways]
    quiet = city("live", entries, between(before, now)).screen_p99_s
    assert quiet is not None
    assert quiet > 30
    found = city("live", entries, between(before, now), between(old, now))
    assert found.screen_p99_s is not None
    assert 0.15 < found.screen_p99_s <= 0.2
    assert found.interval_s == 2.0
    for language, words in (("en", "sensor to screen p99"), ("zh-CN", "感知到屏幕 p99")):
        console = Console(width=80)
        with console.capture() as captured:
            console.print(tables(found, language))  # type: ignore[arg-type]  # one of the two
        assert f"{words} {_time(found.screen_p99_s)}" in captured.get()


def test_what_is_reported_rarely_is_of_the_time_that_was_kept() -> None:
    """Never a moment only, and never longer than twice what was asked for, once so much has passed."""
    kept = Kept(15.0)
    ages = []
    for at_s in range(0, 100, 2):
        kept.take({"a": Page(float(at_s))}, at_s)
        oldest = kept.before["a"]
        assert isinstance(oldest, Page)
        ages.append(at_s - oldest.at_s)
    assert ages[:3] == [0, 2, 4]
    assert all(15 <= age <= 32 for age in ages[8:])


def storm() -> City:
    """A city with large figures everywhere and a process that is away."""
    pages: list[Between | str] = []
    entries = []
    for n in range(3):
        worker = Worker(f"district-{n}", n)
        worker.readings = 10**9
        worker.lag_s = 5000.0
        before = page(worker.shown, 0.0)
        worker.readings += 1_999_999
        worker.detect.observe(0.123, 100)
        pages.append(Between(before, page(worker.shown, 1.0)))
        entries.append(entry("district", f"district-{n}"))
    return city("live", [*entries, entry("persist", "persist-0")], [*pages, "no answer within 2 s"])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("processes", "districts", "no answer", "rdgs/s")),
        ("zh-CN", ("进程", "积压", "无应答", "读数/秒")),
    ],
)
def test_it_fits_eighty_columns_in_both_languages(language: str, words: tuple[str, ...]) -> None:
    """No line is broken and no figure cut; the process that is away is named with its reason."""
    console = Console(width=80, record=True, highlight=False, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(tables(storm(), language))  # type: ignore[arg-type]  # one of the two
    text = captured.get()
    for word in words:
        assert word in text
    assert "persist persist-0 (127.0.0.1:1): no answer within 2 s" in text
    assert "2.00M" in text
    rows = [line for line in text.splitlines() if "district-" in line]
    assert len(rows) == 6  # each worker with its district, each on one line
    assert "…" not in text


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (_number, None, "-"),
        (_number, 0, "0"),
        (_number, 0.25, "0.2"),
        (_number, 812, "812"),
        (_number, 9999.9, "10.0k"),
        (_number, 999_999, "1.00M"),
        (_number, 2_000_000, "2.00M"),
        (_number, 123_456_789, "123M"),
        (_time, 0.0004, "0.4ms"),
        (_time, 0.0, "0ms"),
        (_time, 0.15, "150ms"),
        (_time, 0.9999, "1.00s"),
        (_time, 47.2, "47s"),
        (_time, 720, "12m"),
        (_time, 10_800, "3h"),
        (_bytes, 734_003_200, "700M"),
        (_bytes, 2**31, "2.0G"),
        (_bytes, None, "-"),
    ],
)
def test_figures_are_short(write: Callable[[float | None], str], value: float | None, text: str) -> None:
    """Five characters at the most, so that columns stand still."""
    assert write(value) == text
    assert len(text) <= 5


@contextmanager
def served(body: bytes, status: int = 200) -> Iterator[str]:
    """A web server that always says the same; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_what_is_no_page_of_metrics_is_said() -> None:
    """Another program on the port, an error, nobody there: a reason, never an exception."""
    with served(b"<html>hello</html>") as address:
        assert str(fetch(address)).startswith("no metrics:")
    with served(b"", 503) as address:
        assert fetch(address) == "answers 503"
    assert "refused" in str(fetch(address))


def look(arguments: list[str]) -> Result:
    """The command as the program gives it: click keeps its help option from the first call, with the names of then."""
    return CliRunner().invoke(top.command, arguments, **cli.context_settings)


@pytest.fixture
def short_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No second of waiting between the two looks, and a data folder of the test's own."""
    monkeypatch.setattr(top, "FIRST_S", 0.0)
    monkeypatch.setenv("YIWANG_DATA", str(tmp_path))
    return tmp_path


def test_it_finds_what_is_announced(short_look: Path) -> None:
    """Without a terminal it looks once; --json is one object that names what is missing."""
    worker = Worker("a", 0)
    with served(worker.shown.text()[0]) as address:
        Registration(short_look, "district", "live", "a").announce(address)
        Registration(short_look, "persist", "live", "p").announce("127.0.0.1:1")
        result = look(["--json"])
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["missing"] == ["persist p"]
        assert {p["name"] for p in told["processes"]} == {"district a", "persist p"}
        assert told["districts"][0]["lag_messages"] == 13
        text = look(["--lang", "en"]).stdout
        assert "district a" in text
        assert "no answer: persist p (127.0.0.1:1)" in text
        asked = json.loads(look(["--json", "--at", address]).stdout)
        assert [p["name"] for p in asked["processes"]] == ["district a"]


def test_nothing_announced(short_look: Path) -> None:
    """The error says where it looked, which runs there are, and what to do."""
    with pytest.raises(YiwangError, match=r"YIWANG_DATA.*--at") as caught:
        top.command.main(["--once"], standalone_mode=False)
    assert caught.value.code == "top.nothing"
    Registration(short_look, "district", "demo-1", "a").announce("127.0.0.1:1")
    with pytest.raises(YiwangError, match="demo-1"):
        top.command.main(["--once"], standalone_mode=False)


@pytest.mark.parametrize("address", ["", "host", "host:", "host:0", "host:70000", "http://host:80", "a b:80"])
def test_a_wrong_address_is_refused(short_look: Path, address: str) -> None:
    """With a code and an example."""
    del short_look
    with pytest.raises(YiwangError, match=r"127\.0\.0\.1:8421") as caught:
        top.command.main(["--once", "--at", address], standalone_mode=False)
    assert caught.value.code == "top.address"


def test_one_look_at_nobody_is_a_failure(short_look: Path) -> None:
    """A program that asks is told by the exit status where no process answers at all."""
    result = look(["--once", "--lang", "en", "--at", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "no answer: 127.0.0.1:1" in result.stdout
