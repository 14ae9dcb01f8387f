"""Summaries: sums that add up, weights that are Poisson, and one answer on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import IncomparableError, UnknownNameError, UsageError
from reclens.stats.resample import POISSON, SIGN, unit_weights, weighted_sums
from reclens.stats.summary import Summary

ALL = ("overall", "all")


def make(n: int, rng: np.random.Generator, *, replicates: int = 200) -> tuple[np.ndarray, dict, dict, Summary]:
    keys = rng.integers(0, 2**63, n).astype(np.uint64)
    values = {"x": rng.random(n), "y": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))}
    groups = {"age": (["young", "old"], rng.integers(-1, 2, n)), "sex": (["f", "m", "x"], rng.integers(0, 3, n))}
    return keys, values, groups, Summary.of(keys, values, groups=groups, replicates=replicates)


def test_sums_are_those_of_numpy(rng: np.random.Generator) -> None:
    _, values, groups, summary = make(500, rng)
    for cell, mask in [
        (ALL, np.full(500, True)),
        (("age", "old"), groups["age"][1] == 1),
        (("sex", "m"), groups["sex"][1] == 1),
    ]:
        for name, column in values.items():
            at, x = summary.index(cell, name), column[mask]
            assert summary.n[at] == np.sum(~np.isnan(x))
            for field, power in (("total", 1), ("squares", 2), ("cubes", 3)):
                assert getattr(summary, field)[at] == pytest.approx(np.nansum(x**power))
        assert summary.cell_sizes[cell] == mask.sum()


def test_replicates_are_weighted_sums_of_one_set_of_weights(rng: np.random.Generator) -> None:
    # The weights themselves come out as the sums of a unit matrix.
    n = 40
    keys, values, groups, summary = make(n, rng)
    weights = weighted_sums(
        keys, np.eye(n), np.array([0, n]), np.array([[0]]), n_targets=1, draws=200, seed=0, scheme=POISSON
    )[0]
    for cell, mask in [(ALL, np.full(n, True)), (("age", "young"), groups["age"][1] == 0)]:
        for name, column in values.items():
            at, use = summary.index(cell, name), mask & ~np.isnan(column)
            assert summary.sums[at] == pytest.approx(column[use] @ weights[use])
            assert summary.weights[at] == pytest.approx(weights[use].sum(axis=0))


@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 5))
def test_summary_of_parts_adds_up_to_the_summary_of_the_whole(seed: int, n: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    keys, values, groups, whole = make(n, rng, replicates=12)
    owner = rng.integers(0, parts, n)
    pieces = [
        Summary.of(
            keys[owner == part],
            {name: column[owner == part] for name, column in values.items()},
            groups={by: (labels, codes[owner == part]) for by, (labels, codes) in groups.items()},
            replicates=12,
        )
        for part in range(parts)
    ]
    total = pieces[0]
    for piece in pieces[1:]:
        total = total + piece
    assert total.cells == whole.cells
    for name, array in whole.arrays().items():
        np.testing.assert_allclose(total.arrays()[name], array, rtol=1e-12, atol=1e-12)


def test_adding_keeps_cells_that_only_one_side_has() -> None:
    one, two = np.array([1.0]), np.array([2], np.uint64)
    a = Summary.of(two, {"x": one}, groups={"g": (["a"], np.array([0]))}, replicates=4)
    b = Summary.of(two + np.uint64(1), {"x": one}, groups={"g": (["b"], np.array([0]))}, replicates=4)
    assert (a + b).cells == (ALL, ("g", "a"), ("g", "b"))
    assert (a + b).n[:, 0].tolist() == [2, 1, 1]


@pytest.mark.parametrize("other", [{"seed": 1}, {"replicates": 5}])
def test_summaries_of_other_weights_are_refused(other: dict) -> None:
    keys, values = np.array([1], np.uint64), {"x": np.array([1.0])}
    with pytest.raises(IncomparableError, match="same"):
        Summary.of(keys, values, replicates=4) + Summary.of(keys, values, **{"replicates": 4} | other)


def test_threads_and_order_do_not_matter(rng: np.random.Generator) -> None:
    keys, values, groups, one = make(300, rng, replicates=1500)
    two = Summary.of(keys, values, groups=groups, replicates=1500, threads=2)
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(two.arrays()[name], array)
    turn = rng.permutation(300)
    turned = Summary.of(
        keys[turn],
        {n: v[turn] for n, v in values.items()},
        groups={by: (labels, codes[turn]) for by, (labels, codes) in groups.items()},
        replicates=1500,
    )
    np.testing.assert_allclose(turned.sums, one.sums, rtol=1e-10, atol=1e-10)


def test_the_weights_follow_the_poisson_distribution() -> None:
    from scipy.stats import chisquare, poisson

    n, draws = 300, 1000
    keys = np.arange(n, dtype=np.uint64)
    weights = weighted_sums(
        keys, np.eye(n), np.array([0, n]), np.array([[0]]), n_targets=1, draws=draws, seed=3, scheme=POISSON
    )[0]
    counts = np.bincount(np.minimum(weights.astype(int).ravel(), 6), minlength=7)
    expected = np.append(poisson.pmf(range(6), 1), poisson.sf(5, 1)) * n * draws
    assert chisquare(counts, expected).pvalue > 0.001
    # Units and draws are independent: no correlation between neighbours either way.
    for a, b in ((weights[:-1], weights[1:]), (weights[:, :-1], weights[:, 1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(n * draws)


def test_the_tables_have_the_moments_they_promise() -> None:
    assert POISSON.mean() == 1.0
    assert POISSON.var() == pytest.approx(1, abs=5e-5)
    assert (SIGN.mean(), SIGN.var()) == (0.0, 1.0)


def test_bad_arguments_are_explained() -> None:
    keys = np.array([1, 2], np.uint64)
    with pytest.raises(UsageError, match="3 rows, but there are 2 keys"):
        Summary.of(keys, {"x": np.zeros(3)})
    with pytest.raises(UsageError, match="replicates"):
        Summary.of(keys, {"x": np.zeros(2)}, replicates=-1)
    with pytest.raises(UnknownNameError, match="Did you mean 'score'"):
        Summary.of(keys, {"score": np.zeros(2)}, replicates=1).index(ALL, "scor")


def test_arrays_and_header_round_trip(rng: np.random.Generator) -> None:
    *_, summary = make(50, rng)
    again = Summary.of_arrays(summary.header(), summary.arrays())
    assert (again.cells, again.columns, again.seed) == (summary.cells, summary.columns, summary.seed)
    np.testing.assert_array_equal(again.sums, summary.sums)


def splitmix64(state: int, n: int) -> list[int]:
    """Steele, Lea and Flood's generator in Python's integers."""
    found = []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        word = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        found.append(word ^ word >> 31)
    return found


@pytest.mark.parametrize("scheme", [POISSON, SIGN], ids=["poisson", "sign"])
def test_weights_are_drawn_from_the_published_generator(scheme: np.ndarray) -> None:
    assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]  # Rosetta Code
    keys, seed, step = [5, 2**63 + 1], 7, 0x9E3779B97F4A7C15
    # The finaliser of a state is the first number of the state one step before.
    (salt,) = splitmix64(seed - step, 1)
    words = [splitmix64(splitmix64((key ^ salt) - step, 1)[0], 2) for key in keys]
    by_hand = [[scheme[word >> 16 * at & 0xFFFF] for word in each for at in range(4)] for each in words]
    found = weighted_sums(
        np.array(keys, np.uint64),
        np.eye(2),
        np.array([0, 2]),
        np.array([[0]]),
        n_targets=1,
        draws=8,
        seed=seed,
        scheme=scheme,
    )
    np.testing.assert_array_equal(found[0], by_hand)
    np.testing.assert_array_equal(unit_weights(np.array(keys, np.uint64), range(8), seed=seed, scheme=scheme), by_hand)


@pytest.mark.parametrize("scheme", [POISSON, SIGN], ids=["poisson", "sign"])
def test_sums_of_blocks_of_any_size_are_added_up_unit_by_unit(scheme: np.ndarray, rng: np.random.Generator) -> None:
    # Units are taken four at a time, and draws 500 at a time; some 300,000 numbers hit a weight's limit itself.
    sizes, draws = np.append(np.arange(1, 10), 600), 510
    starts, n = np.concatenate([[0], np.cumsum(sizes)]), int(sizes.sum())
    keys, values = rng.integers(0, 2**63, n).astype(np.uint64), rng.normal(size=(n, 3)) * (rng.random((n, 3)) < 0.5)
    found = weighted_sums(
        keys, values, starts, np.arange(10)[:, None], n_targets=10, draws=draws, seed=1, scheme=scheme, threads=1
    )
    weights = unit_weights(keys, range(draws), seed=1, scheme=scheme)
    for block in range(10):
        by_hand = np.zeros((3, draws))
        for unit in range(starts[block], starts[block + 1]):
            by_hand += values[unit][:, None] * weights[unit]
        np.testing.assert_array_equal(found[block], by_hand)
