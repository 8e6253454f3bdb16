"""Who may speak for a district: of the workers that ever held it, the newest. Pure.

A worker that was stopped (a paused machine, a broken network) may wake up after its district went to another one,
and still send what it had worked out: under numbers that the new owner uses too, with other content. So each taking
over of a district has a number of its own, its **ownership**, given by the database and always rising. An owner's
first word in the outputs is a mark: an empty message with its ownership in the header ``owner``; all its outputs
carry the header. From a mark on, outputs of an older ownership are nobody's: every reader leaves them out. The owner
reads what was said up to its own mark, so it knows all that can ever count before it begins.

What stood in the log before there were ownerships counts as ownership 0.
"""

from collections.abc import Iterable

from yiwang.topics import HEADER_OWNER

MARK = b""
"""Payload of the message with which an ownership begins."""


def owner_of(headers: Iterable[tuple[str, bytes]]) -> int:
    """The ownership in a message's Kafka headers; 0 where there is none."""
    for key, value in headers:
        if key == HEADER_OWNER:
            return int(value) if value.isdigit() else 0
    return 0


class Fence:
    """Tells a reader of one district's outputs which of them count.

    Args:
        owner: the ownership in force where reading begins. 0 is right at the beginning of the log.

    Attributes:
        owner: the ownership in force.
        left_out: messages of paused owners that were left out.
    """

    __slots__ = ("left_out", "owner")

    def __init__(self, owner: int = 0) -> None:
        self.owner = owner
        self.left_out = 0

    def counts(self, payload: bytes, headers: Iterable[tuple[str, bytes]]) -> bool:
        """Whether the next message of the log is an output that counts; marks and a paused owner's words do not."""
        owner = owner_of(headers)
        if owner > self.owner:
            self.owner = owner
        elif owner < self.owner:
            self.left_out += 1
            return False
        return payload != MARK
