"""A desk's state held still for a moment, and its bytes made afterwards, little by little. Pure.

The objects in the state never change, they are replaced; so copying the tables that hold them is enough to have the
whole state as it is now, in a fraction of a millisecond. Making bytes of it takes 15 ms with a thousand open
incidents; that is done object by object, so that whoever runs beside it is never held up, and an object that is
still the same one as the last time keeps its bytes.
"""

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from dispatch.state import State

_encode = msgspec.msgpack.Encoder().encode


def freeze(state: State) -> State:
    """The state as it is now; what is done to ``state`` later does not show."""
    frozen = copy.copy(state)
    for name in State.__struct_fields__:
        value = getattr(state, name)
        if isinstance(value, dict):
            setattr(frozen, name, _frozen(value))
    return frozen


def _frozen(table: dict[str, Any]) -> dict[str, Any]:  # Any: as the table holds them
    first = next(iter(table.values()), None)
    if isinstance(first, dict | list):
        return {key: value.copy() for key, value in table.items()}
    return table.copy()


class Encoding:
    """Makes bytes of one desk's states; those of objects that stay are kept from one time to the next."""

    def __init__(self) -> None:
        self._known: dict[
            str, dict[str, tuple[object, bytes]]
        ] = {}  # table -> key -> object, key and object as bytes

    def encode(self, frozen: State) -> bytes:
        """The same bytes as ``Desk.dump`` would give."""
        names = State.__struct_fields__
        parts = [_head(len(names))]
        for name in names:
            value = getattr(frozen, name)
            parts.append(_encode(name))
            first = next(iter(value.values()), None) if isinstance(value, dict) else None
            if isinstance(first, msgspec.Struct):
                parts += self._objects(name, value)
            elif isinstance(first, dict | list):
                parts.append(_head(len(value)))
                parts += [_encode(key) + _encode(inner) for key, inner in value.items()]
            else:
                parts.append(_encode(value))
        return b"".join(parts)

    def _objects(self, name: str, table: Mapping[str, object]) -> list[bytes]:
        known = self._known.get(name, {})
        now = self._known[name] = {}
        parts = [_head(len(table))]
        for key, value in table.items():
            before = known.get(key)
            entry = before if before and before[0] is value else (value, _encode(key) + _encode(value))
            now[key] = entry
            parts.append(entry[1])
        return parts


def _head(count: int) -> bytes:
    """MessagePack's beginning of a map of so many entries."""
    if count < 16:
        return bytes([0x80 | count])
    return b"\xde" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdf" + count.to_bytes(4, "big")
