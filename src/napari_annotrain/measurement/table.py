import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.places import beside
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.measurement.columns import in_order

Kind = Literal["cells", "classes"]
CELLS: Kind = "cells"
CLASSES: Kind = "classes"


class PlaneCount(NamedTuple):
    """How many objects a plane has, and a checksum by which its labels are known to be the same."""

    n: int
    checksum: int


@dataclass(frozen=True, eq=False)
class Table(Mapping[str, npt.NDArray[Any]]):
    """A row for each object and plane; ``table["area_px"]`` is a column, ``pandas.DataFrame(table)`` all of them.

    Attributes
    ----------
    columns
        Arrays of equal length by name, see `measurement.columns`; NaN where a number is not known.
    kind
        ``"cells"``: a row for each label and plane. ``"classes"``: the same, without what only a cell has.
    planes
        Of each plane, as (t, z), how many rows it has; planes without objects are there too.
    """

    columns: Mapping[str, npt.NDArray[Any]] = field(repr=False)
    kind: Kind = CELLS
    planes: Mapping[tuple[int, int], PlaneCount] = field(default_factory=dict, repr=False)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.columns["label"]) if "label" in self.columns else 0

    def counts(self) -> dict[tuple[int, int], int]:
        """Objects of each plane, as (t, z)."""
        return {place: plane.n for place, plane in self.planes.items()}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def stacked(parts: list[Mapping[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Rows below each other; a column that some parts lack is NaN there."""
    names = in_order(name for part in parts for name in part)
    return {name: np.concatenate([part[name] if name in part else _unknown(part) for part in parts]) for name in names}


def join(tables: Mapping[str, Table]) -> Table:
    """One table of several images, with their names in the column ``image``."""
    parts: list[Mapping[str, npt.NDArray[Any]]] = [
        {"image": np.full(table.n_rows, name, object), **table} for name, table in tables.items() if table.n_rows
    ]
    return Table(stacked(parts), next((table.kind for table in tables.values()), CELLS))


def check_table_place(path: str | Path) -> Path:
    """The path of a table, which must end in .csv."""
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise AnnotrainError(f"{path} is of a type that cannot be written: let the name of the table end in .csv.")
    return path


def write_table(path: str | Path, table: Table) -> None:
    """Write a table as CSV (comma, point, UTF-8), complete under its name or not at all; what is not known is empty.

    Raises
    ------
    AnnotrainError
        The name does not end in .csv, or the place cannot be written.
    """
    path = check_table_place(path)
    with beside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        columns = [values.tolist() for values in table.values()]
        writer.writerows([_text(value) for value in row] for row in zip(*columns, strict=True))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:.10g}"
    return str(value)


def _unknown(part: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.full(len(part["label"]), np.nan)
