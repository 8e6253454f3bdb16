"""The session: what a client is answered and sent, without any socket."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ws_server.bodies import (
    POSTS,
    T0,
    Stage,
    case,
    incident,
    of,
    order,
    result,
    say,
    sent,
    unit_state,
)
from ws_server.messages import MAX_DRAWN, MAX_WATCHED
from ws_server.session import DRAWN_GAP_NS, MAX_PENDING_COMMANDS, Produce, Session
from yiwang.columns import Readings
from yiwang.errors import Unavailable
from yiwang.model import Acknowledge

ACK = {"do": "acknowledge", "incident": "I-1"}


def entered(stage: Stage, post: str = "desk-0", **limits: int) -> Session:
    """A session whose hello was answered and whose snapshot was sent."""
    session = stage.session(**limits)
    say(session, id=1, do="hello", post=post)
    sent(session)
    return session


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [m["body"]["id"] for m in of(messages, "delta")]


# ---- hello and snapshot ----


def test_hello_is_answered_and_followed_by_a_snapshot() -> None:
    """The answer first, then everything the post may see, with the positions."""
    stage = Stage()
    stage.says(incident())
    stage.says(case())
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0")
    answer, snapshot = sent(session)
    assert answer == {"re": 1, "ok": True, "epoch": "test.1", "resumed": False}
    assert (snapshot["type"], snapshot["at"], snapshot["epoch"]) == ("snapshot", {"0": 1, "1": -1}, "test.1")
    assert [b["id"] for b in snapshot["objects"]] == ["I-1", "C-1"]
    assert snapshot["values"] == []


def test_changes_before_the_snapshot_is_sent_are_inside_it() -> None:
    """Nothing is sent twice: what happens between hello and snapshot is not a delta as well."""
    stage = Stage()
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0")
    stage.says(incident())
    messages = sent(session)
    assert [b["id"] for b in of(messages, "snapshot")[0]["objects"]] == ["I-1"]
    assert of(messages, "delta") == []
    stage.says(incident(rev=2))
    assert bodies(sent(session)) == ["I-1"]


def test_a_hello_before_the_view_is_ready_waits() -> None:
    """No half picture is ever shown: the answer comes when the view is complete, and beats until then."""
    stage = Stage()
    stage.view.ready = False
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0")
    session.beat({"ready": False})
    assert sent(session) == [{"type": "beat", "ready": False, "at": None}]
    stage.says(incident())
    stage.view.ready = True
    session.started()
    assert [m.get("type") for m in sent(session)] == [None, "snapshot"]


def test_an_unknown_post_is_refused_also_after_waiting() -> None:
    """The session stays usable: another hello may follow."""
    stage = Stage()
    stage.view.ready = False
    session = stage.session()
    say(session, id=1, do="hello", post="desk-9")
    stage.view.ready = True
    session.started()
    (refusal,) = sent(session)
    assert (refusal["re"], refusal["error"]["code"]) == (1, "session.unknown_post")
    assert refusal["error"]["args"] == {"post": "desk-9"}
    say(session, id=2, do="hello", post="desk-1")
    assert sent(session)[0]["ok"] is True


# ---- bad input ----


@pytest.mark.parametrize(
    ("text", "re", "code"),
    [
        ("", None, "message.invalid"),
        ("null", None, "message.invalid"),
        ("[1,2]", None, "message.invalid"),
        ('{"id":3}', 3, "message.invalid"),
        ('{"id":3,"do":"fly"}', 3, "message.invalid"),
        ('{"id":"3","do":"ping","sent_ms":1}', None, "message.invalid"),
        ('{"id":0,"do":"ping","sent_ms":1}', None, "message.invalid"),
        ('{"id":3,"do":"ping"}', 3, "message.invalid"),
        ('{"id":3,"do":"hello","post":1}', 3, "message.invalid"),
        ('{"id":3,"do":"hello","post":"desk-0","at":{"x":1}}', 3, "session.at"),
        ('{"id":3,"do":"command","command_id":"","action":{"do":"acknowledge","incident":"I-1"}}', 3, "message.invalid"),
        ('{"id":3,"do":"command","command_id":"a b","action":{"do":"acknowledge","incident":"I-1"}}', 3, "message.invalid"),
        ('{"id":3,"do":"command","command_id":"a","action":{"do":"explode"}}', 3, "message.invalid"),
        ('{"id":3,"do":"command","command_id":"a","action":{"do":"acknowledge","incident":"I-1"}}', 3, "session.no_post"),
        ('{"id":3,"do":"watch","series":[[0,1]]}', 3, "session.no_post"),
        ('{"id":3,"do":"watch","series":[[0]]}', 3, "message.invalid"),
        ('{"id":3,"do":"drawn","took":[[0,1]]}', 3, "session.no_post"),
        ('{"id":3,"do":"drawn","took":[[0,NaN]]}', None, "message.invalid"),
        ('{"id":3,"do":"drawn","took":[[0,Infinity]]}', None, "message.invalid"),
        ('{"id":3,"do":"watch","series":' + "[" * 30_000 + "]" * 30_000 + "}", None, "message.invalid"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, re: int | None, code: str) -> None:
    """Every bad message is answered with a code, under its own id where one can be read."""
    session = Stage().session()
    assert session.receive(text, T0) == []
    (refusal,) = sent(session)
    assert (refusal["re"], refusal["ok"], refusal["error"]["code"]) == (re, False, code)


def test_ids_must_rise() -> None:
    """A message that is sent twice is refused the second time."""
    session = entered(Stage())
    say(session, id=5, do="ping", sent_ms=1)
    sent(session)
    for again in (5, 4):
        say(session, id=again, do="ping", sent_ms=1)
        (refusal,) = sent(session)
        assert (refusal["re"], refusal["error"]["code"]) == (again, "message.id")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ALMOST = st.fixed_dictionaries(
    {
        "id": st.integers(-2, 2**54) | JSON,
        "do": st.sampled_from(["hello", "command", "watch", "ping", "drawn"]) | JSON,
    },
    optional={
        "post": st.sampled_from(["desk-0", "desk-city", "U-1", "nobody"]) | JSON,
        "at": st.dictionaries(st.sampled_from(["0", "1", "x", "²"]), st.integers(-5, 5)) | JSON,
        "epoch": st.sampled_from(["", "test.1", "other"]) | JSON,
        "command_id": st.text(max_size=5) | JSON,
        "action": st.fixed_dictionaries(
            {"do": st.sampled_from(["acknowledge", "receipt", "dispatch", "close_case", "request_support"])},
            optional={
                "incident": st.sampled_from(["I-1", "I-404"]) | JSON,
                "order": st.sampled_from(["O-1"]) | JSON,
                "receipt": st.sampled_from(["done", "verified"]) | JSON,
                "unit": st.just("U-1") | JSON,
                "case": st.just("C-1") | JSON,
            },
        )
        | JSON,
        "series": st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2**33)), max_size=4) | JSON,
        "sent_ms": st.floats() | JSON,
        "took": st.lists(st.tuples(st.integers(-1, 2), st.floats()), max_size=3) | JSON,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ALMOST.map(json.dumps) | JSON.map(json.dumps) | st.text() | st.binary(), max_size=8))
def test_no_message_of_a_client_raises(texts: list[str | bytes]) -> None:
    """Whatever comes, in whatever order: it is answered, and the session goes on."""
    stage = Stage()
    stage.says(incident())
    stage.says(order())
    session = stage.session()
    for text in texts:
        effects = session.receive(text, T0)
        answers = [m for m in sent(session) if "re" in m]
        assert all(isinstance(e, Produce) for e in effects)
        assert len(answers) + len(effects) == 1
        stage.says(incident(rev=2))
    say(session, id=2**53, do="ping", sent_ms=1)
    assert sent(session)[-1]


# ---- what a screen tells of itself ----


def drawn(session: Session, key: int, took: object, now_ns: int = T0) -> dict[str, Any]:
    """The answer to a screen that tells how long drawing took."""
    say(session, now_ns, id=key, do="drawn", took=took)
    (answer,) = sent(session)
    assert answer["re"] == key
    return answer


def test_what_a_screen_tells_is_counted_by_district() -> None:
    """From the sensor to the pixel, in the histograms of the gateway: as many as told, with their times."""
    stage = Stage()
    assert drawn(entered(stage), 2, [[0, 40], [1, 0], [0, 1250.5]])["ok"] is True
    assert drawn(entered(stage, "U-1"), 2, [[0, 3_600_000]])["ok"] is True
    first, second = (stage.stages.histograms["screen", d] for d in (0, 1))
    assert (first.n, first.sum_s) == (3, pytest.approx(0.04 + 1.2505 + 3600))
    assert (second.n, second.sum_s) == (1, 0)


@pytest.mark.parametrize(
    ("took", "code"),
    [
        ("null", "message.invalid"),
        ("[]", "message.invalid"),
        ("[1,2]", "message.invalid"),
        ("[[0]]", "message.invalid"),
        ('[[0,"1"]]', "message.invalid"),
        ("[[0,null]]", "message.invalid"),
        ("[[0,1e999]]", "message.invalid"),
        ("[[0,-0.1]]", "message.invalid"),
        ("[[0,3600001]]", "message.invalid"),
        ("[[0,1],[0.5,1]]", "message.invalid"),
        ("[[0,1],[2,1]]", "session.district"),
        ("[[0,1],[-1,1]]", "session.district"),
        ("[[0,1],[99999999999999999999999,1]]", "session.district"),
        (json.dumps([[0, 1]] * (MAX_DRAWN + 1)), "message.invalid"),
    ],
)
def test_what_a_screen_may_not_tell_is_refused_whole(took: str, code: str) -> None:
    """Nothing of a bad message is counted, and the next good one is, at once."""
    stage = Stage()
    session = entered(stage)
    assert session.receive(f'{{"id":2,"do":"drawn","took":{took}}}', T0) == []
    (refusal,) = sent(session)
    assert (refusal["re"], refusal["ok"], refusal["error"]["code"]) == (2, False, code)
    assert stage.stages.histograms == {}
    assert drawn(session, 3, [[0, 1]] * MAX_DRAWN)["ok"] is True
    assert stage.stages.histograms["screen", 0].n == MAX_DRAWN


def test_a_screen_that_tells_too_often_is_refused() -> None:
    """Each connection has its own pause; a clock that is set back does not make it longer."""
    stage = Stage()
    session, other = entered(stage), entered(stage)
    assert drawn(session, 2, [[0, 1]])["ok"] is True
    assert drawn(session, 3, [[0, 1]], T0 + DRAWN_GAP_NS - 1)["error"]["code"] == "session.too_often"
    assert drawn(other, 2, [[0, 1]], T0 + 1)["ok"] is True
    assert drawn(session, 4, [[0, 1]], T0 + DRAWN_GAP_NS)["ok"] is True
    assert drawn(session, 5, [[0, 1]], T0)["ok"] is True
    assert stage.stages.histograms["screen", 0].n == 4


# ---- resume ----


def test_a_client_that_comes_back_gets_only_what_it_missed() -> None:
    """No snapshot; the deltas after its positions, in order."""
    stage = Stage()
    for n in range(4):
        stage.says(incident(f"I-{n}"))
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0", at={"0": 1, "1": -1}, epoch="test.1")
    messages = sent(session)
    assert messages[0]["resumed"] is True
    assert of(messages, "snapshot") == []
    assert bodies(messages) == ["I-2", "I-3"]


@pytest.mark.parametrize(
    ("at", "epoch"),
    [
        ({"0": 0, "1": -1}, "test.1"),  # older than the ring
        ({"0": 4}, "test.1"),  # a district is missing
        ({"0": 4, "1": -1, "2": 3}, "test.1"),  # a district too many
        ({"0": 4, "1": -1}, "test.0"),  # of another life of the log
        ({"0": 9, "1": -1}, ""),  # ahead, and nothing says of what log
        (None, "test.1"),
    ],
)
def test_a_client_that_cannot_resume_gets_a_snapshot(at: dict[str, int] | None, epoch: str) -> None:
    """Too old, incomplete, or positions of another log."""
    stage = Stage(ring=3)
    for n in range(5):
        stage.says(incident(f"I-{n}"))
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0", at=at, epoch=epoch)
    messages = sent(session)
    assert messages[0]["resumed"] is False
    assert len(of(messages, "snapshot")) == 1
    assert of(messages, "delta") == []


def test_a_second_gateway_resumes_the_screens_of_the_first() -> None:
    """Positions are offsets of the log, so it does not matter who sent what came before them."""
    first, second = Stage(), Stage()
    screen = entered(first)
    for n in range(3):
        first.says(incident(f"I-{n}"))
        second.says(incident(f"I-{n}"))
    last = of(sent(screen), "delta")[-1]["at"]
    second.says(incident("I-3"))
    again = second.session()
    say(again, id=1, do="hello", post="desk-0", at={str(last[0]): last[1], "1": -1}, epoch="test.1")
    assert bodies(sent(again)) == ["I-3"]


def test_a_gateway_that_lags_does_not_send_again_what_the_client_has() -> None:
    """The client has seen more elsewhere: only what is newer than that comes."""
    stage = Stage()
    stage.says(incident("I-0"))
    session = stage.session()
    say(session, id=1, do="hello", post="desk-0", at={"0": 2, "1": -1}, epoch="test.1")
    assert sent(session)[0]["resumed"] is True
    session.beat({})
    assert of(sent(session), "beat")[0]["at"] == {"0": 2, "1": -1}
    for n in (1, 2, 3):
        stage.says(incident(f"I-{n}"))
    assert bodies(sent(session)) == ["I-3"]


# ---- posts ----


def test_a_unit_sees_its_own_orders_and_their_incidents_only() -> None:
    """Not cases, not unit states, not what concerns others."""
    stage = Stage()
    stage.says(incident("I-1"))
    stage.says(incident("I-2"))
    stage.says(case("C-1"))
    stage.says(order("O-1", unit="U-1", incident="I-1"))
    stage.says(order("O-2", unit="U-2", incident="I-2"))
    session = stage.session()
    say(session, id=1, do="hello", post="U-1")
    snapshot = of(sent(session), "snapshot")[0]
    assert [b["id"] for b in snapshot["objects"]] == ["I-1", "O-1"]
    stage.says(incident("I-1", 2))
    stage.says(incident("I-2", 2))
    stage.says(case("C-1", 2))
    stage.says(unit_state("U-1"))
    stage.says(order("O-1", 2, unit="U-1", incident="I-1"))
    stage.says(order("O-2", 2, unit="U-2", incident="I-2"))
    assert bodies(sent(session)) == ["I-1", "O-1"]


def test_a_new_order_brings_its_incident_along() -> None:
    """The unit could not see the incident before; it comes first, under the position before the order."""
    stage = Stage()
    stage.says(incident("I-1"))
    session = entered(stage, "U-3")
    stage.says(order("O-7", unit="U-3", incident="I-1", district=1), district=1)
    deltas = of(sent(session), "delta")
    assert [(d["body"]["id"], d["at"]) for d in deltas] == [("I-1", [1, -1]), ("O-7", [1, 0])]
    stage.says(incident("I-1", 2))
    stage.says(order("O-7", 2, unit="U-3", incident="I-1", district=1), district=1)
    assert bodies(sent(session)) == ["I-1", "O-7"]


def test_a_unit_that_comes_back_gets_incident_changes_and_new_orders_with_their_incidents() -> None:
    """What it missed of an order it knew, and of one it did not."""
    stage = Stage()
    stage.says(incident("I-1"))
    stage.says(order("O-1", unit="U-1", incident="I-1"))
    stage.says(incident("I-2"))
    stage.says(incident("I-1", 2))
    stage.says(order("O-2", unit="U-1", incident="I-2"))
    session = stage.session()
    say(session, id=1, do="hello", post="U-1", at={"0": 2, "1": -1}, epoch="test.1")
    assert bodies(sent(session)) == ["I-1", "I-2", "O-2"]


def test_results_go_to_the_post_that_asked() -> None:
    """Every screen at the post hears it, others do not."""
    stage = Stage()
    desk, same, other = entered(stage), entered(stage), entered(stage, "desk-1")
    stage.says(result("a", "desk-0"))
    assert [m["body"]["command_id"] for m in of(sent(desk), "result")] == ["a"]
    assert len(of(sent(same), "result")) == 1
    assert sent(other) == []


# ---- commands ----


def test_a_command_is_stamped_and_answered_when_kafka_has_it() -> None:
    """By, event time, wall clock and the newest feed position seen are the gateway's; then "accepted"."""
    stage = Stage()
    stage.says(incident(), feed=41)
    stage.view.event_ns[0] = T0 + 9
    session = entered(stage)
    (effect,) = say(session, T0 + 77, id=2, do="command", command_id="c-1", action=ACK)
    command = effect.command
    assert (effect.re, effect.district) == (2, 0)
    assert command.action == Acknowledge(incident="I-1")
    assert (command.command_id, command.by, command.t_ns, command.ingest_ns, command.seen_feed) == (
        "c-1",
        "desk-0",
        T0 + 9,
        T0 + 77,
        41,
    )
    assert sent(session) == []
    session.accepted(2)
    assert sent(session) == [{"re": 2, "ok": True, "accepted": True}]


def test_in_the_living_city_a_command_happens_at_the_wall_clocks_time() -> None:
    """Where the agent ticks, event time is the wall clock's."""
    stage = Stage()
    stage.says(incident())
    session = Session(stage.view, stage.watching, POSTS.get, ticks="agent")
    say(session, id=1, do="hello", post="desk-0")
    (effect,) = say(session, T0 + 5, id=2, do="command", command_id="c", action=ACK)
    assert effect.command.t_ns == T0 + 5


def test_a_command_that_kafka_does_not_take_is_refused() -> None:
    """The page keeps it in its outbox and asks again."""
    stage = Stage()
    stage.says(incident())
    session = entered(stage)
    (effect,) = say(session, id=2, do="command", command_id="c-1", action=ACK)
    session.refused(effect.re, Unavailable("kafka.unavailable", "away"))
    (refusal,) = sent(session)
    assert (refusal["re"], refusal["error"]["code"]) == (2, "kafka.unavailable")


def test_commands_on_their_way_are_bounded() -> None:
    """A client that floods is told so; when one is through it may send another."""
    stage = Stage()
    stage.says(incident())
    session = entered(stage)
    for n in range(MAX_PENDING_COMMANDS):
        assert len(say(session, id=2 + n, do="command", command_id=f"c-{n}", action=ACK)) == 1
    assert say(session, id=1000, do="command", command_id="c", action=ACK) == []
    assert sent(session)[-1]["error"]["code"] == "session.busy"
    session.accepted(2)
    assert len(say(session, id=1001, do="command", command_id="d", action=ACK)) == 1


def test_a_post_may_not_act_on_anothers_order() -> None:
    """Nothing reaches Kafka."""
    stage = Stage()
    stage.says(order("O-1", unit="U-1"))
    session = entered(stage, "U-2")
    action = {"do": "receipt", "order": "O-1", "receipt": "accepted"}
    assert say(session, id=2, do="command", command_id="c", action=action) == []
    (refusal,) = sent(session)
    assert refusal["error"]["code"] == "command.other_order"


# ---- values ----


def newer(stage: Stage, rows: list[tuple[int, int, float, int]], ingest_ns: int = T0) -> None:
    """Readings come in and a round of values begins."""
    stage.watching.update(0, Readings.of(rows), ingest_ns)
    list(stage.watching.round())


def test_a_round_brings_only_the_newest_of_each_series() -> None:
    """What changed in it, with the oldest stamp of ingest; nothing where nothing watched has changed."""
    stage = Stage()
    session = entered(stage)
    say(session, id=2, do="watch", series=[[0, 3], [0, 4]])
    sent(session)
    newer(stage, [(3, 1, 1.0, 0), (9, 1, 1.0, 0)], T0)
    (first,) = sent(session, T0)
    assert first == {
        "type": "values",
        "rows": [[0, 3, 1e-06, 1.0, 0]],
        "ingest_ms": T0 / 1e6,
        "gateway_ms": T0 / 1e6,
    }
    stage.watching.update(0, Readings.of([(3, 2, 2.0, 0)]), T0 + 1000)
    newer(stage, [(3, 3, 3.0, 0), (4, 3, 4.0, 0)], T0 + 2000)
    (second,) = sent(session, T0)
    assert [r[1:4:2] for r in second["rows"]] == [[3, 3.0], [4, 4.0]]
    assert second["ingest_ms"] == (T0 + 2000) / 1e6
    newer(stage, [(9, 9, 9.0, 0)])
    assert sent(session) == []
    assert stage.counts["coalesced"] == 0


def test_a_screen_that_misses_rounds_gets_what_has_changed_since_its_last() -> None:
    """Once, the newest; the rounds it missed are counted."""
    stage = Stage()
    quick, slow = entered(stage), entered(stage, "desk-1")
    for session in (quick, slow):
        say(session, id=2, do="watch", series=[[0, 3], [0, 4], [0, 5]])
        sent(session)
    for t in range(1, 4):
        newer(stage, [(3, t, float(t), 0)])
        assert len(sent(quick)) == 1
    newer(stage, [(5, 1, 1.0, 0)])
    (caught_up,) = sent(slow)
    sent(quick)
    assert [r[1:4:2] for r in caught_up["rows"]] == [[3, 3.0], [5, 1.0]]
    assert stage.counts["coalesced"] == 3
    newer(stage, [(4, 9, 9.0, 0)])
    assert [r[1] for r in sent(slow)[0]["rows"]] == [r[1] for r in sent(quick)[-1]["rows"]] == [4]


def test_screens_with_the_same_wish_get_the_same_bytes() -> None:
    """However they said it, a message for many is made once."""
    stage = Stage()
    one, two, other = entered(stage), entered(stage, "desk-1"), entered(stage, "desk-1")
    say(one, id=2, do="watch", series=[[0, 3], [1, 1], [0, 4]])
    say(two, id=2, do="watch", series=[[1, 1], [0, 4], [0, 3], [0, 3]])
    say(other, id=2, do="watch", series=[[0, 3]])
    for session in (one, two, other):
        sent(session)
    newer(stage, [(3, 1, 1.0, 0)])
    (first,), (second,), (third,) = (s.to_send(T0) for s in (one, two, other))
    assert first is second
    assert third is not first
    one.end()
    two.end()
    newer(stage, [(4, 1, 1.0, 0)])
    assert (sent(one), sent(two), sent(other)) == ([], [], [])


def test_watching_brings_what_is_known_and_replaces_the_earlier_wish() -> None:
    """A curve just opened has its newest point at once; what is no longer wanted is no longer sent."""
    stage = Stage()
    session = entered(stage)
    newer(stage, [(1, 5, 1.0, 0), (2, 5, 2.0, 0)])
    say(session, id=2, do="watch", series=[[0, 1], [1, 7]])
    messages = sent(session)
    assert messages[0] == {"re": 2, "ok": True}
    assert [r[1] for r in messages[1]["rows"]] == [1]
    assert messages[1]["ingest_ms"] is None
    say(session, id=3, do="watch", series=[[0, 2]])
    assert [r[1] for r in of(sent(session), "values")[0]["rows"]] == [2]
    newer(stage, [(1, 6, 1.0, 0)])
    assert sent(session) == []
    say(session, id=4, do="watch", series=[])
    newer(stage, [(2, 6, 1.0, 0)])
    assert sent(session) == [{"re": 4, "ok": True}]


@pytest.mark.parametrize(
    ("post", "series", "code"),
    [
        ("U-1", [[0, 1]], "session.watch"),
        ("desk-0", [[0, -1]], "session.series"),
        ("desk-0", [[0, 2**31]], "session.series"),
        ("desk-0", [[0, n] for n in range(MAX_WATCHED + 1)], "message.invalid"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(post: str, series: list[list[int]], code: str) -> None:
    """By right, by number, by amount."""
    session = entered(Stage(), post)
    say(session, id=2, do="watch", series=series)
    (refusal,) = sent(session)
    assert refusal["error"]["code"] == code


def test_the_snapshot_of_a_client_that_watches_has_its_values() -> None:
    """After an overflow nothing is missing."""
    stage = Stage()
    session = entered(stage, queue_messages=2)
    say(session, id=2, do="watch", series=[[0, 3]])
    newer(stage, [(3, 1, 1.5, 0)])
    for n in range(4):
        stage.says(incident(f"I-{n}"))
    assert [r[3] for r in of(sent(session), "snapshot")[0]["values"]] == [1.5]


# ---- slow clients ----


@pytest.mark.parametrize("limits", [{"queue_messages": 10}, {"queue_bytes": 3000}])
def test_a_slow_client_gets_a_snapshot_and_loses_nothing(limits: dict[str, int]) -> None:
    """Beyond the bound the waiting changes are dropped; the snapshot holds every object, and results stay."""
    stage = Stage()
    session = entered(stage, **limits)
    stage.says(result("before", "desk-0"))
    for n in range(50):
        stage.says(incident(f"I-{n}"))
    stage.says(result("after", "desk-0"))
    messages = sent(session)
    assert [m["type"] for m in messages] == ["snapshot", "result", "result"]
    assert {b["id"] for b in messages[0]["objects"]} == {f"I-{n}" for n in range(50)}
    assert session.snapshots == 2
    assert (stage.counts["overflows"] >= 1, stage.counts["dropped"] >= 1) == (True, True)
    stage.says(incident("I-1", 2))
    assert bodies(sent(session)) == ["I-1"]


def test_what_waits_is_bounded_whatever_happens() -> None:
    """Also results: a client that never reads costs a bounded amount of memory."""
    stage = Stage()
    session = entered(stage, queue_messages=10)
    for n in range(1000):
        stage.says(incident(f"I-{n}"))
        stage.says(result(f"c-{n}", "desk-0"))
        session.beat({})
    messages = sent(session)
    assert len(messages) < 30
    assert of(messages, "result")[-1]["body"]["command_id"] == "c-999"


def test_a_long_queue_is_handed_over_in_portions() -> None:
    """What the writer holds is bounded too."""
    stage = Stage()
    session = entered(stage)
    for n in range(900):
        stage.says(incident(f"I-{n}", place_name_zh="长" * 500))
    portion = session.to_send(T0)
    assert 0 < len(portion) < 900
    assert len(portion) + len(sent(session)) == 900


# ---- beats and pings ----


def test_a_beat_says_up_to_where_everything_was_sent() -> None:
    """So that a filtered screen's position does not fall behind the ring; it never overtakes a change."""
    stage = Stage()
    session = entered(stage, "U-1")
    for n in range(5):
        stage.says(incident(f"I-{n}"))
    stage.says(order("O-1", unit="U-1", incident="I-0"))
    session.beat({"now_ms": 1})
    session.beat({"now_ms": 2})
    messages = sent(session)
    assert [m["type"] for m in messages] == ["delta", "delta", "beat"]
    assert messages[-1] == {"type": "beat", "now_ms": 2, "at": {"0": 5, "1": -1}}


def test_before_a_hello_there_is_no_beat() -> None:
    """Nobody sits there yet."""
    session = Stage().session()
    session.beat({})
    assert sent(session) == []


def test_ping_is_answered_with_both_clocks() -> None:
    """The page computes the way and the offset from it."""
    session = Stage().session()
    say(session, T0, id=1, do="ping", sent_ms=123.5)
    assert sent(session) == [
        {"re": 1, "ok": True},
        {"type": "pong", "sent_ms": 123.5, "now_ms": T0 / 1e6},
    ]
