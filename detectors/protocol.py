"""What a detector is.

A detector is one file: a frozen, keyword-only dataclass of parameters, a dataclass of numpy arrays as state, and
two or three functions over rounds. It knows no I/O, no clock and no chance; what it may do is fixed by the laws
in ``detectors.laws``. Parameters are plain fields annotated with what they mean::

    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]

Each is a float, or a float64 array (n,) with one value per series; the district machine always passes arrays.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, NO_FINDINGS, FindingColumns, Round

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


class Quiet:
    """Base of detectors that never speak on a tick."""

    wants_late: ClassVar[bool] = False

    def tick(self, state: Any, t_ns: int) -> FindingColumns:  # Any: whatever the detector's state is
        """Nothing."""
        del state, t_ns
        return NO_FINDINGS


def specs(kind: type) -> dict[str, tuple[Spec, bool]]:
    """The parameters of a detector class, in order: name to (what it may be, whether it must be given)."""
    hints = get_type_hints(kind, include_extras=True)
    found: dict[str, tuple[Spec, bool]] = {}
    for field in fields(kind):
        notes: tuple[Any, ...] = getattr(hints[field.name], "__metadata__", ())  # Any: of Annotated
        spec = next((n for n in notes if isinstance(n, Spec)), None)
        if spec is None:
            raise TypeError(f"{kind.__name__}.{field.name} lacks its Spec: Annotated[Param, Spec(…)]")
        found[field.name] = (spec, field.default is field.default_factory)
    return found


def at(param: Param, rows: NDArray[np.int32] | NDArray[np.int64]) -> Param:
    """A parameter's values for some series: float64 (k,), or the one float for all."""
    return param[rows] if isinstance(param, np.ndarray) else param
