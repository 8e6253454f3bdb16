"""``scenario.yaml``: its fields as a type, and times and truths as they stand in files."""

from typing import Any, Literal

import msgspec

from yiwang.registry import Text

SEVERITIES = {
    **{str(n): n for n in (1, 2, 3, 4)},
    "I": 1,
    "II": 2,
    "III": 3,
    "IV": 4,
    "red": 1,
    "orange": 2,
    "yellow": 3,
    "blue": 4,
    "红": 1,
    "橙": 2,
    "黄": 3,
    "蓝": 4,
    "红色": 1,
    "橙色": 2,
    "黄色": 3,
    "蓝色": 4,
}
"""Names of the four levels, as tables of truth may have them."""


class TruthLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A truth as it stands in a file, times in ISO 8601 with a zone; see ``model.Truth``."""

    id: str = ""
    kind: str
    district: int = 0
    place: str
    severity: Literal[1, 2, 3, 4]
    begin: str
    end: str
    within_s: float
    reaches: dict[Literal["1", "2", "3", "4"], str] = {}
    episode: tuple[str, str] | None = None
    also: tuple[str, ...] = ()
    optional: bool = False
    reasons: tuple[str, ...] = ()


class DistrictLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A district."""

    number: int
    code: str
    name: Text


class RulesPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a scenario's rules have besides the built-in packs.

    Attributes:
        files: packs or files of overrides, relative to the folder.
        overrides: as in an ``overrides:`` list.
        tick_s: grid of the detectors, where it is not that of the ticks.
    """

    files: tuple[str, ...] = ()
    overrides: tuple[dict[str, Any], ...] = ()  # Any: checked by yiwang.domains
    tick_s: float | None = None


class MadeBy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where the files of a recorded scenario came from, so that anybody can make them again."""

    generator: str = ""
    seed: int = 0
    duration_s: float = 0.0
    params: dict[str, Any] = {}  # Any: the generator's own
    command: str = ""


class Late(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share of the readings arrives late, by a time drawn evenly from ``by_s``."""

    share: float
    by_s: tuple[float, float]
    devices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


class Duplicated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share of the readings comes twice, the copy up to ``within_s`` after the first."""

    share: float
    within_s: float = 5.0
    devices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


class Shuffled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Within every ``window_s`` (0: a tick) the series come in another order; each keeps its own."""

    window_s: float = 0.0


class Dropped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share of the readings never comes (1: all), in the time given by seconds after the start."""

    share: float
    from_s: float = 0.0
    to_s: float | None = None
    devices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


class Clock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Clocks of devices are wrong by ``by_s`` (ahead where positive); the readings come as before."""

    by_s: float
    devices: tuple[str, ...] = ()
    share: float = 1.0
    from_s: float = 0.0
    to_s: float | None = None


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Faults of transport laid over a scenario; see ``scenarios.faults``. Each list is applied in this order."""

    seed: int = 0
    dropped: tuple[Dropped, ...] = ()
    clock: tuple[Clock, ...] = ()
    late: tuple[Late, ...] = ()
    duplicated: tuple[Duplicated, ...] = ()
    shuffled: Shuffled | None = None


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``scenario.yaml``.

    Every field has a default, so that one mistake does not hide the next; what must be given is checked afterwards.
    """

    scenario: str = ""
    title: Text = Text("")
    domain: str = ""
    start: str = ""
    # made by a generator
    generator: str = ""
    seed: int = 0
    duration_s: float = 0.0
    params: dict[str, Any] = {}  # Any: the generator's own
    # another scenario with faults
    of: str = ""
    # files beside it
    end: str = ""
    tick_s: float = 1.0
    settle_s: float = 900.0
    merge_s: float = 0.0
    lateness_s: float = 10.0
    expect_support: bool = False
    districts: tuple[DistrictLine, ...] = ()
    rules: RulesPart = RulesPart()
    made_by: MadeBy | None = None
    faults: Faults | None = None
    notes: tuple[str, ...] = ()
    truth: tuple[TruthLine, ...] = ()
