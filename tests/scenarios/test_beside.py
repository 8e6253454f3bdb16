"""A parameter set beside a run, over logs in memory."""

from collections.abc import Iterable
from itertools import chain

import pytest

from scenarios import sets
from scenarios.beside import Beside, as_json
from scenarios.model import Scenario
from scenarios.playing import feed, opening
from scenarios.sets import ParameterSet
from streams.machine import DistrictMachine
from streams.partition import Partition
from tests.scenarios import small
from yiwang import frames
from yiwang.clock import SECOND
from yiwang.codec import decode_output, encode
from yiwang.columns import Readings
from yiwang.frames import Frame
from yiwang.model import Acknowledge, Command, Incident

SAME = sets.made("same", [{"entry": "depth.ladder", "params": {"hold_s": 600}}])
LATER = sets.made("later", [{"entry": "depth.ladder", "params": {"rung_iv": 14, "rung_iii": 15}}])


class Run:
    """A live run in memory: its logs, and the positions and outputs of its one district."""

    def __init__(self, scenario: Scenario) -> None:
        self.partition = Partition(DistrictMachine(0))
        self.feed: list[tuple[int, bytes]] = []
        self.commands: list[tuple[int, bytes]] = []
        self.outputs: list[bytes] = []
        self.items = chain(opening(scenario), feed(scenario, cut_s=60.0))

    def go(self, until_ns: int) -> None:
        """Everything up to a moment."""
        for item in self.items:
            content = item.content
            payload = (
                frames.encode(Frame(district=0, ingest_ns=0, readings=content))
                if isinstance(content, Readings)
                else encode(content)
            )
            self.partition.take_feed(len(self.feed), payload, 0)
            self.feed.append((len(self.feed), payload))
            self.work()
            if item.t_ns >= until_ns:
                return

    def work(self) -> None:
        self.outputs += [e.payload for e in self.partition.work().emissions if e.payload is not None]

    def command(self, command: Command) -> None:
        payload = encode(command)
        self.partition.take_command(len(self.commands), payload, 0)
        self.commands.append((len(self.commands), payload))
        self.work()


def end_of(scenario: Scenario) -> int:
    return scenario.end_ns + 3600 * SECOND


def shadowed(run: Run, set_: ParameterSet) -> Beside:
    beside = Beside(DistrictMachine(0), set_, feed=0, commands=0, from_ns=0)
    beside.outputs(run.outputs)
    beside.logs(run.feed, run.commands)
    return beside


@pytest.fixture(scope="module")
def run() -> Run:
    scenario = small.flood()
    one = Run(scenario)
    one.go(scenario.truth[0].begin_ns + 300 * SECOND)
    bodies = [decode_output(payload).body for payload in one.outputs]
    incident = next(b for b in bodies if isinstance(b, Incident) and b.kind == "road_flooding")
    at_ns = one.partition.machine.now_ns
    one.command(
        Command(
            command_id="c", by="desk-1", t_ns=at_ns, ingest_ns=0, action=Acknowledge(incident=incident.id)
        )
    )
    one.go(end_of(scenario))
    return one


def test_a_set_that_says_the_same_differs_in_nothing(run: Run) -> None:
    """Incidents are equal to the last field but the version of the rules, the command took effect at its place."""
    beside = shadowed(run, SAME)
    assert beside.changes() == []
    assert beside.apart == 0
    live, shadow = (
        [i for i in said.incidents.values() if i.kind == "road_flooding"]
        for said in (beside.live, beside.shadow)
    )
    assert [(i.id, i.acknowledged_by, i.acknowledged_ns, i.history) for i in live] == [
        (i.id, i.acknowledged_by, i.acknowledged_ns, i.history) for i in shadow
    ]
    assert [s.by for s in live[0].history if s.what == "acknowledged"] == ["desk-1"]


def test_a_deafer_set_raises_later(run: Run) -> None:
    """The difference is named with its seconds, and the findings are counted by entry."""
    beside = shadowed(run, LATER)
    changes = [c for c in beside.changes() if c.a and c.a.kind == "road_flooding"]
    assert [c.what for c in changes] == ["later"]
    assert changes[0].seconds == pytest.approx(150, abs=31)  # 9 cm more at 4 cm a minute
    assert beside.apart == 1  # the acknowledged incident has another id there
    result = as_json({0: beside}, [])
    assert result["findings"]["depth.ladder"] == {"live": 1, "shadow": 1}
    assert result["live_raised"] == result["shadow_raised"] > 0


def test_it_goes_on_from_a_kept_state_in_stretches(run: Run) -> None:
    """From the middle of the flood on, with the state the run had: the same end, taken a few messages at a time."""
    scenario = small.flood()
    half = Run(scenario)
    half.go(scenario.truth[0].begin_ns + 60 * SECOND)
    machine = DistrictMachine.load(half.partition.machine.dump())
    assert machine.watch.rulebook is not None
    begin, said = len(half.feed), len(half.outputs)
    beside = Beside(
        machine, SAME, feed=begin, commands=0, from_ns=machine.now_ns, rules=machine.watch.rulebook.rules
    )
    half.go(end_of(scenario))
    beside.outputs(half.outputs[said:])
    for at in range(begin, len(half.feed), 50):
        beside.logs(half.feed[at : at + 50], ())
    assert beside.changes() == []
    assert _floods(beside.shadow.incidents.values()) == _floods(beside.live.incidents.values())
    assert beside.feed == len(half.feed)


def test_what_was_raised_before_is_not_compared(run: Run) -> None:
    """With a later beginning the flood is no longer a difference."""
    beside = shadowed(run, LATER)
    assert beside.changes()
    beside.from_ns = small.START_NS + 3000 * SECOND
    assert beside.changes() == []


def test_broken_messages_are_taken_as_the_run_took_them(run: Run) -> None:
    """A message of either log that cannot be read is no end."""
    broken = Run(small.flood())
    broken.feed = [*run.feed[:3], (3, b"{"), *((o + 1, p) for o, p in run.feed[3:])]
    broken.commands = [(0, b"nonsense")]
    beside = shadowed(broken, SAME)
    assert beside.feed == len(broken.feed)
    assert _floods(beside.shadow.incidents.values())


def _floods(incidents: Iterable[Incident]) -> list[tuple[str, str, int]]:
    return [(i.id, i.state, i.peak) for i in incidents if i.kind == "road_flooding"]
