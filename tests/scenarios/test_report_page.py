"""The report of a scored scenario: whole, small, without any request, in both languages."""

import re

import numpy as np
import pytest

from scenarios import plots
from scenarios.page import index, page
from scenarios.panels import panels
from scenarios.plots import Axis, moments, thinned
from scenarios.scorecard import evaluate
from scenarios.traces import Traces
from tests.scenarios import small
from yiwang.clock import SECOND


@pytest.fixture(scope="module")
def html() -> str:
    scenario = small.flood()
    traces = Traces(scenario)
    card, played = evaluate(scenario, probes=[traces.look])
    return page(scenario, card, played, traces)


def test_the_page_asks_for_nothing(html: str) -> None:
    """Everything is in the one file: no address but the namespace of SVG, no import, no font."""
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", html)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in html
    assert "url(" not in html


def test_every_text_is_there_twice(html: str) -> None:
    """Each Chinese text has its English one beside it; Chinese is shown first."""
    assert html.count('class="zh"') == html.count('class="en"')
    assert 'data-show="zh"' in html


def test_the_flood_is_plotted_with_its_marks(html: str) -> None:
    """Signal, truth, limit, finding and incident of the underpass are in the picture."""
    for mark in (
        'class="sig s0"',
        'class="truth c2"',
        'class="limit c2"',
        'class="mark c2"',
        'class="incident c2"',
    ):
        assert mark in html, mark


def test_panels_show_what_was_true_and_said() -> None:
    """One place has something to tell; the other, where nothing was true or said, is left out."""
    scenario = small.flood()
    card, played = evaluate(scenario)
    shown = panels(scenario, card.score, played)
    assert {p.spot for p in shown} == {"P"}
    assert (2, 25.0) in shown[0].limits
    assert [t.place for t in shown[0].truths] == ["P"]


def test_a_year_is_thinned_and_keeps_its_peaks() -> None:
    """Half a million readings become a few thousand points; the single highest and lowest stay."""
    t_ns = np.arange(525_600, dtype=np.int64) * 60 * SECOND
    value = np.zeros(len(t_ns))
    value[[100_003, 400_001]] = 99.0, -99.0
    kept_t, kept = thinned(t_ns, value, 0, float(t_ns[-1]))
    assert len(kept) <= 4 * plots.COLUMNS + 4
    assert (kept.max(), kept.min()) == (99.0, -99.0)
    assert (np.diff(kept_t) > 0).all()


def test_a_line_is_broken_where_nothing_was_heard() -> None:
    """No line is drawn through silence or a missing value."""
    t_ns = np.array([0, 1, 2, 3, 60, 61, 62, 63], np.int64) * 60 * SECOND
    value = np.array([1.0, 1, 1, 1, 2, np.nan, 2, 2])
    drawn = plots.path(t_ns, value, Axis(0, float(t_ns[-1]), 64, 1106), Axis(0, 3, 100, 0))
    assert drawn.count("M") == 3


@pytest.mark.parametrize(
    ("hours", "form"), [(0.02, "%H:%M:%S"), (1, "%H:%M"), (30, "%H:%M"), (24 * 365, "%m-%d")]
)
def test_moments_on_the_axis_are_round_and_few(hours: float, form: str) -> None:
    """At most a dozen, in the centre's own time."""
    times, found = moments(small.START_NS, small.START_NS + round(hours * 3600) * SECOND)
    assert found == form
    assert 2 <= len(times) <= 13


def test_the_index_leads_to_every_report() -> None:
    """One line a scenario."""
    card, _ = evaluate(small.flood(), baselines=False)
    assert 'href="small.html"' in index([card])
