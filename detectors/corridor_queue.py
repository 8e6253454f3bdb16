"""The queue behind the head of a jam. Of ``corridor``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detectors.corridor_view import View

if TYPE_CHECKING:
    from detectors.corridor import CorridorState

REACH_M = 3000.0
"""Two congested stations further apart than this are two queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """From tail (upstream) to head, chainages in m."""

    tail_m: float
    head_m: float

    @property
    def length_m(self) -> float:
        """Its length, m."""
        return self.head_m - self.tail_m


def queue_behind(view: View, state: "CorridorState", head: int) -> Queue:
    """The congested stretch upstream of a station without a break.

    One station between two congested ones may be free (a gap between two waves) or silent. The tail lies half way to
    the next known free station.

    Args:
        view: of this tick.
        state: of the detector.
        head: index of the station at the head.
    """
    st = view.stations
    jam = state.jam[st.lead]
    tail, free, i = head, -1, head - 1
    while i >= 0 and st.zone[i] == st.zone[head] and st.at_m[tail] - st.at_m[i] <= REACH_M:
        if jam[i] and view.known[i]:
            tail, free = i, -1
        elif view.known[i]:
            if free >= 0:
                break
            free = i
        i -= 1
    at = float(st.at_m[tail])
    if free < 0:
        return Queue(tail_m=at, head_m=float(st.at_m[head]))
    nearest = max((k for k in range(free, tail) if view.known[k]), default=free)
    return Queue(tail_m=0.5 * (at + float(st.at_m[nearest])), head_m=float(st.at_m[head]))
