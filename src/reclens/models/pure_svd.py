"""PureSVD: the user-item matrix projected on its leading singular vectors (Cremonesi, Koren, Turrin 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset
from reclens.data.rules import rule
from reclens.engine import LocalEngine, Progress
from reclens.errors import UsageError
from reclens.models._core.block import Block
from reclens.models._core.defaults import Extent, Rule
from reclens.models._core.degenerate import FitProblem
from reclens.models._core.factors import MOST_PASSES, FactorModel, check_whole, require_factors
from reclens.models._core.form import Form, numbers
from reclens.models._core.kernels import sum_rows
from reclens.models._core.search_space import Space, Whole

__all__ = ["PureSVD"]

_SMALL: Final = 500
"""Items up to which all eigenvectors are found at once."""
_MOST_FACTORS: Final = 10_000
"""As many as PureSVD can gain by: 20 times the largest of its search space."""
_TOLERANCE: Final = 1e-6
_ROUGH: Final = 1e-2
"""Of singular values that are only counted."""
_ABOVE: Final = 1.1
"""Singular values count as more than chance from this multiple of the noise edge on."""
_FEW, _MANY = 8, 256
"""The fewest and the most factors that the rule gives."""
_ZERO: Final = 1e-9


def _above_noise(model: PureSVD, train: Dataset) -> int:
    """Number of singular values above those expected by chance; see the class."""
    from scipy.sparse import csr_array

    data, seen = Extent.of(train), train.matrix()
    sizes = np.repeat(np.diff(seen.indptr), np.diff(seen.indptr)) * np.bincount(seen.indices)[seen.indices]
    matrix: Any = csr_array((sizes**-0.5, seen.indices, seen.indptr), shape=(seen.n_rows, seen.n_columns))
    edge = _ABOVE * (data.per_user**-0.5 + data.per_item**-0.5)

    def count(most: int) -> int:
        squares, _ = _leading(matrix, most, model.seed, _ROUGH, MOST_PASSES)
        return int((squares > edge**2).sum())

    few, found = min(_FEW, *matrix.shape), 0
    for most in (64, 128, _MANY):
        wanted = min(most, *matrix.shape)
        require_factors(model.name, wanted, users=seen.n_rows, items=seen.n_columns, width=24)
        # As in the fit: one thread, so that the number of threads never changes a result.
        found = next(LocalEngine(1).map(count, [wanted]))
        if found < wanted:
            break
    return max(found, few)


def _leading(matrix: Any, wanted: int, seed: int, tolerance: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues of RᵀR, descending, and their vectors; fewer than requested if they do not converge."""
    import scipy.sparse.linalg

    arpack: Any = scipy.sparse.linalg
    n = matrix.shape[1]
    if wanted > n // 2 or n <= _SMALL:
        squares, vectors = np.linalg.eigh((matrix.T @ matrix).toarray())
        return squares[::-1][:wanted], vectors[:, ::-1][:, :wanted]
    product = arpack.LinearOperator((n, n), matvec=lambda v: matrix.T @ (matrix @ v), dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(n)
    try:
        squares, vectors = arpack.eigsh(product, k=wanted, v0=start, tol=tolerance, maxiter=iterations)
    except arpack.ArpackNoConvergence as stopped:
        squares, vectors = stopped.eigenvalues, stopped.eigenvectors
        if not len(squares):
            raise UsageError(
                f"no singular vector converged within {iterations} iterations. Raise iterations, or use fewer factors."
            ) from stopped
    order = np.argsort(-squares, kind="stable")
    return squares[order], vectors[:, order]


@dataclass(kw_only=True)
class PureSVD(FactorModel):
    """Score items by r V Vᵀ: the history r, with missing values as 0, projected on d right singular vectors V.

    V comes from the implicitly restarted Lanczos iteration (ARPACK) on RᵀR, in float64 and to a relative residual of
    1e-6; a small catalogue is solved directly. ``residual_`` is the largest |RᵀR v - σ² v| ÷ σ². Vectors that do not
    converge within ``iterations`` restarts are left out, and so are those of a singular value of 0; the card of the
    lists counts both. The sign of a vector is set so that its largest entry is positive. An item outside the span of
    the d vectors has a vector of 0.

    The best d depends on the data. The default is the number of singular values above those of random data. Divide the
    rows and columns of R by the roots of their sums. If interactions were random given the totals of users and items,
    every entry would have the variance 1 ÷ interactions, and no singular value but the first, trivial one would be much
    above n̄ᵤ^-½ + n̄ᵢ^-½ (Marchenko and Pastur 1967; n̄ᵤ and n̄ᵢ are the mean interactions of users and items). The
    default counts those above 1.1 times this edge.

    Attributes:
        factors: Number d of singular vectors, 1 to 10,000; at most the rank of the matrix. None: the number of singular
            values above the noise edge, see above, 8 to 256.
        iterations: Maximum number of restarts, 1 to 10,000.
        seed: Seed of the start vector.

    References:
        Cremonesi, Koren, Turrin (2010), Performance of recommender algorithms on top-N recommendation tasks; RecSys.
        Lehoucq, Sorensen, Yang (1998), ARPACK users' guide; SIAM.
        Marchenko, Pastur (1967), Distribution of eigenvalues for some sets of random matrices.
    """

    name: ClassVar[str] = "pure_svd"
    space: ClassVar[Mapping[str, Space]] = {"factors": Whole(8, 512)}

    automatic: ClassVar[Mapping[str, Rule]] = {
        "factors": Rule(
            "singular values of the matrix, scaled by the roots of its sums, above 1.1 (1/√per_user + 1/√per_item); 8 "
            "to 256",
            _above_noise,
        )
    }

    factors: int | None = None
    iterations: int = 300
    seed: int = 0

    @property
    def supports_fold_in(self) -> bool:
        """Yes: a user is the sum of the vectors of their items."""
        return True

    def _check(self) -> None:
        check_whole("factors", 1 if self.factors is None else self.factors, 1, _MOST_FACTORS)
        check_whole("iterations", self.iterations, 1, MOST_PASSES)

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        from scipy.sparse import csr_array

        seen = self.seen_
        matrix: Any = csr_array(
            (seen.values.astype(np.float64), seen.indices, seen.indptr), shape=(seen.n_rows, seen.n_columns)
        )
        wanted = min(self.in_use("factors"), *matrix.shape)
        # Vectors of both sides and of the search, in float64.
        require_factors(self.name, wanted, users=seen.n_rows, items=seen.n_columns, width=24)
        # The linear algebra keeps to one thread, so that the number of threads never changes a result.
        how = self.seed, _TOLERANCE, self.iterations
        squares, vectors = next(LocalEngine(1).map(lambda wanted: _leading(matrix, wanted, *how), [wanted]))
        self.unsettled_ = wanted - len(squares)
        real = squares > _ZERO * squares.max()
        squares, vectors = squares[real], vectors[:, real]
        missed = matrix.T @ (matrix @ vectors) - vectors * squares
        self.residual_ = float((np.linalg.norm(missed, axis=0) / squares).max())
        vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(squares))])
        # What is left of a vector of 0 after rounding would be an opinion.
        lengths = np.linalg.norm(vectors, axis=1)
        vectors[lengths < _ZERO * lengths.max()] = 0
        self.item_factors_ = np.ascontiguousarray(vectors, np.float32)
        self.singular_values_ = np.sqrt(squares)

    def _problems(self) -> list[FitProblem]:
        n, of = self.unsettled_, self.unsettled_ + len(self.singular_values_)
        return [FitProblem(code="not_converged", value=n / of, limit=0.0, n=n, of=of)] if n else []

    def _rules(self, blocks: Sequence[Block]) -> list[AppliedRule]:
        kept, factors = len(self.singular_values_), self.in_use("factors")
        return [
            rule("vectors_not_converged", self.unsettled_),
            rule(
                "vectors_not_there",
                factors - self.unsettled_ - kept,
                users=len(self.users_),
                items=len(self.items_),
                kept=kept,
                factors=factors,
            ),
        ]

    def _vectors(self, block: Block) -> np.ndarray:
        found = np.zeros((len(block.users), self.item_factors_.shape[1]), np.float32)
        sum_rows(block.users, block.seen.indptr, block.seen.indices, self.item_factors_, found)
        return found

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        own = block.seen.indices[block.history()]
        items = self.item_factors_.astype(np.float64)
        return "item", self.items_.decode(own).to_list(), items[own] @ items[item]

    def _state(self) -> dict[str, np.ndarray]:
        settled = np.array([self.unsettled_, self.residual_])
        return {"items": self.item_factors_, "singular_values": self.singular_values_, "settled": settled}

    def _form(self) -> Mapping[str, Form]:
        singular, settled = numbers("kept", dtype="float64", low=0), numbers("2", dtype="float64", low=0)
        return {"items": numbers("items", "kept"), "singular_values": singular, "settled": settled}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.item_factors_, self.singular_values_ = arrays["items"], arrays["singular_values"]
        self.unsettled_, self.residual_ = int(arrays["settled"][0]), float(arrays["settled"][1])
