"""EASE: a linear item-item model in closed form (Steck 2019, Embarrassingly shallow autoencoders for sparse data)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.errors import ArgumentValueError
from reclens.memory import require_memory
from reclens.models._core.block import Block
from reclens.models._core.co_occurrence import co_occurrence, weighted_co_occurrence
from reclens.models._core.defaults import Extent, Rule
from reclens.models._core.fit_weights import FitWeights
from reclens.models._core.form import Form, numbers, word
from reclens.models._core.kernels import sum_rows
from reclens.models._core.partial import Joined, Together
from reclens.models._core.recommender import Recommender
from reclens.models._core.search_space import Float, Space

__all__ = ["EASE"]

_RESIDUAL = 1e-3


@dataclass(kw_only=True)
class EASE(Recommender):
    """Predict each item from all others by ridge regression: B = I - P ÷ diag(P) with P = (XᵀX + λI)⁻¹.

    P comes from a Cholesky factorisation in float32: LAPACK potrf and potri, n³ operations instead of the 2n³ of a
    general inverse, in place: one dense matrix of items × items holds first the counts and then the weights. The
    residual |P (XᵀX + λI) v - v| ÷ |v| is checked on random probes v. If it exceeds 1e-3 in float32, the factorisation
    is repeated in float64; ``precision_`` is the precision used.

    Attributes:
        l2: λ, the weight of the ridge penalty, in users. None: 5 × interactions per user. That is 365 for MovieLens 20M
            (paper: 500), 615 for Netflix (1,000) and 295 for the Million Song Dataset (200).
    """

    name: ClassVar[str] = "ease"
    relates_items: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {"l2": Float(1, 10_000)}

    together_ = None

    automatic: ClassVar[Mapping[str, Rule]] = {
        "l2": Rule("5 × interactions per user", lambda _, train: 5 * Extent.of(train).per_user)
    }

    l2: float | None = None

    @property
    def supports_fold_in(self) -> bool:
        """Yes: a user is the sum of the rows of their items."""
        return True

    def _check(self) -> None:
        if self.l2 is not None and not (self.l2 > 0 and np.isfinite(self.l2)):
            raise ArgumentValueError("l2", f"is {self.l2}, expected a number above 0", of="model")

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self.together_ = None
        self._solve(co_occurrence(self.seen_, engine=engine, progress=progress, what="fit ease"), progress)

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        self.together_ = None
        self._solve(weighted_co_occurrence(weights.rooted(self.seen_), what="fit ease"), progress)

    @property
    def adds_up(self) -> bool:
        """Yes: it is solved from the counts of pairs."""
        return True

    def _learn_more(self, joined: Joined, engine: LocalEngine, progress: Progress) -> None:
        self.together_ = (self.together_ or Together.of(self.seen_)).updated(joined)
        if self.l2 is None:
            self.resolved_ = {"l2": 5 * len(joined.after.indices) / joined.after.n_rows}
        self._solve(self.together_.counts.astype(np.float32).toarray(), progress)

    def _solve(self, products: np.ndarray, progress: Progress) -> None:
        """The weights from the counts of pairs, which are overwritten."""
        progress("fit ease: factorise", 0, 1)
        inverse, self.precision_, self.residual_ = _inverse(products, self.in_use("l2"))
        inverse /= -np.diag(inverse)  # divides column j by P_jj
        np.fill_diagonal(inverse, 0.0)
        self.weights_ = np.ascontiguousarray(inverse, np.float32)

    def _scores(self, block: Block) -> np.ndarray:
        rows = np.zeros((len(block.users), len(self.items_)), np.float32)
        sum_rows(block.users, block.seen.indptr, block.seen.indices, self.weights_, rows)
        # Exactly 0: no chain of users leads from the history to the item, of which the model then says nothing.
        np.copyto(rows, np.float32(-np.inf), where=rows == 0)
        return rows

    def _similarities(self, items: np.ndarray) -> np.ndarray:
        return self.weights_[items]

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        own = block.seen.indices[block.history()]
        own = own[own != item]
        return "item", self.items_.decode(own).to_list(), self.weights_[own, item].astype(np.float64)

    def _state(self) -> dict[str, np.ndarray]:
        check = np.array([self.residual_])
        return {"weights": self.weights_, "residual": check, "precision": np.array(self.precision_)}

    def _form(self) -> Mapping[str, Form]:
        return {
            "weights": numbers("items", "items"),
            "residual": numbers("1", dtype="float64", low=0),
            "precision": word("float32", "float64"),
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights_ = arrays["weights"]
        self.residual_, self.precision_ = float(arrays["residual"][0]), str(arrays["precision"])


def _inverse(products: np.ndarray, l2: float) -> tuple[np.ndarray, str, float]:
    """Return (G + λI)⁻¹, the precision it was computed in and the residual on random probes; G is overwritten."""
    from scipy.linalg import lapack

    n = len(products)
    diagonal = np.diag(products) + np.float64(l2)
    probes = np.random.default_rng(0).normal(size=(n, 4))
    expected = _times(products, probes) + l2 * probes
    residual = np.inf
    for kind, precision in (("s", "float32"), ("d", "float64")):
        # LAPACK counts by columns: what it takes for the matrix is the transpose, which is equal, and no copy. The
        # triangle that it calls the lower one is our upper one, and in ours below the diagonal G stays as it was.
        if kind == "d":
            require_memory(
                12 * n * n,
                f"fit ease: {n:,} items in float64, since float32 is not enough",
                advice="Raise l2, or use a sparse model such as item_knn.",
            )
        shifted = products.T if kind == "s" else np.array(products, np.float64, order="F")
        np.fill_diagonal(shifted, diagonal)
        # Not scipy.linalg.inv(assume_a="pos"), as fast: it writes both triangles, and float64 may need G again.
        factor, failed = getattr(lapack, kind + "potrf")(shifted, lower=True, overwrite_a=True, clean=False)
        if failed:
            continue
        inverse, failed = getattr(lapack, kind + "potri")(factor, lower=True, overwrite_c=True)
        if failed:
            continue
        residual = float(np.linalg.norm(_times(inverse, expected) - probes) / np.linalg.norm(probes))
        if residual <= _RESIDUAL:
            _mirror(inverse)
            return inverse.T, precision, residual
    reached = f"the co-occurrence of {n:,} items cannot be inverted (residual {residual:.1e})"
    raise ArgumentValueError("l2", f"is {l2:g}, by which {reached}. Raise it", of="model")


_ROWS = 1024
"""Rows that are copied or widened at a time: a few per cent of a large matrix."""


def _times(lower: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """A symmetric matrix, of which only the lower triangle is read, times some vectors, in float64."""
    found = np.zeros(vectors.shape)
    for start in range(0, len(lower), _ROWS):
        stop = min(start + _ROWS, len(lower))
        rows = lower[start:stop, :stop].astype(np.float64)
        found[:start] += rows[:, :start].T @ vectors[start:stop]
        rows[:, start:] = np.tril(rows[:, start:]) + np.tril(rows[:, start:], -1).T
        found[start:stop] += rows @ vectors[:stop]
    return found


def _mirror(lower: np.ndarray) -> None:
    """Copy the lower triangle to the upper one, block by block, in place."""
    for start in range(0, len(lower), _ROWS):
        stop = min(start + _ROWS, len(lower))
        block = lower[start:stop, start:stop]
        block[...] = np.tril(block) + np.tril(block, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T
