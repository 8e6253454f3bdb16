"""What a detector is.

A detector is one file: a frozen, keyword-only dataclass of parameters, a dataclass of numpy arrays as state, and
two or three functions over rounds. It knows no I/O, no clock and no chance; what it may do is fixed by the laws
in ``detectors.laws``. Parameters are plain fields annotated with what they mean::

    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]

Each is a float, or a float64 array (n,) with one value per series; the district machine always passes arrays.

A joint detector has one field more, ``layout: Layout = ALONE``: how its series stand to each other. Its ``step``
still works element by element; whatever looks across series happens in ``tick``, and never across a zone.

A detector may have ``gauge(state) -> (statistic, threshold)``, float64 (n,) each, NaN where there is none: what it
holds against what at the moment, for plots. It may have ``rests(state) -> bool``: whether a tick would say nothing and
change nothing, whatever its time; then it is not asked. It may say ``atomic: ClassVar[bool] = True``: ``step`` and
``tick`` change the state by nothing but one ``detectors.state.commit``, as the last thing they do. Then nobody need copy
what they might leave half done when they raise. One that goes by the time of day, or closes bins on a grid
of event time, says so by ``calendar_s: ClassVar[float]``: moved in time by a multiple of it, it says the same.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I8, I32, NO_FINDINGS, FindingColumns, Round

S = TypeVar("S")
Param = float | F64
"""A parameter: one for all series, or float64 (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a parameter may be.

    Attributes:
        unit: of the number; ``metric`` where it is the unit of the watched metric; empty for a plain number.
        lo: least value.
        hi: greatest value.
        absent: whether NaN is allowed and means "not in use".
        whole: whether only whole numbers are allowed.
    """

    unit: str
    lo: float
    hi: float
    absent: bool = False
    whole: bool = False


class Detector(Protocol[S]):
    """See the module. ``S`` is a dataclass whose fields are arrays (n,) or (n, k)."""

    name: ClassVar[str]
    """What packs call it: ``use: ladder``."""
    roles: ClassVar[tuple[str, ...]]
    """What the metrics it reads stand for; the first is the entry's ``metric``, the others its ``also``. A class
    that reads one metric need not say so: ``("main",)``."""
    reasons: ClassVar[tuple[str, ...]]
    """Reason codes; ``FindingColumns.reason`` is an index into them."""
    wants_late: ClassVar[bool]
    """Whether readings older than their series' newest are given to it too."""

    def start(self, n: int) -> S:
        """The state of ``n`` series that have said nothing yet."""
        ...

    def step(self, state: S, r: Round) -> FindingColumns:
        """Take one round; changes ``state`` in place, element by element.

        ``r.series`` is in the detector's own dense numbering, 0 <= series < n.
        """
        ...

    def tick(self, state: S, t_ns: int) -> FindingColumns:
        """Event time has passed the grid point ``t_ns``; changes ``state`` in place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the n series of a detector stand to each other. All arrays have one row a series.

    Attributes:
        role: int8 (n,), index into the detector's ``roles``.
        device: int32 (n,), equal numbers are one device. Numbers are dense and mean nothing by themselves.
        place: int32 (n,), equal numbers are one place.
        zone: int32 (n,), equal numbers are one zone. Joint meaning never crosses a zone.
        metric: int32 (n,), equal numbers are one metric (what it reads as, where it reads as another).
        x_m: float64 (n,), metres east of the district's own origin.
        y_m: float64 (n,), metres north of it.
        at_m: float64 (n,), ``chainage_m`` of the device's place (else of the device): position along the zone's
            corridor, downstream is more; NaN where not registered.
        live: bool (n,), registered and watched now.
    """

    role: I8
    device: I32
    place: I32
    zone: I32
    metric: I32
    x_m: F64
    y_m: F64
    at_m: F64
    live: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.role)

    def pick(self, rows: NDArray[np.int64]) -> "Layout":
        """The same of some rows."""
        return Layout(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def apart(cls, n: int) -> "Layout":
        """``n`` series of role 0 that have nothing to do with each other."""
        own = np.arange(n, dtype=np.int32)
        return cls(
            role=np.zeros(n, np.int8),
            device=own,
            place=own,
            zone=own,
            metric=np.zeros(n, np.int32),
            x_m=np.zeros(n),
            y_m=np.zeros(n),
            at_m=np.full(n, np.nan),
            live=np.ones(n, np.bool_),
        )


ALONE = Layout.apart(0)
"""Of a detector that was given none."""


def is_joint(kind: type) -> bool:
    """Whether a detector class sees several series together: it has a field ``layout``."""
    return any(f.name == "layout" for f in fields(kind))


def roles_of(kind: type) -> tuple[str, ...]:
    """The roles of a detector class."""
    return getattr(kind, "roles", ("main",))


class Quiet:
    """Base of detectors that never speak on a tick."""

    wants_late: ClassVar[bool] = False

    def tick(self, state: Any, t_ns: int) -> FindingColumns:  # Any: whatever the detector's state is
        """Nothing."""
        del state, t_ns
        return NO_FINDINGS


def specs(kind: type) -> dict[str, tuple[Spec, bool]]:
    """The parameters of a detector class, in order: name to (what it may be, whether it must be given).

    A joint detector's ``layout: Layout = ALONE`` is no parameter.
    """
    hints = get_type_hints(kind, include_extras=True)
    found: dict[str, tuple[Spec, bool]] = {}
    for field in fields(kind):
        if field.name == "layout":
            continue
        notes: tuple[Any, ...] = getattr(hints[field.name], "__metadata__", ())  # Any: of Annotated
        spec = next((n for n in notes if isinstance(n, Spec)), None)
        if spec is None:
            raise TypeError(f"{kind.__name__}.{field.name} lacks its Spec: Annotated[Param, Spec(…)]")
        found[field.name] = (spec, field.default is field.default_factory)
    return found


def at(param: Param, rows: NDArray[np.int32] | NDArray[np.int64]) -> Param:
    """A parameter's values for some series: float64 (k,), or the one float for all."""
    return param[rows] if isinstance(param, np.ndarray) else param


def one(param: Param) -> Param:
    """The one number where all series have the same, so that nobody need look it up for each; else ``param``."""
    if not isinstance(param, np.ndarray):
        return param
    if param.ndim == 0:
        return float(param)
    if len(param) == 0:
        return param
    first = float(param[0])
    if param.strides == (0,):  # one number spread over all rows, as the district machine gives it
        return first
    alike = np.isnan(param) if np.isnan(first) else param == first
    return first if alike.all() else param
