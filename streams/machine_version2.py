"""States of version 2, which releases before blocks kept in one piece; read once, kept anew in blocks. Pure."""

import zlib
from typing import Any

import msgspec
import numpy as np

from streams.blocks import Array, Pieces
from yiwang.book import Book
from yiwang.errors import BadInput
from yiwang.registry import Registry


def pieces(packed: bytes) -> Pieces:
    """The pieces of a state of version 2.

    Args:
        packed: what follows its magic number.

    Raises:
        BadInput: ``snapshot.damaged``.
    """
    try:
        s = msgspec.msgpack.decode(zlib.decompress(packed))
        return _pieces(s)
    except (zlib.error, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            "snapshot.damaged", f"the snapshot of version 2 cannot be unpacked: {error!r}"
        ) from error


def _pieces(s: dict[str, Any]) -> Pieces:  # Any: as that release wrote it
    book = Book()
    book.apply(msgspec.convert(s["registry"], Registry))
    columns: dict[str, Array] = {
        "newest": np.frombuffer(s["newest"], "<i8").astype(np.int64),
        "recent": np.array(s.get("recent", ()), np.uint64),
    }
    for lane in s["lanes"]:
        columns[f"{lane['id']}/series"] = np.frombuffer(lane["series"], "<i4").astype(np.int32)
        for name, entry in lane["state"].items():
            column = np.frombuffer(entry["data"], np.dtype(entry["dtype"])).reshape(entry["shape"]).copy()
            columns[f"{lane['id']}/state.{name}"] = column
    rest = {
        "version": 3,
        **{name: s[name] for name in ("district", "n", "now_ns", "horizon_ns", "waiting")},
        "lanes": [{"id": lane["id"], "out": lane["out"], "open": lane["open"]} for lane in s["lanes"]],
    }
    return Pieces(
        columns=columns,
        things={
            "rest": msgspec.msgpack.encode(rest),
            "still": msgspec.msgpack.encode(({}, [])),
            "desk": s["desk"],
            "rules": msgspec.msgpack.encode(s["rules"]),
            "registry": book.dump(),
        },
    )
