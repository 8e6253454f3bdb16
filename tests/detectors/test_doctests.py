"""The examples in the detectors' docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import detectors
from detectors.registry import DETECTORS

MODULES = [m.name for m in pkgutil.iter_modules(detectors.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    """Each runs and prints just that."""
    failed, _ = doctest.testmod(importlib.import_module(f"detectors.{name}"))
    assert failed == 0


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.name)
def test_each_detector_says_what_it_does_and_what_it_is_blind_to(kind: type) -> None:
    """Purpose, parameters, blindness, source, example."""
    for part in ("Args:", "Blind to:", "Source:", ">>> "):
        assert part in (kind.__doc__ or "")
