"""State and numbers of ``jump``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.saying import NONE
from yiwang.columns import F64, I8, I64, U8

LEAVES = 0.5
"""A reading leaves with this share of the step that makes a spike."""
WIDEST = 3
"""Most readings of one spike."""
SHARP = 0.15
"""A rise of water that is a single reading and falls back to this share of it was none."""
DEAD = 20.0
"""Water that rose at once and then keeps within a share of that for hours …"""
LONG_NS = 3 * 3600 * 10**9
"""… of at least three is no water."""
TURMOIL = 24
"""Intervals without any leaving before a shift …"""
CLEAR = 2.0
"""… unless it is so many times the limit."""
STAYS = 5
"""Readings after which a value that left has not come back."""
COME_BACK = 0.35
"""A spike has come back when no more than this share of its height is left."""
STEADY = 5.0
"""After a shift no step is larger than the shift divided by this: a flood's goes on rising or falling."""
NEAR = 0.5
"""After a shift all values stay within this share of it."""
NEARLY = 0.4
"""… or than this share of the limit it left by."""
CLUSTER = 3
"""Spikes in one episode that are a cluster."""
SURE = 0.7
"""A shift is at least this share of its height from the accepted value before the last one, too."""
HABIT = 1.5
"""A spike is this much higher than what comes and goes in this series anyway …"""
FORGET = 300.0
"""… which is halved after so many intervals."""
CALM = 100
"""Readings over which the usual step is averaged."""
WILD = 3.0
"""The most one step counts, in usual steps."""
LATELY = 4.0
"""Readings over which the step of late is averaged, and how much of it makes a reading leave."""
NOTHING, SPIKE, SHIFT = 0, 1, 2
FIRST, NEWEST, NEAREST, STEP, STRAY, HEIGHT, LIMIT, TAIL = range(8)
"""Columns of ``JumpState.gone``."""
LEFT, SINCE, BAD, TAUGHT, MOVED = range(5)
"""Columns of ``JumpState.moment``."""


@dataclass(slots=True, kw_only=True)
class JumpState:
    """State of n series.

    Attributes:
        ref: float64 (n,), the last accepted value; NaN before the first.
        prior: float64 (n,), the accepted value before that.
        scale: float64 (n,), the mean step of long.
        late: float64 (n,), the mean step of late.
        newest_ns: int64 (n,), newest reading; NONE before the first.
        pace_s: float64 (n,), mean interval of about the last 16 readings, s; 0 before the second.
        away: uint8 (n,), readings that have left and not come back.
        gone: float64 (n, 8), of these: the first, the newest, the least distance from the last accepted value, the
            greatest step between two, the greatest distance from the first; then height and limit of the newest fault; height in
            usual steps of what comes and goes without being a fault.
        moment: int64 (n, 5): when the first of them left (kept afterwards), begin of the episode, last fault in it,
            when ``TAIL`` was learnt, when it last had moved for good or come back.
        wait: uint8 (n,), what waits for the tick: nothing, a spike, a shift.
        was: uint8 (n,), what the newest leaving turned out to be: likewise.
        spikes: uint8 (n,), spikes in the episode.
        level: int8 (n,), level said; 0 none.
        doubt: bool (n,), whether what was said is a doubt.
    """

    ref: F64
    prior: F64
    scale: F64
    late: F64
    newest_ns: I64
    pace_s: F64
    away: U8
    gone: F64
    moment: I64
    wait: U8
    was: U8
    spikes: U8
    level: I8
    doubt: NDArray[np.bool_]


def start(n: int) -> JumpState:
    """``n`` series that have said nothing."""
    return JumpState(
        ref=np.full(n, np.nan),
        prior=np.full(n, np.nan),
        scale=np.zeros(n),
        late=np.zeros(n),
        newest_ns=np.full(n, NONE),
        pace_s=np.zeros(n),
        away=np.zeros(n, np.uint8),
        gone=np.zeros((n, 8)),
        moment=np.full((n, 5), NONE),
        wait=np.zeros(n, np.uint8),
        was=np.zeros(n, np.uint8),
        spikes=np.zeros(n, np.uint8),
        level=np.zeros(n, np.int8),
        doubt=np.zeros(n, np.bool_),
    )
