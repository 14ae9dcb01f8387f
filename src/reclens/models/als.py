"""ALS: implicit matrix factorisation by alternating least squares (Hu, Koren, Volinsky 2008; iALS of Rendle 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, Progress, chunk_ranges
from reclens.errors import ArgumentValueError
from reclens.models._core.als_kernels import approach_rows, solve_rows
from reclens.models._core.als_weighted_kernels import approach_weighted_rows, solve_weighted_rows
from reclens.models._core.block import Block
from reclens.models._core.defaults import Extent, Rule
from reclens.models._core.degenerate import FitProblem, vanishing
from reclens.models._core.factors import MOST_PASSES, FactorModel, check_whole, require_factors
from reclens.models._core.fit_weights import FitWeights
from reclens.models._core.form import Form, numbers
from reclens.models._core.search_space import Float, Space, Whole

__all__ = ["ALS"]

_ROWS_A_TASK = 64
_SETTLED = 0.1
"""Where the last turn moved the items by a larger share of their length, more turns are needed."""

_ZERO = 1e-9
"""A vector shorter than this share of the longest one has vanished."""


def _half_noise(model: ALS, train: Dataset) -> float:
    """Half of the largest singular value expected by chance; see the class."""
    data = Extent.of(train)
    weight = 1 + model.in_use("unobserved") / data.density
    edge = data.per_user**0.5 + data.per_item**0.5
    return 0.5 * edge / (weight**2 * data.per_user * data.per_item) ** (model.frequency / 2)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Sides:
    """The user-item matrix and its transpose, with the weights of a fit.

    Attributes:
        by_item: The item-user matrix.
        by_user: The user-item matrix.
        item_cells: Weights of the cells of ``by_item``, float32; None for ones.
        user_cells: Weights of the cells of ``by_user``, float32; None for ones.
        mass: Weight of each user in the unobserved pairs of an item, float64; None for ones.
    """

    by_item: UserItemMatrix
    by_user: UserItemMatrix
    item_cells: np.ndarray | None = None
    user_cells: np.ndarray | None = None
    mass: np.ndarray | None = None

    @classmethod
    def weighted(cls, seen: UserItemMatrix, weights: FitWeights) -> _Sides:
        """A user of weight 2 counts as two users in the fit of the items, and as one in their own row."""
        cells = weights.cells.astype(np.float32)
        other = UserItemMatrix(seen.indptr, seen.indices, cells, seen.n_columns).transposed
        if weights.of == "user":
            return cls(by_item=other, by_user=seen, item_cells=other.values, user_cells=None, mass=weights.users)
        return cls(by_item=other, by_user=seen, item_cells=other.values, user_cells=cells)


@dataclass(kw_only=True)
class ALS(FactorModel):
    """Fit vectors of users and items whose dot products are near 1 for observed pairs and, with less weight, 0 for all.

    Minimises Σ over seen (1 - x·y)² + α₀ Σ over all pairs (x·y)² + λ Σ over users (n + α₀ |items|)^ν |x|², and the same
    for items. Users and items are updated alternately. An update takes ``steps`` steps of conjugate gradients towards
    the solution of the least squares problem of each vector, from its last value (Takács et al. 2011). The last update,
    of the users, is exact (Cholesky): a new user with the same history gets the same list.

    The best ``unobserved`` and ``l2`` depend on the data; so do their defaults. With α₀ = c × density, all unobserved
    pairs together weigh c times as much as the observed ones, and the penalty of a user is λ (n + c n̄ᵤ)^ν: their own
    interactions and c times the mean. To second order around zero, the loss is that of a singular value decomposition
    of the matrix R, whose rows and columns are divided by the roots of these sizes, with every singular value lowered
    by λ. If λ exceeds the largest one, all vectors are 0; if it is below the singular values that random data has, the
    model fits noise. Random data gives singular values up to about √n̄ᵤ + √n̄ᵢ (Marchenko and Pastur 1967; n̄ᵤ and n̄ᵢ
    are the mean interactions of users and items). The default l2 is half of that: λ = ½ (√n̄ᵤ + √n̄ᵢ) ÷ ((1 + c)² n̄ᵤ
    n̄ᵢ)^(ν/2), which for ν = 1 is ½ (1/√n̄ᵤ + 1/√n̄ᵢ) ÷ (1 + c). For MovieLens 20M and the α₀ of 0.1 of Rendle et al.
    this is their l2 of 0.003.

    Attributes:
        factors: Length d of the vectors.
        iterations: Updates of all items and users, 1 to 10,000. Ten to twenty are enough.
        unobserved: α₀, the weight of an unobserved pair; an observed pair has weight 1. None: 10 × density, at most 1.
        l2: λ, the weight of the ridge penalty. None: half the noise edge, see above.
        frequency: ν: 1 scales the penalty of a vector with its number of interactions, 0 penalises all vectors alike.
        scale: Standard deviation of the initial vectors, times √d.
        steps: Steps of conjugate gradients per update; 0 solves every update exactly, which takes about eight times as
            long for the same lists.
        seed: Seed of the initial vectors.

    References:
        Hu, Koren, Volinsky (2008), Collaborative filtering for implicit feedback datasets; ICDM.
        Rendle, Krichene, Zhang, Koren (2022), Revisiting the performance of iALS on item recommendation benchmarks;
        RecSys (arXiv 2110.14037), section 4 on the scaling of the penalty by counts.
        Marchenko, Pastur (1967), Distribution of eigenvalues for some sets of random matrices.
        Takács, Pilászy, Tikk (2011), Applications of the conjugate gradient method for implicit feedback collaborative
        filtering; RecSys.
    """

    name: ClassVar[str] = "als"
    takes_weights: ClassVar[bool] = True
    space: ClassVar[Mapping[str, Space]] = {
        "factors": Whole(16, 256),
        "unobserved": Float(0.001, 1),
        "l2": Float(1e-3, 0.1),
        "frequency": Float(0, 1, log=False),
    }

    automatic: ClassVar[Mapping[str, Rule]] = {
        "unobserved": Rule("10 × density, at most 1", lambda _, train: min(10 * Extent.of(train).density, 1.0)),
        "l2": Rule(
            "½ (√per_user + √per_item) ÷ ((1 + unobserved ÷ density)² per_user per_item)^(frequency ÷ 2)", _half_noise
        ),
    }

    factors: int = 64
    iterations: int = 15
    unobserved: float | None = None
    l2: float | None = None
    frequency: float = 1.0
    scale: float = 0.1
    steps: int = 3
    seed: int = 0

    @property
    def supports_fold_in(self) -> bool:
        """Yes: the vector of a user is the solution of their own least squares problem."""
        return True

    @property
    def exact_fold_in(self) -> bool:
        """Yes, unless interactions had weights in the fit: those of a request have none."""
        return getattr(self, "train_", {}).get("fit_weights", {}).get("of") != "interaction"

    def _check(self) -> None:
        check_whole("factors", self.factors, 1)
        check_whole("iterations", self.iterations, 1, MOST_PASSES)
        check_whole("steps", self.steps, 0, MOST_PASSES)
        for name in ("unobserved", "l2", "scale"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and np.isfinite(value)):
                raise ArgumentValueError(name, f"is {value}, expected a number above 0.", of="model")
        if not np.isfinite(self.frequency):
            raise ArgumentValueError(
                "frequency", f"is {self.frequency}, expected a number, 0 to 1 as a rule", of="model"
            )

    def _fit(self, train: Dataset, engine: LocalEngine, progress: Progress) -> None:
        self._alternate(_Sides(by_item=self.seen_.transposed, by_user=self.seen_), engine, progress)

    def _fit_weighted(self, train: Dataset, weights: FitWeights, engine: LocalEngine, progress: Progress) -> None:
        self._alternate(_Sides.weighted(self.seen_, weights), engine, progress)

    def _alternate(self, sides: _Sides, engine: LocalEngine, progress: Progress) -> None:
        """Update items and users alternately."""
        require_factors(self.name, self.factors, users=len(self.users_), items=len(self.items_))
        rng = np.random.default_rng(self.seed)
        users, items = (
            rng.standard_normal((n, self.factors), np.float32) * np.float32(self.scale / np.sqrt(self.factors))
            for n in (len(self.users_), len(self.items_))
        )
        everybody, everything = np.arange(len(users)), np.arange(len(items))
        before = items
        for turn in range(1, self.iterations + 1):
            before = items.copy()
            last = turn == self.iterations
            self._improve(
                sides.by_item, everything, users, items, self.steps, engine, cells=sides.item_cells, mass=sides.mass
            )
            self._improve(
                sides.by_user, everybody, items, users, 0 if last else self.steps, engine, cells=sides.user_cells
            )
            progress("fit als", turn, self.iterations)
        self.moved_ = float(np.linalg.norm(items - before) / max(float(np.linalg.norm(items)), 1e-30))
        # Who shares nothing with anybody has a vector of 0 in the limit: what is left of it would be an opinion.
        for vectors in (users, items):
            lengths = np.linalg.norm(vectors, axis=1)
            vectors[lengths < _ZERO * lengths.max()] = 0
        self.user_factors_, self.item_factors_ = users, items

    def _problems(self) -> list[FitProblem]:
        found = vanishing(self.user_factors_, self.item_factors_, self.seen_)
        if self.moved_ > _SETTLED and not found:
            found.append(
                FitProblem(
                    code="not_converged", value=self.moved_, limit=_SETTLED, n=self.iterations, of=self.iterations
                )
            )
        return found

    def _improve(
        self,
        matrix: UserItemMatrix,
        rows: np.ndarray,
        others: np.ndarray,
        out: np.ndarray,
        steps: int,
        engine: LocalEngine,
        gram: np.ndarray | None = None,
        *,
        cells: np.ndarray | None = None,
        mass: np.ndarray | None = None,
    ) -> None:
        """Update the vectors of the rows of a matrix, given those of its columns; solve exactly if steps is 0.

        ``cells`` are the weights of the cells of the matrix, and ``mass`` those of its columns; None for ones.
        """
        unobserved, l2 = self.in_use("unobserved"), self.in_use("l2")
        gram = self._weighted_gram(others, mass) if gram is None else gram
        sizes = np.diff(matrix.indptr)
        counts = sizes if cells is None else np.bincount(np.repeat(np.arange(len(sizes)), sizes), cells, len(sizes))
        total = len(others) if mass is None else float(mass.sum())
        penalties = (l2 * (counts[rows] + unobserved * total) ** self.frequency).astype(np.float32)

        def task(part: range) -> int:
            at = slice(part.start, part.stop)
            if cells is not None:
                sparse = rows[at], matrix.indptr, matrix.indices, cells, others, gram, penalties[at]
                if not steps:
                    return solve_weighted_rows(*sparse, out[at])
                approach_weighted_rows(*sparse, steps, out[at])
                return 0
            if not steps:
                return solve_rows(rows[at], matrix.indptr, matrix.indices, others, gram, penalties[at], out[at])
            approach_rows(rows[at], matrix.indptr, matrix.indices, others, gram, penalties[at], steps, out[at])
            return 0

        if sum(engine.map(task, chunk_ranges(len(rows), _ROWS_A_TASK))):
            open_ones = f"some users or items leave {self.factors} factors open"
            raise ArgumentValueError(
                "l2",
                f"is {l2:g}, too small for float32: {open_ones}. Raise it, or use fewer factors",
                of="model",
            )

    def _vectors(self, block: Block) -> np.ndarray:
        if not block.from_history:
            return self.user_factors_[block.users]
        found = np.empty((len(block.users), self.factors), np.float32)
        gram = self._kept("gram", self.item_factors_, self._weighted_gram)
        self._improve(block.seen, block.users, self.item_factors_, found, 0, LocalEngine(1), gram)
        return found

    def _weighted_gram(self, factors: np.ndarray, mass: np.ndarray | None = None) -> np.ndarray:
        scaled = factors if mass is None else factors * mass[:, None].astype(np.float32)
        return np.ascontiguousarray(np.float32(self.in_use("unobserved")) * (factors.T @ scaled))

    def _reasons(self, block: Block, item: int) -> tuple[str, list[Any], np.ndarray]:
        # Hu et al. 2008, section 5: x is linear in the history, and so is the score.
        own = block.seen.indices[block.history()]
        items = self.item_factors_.astype(np.float64)
        unobserved, l2 = self.in_use("unobserved"), self.in_use("l2")
        penalty = l2 * (len(own) + unobserved * len(items)) ** self.frequency
        system = unobserved * items.T @ items + items[own].T @ items[own] + penalty * np.eye(items.shape[1])
        return "item", self.items_.decode(own).to_list(), items[own] @ np.linalg.solve(system, items[item])

    def _state(self) -> dict[str, np.ndarray]:
        return {"users": self.user_factors_, "items": self.item_factors_}

    def _form(self) -> Mapping[str, Form]:
        return {"users": numbers("users", "factors"), "items": numbers("items", "factors")}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.user_factors_, self.item_factors_ = arrays["users"], arrays["items"]
