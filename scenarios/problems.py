"""What is wrong with a scenario: collected whole, so that one run of ``check`` lists everything."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput

_MOST_CHOICES = 12


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake.

    Attributes:
        file: name of the file, or of the scenario where it is made by a generator.
        line: line of a text file or row of a table (its header is row 1); 0 where there is none.
        field: the field or column that is wrong.
        code: stable, ``scenario.…``.
        message: what it is and what would be right.
        count: how many rows share it; ``line`` is the first.
    """

    file: str
    line: int = 0
    field: str = ""
    code: str
    message: str
    count: int = 1

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        rows = f" ({self.count} rows)" if self.count > 1 else ""
        return f"{where}: {self.field + ': ' if self.field else ''}{self.message}{rows}"


@dataclass(slots=True)
class Problems:
    """A list of mistakes that grows while a scenario is read."""

    found: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def add(
        self, code: str, message: str, *, file: str, line: int = 0, field: str = "", count: int = 1
    ) -> None:
        """Note one mistake."""
        self.found.append(Problem(file=file, line=line, field=field, code=code, message=message, count=count))

    def error(self, error: BadInput, *, file: str) -> None:
        """Note what something else has refused, with the place that it names."""
        details = error.details
        shown = str(details.get("file", file))
        line = details.get("line", details.get("row", 0))
        self.add(
            error.code if error.code.startswith("scenario.") else f"scenario.{error.code.replace('.', '_')}",
            error.message,
            file=shown,
            line=line if isinstance(line, int) else 0,
            field=str(details.get("field", "")),
        )

    def refuse(self, how: str = "yiwang scenario check lists them") -> None:
        """Refuse the scenario if anything is wrong with it.

        Args:
            how: where to see the others.

        Raises:
            BadInput: the first mistake's code and place; ``details["errors"]`` has all as sentences.
        """
        if not self.found:
            return
        first = self.found[0]
        more = f" (and {len(self.found) - 1} more; {how})" if len(self) > 1 else ""
        raise BadInput(
            first.code,
            f"{first}{more}",
            file=first.file,
            line=first.line,
            field=first.field,
            errors=[str(p) for p in self.found],
        )


def suggest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or what there is where that is little."""
    names: Collection[str] = sorted(set(known))
    told = did_you_mean(name, names)
    return told if told.startswith("; did") or len(names) <= _MOST_CHOICES else ""
