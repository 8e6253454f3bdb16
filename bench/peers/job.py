"""The job, one reading at a time in plain Python: ladder with hysteresis, rate of rise, stuck value.

The same levels, limits and holding times as our three entries (``bench/_jobs.py``). State is a small list per
sensor. Only the standard library is used, so that every peer can run it in its own environment.
"""

import json
import math
import os
import sys
import time

RUNGS = (60.0, 40.0, 27.0, 15.0)  # levels I to IV, cm
HYSTERESIS = 2.0
HOLD_MS = 120_000
RISE_PER_S, RISE_TAU_S = 0.05, 60.0
STUCK_MS = 3_600_000

LEVEL, BELOW_SINCE, LAST_T, LAST_V, RATE, RISING, SAME_SINCE, STUCK = range(8)


def start() -> list:
    """State of a sensor that has said nothing yet."""
    return [0, -1, 0, math.nan, 0.0, False, 0, False]


def step(state: list, sensor: str, t_ms: int, value: float) -> list[dict]:
    """Take one reading; changes ``state``; findings, usually none."""
    found = []
    level = next((i for i, rung in enumerate(RUNGS, 1) if value >= rung), 0)
    now = state[LEVEL]
    if level and (not now or level < now):
        state[LEVEL], state[BELOW_SINCE] = level, -1
        found.append({"sensor": sensor, "t": t_ms, "kind": "ladder", "level": level, "value": value})
    elif now and value < RUNGS[now - 1] - HYSTERESIS:
        if state[BELOW_SINCE] < 0:
            state[BELOW_SINCE] = t_ms
        if t_ms - state[BELOW_SINCE] >= HOLD_MS:
            state[LEVEL], state[BELOW_SINCE] = level, -1
            found.append({"sensor": sensor, "t": t_ms, "kind": "ladder", "level": level, "value": value})
    else:
        state[BELOW_SINCE] = -1

    dt = (t_ms - state[LAST_T]) / 1000
    if state[LAST_T] and dt > 0:
        share = 1 - math.exp(-dt / RISE_TAU_S)
        state[RATE] += share * ((value - state[LAST_V]) / dt - state[RATE])
        rising = state[RATE] >= (RISE_PER_S / 2 if state[RISING] else RISE_PER_S)
        if rising != state[RISING]:
            state[RISING] = rising
            found.append({"sensor": sensor, "t": t_ms, "kind": "rise", "level": int(rising), "value": value})

    if value != state[LAST_V]:
        state[SAME_SINCE] = t_ms
        if state[STUCK]:
            state[STUCK] = False
            found.append({"sensor": sensor, "t": t_ms, "kind": "stuck", "level": 0, "value": value})
    elif not state[STUCK] and t_ms - state[SAME_SINCE] >= STUCK_MS:
        state[STUCK] = True
        found.append({"sensor": sensor, "t": t_ms, "kind": "stuck", "level": 1, "value": value})
    state[LAST_T], state[LAST_V] = t_ms, value
    return found


class Meter:
    """Counts readings; after the last it prints what the run took as one JSON line and ends the process.

    The clock starts with the first reading, so that nobody is charged for starting up.
    """

    def __init__(self, total: int) -> None:
        self.total, self.seen, self.findings = total, 0, 0
        self.began_s = self.cpu_s = 0.0

    def count(self, readings: int, findings: int) -> None:
        """Note what was worked on."""
        if not self.began_s:
            self.began_s, self.cpu_s = time.perf_counter(), time.process_time()
        self.seen += readings
        self.findings += findings
        if self.seen >= self.total:
            seconds = time.perf_counter() - self.began_s
            line = {
                "readings": self.seen,
                "findings": self.findings,
                "seconds": seconds,
                "cpu_s": time.process_time() - self.cpu_s,
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            os._exit(0)
