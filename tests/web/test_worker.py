"""The worker page in Chromium, on a phone's screen, against the fake gateway."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Open, axe, picture
from tests.web.fake_gateway import FakeGateway
from tests.web.night import calm, water
from ws_server.messages import CommandRequest, Drawn, Ping
from yiwang.model import SendReceipt

pytestmark = pytest.mark.browser


def order_of(gateway: FakeGateway) -> str:
    """An underpass floods; returns the unit that got the order."""
    calm(gateway)
    water(gateway, "WL-0201", 31.0)
    return gateway.orders()[0].unit


def receipts(gateway: FakeGateway) -> list[str]:
    """Receipts that reached the gateway, in order, without repeats of one id."""
    seen: dict[str, str] = {}
    for r in gateway.requests:
        if isinstance(r, CommandRequest) and isinstance(r.action, SendReceipt):
            seen.setdefault(r.command_id, r.action.receipt)
    return list(seen.values())


def ready(page: Page) -> Page:
    """Connected."""
    page.wait_for_selector("[data-phase=live]")
    return page


def test_a_crew_is_chosen_and_has_no_orders(gateway: FakeGateway, open_page: Open) -> None:
    """First the crew, then an honest empty page."""
    page = open_page(gateway, "worker", phone=True)
    page.wait_for_selector(".choice")
    picture(page, "worker-pick")
    page.click("[data-unit=DRAINAGE-01]")
    ready(page)
    expect(page.locator(".none")).to_contain_text("现在没有任务")
    assert axe(page) == []


def test_accept_arrive_done_with_a_gap_in_the_signal(gateway: FakeGateway, open_page: Open) -> None:
    """Delivered and seen by itself, accepted online, on scene and done offline; all arrive once and in order."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    card = page.locator("article.card")
    expect(card).to_contain_text("道路积水")
    expect(card).to_contain_text("积水深度 31 cm，达到 27 cm")
    expect(card).to_have_attribute("data-state", "seen")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    assert axe(page) == []
    picture(page, "worker-order")
    page.click("button.act")
    expect(card).to_have_attribute("data-state", "accepted")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    picture(page, "worker-accepted")
    gateway.refuse = True
    gateway.cut()
    page.wait_for_selector("[data-phase=lost]")
    page.click("button.act")
    expect(card).to_have_attribute("data-state", "on_scene")
    expect(page.locator("#queue")).to_contain_text("待发 1")
    picture(page, "worker-offline")
    page.click("button.act")
    expect(page.locator(".past li")).to_have_count(1)
    expect(page.locator("#queue")).to_contain_text("待发 2")
    gateway.refuse = False
    page.wait_for_selector("[data-phase=live]")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    assert receipts(gateway) == ["delivered", "seen", "accepted", "on_scene", "done"]
    assert [o.state for o in gateway.orders()] == ["done"]
    picture(page, "worker-done")


def test_what_was_done_offline_survives_a_reload(gateway: FakeGateway, open_page: Open) -> None:
    """The outbox is on disk: closing the page loses nothing, and the same id goes out."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    expect(page.locator("article.card")).to_have_attribute("data-state", "seen")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    gateway.refuse = True
    gateway.cut()
    page.wait_for_selector("[data-phase=lost]")
    page.click("button.act")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "1")
    page.wait_for_function(
        """() => new Promise((ok) => { const r = indexedDB.open('yiwang-outbox'); r.onsuccess = () => {
             const q = r.result.transaction('items').objectStore('items').count();
             q.onsuccess = () => { r.result.close(); ok(q.result === 1); }; }; })"""
    )
    page.reload()
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "1")
    gateway.refuse = False
    page.wait_for_selector("[data-phase=live]")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    assert receipts(gateway)[-1] == "accepted"


def test_an_answer_that_never_came_is_asked_for_again_under_the_same_id(
    gateway: FakeGateway, open_page: Open
) -> None:
    """The line breaks between sending and the answer: the repeat has the first one's id."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    expect(page.locator("article.card")).to_have_attribute("data-state", "seen")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    gateway.mute = True
    page.click("button.act")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "1")
    gateway.mute = False
    gateway.cut()
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    sent = [
        r.command_id
        for r in gateway.requests
        if isinstance(r, CommandRequest)
        and isinstance(r.action, SendReceipt)
        and r.action.receipt == "accepted"
    ]
    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_declining_takes_a_reason(gateway: FakeGateway, open_page: Open) -> None:
    """Two taps; the order goes to the next crew."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    page.click("[data-decline]")
    picture(page, "worker-decline")
    page.click("[data-reason=route]")
    expect(page.locator(".past li")).to_contain_text("已拒单")
    page.wait_for_selector("#queue[data-waiting='0']")
    states = {o.unit: o.state for o in gateway.orders()}
    assert states.pop(unit) == "declined"
    assert list(states.values()) == ["sent"]


def test_a_refused_receipt_is_told(gateway: FakeGateway, open_page: Open) -> None:
    """The order was cancelled meanwhile: the phone says what was not accepted and why."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    gateway.refuse = True
    gateway.cut()
    page.wait_for_selector("[data-phase=lost]")
    page.click("button.act")
    gateway.do(
        lambda city: city.tick(300)
    )  # nobody accepted in time: offered to the next crew, this one cancelled
    gateway.refuse = False
    expect(page.locator(".refused")).to_contain_text("任务状态已变")
    page.click(".refused .btn")
    expect(page.locator(".refused")).to_have_count(0)


def test_everything_can_be_touched_and_read(gateway: FakeGateway, open_page: Open) -> None:
    """At 360 px: no text under 16 px, no target under 48 px, nothing cut off sideways; also in English."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}&lang=en", phone=True))
    page.wait_for_selector("article.card")
    expect(page.locator("#queue")).to_have_attribute("data-waiting", "0")
    picture(page, "worker-order-en")
    small = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.unseen')
             && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
             && parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    narrow = page.evaluate(
        """() => [...document.querySelectorAll('button')].map((e) => [e.getBoundingClientRect(), e.innerText])
             .filter(([r]) => r.width < 48 || r.height < 48).map(([r, t]) => `${t} ${r.width}x${r.height}`)"""
    )
    assert narrow == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_phone_tells_how_long_its_order_took(gateway: FakeGateway, open_page: Open) -> None:
    """From the sensor to the painted frame, as the console does."""
    unit = order_of(gateway)
    page = ready(open_page(gateway, f"worker?post={unit}", phone=True))
    gateway.heard(Ping)  # from now on the page knows the gateway's clock
    page.click("button.act")
    expect(page.locator("article.card")).to_have_attribute("data-state", "accepted")
    assert {district for district, _ in gateway.heard(Drawn).took} == {0}
