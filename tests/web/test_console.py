"""The console page in Chromium, against the fake gateway."""

import base64
import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Open, axe, picture
from tests.web.fake_gateway import FakeGateway
from tests.web.night import calm, crash, gas, night, water
from ws_server.messages import CommandRequest, Drawn, Hello, Ping
from yiwang.model import Acknowledge, CloseCase, Command, Dispatch

pytestmark = pytest.mark.browser

DESK = "?post=desk-0"
SLOW_MS = 30_000  # for what needs an answer of the server and a map drawn by software


def ready(page: Page) -> Page:
    """Connected, the map drawn."""
    page.wait_for_selector("#link[data-phase=live]")
    page.wait_for_selector("body[data-map=ready], body[data-map=failed]")
    return page


def titles(page: Page) -> list[str]:
    """Titles of the rows, from the top."""
    return [" ".join(t.split()) for t in page.locator(".row .title").all_inner_texts()]


def test_a_post_is_chosen_at_the_first_visit_and_remembered(gateway: FakeGateway, open_page: Open) -> None:
    """The first visit asks for the post; the next one does not."""
    page = open_page(gateway)
    picture(page, "console-post")
    page.click("[data-post=desk-1]")
    page.wait_for_selector("#link[data-phase=live]")
    expect(page.locator("dialog")).to_have_count(0)
    page.goto(gateway.url)
    page.wait_for_selector("#link[data-phase=live]")
    expect(page.locator("#head")).to_contain_text("澄湖区值班席")


def test_a_quiet_screen_is_grey(gateway: FakeGateway, open_page: Open) -> None:
    """With nothing going on, no pixel outside the legend is saturated (R1)."""
    page = ready(open_page(gateway, DESK, gl=True))
    expect(page.locator(".rows .blank")).to_contain_text("没有进行中的告警")
    picture(page, "console-quiet")
    page.evaluate("document.querySelector('.legend').hidden = true")
    loud = page.evaluate(
        """async (png) => {
             const image = new Image();
             image.src = png;
             await image.decode();
             const c = new OffscreenCanvas(960, 540).getContext('2d');
             c.drawImage(image, 0, 0, 960, 540);
             const { data } = c.getImageData(0, 0, 960, 540);
             let loud = 0;
             for (let k = 0; k < data.length; k += 4) {
               const [r, g, b] = [data[k], data[k + 1], data[k + 2]];
               const [high, low] = [Math.max(r, g, b), Math.min(r, g, b)];
               if (high - low > 80) loud += 1;
             }
             return loud;
           }""",
        _data_url(page),
    )
    assert loud == 0


def _data_url(page: Page) -> str:
    return "data:image/png;base64," + base64.b64encode(page.screenshot()).decode()


def test_alerts_appear_sorted_with_their_reasons(gateway: FakeGateway, open_page: Open) -> None:
    """Each row says what, where, why with the number against its limit; the worse stands above."""
    page = ready(open_page(gateway, DESK))
    calm(gateway)
    water(gateway, "WL-0R11", 6.2)
    expect(page.locator(".row")).to_have_count(1)
    gas(gateway)
    expect(page.locator(".row")).to_have_count(2)
    first = page.locator(".row").first
    expect(first).to_contain_text("燃气泄漏")
    expect(first).to_contain_text("可燃气体浓度 36 %LEL，达到 25 %LEL")
    expect(first).to_contain_text("未确认")
    expect(page.locator(".row").nth(1)).to_contain_text("积水深度 6.2 cm，达到 5 cm")
    expect(page.locator(".footing")).to_contain_text("战时")
    expect(page.locator("#p50")).not_to_have_text("–")


def test_acknowledging_is_pending_then_confirmed(gateway: FakeGateway, open_page: Open) -> None:
    """The button answers at once, the result comes with name and time, the row goes below what is unacknowledged."""
    gas(gateway)
    water(gateway, "WL-0R11", 6.2)
    page = ready(open_page(gateway, DESK))
    gateway.mute = True
    page.click("#what [data-act=acknowledge]")
    expect(page.locator("#what [data-act=acknowledge]")).to_contain_text("正在提交")
    expect(page.locator(".row.chosen .hold")).to_contain_text("正在提交")
    gateway.let_go()
    expect(page.locator("#what")).to_contain_text("云溪区值班席 已于")
    expect(page.locator(".notice.ok")).to_contain_text("已确认")
    page.mouse.move(960, 1070)
    expect(page.locator(".row").first).to_contain_text("道路积水")
    sent = [r for r in gateway.requests if isinstance(r, CommandRequest)]
    assert [type(r.action) for r in sent] == [Acknowledge]


def test_a_refused_command_is_rolled_back_with_its_reason(gateway: FakeGateway, open_page: Open) -> None:
    """A crew that another desk sent a moment ago is busy: the page says so in its own words."""
    gas(gateway)
    page = ready(open_page(gateway, DESK))
    busy = next(o.unit for o in gateway.orders())
    page.keyboard.press("d")
    page.wait_for_selector("dialog.dispatch")
    other = page.locator("dialog [data-unit]").first.get_attribute("data-unit")
    assert other
    assert other != busy
    incident = gateway.incidents()[0].id
    action = Dispatch(incident=incident, unit=other)
    gateway.mute = True  # the page does not hear of it in time
    page.click(f"dialog [data-unit={other}]")
    expect(page.locator("#what [data-act=dispatch]")).to_contain_text("正在提交")
    gateway.mute = False
    elsewhere = Command(command_id="other", by="desk-city", t_ns=0, ingest_ns=0, action=action)
    gateway.do(lambda city: city.command(0, elsewhere))
    gateway.cut()  # the page sends its command again after the line is back
    expect(page.locator(".notice.bad")).to_contain_text("该力量正在执行任务")


def test_dispatch_offers_free_crews_by_distance(gateway: FakeGateway, open_page: Open) -> None:
    """The right skill first, the nearest first, the busy ones with the reason; one key sends."""
    water(gateway, "WL-0R06", 16.0)
    page = ready(open_page(gateway, DESK))
    page.keyboard.press("d")
    page.wait_for_selector("dialog.dispatch")
    skills = page.locator("dialog .crew .muted").all_inner_texts()
    assert skills[:2] == ["排水", "排水"]
    picture(page, "console-dispatch")
    page.keyboard.press("1")
    order = page.locator("#work .order")
    expect(order).to_contain_text("排水")
    expect(page.locator("#work .steps")).to_contain_text("派遣")
    assert [o.incident_kind for o in gateway.orders()] == ["road_flooding"]


def test_a_case_is_closed_after_a_question(gateway: FakeGateway, open_page: Open) -> None:
    """False alarm names its object, wants a reason, and ends incident and case."""
    gas(gateway)
    page = ready(open_page(gateway, DESK))
    expect(page.locator("#what [data-act=close]")).to_be_disabled()  # its order is open
    page.click("#what [data-act=false_alarm]")
    expect(page.locator("dialog")).to_contain_text("燃气阀井 04")
    page.fill("dialog textarea", "检修放散")
    picture(page, "console-false-alarm")
    page.click("dialog [type=submit]")
    expect(page.locator(".notice.ok")).to_contain_text("已结案")
    expect(page.locator(".row")).to_have_count(0)
    action = next(r.action for r in gateway.requests if isinstance(r, CommandRequest))
    assert isinstance(action, CloseCase)
    assert (action.result, action.note) == ("false_alarm", "检修放散")
    page.click(".chip:has-text('已结束')")
    expect(page.locator(".row")).to_have_count(1)


def test_rows_do_not_move_under_the_pointer(gateway: FakeGateway, open_page: Open) -> None:
    """While the list is pointed at, new alerts wait behind a button with their number."""
    water(gateway, "WL-0R06", 6.0)
    water(gateway, "WL-0R11", 16.0)
    page = ready(open_page(gateway, DESK))
    expect(page.locator(".row")).to_have_count(2)
    before = titles(page)
    page.hover(".row >> nth=0")
    gas(gateway)
    expect(page.locator(".pill")).to_contain_text("1 条新")
    assert titles(page) == before
    page.mouse.move(1200, 300)
    expect(page.locator(".row").first).to_contain_text("燃气泄漏")
    page.hover(".row >> nth=1")
    crash(gateway)  # a jam, and the crash in it: a case is opened for the crash alone
    expect(page.locator(".pill")).to_contain_text("2 条新")
    page.keyboard.press("n")
    expect(page.locator(".row")).to_have_count(5)


def test_level_one_has_a_banner_at_once(gateway: FakeGateway, open_page: Open) -> None:
    """Also while the list is held; acknowledging from the banner takes it away."""
    page = ready(open_page(gateway, DESK, gl=True))
    page.hover("#list .rows")
    water(gateway, "WL-0201", 52.0)
    expect(page.locator("#topmost")).to_contain_text("I 特别严重")
    expect(page.locator("#urgent")).to_contain_text("道路积水")
    picture(page, "console-level-one")
    page.click("#topmost .btn:has-text('确认')")
    expect(page.locator("#topmost")).to_have_count(0)


def test_a_candidate_calls_nobody_until_somebody_verifies_it(gateway: FakeGateway, open_page: Open) -> None:
    """No banner and no count for what is hardly believed, however grave; one key says that it is real."""
    page = ready(open_page(gateway, DESK))
    gateway.do(lambda city: city.found("GD-004", "gas_lel", 1, 60, 50, confidence=0.3))
    expect(page.locator(".row.doubtful")).to_contain_text("待核")
    expect(page.locator("#what .standing")).to_have_text("待核")
    expect(page.locator("#topmost")).to_have_count(0)
    page.keyboard.press("v")
    expect(page.locator(".notice.ok")).to_contain_text("已核实")
    expect(page.locator("#what .standing")).to_have_text("人工核实")
    expect(page.locator(".row.doubtful")).to_have_count(0)
    expect(page.locator("#topmost")).to_have_count(0)  # who verifies it has taken note of it


def test_a_broken_line_resumes_without_loss(gateway: FakeGateway, open_page: Open) -> None:
    """Offline is said and disables acting; what happened meanwhile is there afterwards, from the last offset."""
    gas(gateway)
    page = ready(open_page(gateway, DESK))
    expect(page.locator(".row")).to_have_count(1)
    gateway.refuse = True
    gateway.cut()
    expect(page.locator("#lost")).to_contain_text("断线，自")
    expect(page.locator("#what [data-act=acknowledge]")).to_be_disabled()
    picture(page, "console-offline")
    crash(gateway)
    water(gateway, "WL-0R06", 16.0)
    gateway.refuse = False
    expect(page.locator(".row")).to_have_count(4, timeout=15_000)
    expect(page.locator("#lost")).to_have_count(0)
    hellos = [r for r in gateway.requests if isinstance(r, Hello)]
    assert hellos[-1].at is not None
    assert hellos[-1].epoch == "fake"


def test_the_curve_has_history_limit_and_live_tail(gateway: FakeGateway, open_page: Open) -> None:
    """History by HTTP, then what is watched; the newest value stands beside it."""
    calm(gateway)
    gas(gateway)
    page = ready(open_page(gateway, DESK))
    now = page.locator(".curvehead .now b")
    expect(now).to_have_text("36")
    page.wait_for_selector("#curve canvas")
    gateway.do(lambda city: city.tick(30))
    expect(now).to_have_text("36")
    gateway.reading("GD-004", "gas_lel", 41.0)
    expect(now).to_have_text("41")


def test_by_keyboard_alone(gateway: FakeGateway, open_page: Open) -> None:
    """j, k, a, /, ?, Esc; single keys can be turned off."""
    gas(gateway)
    crash(gateway)
    page = ready(open_page(gateway, DESK))
    page.keyboard.press("j")
    expect(page.locator(".row.chosen")).to_be_focused()
    chosen = page.locator(".row.chosen .title").inner_text()
    page.keyboard.press("k")
    expect(page.locator(".row.chosen .title")).not_to_have_text(chosen)
    page.keyboard.press("a")
    expect(page.locator(".notice.ok")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("没有这种")
    expect(page.locator(".rows .blank")).to_contain_text("没有符合搜索的告警")
    expect(page.locator(".bar.say")).to_contain_text("隐藏了 3 起")
    page.keyboard.press("Escape")
    expect(page.locator(".row")).to_have_count(3)
    page.keyboard.press("?")
    page.uncheck("dialog input[type=checkbox]")
    picture(page, "console-help")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_whole_night(gateway: FakeGateway, open_page: Open) -> None:
    """Flood, crash and gas at once, in the dark, in the light and in English; axe finds nothing."""
    page = ready(open_page(gateway, DESK, gl=True))
    night(gateway)
    expect(page.locator(".row.situation")).to_contain_text("暴雨内涝")
    page.click(".row.situation")
    expect(page.locator("#what h2")).to_contain_text("暴雨内涝")
    expect(page.locator(".members li")).not_to_have_count(0)
    page.mouse.move(960, 1070)
    assert axe(page) == []
    picture(page, "console-situation")
    page.click(".row:has-text('望江段')")
    page.mouse.move(960, 1070)
    expect(page.locator("#what .evidence li")).to_have_count(2)
    page.wait_for_selector("#curve canvas")
    assert axe(page) == []
    picture(page, "console-night")
    page.click("#language")
    expect(page.locator("#head")).to_contain_text("Yunxi operations centre")
    expect(page.locator("#what h2")).to_contain_text("Road flooding")
    assert page.evaluate("document.documentElement.lang") == "en"
    picture(page, "console-night-en")
    page.click("#theme")
    page.wait_for_selector("body.light")
    page.wait_for_selector("#curve canvas")
    assert axe(page) == []
    picture(page, "console-night-light")


def test_a_small_window_and_large_zoom(gateway: FakeGateway, open_page: Open) -> None:
    """At 960 px (200 % of 1920) nothing is cut off sideways."""
    night(gateway)
    page = ready(open_page(gateway, DESK, viewport={"width": 960, "height": 540}))
    expect(page.locator(".row")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 960
    picture(page, "console-zoom", full_page=True)


def test_a_replay_cannot_be_taken_for_live(open_page: Open) -> None:
    """Frame and word."""
    with FakeGateway(kind="replay", speed=10) as gateway:
        page = ready(open_page(gateway, DESK))
        expect(page.locator(".runkind.replay")).to_have_text("回放 ×10")
        assert page.evaluate("getComputedStyle(document.body, '::after').borderTopStyle") == "solid"
        picture(page, "console-replay")


def test_a_burst_of_five_hundred(gateway: FakeGateway, open_page: Open) -> None:
    """500 floods are one situation, at most 200 rows in the document, every one counted. The time is told, not judged."""
    page = ready(open_page(gateway, DESK, gl=True))
    page.evaluate(
        """() => { window.longest = 0; new PerformanceObserver((l) => {
             for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); })
             .observe({ type: 'longtask', buffered: false }); }"""
    )
    gateway.do(lambda city: city.burst(500))
    expect(page.locator(".chip[aria-pressed=true] .num")).to_have_text("500")
    expect(page.locator(".row.situation")).to_contain_text("500 处")
    assert page.locator(".row").count() <= 20
    page.click(".unfold")
    expect(page.locator(".rows .say")).to_contain_text("未显示")
    assert page.locator(".row").count() <= 200
    print(f"longest task of the main thread: {page.evaluate('window.longest'):.0f} ms")
    picture(page, "console-flood")


def test_what_cannot_be_loaded_is_said(gateway: FakeGateway, open_page: Open) -> None:
    """The page says that the server cannot be reached and tries again when asked."""
    page = open_page(gateway, DESK)
    page.wait_for_selector("#link[data-phase=live]")
    page.route("**/api/session", lambda route: route.abort())
    page.route("**/api/map", lambda route: route.fulfill(status=503, body="{}"))
    page.reload()
    expect(page.locator("#boot")).to_contain_text("连不上服务器")
    page.unroute("**/api/session")
    page.click("#boot .btn")
    page.wait_for_selector("#link[data-phase=live]")
    expect(page.locator(".nomap")).to_contain_text("画不了地图")


def test_of_a_large_city_the_page_asks_for_the_names_it_shows(gateway: FakeGateway, open_page: Open) -> None:
    """No list of all devices comes: how many there are does, and the names of an incident's devices."""
    gateway.whole = False
    page = ready(open_page(gateway, DESK))
    devices = [d for r in gateway.do(lambda city: dict(city.registries)).values() for d in r.devices]
    expect(page.locator("#overview dd.num", has_text=str(len(devices))).first).to_be_visible()
    water(gateway, "WL-0R11", 30.0)
    name = next(d.name.zh for d in devices if d.id == "WL-0R11")
    expect(page.locator("#what .evidence .dev").first).to_have_text(name, timeout=SLOW_MS)


def test_of_a_large_city_a_part_of_the_devices_in_view_is_drawn(
    gateway: FakeGateway, open_page: Open
) -> None:
    """And it is said how many there are; the layers are counted over the whole city."""
    gateway.whole = False
    page = ready(open_page(gateway, DESK, gl=True))
    devices = [d for r in gateway.do(lambda city: dict(city.registries)).values() for d in r.devices]
    said = re.compile(r"^视野内 \d+ 台设备，画出 3 台；放大可看全部$")
    expect(page.locator("#over .layers .note")).to_have_text(said, timeout=SLOW_MS)
    cameras = sum(d.kind == "camera" for d in devices)
    counts = page.locator("#over .layers label .num").all_inner_texts()
    assert counts[3:] == [str(cameras), str(len(devices) - cameras)]


def test_the_page_tells_how_long_it_took_from_the_sensor(gateway: FakeGateway, open_page: Open) -> None:
    """By the gateway's clock and by district; not what was drawn while nobody could see it."""
    page = ready(open_page(gateway, DESK))
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })")
    gateway.heard(Ping)  # from now on the page knows the gateway's clock
    page.evaluate("window.away = true")
    water(gateway, "WL-0R11", 6.2)
    expect(page.locator(".row")).to_have_count(1)
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    for n in (
        1,
        2,
        3,
    ):  # more than one: how well the page knows the gateway's clock depends on how busy we are
        water(gateway, f"WL-1R{n:02}", 6.2)
        expect(page.locator(".row")).to_have_count(1 + n)
    took = gateway.heard(Drawn).took
    assert {district for district, _ in took} == {1}
    assert all(ms < 60_000 for _, ms in took)
