"""Mergeable summaries: additive sums with Poisson-bootstrap replicates.

A :class:`Summary` holds, for each cell (a segment) and column (a metric), the number of units, the sums of the first
three powers, and for each of B replicates the sum of weights and of weighted values. The weights are drawn from a
counter-based generator keyed by (seed, key of the unit, replicate). Two things follow:

- ``summary(A) + summary(B)`` is ``summary(A ∪ B)``: chunks, threads, partitions and days reduce with one ``+``;
- two systems that are measured separately resample the same units with the same weights, so the difference of two
  summaries is a paired bootstrap, without the rows of the units.

References: Chamandy, Muralidharan, Najmi, Naidu (2012), Estimating uncertainty for massive data streams; Hanley and
MacGibbon (2006), Creating non-parametric bootstrap samples using Poisson frequencies; Salmon, Moraes, Dror, Shaw
(2011), Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from reclens.errors import ArgumentValueError, IncomparableError, UnknownNameError, UsageError
from reclens.stats.resample import POISSON, block_units, power_sums, weighted_sums

__all__ = ["Cell", "Summary"]

Cell = tuple[str, str]
"""A segmentation and one of its segments, such as ``("age", "25-44")``."""

_FIELDS = ("n", "total", "squares", "cubes", "weights", "sums")


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """Sums over units, by cell and column. Make one with :meth:`of`; add two with ``+``.

    Attributes:
        cells: The cells; the first is all units.
        columns: The columns.
        n: Units with a defined value, shape (cells, columns).
        total: Σx, same shape.
        squares: Σx², same shape.
        cubes: Σx³, same shape.
        weights: Σw over units with a defined value, shape (cells, columns, B).
        sums: Σwx, same shape.
        seed: Seed of the weights.
        units: Units of each cell, defined or not, shape (cells,).
    """

    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    cubes: np.ndarray
    weights: np.ndarray
    sums: np.ndarray
    seed: int
    units: np.ndarray

    @classmethod
    def of(
        cls,
        keys: np.ndarray,
        values: Mapping[str, np.ndarray],
        *,
        groups: Mapping[str, tuple[Sequence[str], np.ndarray]] | None = None,
        replicates: int = 1000,
        seed: int = 0,
        threads: int | None = None,
    ) -> Summary:
        """Summarise units.

        Args:
            keys: Stable 64-bit key of each unit, shape (n,); see ``schema.stable_hash``.
            values: Column name -> float values, shape (n,); NaN where a unit has no value.
            groups: Segmentation name -> (labels, codes of shape (n,)); a code of -1 leaves the unit out of it.
            replicates: Number of bootstrap replicates, B.
            seed: Seed of the weights.
            threads: Threads to use; the result does not depend on it.

        Raises:
            UsageError: If shapes disagree, or replicates is negative.

        Example:
            >>> import numpy as np
            >>> keys = np.arange(4, dtype=np.uint64)
            >>> s = Summary.of(keys, {"x": np.array([1.0, 2.0, 3.0, np.nan])}, replicates=10)
            >>> s.n[0, 0], s.total[0, 0]
            (np.int64(3), np.float64(6.0))
        """
        groups = groups or {}
        if replicates < 0:
            raise ArgumentValueError("replicates", f"is {replicates}, expected 0 or more")
        for name, array in [*values.items(), *((by, codes) for by, (_, codes) in groups.items())]:
            if len(array) != len(keys):
                raise UsageError(f"'{name}' has {len(array)} rows, but there are {len(keys)} keys.")
        cells: list[Cell] = [("overall", "all")]
        targets = [np.zeros(len(keys), np.int32)]
        for by, (labels, codes) in groups.items():
            targets.append(np.where(codes < 0, -1, codes + len(cells)).astype(np.int32))
            cells += [(by, label) for label in labels]
        # Units with the same cells are summed together and added to those cells once: see resample.weighted_sums.
        order, starts, blocks = block_units(np.stack(targets, axis=1))
        matrix, mask_of = _filled([np.asarray(column, np.float64) for column in values.values()], order)
        first = matrix.shape[1] - len(values)
        powers = np.zeros((len(cells), 3, matrix.shape[1]))
        units = np.zeros(len(cells), np.int64)
        for block, size, sums in zip(blocks, np.diff(starts), power_sums(matrix, starts), strict=True):
            hit = block[block >= 0]
            powers[hit] += sums
            units[hit] += size
        drawn = weighted_sums(
            keys[order],
            matrix,
            starts,
            blocks,
            n_targets=len(cells),
            draws=replicates,
            seed=seed,
            scheme=POISSON,
            threads=threads,
        )
        total, squares, cubes = (np.ascontiguousarray(powers[:, power, first:]) for power in range(3))
        return cls(
            cells=tuple(cells),
            columns=tuple(values),
            n=powers[:, 0, mask_of].astype(np.int64),
            total=total,
            squares=squares,
            cubes=cubes,
            weights=drawn[:, mask_of, :],
            sums=drawn[:, first:, :].copy(),
            seed=seed,
            units=units,
        )

    @property
    def replicates(self) -> int:
        """Number of bootstrap replicates, B."""
        return self.sums.shape[2]

    @cached_property
    def cell_sizes(self) -> dict[Cell, int]:
        """Units of each cell, with a defined value or not."""
        return dict(zip(self.cells, self.units.tolist(), strict=True))

    def index(self, cell: Cell, column: str) -> tuple[int, int]:
        """Indices of a cell and a column in the arrays.

        Raises:
            UnknownNameError: If there is no such cell or column.
        """
        if cell not in self.cell_sizes:
            raise UnknownNameError("segment", " / ".join(cell), [" / ".join(c) for c in self.cells])
        if column not in self.columns:
            raise UnknownNameError("column of the summary", column, self.columns)
        return self.cells.index(cell), self.columns.index(column)

    def __add__(self, other: Summary) -> Summary:
        """The summary of both sets of units together; cells that only one has are kept.

        The caller sees to it that no unit stands in both.

        Raises:
            IncomparableError: If columns, seed or number of replicates differ.
        """
        for name in ("columns", "seed", "replicates"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise IncomparableError(
                    f"summaries differ in {name} ({mine} and {theirs}), so that their sums cannot be added. "
                    f"Make both with the same {name}."
                )
        cells = self.cells + tuple(cell for cell in other.cells if cell not in self.cell_sizes)
        where = [cells.index(cell) for cell in other.cells]
        merged: dict[str, np.ndarray] = {}
        for name in (*_FIELDS, "units"):
            mine, theirs = getattr(self, name), getattr(other, name)
            array = np.zeros((len(cells), *mine.shape[1:]), mine.dtype)
            array[: len(self.cells)] = mine
            array[where] += theirs
            merged[name] = array
        return replace(self, cells=cells, **merged)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, for storage."""
        return {name: getattr(self, name) for name in (*_FIELDS, "units")}

    def header(self) -> dict[str, Any]:
        """The rest, for storage as JSON."""
        return {"cells": [list(cell) for cell in self.cells], "columns": list(self.columns), "seed": self.seed}

    @classmethod
    def of_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Summary:
        """The inverse of :meth:`header` and :meth:`arrays`."""
        cells = tuple((str(by), str(segment)) for by, segment in header["cells"])
        found = {name: np.asarray(arrays[name]) for name in (*_FIELDS, "units")}
        return cls(cells=cells, columns=tuple(header["columns"]), seed=int(header["seed"]), **found)


def _filled(columns: Sequence[np.ndarray], order: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The columns in a given order of units, behind masks of where they have a value; without a value they are 0.

    Columns that are defined for the same units share a mask. The matrix is the only copy that is made: the columns of a
    chunk fill much memory.

    Returns:
        The masks, 0 or 1, and then the columns, shape (units, masks + columns); the mask of each column.
    """
    defined = [~np.isnan(column) for column in columns]
    kinds: dict[bytes, int] = {}
    mask_of = [kinds.setdefault(np.packbits(each).tobytes(), len(kinds)) for each in defined]
    matrix = np.empty((len(order), len(kinds) + len(columns)))
    for kind in range(len(kinds)):
        matrix[:, kind] = defined[mask_of.index(kind)][order]
    for at, (column, known) in enumerate(zip(columns, defined, strict=True), len(kinds)):
        matrix[:, at] = np.where(known, column, 0.0)[order]
    return matrix, mask_of
