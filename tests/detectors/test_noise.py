"""Noise: trembling beyond the usual; never a flood."""

import numpy as np

from detectors.noise import Noise
from tests.detectors.feeding import feed

NOISE = Noise(noise=0.2, ratio=6.0, window_s=1200.0, level=4.0)
RNG = np.random.default_rng(5)


def test_trembling_is_found_and_its_end() -> None:
    """Within half an hour each."""
    value = np.concatenate((RNG.normal(0, 0.3, 100), RNG.normal(0, 8, 100), RNG.normal(0, 0.3, 200)))
    said = feed(NOISE, list(enumerate(value.tolist())))
    assert [(f.level, f.reason) for f in said] == [(4, "noise.high"), (0, "noise.usual")]
    assert 100 <= said[0].since <= said[0].t <= 130
    assert 200 <= said[1].t <= 270


def test_a_flood_is_no_noise() -> None:
    """However fast it rises and falls."""
    depth = np.concatenate((np.zeros(50), np.linspace(0, 300, 8), np.linspace(300, 0, 60), np.zeros(50)))
    assert feed(NOISE, list(enumerate((depth + RNG.normal(0, 0.2, len(depth))).tolist()))) == []


def test_a_single_spike_is_no_noise() -> None:
    """It is one reversal, however high: a car's roof under a sonar."""
    value = RNG.normal(0, 0.2, 100)
    value[50] = 150
    assert feed(NOISE, list(enumerate(value.tolist()))) == []


def test_what_always_trembles_is_its_own_measure() -> None:
    """The usual tremor is learnt, above the metric's least."""
    slow = Noise(noise=1.0, ratio=6.0, window_s=600.0, level=4.0)
    assert feed(slow, [(10 * i, v) for i, v in enumerate(RNG.normal(0, 5, 400).tolist())]) == []


def test_without_a_usual_tremor_nothing_is_checked() -> None:
    """``noise`` absent."""
    off = Noise(noise=float("nan"), ratio=6.0, window_s=1200.0, level=4.0)
    assert feed(off, list(enumerate(RNG.normal(0, 99, 99).tolist()))) == []
