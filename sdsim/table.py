"""Tables as files: comma-separated values, or Parquet, as the name of the file says.

Parquet needs pyarrow, an extra of this distribution. Every column of a Parquet file has one type, and what is missing
is null; in comma-separated values it is empty.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

Value = int | float | str | None
Columns = Mapping[str, Sequence[Value]]
SUFFIXES: Final = (".csv", ".parquet")


class BadTable(ValueError):
    """A table cannot be written so; the text says why, and what is allowed."""


def check(path: Path) -> None:
    """Whether a table can have this name here.

    Raises:
        BadTable: it cannot.
    """
    if path.suffix not in SUFFIXES:
        raise BadTable(f"{path}: {path.suffix or 'no suffix'}; allowed are {', '.join(SUFFIXES)}")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise BadTable(f"{path}: Parquet needs pyarrow; allowed here: .csv, or pip install 'socksdirect[parquet]'")


def write(path: Path, columns: Columns) -> None:
    """Write a table. Raises BadTable and OSError."""
    check(path)
    if path.suffix == ".csv":
        _write_csv(path, columns)
    else:
        _write_parquet(path, columns)


def _write_csv(path: Path, columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _write_parquet(path: Path, columns: Columns) -> None:
    import pyarrow
    from pyarrow import parquet

    arrays = {
        name: pyarrow.array(values, type=pyarrow.string() if all(value is None for value in values) else None)
        for name, values in columns.items()
    }
    with path.open("wb") as file:
        parquet.write_table(pyarrow.table(arrays), file)


def typed(lines: Sequence[Mapping[str, str]]) -> Columns:
    """Columns of lines that were read from comma-separated values: whole numbers, numbers or texts, and null."""
    return {name: _typed_column([line[name] for line in lines]) for name in (lines[0] if lines else ())}


def _typed_column(texts: Sequence[str]) -> list[Value]:
    """As whole numbers if all of them are such, as numbers if all are, or as they are."""
    for number in (int, float):
        try:
            return [number(text) if text else None for text in texts]
        except ValueError:
            continue
    return [text or None for text in texts]
