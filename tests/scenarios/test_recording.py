"""From logs to a scenario: between the same ticks the same things in the same order."""

import msgspec
import numpy as np
import pytest

from scenarios.playing import feed
from scenarios.recording import Heard, Logs, hear, merged, scenario_of
from yiwang import codec, frames
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.errors import BadInput
from yiwang.frames import Frame
from yiwang.model import Acknowledge, Command, RegistryChange, RulesChange, Tick, VideoEvent
from yiwang.registry import Device, District, Place, Registry, Series, Text

T0 = 1_780_000_000 * SECOND


def at(second: float) -> int:
    return T0 + round(second * SECOND)


def frame(*rows: tuple[int, float, float]) -> bytes:
    readings = Readings.of([(s, at(t), v, 0) for s, t, v in rows])
    return frames.encode(Frame(district=0, ingest_ns=at(rows[-1][1]), readings=readings))


def tick(second: float) -> bytes:
    return codec.encode(Tick(t_ns=at(second)))


def video(second: float) -> VideoEvent:
    return VideoEvent(
        event_id=f"V{second}",
        device="C",
        event_class="fire",
        confidence=0.9,
        t_ns=at(second),
        ingest_ns=at(second + 1),
    )


def command(name: str, second: float) -> Command:
    return Command(
        command_id=name,
        by="desk",
        t_ns=at(second),
        ingest_ns=at(second),
        action=Acknowledge(incident="I"),
        seen_feed=99,
    )


def logs(*payloads: bytes, commands: tuple[Command, ...] = (), applied: dict[str, int] | None = None) -> Logs:
    return Logs(
        feed=[(10 + k, p, at(k)) for k, p in enumerate(payloads)],
        commands=[(k, codec.encode(c), at(k) + 1) for k, c in enumerate(commands)],
        applied=applied or {},
    )


def seconds(times: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[float]:
    return ((times - T0) / SECOND).round(6).tolist()  # type: ignore[no-any-return]


def test_what_comes_in_its_own_time_arrives_at_its_own_time() -> None:
    """Where ticks and times agree there is nothing to remember but the readings."""
    heard = hear(logs(frame((0, 0.2, 1), (1, 0.6, 2)), tick(1), frame((0, 1.2, 3)), tick(2)))
    assert np.array_equal(heard.arrival_ns, heard.readings.t_ns)
    assert heard.ticks_ns == (at(1), at(2))
    assert heard.readings.value.tolist() == [1, 2, 3]


def test_a_late_reading_stays_between_its_ticks() -> None:
    """It arrives just after the tick before it, with its own time; order within a frame is kept."""
    heard = hear(
        logs(tick(1), tick(2), frame((0, 0.5, 1), (1, 2.5, 2), (0, 2.2, 3)), tick(3), frame((0, 2.9, 4)))
    )
    assert seconds(heard.readings.t_ns) == [0.5, 2.5, 2.2, 2.9]
    assert seconds(heard.arrival_ns) == [2.0, 2.5, 2.5, 3.0]
    assert (heard.arrival_ns[:1] > at(2)).all()
    assert heard.arrival_ns[-1] > at(3)


def test_a_reading_ahead_of_its_tick_comes_before_it() -> None:
    """The clock of a tick may be behind that of a device."""
    heard = hear(logs(frame((0, 1.4, 1)), tick(1), tick(2)))
    assert heard.arrival_ns.tolist() == [at(1)]


def test_commands_stand_where_they_took_effect() -> None:
    """As their results say; one without a result where the broker got it. In a feed they wait for nothing."""
    given = logs(
        frame((0, 0.5, 1)), tick(1), tick(2), tick(3),
        commands=(command("known", 0.1), command("pending", 0.2)),
        applied={"known": 13},
    )  # fmt: skip
    heard = hear(given)
    placed = {c.command_id: t for t, c in heard.events if isinstance(c, Command)}
    assert at(2) < placed["known"] <= at(3)
    assert at(1) < placed["pending"] <= at(2)  # the broker got it after the second message
    assert all(isinstance(c, Command) and c.seen_feed == 0 for _, c in heard.events)


def test_what_cannot_be_read_is_counted() -> None:
    """A damaged message is left out, its neighbours are kept."""
    heard = hear(logs(b"{}", frame((0, 0.5, 1)), b"YWF1broken", tick(1)))
    assert heard.unreadable == 2
    assert len(heard.readings) == 1


PLACE = Place(id="P", district=0, zone="Z", kind="road", name=Text("点"), lon=113, lat=23)
GAUGE = Device(
    id="D", district=0, kind="road_water_level", place="P", name=Text("计"), lon=113, lat=23,
    series=(Series(number=1, metric="water_depth"),),
)  # fmt: skip
OTHER = msgspec.structs.replace(GAUGE, id="E", series=(Series(number=0, metric="water_depth"),))


def test_the_feed_itself_tells_who_is_registered_and_by_which_rules() -> None:
    """Changes add up; what is known keeps its place."""
    rules = load_rules()
    first = Registry(version=1, places=(PLACE,), devices=(GAUGE,))
    moved = msgspec.structs.replace(GAUGE, lon=114.0)
    messages = [
        RulesChange(rules=rules),
        RegistryChange(registry=first),
        RegistryChange(registry=Registry(version=2, devices=(OTHER, moved))),
    ]
    heard = hear(logs(*map(codec.encode, messages)))
    assert heard.rules == rules
    assert heard.changes == 3
    assert heard.registry is not None
    assert [(d.id, d.lon) for d in heard.registry.devices] == [("D", 114.0), ("E", 113)]
    assert merged(None, first) is first


def scenario(heard: Heard):  # type: ignore[no-untyped-def]  # a Scenario
    return scenario_of(
        {0: heard},
        name="r",
        title=Text("录"),
        districts=[District(number=0, code="1", name=Text("区"))],
        registries={0: Registry(version=1, places=(PLACE,), devices=(GAUGE, OTHER))},
        rules=load_rules(),
        base_map={},
    )


def test_played_again_everything_stands_between_the_same_ticks() -> None:
    """The order of a recorded feed is that of the log."""
    log = [
        frame((0, 0.2, 1), (1, 0.9, 2)), tick(1), frame((1, 1.5, 3)), codec.encode(video(1.6)),
        frame((0, 1.7, 4), (0, 0.4, 5)), tick(2), tick(3), frame((1, 2.1, 6)), tick(4),
    ]  # fmt: skip
    recorded = scenario(hear(logs(*log)))
    said: list[object] = []
    for item in feed(recorded):
        match item.content:
            case Readings():
                said += item.content.value.tolist()
            case Tick():
                said.append(f"tick {(item.content.t_ns - T0) // SECOND}")
            case VideoEvent():
                said.append("video")
    assert said[:11] == [1, 2, "tick 1", 3, "video", 4, 5, "tick 2", "tick 3", 6, "tick 4"]
    assert recorded.tick_s == 1.0


def test_devices_stand_in_the_order_of_their_series() -> None:
    """So that a folder of the scenario gives them the same numbers."""
    recorded = scenario(hear(logs(frame((0, 0.2, 1)), tick(1))))
    assert [d.id for d in recorded.registries[0].devices] == ["E", "D"]


def test_a_silent_hour_is_no_scenario() -> None:
    """Ticks alone are nothing to record."""
    with pytest.raises(BadInput) as caught:
        scenario(hear(logs(tick(1), tick(2))))
    assert caught.value.code == "scenario.empty"
