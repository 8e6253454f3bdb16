"""Errors."""

import pickle

from yiwang.errors import BadInput


def test_an_error_survives_the_way_from_another_process() -> None:
    """Kind, code, message and details are what they were."""
    error = BadInput("reading.unit", "cm is no unit of speed", unit="cm", row=3)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is BadInput
    assert copy.as_json() == error.as_json()
