"""Detector states as data: growing, keeping, taking back. A state is a dataclass whose fields are arrays (n,) or (n, k)."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from yiwang.errors import BadInput

S = TypeVar("S")

Write = tuple[np.ndarray[Any, Any], Any, Any]  # Any: of whatever dtype; an index; what stands there then
"""A field of a state, rows of it, and what they are to be."""


def commit(writes: list[Write]) -> None:
    """Change a state: the only thing an ``atomic`` detector does to it, and the last thing it does.

    The values are ready, of the field's dtype and of the rows' shape: nothing here can fail.
    """
    for array, rows, value in writes:
        array[rows] = value


def grow(state: S, fresh: S) -> S:
    """``fresh`` (``start`` of more series) with the old rows of ``state`` copied in; returns ``fresh``.

    Raises:
        ValueError: when ``fresh`` has fewer series.
    """
    for field in fields(state):  # type: ignore[arg-type]  # a dataclass by protocol
        old, new = getattr(state, field.name), getattr(fresh, field.name)
        if len(new) < len(old):
            raise ValueError(f"a state of {len(old)} series does not shrink to {len(new)}")
        new[: len(old)] = old
    return fresh


def lengthen(state: S, more: S, room: dict[str, np.ndarray[Any, Any]]) -> None:  # Any: of whatever shape
    """Put the rows of ``more`` (``start`` of the new series) behind those of ``state``, in place.

    Memory grows in larger steps than the state, so that many small additions cost no more than a large one.

    Args:
        state: its arrays are replaced.
        more: a state of the same detector.
        room: of each field the array of which the state's own is the beginning; filled in here.
    """
    for field in fields(state):  # type: ignore[arg-type]  # a dataclass by protocol
        old, new = getattr(state, field.name), getattr(more, field.name)
        if len(old) == 0:
            setattr(state, field.name, new)
        if len(new) == 0 or len(old) == 0:
            continue
        count, base = len(old) + len(new), room.get(field.name)
        if base is None or len(base) < count or old.base is not base:
            base = room[field.name] = np.empty((count + count // 4, *new.shape[1:]), new.dtype)
            base[: len(old)] = old
        base[len(old) : count] = new
        setattr(state, field.name, base[:count])


def take_state(like: S, arrays: Mapping[str, np.ndarray[Any, Any]], count: int) -> S:  # Any: checked here
    """A state of ``count`` series of these arrays; those that may be written to are used as they are.

    Args:
        like: a state of the same detector, any number of series; ``detector.start(0)`` will do.
        arrays: by field.
        count: how many series they must be of.

    Raises:
        BadInput: ``state.shape`` when it is the state of another detector, or of another release of it.
    """
    own = {field.name: getattr(like, field.name) for field in fields(like)}  # type: ignore[arg-type]
    if own.keys() != arrays.keys():
        raise _other(like, f"fields {sorted(arrays)}, expected {sorted(own)}")
    for name, model in own.items():
        given = arrays[name]
        if given.dtype != model.dtype or given.shape != (count, *model.shape[1:]):
            expected = f"{model.dtype.str} {(count, *model.shape[1:])}"
            raise _other(like, f"{name}: {given.dtype.str} {given.shape}, expected {expected}")
    return type(like)(**{name: np.require(array, requirements=["C", "W"]) for name, array in arrays.items()})


def dump_state(state: object) -> dict[str, Any]:  # Any: str, list of int, bytes
    """A state as plain values for msgpack, exact to the last bit: field to {"dtype", "shape", "data"}."""
    return {
        field.name: {"dtype": array.dtype.str, "shape": list(array.shape), "data": array.tobytes()}
        for field in fields(state)  # type: ignore[arg-type]  # a dataclass by protocol
        for array in [np.ascontiguousarray(getattr(state, field.name))]
    }


def load_state(like: S, dumped: dict[str, Any]) -> S:  # Any: as from dump_state
    """A state from ``dump_state``.

    Args:
        like: a state of the same detector, any number of series; ``detector.start(0)`` will do.
        dumped: what ``dump_state`` gave.

    Raises:
        BadInput: ``state.shape`` when it is the state of another detector, or of another release of it.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}  # Any: dtype and shape are checked against ``like``
    own = {field.name: getattr(like, field.name) for field in fields(like)}  # type: ignore[arg-type]
    if own.keys() != dumped.keys():
        raise _other(like, f"fields {sorted(dumped)}, expected {sorted(own)}")
    rows = {entry["shape"][0] for entry in dumped.values() if entry["shape"]}
    for name, model in own.items():
        entry = dumped[name]
        shape = tuple(entry["shape"])
        if entry["dtype"] != model.dtype.str or len(rows) != 1 or shape[1:] != model.shape[1:] or not shape:
            raise _other(like, f"{name}: {entry['dtype']} {shape}, expected {model.dtype.str} (n, …)")
        arrays[name] = np.frombuffer(entry["data"], model.dtype).reshape(shape).copy()
    return type(like)(**arrays)


def _other(like: object, problem: str) -> BadInput:
    return BadInput("state.shape", f"not a state of {type(like).__name__}: {problem}")
