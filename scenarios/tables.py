"""Tables of readings: CSV and Parquet to columns and back, by pyarrow; no Python per reading.

A table has a row a reading (time, device, metric, value, and where wanted unit, quality, arrival), or in its wide
form a row a moment with a column for each metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scenarios.times import UTC_NS, Column
from yiwang.columns import F64, I32, I64, U8
from yiwang.errors import BadInput

Table = Any  # Any: pyarrow publishes no types
Mask = NDArray[np.bool_]

SUFFIXES = (".parquet", ".csv", ".tsv", ".txt", ".csv.gz", ".parquet.gz")
_NULLS = ["", "NULL", "null", "None", "NA", "N/A", "-"]  # NaN is a number
_TEXT_COLUMNS = 4096  # of a wide table; more is some other file
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Which of the file's columns is which of ours.

    Attributes:
        aliases: our column to the names it is also known by, in lower case.
        renamed: the file's name to ours, as the caller says.
    """

    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def find(self, columns: Sequence[str]) -> dict[str, str]:
        """Our column to the file's, for those there are; what is renamed wins, then our own name, then aliases."""
        found: dict[str, str] = {}
        for theirs in columns:
            if theirs in self.renamed:
                found.setdefault(self.renamed[theirs], theirs)
        lower = {c.strip().lower(): c for c in reversed(columns) if c not in self.renamed}
        for ours, others in self.aliases.items():
            for name in (ours, *others):
                if ours not in found and name in lower:
                    found[ours] = lower[name]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A column of few different texts: dictionary and codes.

    Attributes:
        codes: int32 (n,), index into ``names``; -1 where the cell is empty.
        names: the different texts.
    """

    codes: I32
    names: tuple[str, ...]

    @classmethod
    def of(cls, column: Column) -> "Coded":
        """From a pyarrow column of text, dictionary or numbers."""
        if isinstance(column, pa.ChunkedArray):
            column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
            column = column.combine_chunks()
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column.cast(pa.string()))
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        codes = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        names = ["" if n is None else str(n).strip() for n in column.dictionary.to_pylist()]
        return cls(codes=codes, names=tuple(names)).renamed({})

    def renamed(self, names: Mapping[str, str]) -> "Coded":
        """The same cells under other names; no name is in the dictionary twice."""
        distinct: dict[str, int] = {}
        new = [distinct.setdefault(names.get(n, n), len(distinct)) for n in self.names]
        codes = self.codes
        if new != list(range(len(new))):
            codes = np.array([*new, -1], np.int32)[codes]
        return Coded(codes=codes, names=tuple(distinct))

    @classmethod
    def one(cls, name: str, n: int) -> "Coded":
        """The same text ``n`` times."""
        return cls(codes=np.zeros(n, np.int32), names=(name,))


def is_table(path: Path) -> bool:
    """Whether the suffix is one of a table's."""
    return path.name.lower().endswith(SUFFIXES)


Skipped = tuple[int, str]
"""Row of the file (its header is 1) and text of one with a wrong number of cells."""


def read(
    path: Path, *, dictionary: Sequence[str] = (), code: str = "scenario.table"
) -> tuple[Table, list[Skipped]]:
    """A file as a table; CSV cells stay text, Parquet keeps its types.

    Args:
        path: CSV (``,``, ``;``, tab or ``|`` between cells, UTF-8 or GB18030), Parquet, either also gzipped.
        dictionary: columns with few different texts.
        code: of the error.

    Returns:
        The table, and the rows with a wrong number of cells, which are left out.

    Raises:
        BadInput: ``code`` for a file that cannot be read as a whole.
    """
    name = path.name.lower()
    if not path.is_file():
        raise BadInput(code, f"{path}: there is no such file", file=str(path))
    try:
        if name.endswith((".parquet", ".parquet.gz")):
            return _parquet(path), []
        try:
            return _csv(path, dictionary, "utf8")
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if "utf8" not in str(error).lower() and "utf-8" not in str(error).lower():
                raise
            return _csv(path, dictionary, "gb18030")
    except (pa.ArrowException, OSError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(code, f"{path}: cannot be read as a table: {what}", file=str(path)) from None


def _parquet(path: Path) -> Table:
    if path.name.lower().endswith(".gz"):
        with pa.input_stream(str(path), compression="gzip") as stream:
            return pq.read_table(pa.BufferReader(stream.read()))
    return pq.read_table(path)


def _csv(path: Path, dictionary: Sequence[str], encoding: str) -> tuple[Table, list[Skipped]]:
    header, delimiter = _header(path, encoding)
    if len(header) > _TEXT_COLUMNS:
        raise ValueError(f"it has {len(header)} columns")
    twice = sorted({c for c in header if header.count(c) > 1})
    if twice:
        raise ValueError(f"column {', '.join(twice)} occurs twice")
    types = {c: pa.string() for c in header} | {c: pa.dictionary(pa.int32(), pa.string()) for c in dictionary}

    def take(*, threads: bool) -> tuple[Table, list[Skipped]]:
        skipped: list[Skipped] = []

        def skip(row: Any) -> str:  # Any: pyarrow's InvalidRow
            skipped.append((row.number or 0, row.text or f"{row.actual_columns} cells"))
            return "skip"

        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(encoding=encoding, block_size=8 << 20, use_threads=threads),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(
                column_types=types, null_values=_NULLS, strings_can_be_null=True
            ),
        )
        return table, skipped

    table, skipped = take(threads=True)
    # Only a reader without threads knows the numbers of the rows; wrong ones are rare.
    return take(threads=False) if skipped else (table, [])


def columns_of(path: Path) -> list[str]:
    """Names of a table's columns, without reading its rows.

    Raises:
        BadInput: ``scenario.table``.
    """
    name = path.name.lower()
    if not path.is_file():
        raise BadInput("scenario.table", f"{path}: there is no such file", file=str(path))
    try:
        if name.endswith(".parquet"):
            return list(pq.read_schema(path).names)
        if name.endswith(".parquet.gz"):
            return list(_parquet(path).column_names)
        try:
            return _header(path, "utf-8")[0]
        except UnicodeDecodeError:
            return _header(path, "gb18030")[0]
    except (pa.ArrowException, OSError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            "scenario.table", f"{path}: cannot be read as a table: {what}", file=str(path)
        ) from None


def _header(path: Path, encoding: str) -> tuple[list[str], str]:
    with pa.input_stream(str(path), compression="detect") as stream:
        start = bytes(stream.read(1 << 20))
    first = (
        start.split(b"\n", 1)[0].decode("utf-8-sig" if encoding.startswith("utf") else encoding).rstrip("\r")
    )
    if not first.strip():
        raise ValueError("the file is empty, or its first line is no header")
    delimiter = max(_DELIMITERS, key=first.count)
    table = pacsv.read_csv(
        pa.BufferReader((first + "\n").encode()), parse_options=pacsv.ParseOptions(delimiter=delimiter)
    )
    return list(table.column_names), delimiter


def write(
    path: Path,
    *,
    t_ns: I64,
    device: Coded,
    metric: Coded,
    value: F64,
    quality: U8,
    arrival_ns: I64 | None = None,
) -> None:
    """Readings to a Parquet or CSV file, told by its suffix; columns that say nothing are left out."""
    columns: dict[str, Column] = {
        "time": pa.array(t_ns, UTC_NS),
        "device": pa.DictionaryArray.from_arrays(device.codes, pa.array(device.names, pa.string())),
        "metric": pa.DictionaryArray.from_arrays(metric.codes, pa.array(metric.names, pa.string())),
        "value": pa.array(value),
    }
    if quality.any():
        columns["quality"] = pa.array(quality)
    if arrival_ns is not None:
        columns["arrival"] = pa.array(arrival_ns, UTC_NS)
    table = pa.table(columns)
    if path.name.endswith(".csv"):
        pacsv.write_csv(_texts(table), path, pacsv.WriteOptions(quoting_style="needed"))
        return
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=9,
        use_dictionary=["device", "metric", "value"],
        column_encoding={c: "DELTA_BINARY_PACKED" for c in ("time", "arrival") if c in columns},
        write_statistics=False,
    )


def _texts(table: Table) -> Table:
    """As CSV has it: times as ISO 8601 texts, dictionaries as what they mean."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        columns[name] = column
    return pa.table(columns)
