"""Reading a parsed document field by field, so that every complaint names file, line, field and remedy."""

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.errors import BadInput
from yiwang.registry import Text


def did_you_mean(name: str, known: Collection[str]) -> str:
    """``"; did you mean 'x'?"``, or what there is to choose from."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(sorted(known))}" if known else "; there is none"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content with the line of every field.

    Attributes:
        file: name to show.
        lines: path of a field (``detectors.depth.ladder.params``, keys joined by tabs) to its line.
        body: the parsed content.
    """

    file: str
    lines: Mapping[str, int]
    body: Mapping[str, Any]  # Any: parsed YAML, read through Node

    def at(self, path: tuple[str, ...]) -> tuple[str, int]:
        """File and line of a field, or of the nearest one around it; line 0 where none is known."""
        while path:
            line = self.lines.get("\t".join(path))
            if line is not None:
                return self.file, line
            path = path[:-1]
        return self.file, self.lines.get("", 0)


@dataclass(frozen=True, slots=True)
class Node:
    """A value within a document. Every reader method either returns what it promises or raises BadInput."""

    document: Document
    value: Any  # Any: parsed YAML
    path: tuple[str, ...] = field(default=())

    @property
    def origin(self) -> str:
        """``file:line``."""
        file, line = self.document.at(self.path)
        return f"{file}:{line}" if line else file

    def error(self, code: str, message: str) -> BadInput:
        """A complaint about this value."""
        file, line = self.document.at(self.path)
        name = ".".join(self.path) or "document"
        shown = self.value if isinstance(self.value, str | int | float | bool | None) else None
        if isinstance(shown, float) and not math.isfinite(shown):
            shown = str(shown)
        return BadInput(
            code, f"{self.origin}: {name}: {message}", file=file, line=line, field=name, value=shown
        )

    def child(self, key: str) -> "Node":
        """The value under a key that is there."""
        return Node(self.document, self.value[key], (*self.path, key))

    def mapping(self) -> "Node":
        """Itself, if it is a map.

        Raises:
            BadInput: ``domain.value``.
        """
        if not isinstance(self.value, Mapping):
            raise self.error("domain.value", f"must be a map of names to values, not {_kind(self.value)}")
        return self

    def fields(self, *, needs: Collection[str] = (), may: Collection[str] = ()) -> "Node":
        """Itself, if it is a map with all of ``needs`` and nothing beyond ``may``.

        Raises:
            BadInput: ``domain.field`` for an unknown or a missing field.
        """
        known = {*needs, *may}
        for key in self.mapping().value:
            if key not in known:
                raise self.child(key).error("domain.field", f"is no field here{did_you_mean(key, known)}")
        for key in needs:
            if key not in self.value:
                raise self.error("domain.field", f"lacks the field {key!r}")
        return self

    def get(self, key: str) -> "Node | None":
        """The value under a key, or ``None`` where it is left out."""
        return self.child(key) if key in self.value else None

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """Keys and values of a map."""
        for key in self.mapping().value:
            yield key, self.child(key)

    def each(self) -> "Iterator[Node]":
        """The members of a list."""
        if not isinstance(self.value, list | tuple):
            raise self.error("domain.value", f"must be a list, not {_kind(self.value)}")
        for i, value in enumerate(self.value):
            yield Node(self.document, value, (*self.path, str(i)))

    def string(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error("domain.value", f"must be a text, not {_kind(self.value)}")
        return self.value

    def number(self, lo: float = -math.inf, hi: float = math.inf) -> float:
        """A finite number within lo..hi."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error("domain.value", f"must be a number, not {_kind(value)}")
        if not lo <= value <= hi:
            span = f"{lo:g} to {hi:g}" if math.isfinite(hi) else f"at least {lo:g}"
            raise self.error("domain.value", f"must be {span}, not {value:g}")
        return float(value)

    def integer(self, lo: int) -> int:
        """A whole number of at least ``lo``."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int) or value < lo:
            raise self.error("domain.value", f"must be a whole number of at least {lo}, not {_kind(value)}")
        return value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.error("domain.value", f"must be true or false, not {_kind(self.value)}")
        return self.value

    def one_of(self, known: Collection[str], what: str = "word") -> str:
        """One of the known names."""
        value = self.string()
        if value not in known:
            raise self.error("domain.unknown", f"{value!r} is no known {what}{did_you_mean(value, known)}")
        return value

    def text(self) -> Text:
        """A text in both languages: ``{zh: 积水, en: Flooding}``."""
        self.fields(needs=("zh", "en"))
        return Text(zh=self.child("zh").string(), en=self.child("en").string())


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)
