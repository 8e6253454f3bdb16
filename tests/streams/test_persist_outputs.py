"""Messages as parameters of the statements that store them."""

import json

import pytest

from sql.query import names
from streams.persist_outputs import _STORE, of_dead_letter, of_feed, of_output, unreadable
from yiwang.model import (
    Body,
    DeadLetter,
    Finding,
    Output,
    Report,
    RulesChange,
    Situation,
    Tick,
    Trouble,
    VideoEvent,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Rules

_FINDING = Finding(
    id="F-1",
    detector="depth.ladder",
    version="r1",
    domain="flooding",
    kind="road_flooding",
    series=4,
    device="d1",
    metric="water_depth",
    place="p1",
    level=2,
    since_ns=1_000,
    t_ns=2_000_000_000,
    value=31.5,
    limit=27.0,
    reason="above",
)


_SITUATION = Situation(
    id="T-1",
    rev=3,
    district=1,
    kind="storm",
    state="open",
    severity=2,
    peak=1,
    opened_ns=1,
    updated_ns=2,
    sites=12,
)
_REPORT = Report(report_id="R", kind="road_flooding", by="12345", t_ns=1, ingest_ns=2, lon=113.1, lat=23.2)
_WARNING = OutsideWarning(warning_id="W", event="rainstorm", level=2, t_ns=1, until_ns=3, ingest_ns=2)


def test_every_kind_of_output_is_stored() -> None:
    """A kind added to the model without a place to store it is noticed here."""
    assert set(_STORE) == set(Body.__args__)


def test_every_statement_exists() -> None:
    """What is named is a file under sql/queries."""
    made = of_output(0, Output(n=1, feed=1, commands=0, body=_FINDING))
    made += of_output(0, Output(n=2, feed=1, commands=0, body=Trouble(code="feed.late", t_ns=1)))
    made += of_output(0, Output(n=3, feed=1, commands=0, body=_SITUATION))
    made += of_feed(0, RulesChange(rules=Rules(version="r1", packs=())))
    made += of_feed(0, _REPORT) + of_feed(0, _WARNING)
    made += of_dead_letter(unreadable("x", "y", topic="t", partition=0, offset=1, ns=1, raw=b""))
    assert {name for name, _ in made} <= set(names())


def test_a_finding_is_newest_state_and_history() -> None:
    """Both carry the district and the output's number, by which the newer one is told."""
    state, change = of_output(3, Output(n=17, feed=1, commands=0, body=_FINDING))
    assert (state[0], state[1][:3]) == ("persist/finding", ("F-1", 3, 17))
    assert change == ("persist/finding_change", ("F-1", 2_000_000_000, 2, 3, 17, 31.5, 27.0, "above"))


def test_situations_reports_and_warnings_are_rows_of_their_own() -> None:
    """What is asked for stands in columns, the whole in the body."""
    ((name, parameters),) = of_output(1, Output(n=3, feed=1, commands=0, body=_SITUATION))
    assert (name, parameters[:8]) == ("persist/situation", ("T-1", 3, 1, "storm", "open", 2, 1, 12))
    ((name, parameters),) = of_feed(2, _REPORT)
    assert (name, parameters[:8]) == (
        "persist/report",
        ("R", 2, "road_flooding", "", "12345", 113.1, 23.2, 0.5),
    )
    ((name, parameters),) = of_feed(2, _WARNING)
    assert (name, parameters[:5]) == ("persist/warning", ("W", 2, "rainstorm", 2, False))


def test_ticks_store_nothing() -> None:
    """Time that passes is not a fact worth a row."""
    assert of_feed(0, Tick(t_ns=1)) == []


def test_a_video_event_is_a_row_of_its_own() -> None:
    """Sightings are kept with camera, class and confidence."""
    event = VideoEvent(event_id="e", device="c", event_class="smoke", confidence=0.75, t_ns=1, ingest_ns=1)
    ((name, parameters),) = of_feed(2, event)
    assert name == "persist/video_event"
    assert parameters[:5] == ("e", 2, "c", "smoke", 0.75)


@pytest.mark.parametrize("text", ["a\0b", "\\\0", "\\\\\0\0", "\\u0000 said in words"])
def test_nul_is_replaced_and_nothing_else(text: str) -> None:
    """PostgreSQL has no NUL in text and jsonb; every other text comes through."""
    letter = DeadLetter(id="D", code="c", message=text, source="s", ingest_ns=0, args={"text": text})
    ((_, parameters),) = of_dead_letter(letter)
    assert parameters[2] == text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert json.loads(str(parameters[5])) == {"text": text.replace("\0", "\N{REPLACEMENT CHARACTER}")}


def test_a_dead_letter_of_persist_has_the_same_id_when_it_is_read_again() -> None:
    """Its id comes from the place in the log."""
    one, two = (unreadable("x", "y", topic="t", partition=0, offset=7, ns=ns, raw=b"a") for ns in (1, 2))
    assert one.id == two.id
    assert len(unreadable("x", "y", topic="t", partition=0, offset=7, ns=1, raw=b"a" * 99_999).raw) == 65_536
