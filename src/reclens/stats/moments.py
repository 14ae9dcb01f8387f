"""Additive means and cross products: sufficient for means, ratios and CUPED adjustments of a sample.

A :class:`Moments` holds n, the mean of each column, the *centred* cross products Σ(x - x̄)(y - ȳ) of pairs of columns
and, for the skewness of a test between arms of unequal size, those of three. The sum of two is that of both samples
together, so that days, partitions, chunks and machines reduce with one ``+``. Centred products are numerically stable
where Σx² - n x̄² is not: at a mean of a million standard deviations the latter has no correct digit.

References: Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, for the addition; Pébay
(2008), Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import permutations
from operator import add
from typing import Any

import numpy as np

from reclens.errors import ArgumentValueError, DataError, IncomparableError, UnknownNameError, UsageError

__all__ = ["Moments"]

_BLOCK = 16384  # rows a step: a block of a dozen columns stays in the second-level cache


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """The first three moments of several columns over the units of a sample. Add two with ``+``.

    Attributes:
        columns: The columns.
        n: Units.
        mean: Mean of each column, shape (columns,).
        cross: Centred cross products Σ(x - x̄)(y - ȳ), shape (columns, columns); NaN for pairs that were not gathered.
        third: Centred products of three Σ(x - x̄)(y - ȳ)(z - z̄), shape (columns, columns, columns), NaN for those that
            were not gathered; None where none was.

    Example:
        >>> both = Moments.of({"x": [1.0, 2.0]}) + Moments.of({"x": [3.0, 4.0, 5.0]})
        >>> both.n, both.value("x"), both.variance("x")
        (5, 3.0, 2.5)
    """

    columns: tuple[str, ...]
    n: int
    mean: np.ndarray
    cross: np.ndarray
    third: np.ndarray | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Moments:
        """Compute the moments of columns of numbers.

        Args:
            values: Column name -> numbers, each of shape (n,).

        Raises:
            UsageError: If there is no column, or the columns differ in length.
            DataError: If a value is missing or infinite.
        """
        arrays = [np.asarray(column, np.float64) for column in values.values()]
        if not arrays or any(array.shape != (len(arrays[0]),) for array in arrays):
            shapes = ", ".join(f"{name}: {array.shape}" for name, array in zip(values, arrays, strict=True))
            raise UsageError(f"columns are {shapes or 'none'}; expected one or more of one length.")
        for name, array in zip(values, arrays, strict=True):
            bad = ~np.isfinite(array)
            if bad.any():
                raise DataError(
                    "a value is missing or infinite",
                    column=name,
                    row=int(bad.argmax()) + 1,
                    fix="Leave such units out, or fill the value in, before summing up.",
                )
        return cls.of_matrix(np.stack(arrays, axis=1), columns=tuple(values))

    @classmethod
    def of_matrix(cls, table: np.ndarray, *, columns: Sequence[str]) -> Moments:
        """Sum up a table of finite numbers, shape (n, columns), in blocks that are centred one by one and added."""
        blocks = (table[start : start + _BLOCK] for start in range(0, len(table), _BLOCK))
        parts = [cls._of_block(block, tuple(columns)) for block in blocks]
        return _tree_sum(parts) if parts else cls.nothing(columns)

    @classmethod
    def _of_block(cls, block: np.ndarray, columns: tuple[str, ...]) -> Moments:
        mean = block.mean(axis=0)
        centred = block - mean
        # What rounding left of the mean goes into the mean, and out of the products.
        left = centred.mean(axis=0)
        i, j = np.triu_indices(len(columns))
        third = np.empty((len(columns),) * 3)
        third[i, j] = third[j, i] = (centred[:, i] * centred[:, j]).T @ centred
        cross = centred.T @ centred - len(block) * np.outer(left, left)
        return cls(columns=columns, n=len(block), mean=mean + left, cross=cross, third=third)

    @classmethod
    def nothing(cls, columns: Sequence[str]) -> Moments:
        """The moments of no unit, the neutral element of ``+``."""
        size = len(columns)
        return cls(
            columns=tuple(columns),
            n=0,
            mean=np.zeros(size),
            cross=np.zeros((size, size)),
            third=np.zeros((size, size, size)),
        )

    @classmethod
    def of_sums(
        cls,
        n: int,
        sums: Mapping[str, float],
        products: Mapping[tuple[str, ...], float],
        *,
        shifts: Mapping[str, float] | None = None,
    ) -> Moments:
        """Convert plain sums, such as those of a query.

        Args:
            n: Units.
            sums: Column -> Σ(x - shift).
            products: Pair of columns -> Σ(x - shift of x)(y - shift of y), where (x, x) is the sum of squares; three
                columns -> their product likewise, which needs that of each two of them. Missing products stay unknown.
            shifts: Column -> a number near its values that was subtracted; 0 by default. A shift near the mean avoids
                cancellation.

        Example:
            >>> Moments.of_sums(4, {"clicks": 10.0}, {("clicks", "clicks"): 30.0}).variance("clicks")
            1.6666666666666667
        """
        columns = tuple(sums)
        if n < 0:
            raise ArgumentValueError("n", f"is {n}, expected 0 or more units")
        shift = np.array([(shifts or {}).get(name, 0.0) for name in columns])
        total = np.array([float(sums[name]) for name in columns])
        if not n:
            return cls.nothing(columns)
        apart = total / n  # means, from the shifts
        raw = np.full((len(columns), len(columns)), np.nan)
        third: np.ndarray | None = None
        for names, product in sorted(products.items(), key=lambda pair: len(pair[0])):
            at = [columns.index(name) for name in names]
            if len(at) == 2:
                raw[at, at[::-1]] = float(product)
                continue
            third = np.full((len(columns),) * 3, np.nan) if third is None else third
            i, j, k = at
            lower = apart[i] * raw[j, k] + apart[j] * raw[i, k] + apart[k] * raw[i, j]
            for order in permutations(at):
                third[order] = float(product) - lower + 2 * n * float(apart[at].prod())
        cross = raw - n * np.outer(apart, apart)
        diagonal = np.diag_indices(len(columns))
        cross[diagonal] = np.maximum(cross[diagonal], 0.0)  # rounding may leave a constant column just below zero
        return cls(columns=columns, n=n, mean=shift + apart, cross=cross, third=third)

    @classmethod
    def total(cls, parts: Iterable[Moments]) -> Moments:
        """The sum of one or more.

        Raises:
            UsageError: If there is none.
        """
        found = list(parts)
        if not found:
            raise UsageError("there are no moments to add up; expected one or more.")
        return _tree_sum(found)

    def __add__(self, other: Moments) -> Moments:
        """The moments of both samples together. The caller sees to it that no unit stands in both.

        Raises:
            IncomparableError: If the columns differ.
        """
        if self.columns != other.columns:
            raise IncomparableError(
                f"moments of {', '.join(self.columns)} and of {', '.join(other.columns)} cannot be added. "
                "Sum up the same columns in both."
            )
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        apart = other.mean - self.mean
        cross = self.cross + other.cross + np.outer(apart, apart) * (self.n * (other.n / n))
        third = None
        if self.third is not None and other.third is not None:
            cube = np.einsum("i,j,k->ijk", apart, apart, apart) * (self.n * (other.n / n) * ((self.n - other.n) / n))
            mixed = np.einsum("i,jk->ijk", apart, (self.n * other.cross - other.n * self.cross) / n)
            turned = mixed + mixed.transpose(1, 0, 2) + mixed.transpose(1, 2, 0)
            third = self.third + other.third + cube + turned
        return replace(self, n=n, mean=self.mean + apart * (other.n / n), cross=cross, third=third)

    def index(self, column: str) -> int:
        """Where a column stands.

        Raises:
            UnknownNameError: If there is no such column.
        """
        if column not in self.columns:
            raise UnknownNameError("column of the sums", column, self.columns)
        return self.columns.index(column)

    def value(self, column: str) -> float:
        """The mean of a column; NaN without units."""
        return float(self.mean[self.index(column)]) if self.n else float("nan")

    def sum(self, column: str) -> float:
        """N × mean of a column."""
        return self.n * float(self.mean[self.index(column)])

    def variance(self, column: str, *, ddof: int = 1) -> float:
        """Σ(x - x̄)² ÷ (n - ddof); NaN where n ≤ ddof."""
        return float(self.covariances([column], ddof=ddof)[0, 0])

    def covariances(self, columns: Sequence[str] | None = None, *, ddof: int = 1) -> np.ndarray:
        """Covariance matrix of some columns (all where None), divisor n - ddof, shape (columns, columns).

        Raises:
            UsageError: If a pair was not gathered.
        """
        names = self.columns if columns is None else tuple(columns)
        at = [self.index(name) for name in names]
        cross = self.cross[np.ix_(at, at)]
        if np.isnan(cross).any():
            i, j = np.argwhere(np.isnan(cross))[0]
            raise UsageError(
                f"the products of '{names[i]}' and '{names[j]}' were not gathered. Gather them for a metric that uses "
                "both."
            )
        return cross / (self.n - ddof) if self.n > ddof else np.full_like(cross, np.nan)

    def select(self, columns: Sequence[str]) -> Moments:
        """The moments of some of the columns, in the order given."""
        at = [self.index(name) for name in columns]
        third = None if self.third is None else self.third[np.ix_(at, at, at)]
        return Moments(
            columns=tuple(columns), n=self.n, mean=self.mean[at], cross=self.cross[np.ix_(at, at)], third=third
        )


def _tree_sum(parts: list[Moments]) -> Moments:
    """Added in pairs, and those in pairs: rounding grows with the depth of the tree and not with its leaves."""
    while len(parts) > 1:
        parts = [reduce(add, parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return parts[0]
