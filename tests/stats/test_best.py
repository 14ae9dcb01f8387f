"""Which may be the largest of several means: the set holds the largest true one as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.stats.best import could_be_best
from reclens.stats.summary import Summary


def set_of(values: np.ndarray, *, seed: int, replicates: int = 200) -> np.ndarray:
    """The set of the columns of an array of shape (units, systems), with the weights of a summary."""
    keys = np.random.default_rng(seed).integers(0, 2**63, len(values), dtype=np.uint64)
    columns = {str(at): values[:, at] for at in range(values.shape[1])}
    found = Summary.of(keys, columns, replicates=replicates, seed=seed)
    return could_be_best((found.sums / found.weights)[0], values.mean(axis=0))


def test_the_set_by_hand() -> None:
    rng = np.random.default_rng(3)
    noise = 0.01 * rng.standard_normal((4, 4000))
    values = np.array([0.50, 0.49, 0.40, 0.50])
    # Of independent errors the one-sided limit of three differences is 2.06 (Dunnett 1955, k = 3) × 0.0141 = 0.029.
    assert could_be_best(values[:, None] + noise, values).tolist() == [True, True, False, True]
    assert could_be_best(-values[:, None] + noise, -values).tolist() == [False, False, True, False]


@pytest.mark.parametrize(("gap", "stays"), [(0.027, True), (0.031, False)])
def test_the_limit_is_that_of_dunnett(gap: float, stays: bool) -> None:
    rng = np.random.default_rng(5)
    values = np.array([gap, 0.0, 0.0, 0.0])
    found = could_be_best(values[:, None] + 0.01 * rng.standard_normal((4, 40_000)), values)
    assert found.tolist() == [True, stays, stays, stays]


def test_equal_columns_stay_together_and_constant_ones_are_decided() -> None:
    rng = np.random.default_rng(1)
    one = 0.3 + 0.01 * rng.standard_normal(500)
    assert could_be_best(np.stack([one, one]), np.array([0.3, 0.3])).tolist() == [True, True]
    assert could_be_best(np.stack([one, one + 0.1]), np.array([0.3, 0.4])).tolist() == [False, True]
    assert could_be_best(one[None], np.array([0.3])).tolist() == [True]


@pytest.mark.parametrize(("gap", "stays"), [(0.2, True), (0.5, False)])
def test_a_low_level_has_a_limit_below_one_standard_error(gap: float, stays: bool) -> None:
    # The 60 % quantile of a normal difference is 0.253 standard errors.
    values = np.array([gap, 0.0])
    errors = np.random.default_rng(5).standard_normal(40_000)
    found = could_be_best(np.stack([np.full(40_000, gap), errors]), values, level=0.6)
    assert found.tolist() == [True, stays]


@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_the_unit_of_the_values_decides_nothing(unit: float) -> None:
    rng = np.random.default_rng(3)
    values = np.array([0.50, 0.49, 0.40, 0.50])
    replicates = values[:, None] + 0.01 * rng.standard_normal((4, 4000))
    assert could_be_best(unit * replicates, unit * values).tolist() == [True, True, False, True]


def drawn(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if kind == "lattice":
        return rng.integers(0, 3, shape) / 2.0
    if kind == "zero-inflated":
        return rng.random(shape) * (rng.random(shape) < 0.3)
    if kind == "heavy":
        return rng.standard_t(3, shape)
    return rng.standard_normal(shape) * np.array([0.2, 1.0, 1.0, 3.0, 1.0])


@pytest.mark.parametrize("kind", ["lattice", "zero-inflated", "heavy", "unequal"])
def test_the_best_is_in_the_set_at_the_level(kind: str, rate_error) -> None:
    """All but the last are equal at the top, the hardest case: any of them may come first by chance."""
    runs, n, held = 300, 120, 0
    for seed in range(1000, 1000 + runs):
        rng = np.random.default_rng(seed)
        values = drawn(kind, rng, (n, 5))
        values[:, 4] -= 0.2
        values += rng.standard_normal((n, 1))  # users differ from each other: pairs do not see it
        held += bool(set_of(values, seed=seed)[0])
    assert held / runs >= 0.95 - rate_error(0.95, runs), held / runs
