"""Moments against float64 NumPy, and their algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.errors import DataError, IncomparableError, UnknownNameError, UsageError
from reclens.stats.moments import Moments

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, width=32)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40)


def of(rows: list[tuple[float, float]]) -> Moments:
    return Moments.of_matrix(np.array(rows, np.float64).reshape(-1, 2), columns=("x", "y"))


def assert_same(one: Moments, two: Moments, *, rel: float) -> None:
    assert one.n == two.n and one.columns == two.columns
    size = max(1.0, float(np.abs(one.mean).max()))
    np.testing.assert_allclose(one.mean, two.mean, rtol=0, atol=rel * size)
    # A cross product is a sum of products of values: its digits are counted from those.
    scale = max(1.0, float(np.abs(one.cross).max()), size**2)
    np.testing.assert_allclose(one.cross, two.cross, rtol=0, atol=rel * scale)


@given(ROWS, ROWS)
def test_the_parts_add_up_to_the_whole(a: list, b: list) -> None:
    assert_same(of(a) + of(b), of(a + b), rel=1e-12)


@given(ROWS, ROWS)
def test_the_order_does_not_matter(a: list, b: list) -> None:
    assert_same(of(a) + of(b), of(b) + of(a), rel=1e-12)


@given(ROWS, ROWS, ROWS)
def test_nor_does_the_grouping(a: list, b: list, c: list) -> None:
    assert_same((of(a) + of(b)) + of(c), of(a) + (of(b) + of(c)), rel=1e-12)


@given(ROWS)
def test_nothing_adds_nothing(a: list) -> None:
    nothing = Moments.nothing(("x", "y"))
    for total in (of(a) + nothing, nothing + of(a)):
        np.testing.assert_array_equal(total.cross, of(a).cross)
        np.testing.assert_array_equal(total.third, of(a).third)


def hard(rng: np.random.Generator, n: int) -> np.ndarray:
    """Large means beside small spreads, and heavy tails."""
    normal = rng.normal(0, 1, n)
    return np.stack([1e6 + normal, rng.pareto(2.5, n), rng.lognormal(0, 2, n) * (rng.random(n) < 0.1), 1e6 - normal], 1)


def test_a_million_rows_to_nine_digits(rng: np.random.Generator) -> None:
    table = hard(rng, 1_000_000)
    moments = Moments.of_matrix(table, columns="abcd")
    np.testing.assert_allclose(moments.mean, table.mean(axis=0), rtol=1e-12)
    expected = np.cov(table.astype(np.longdouble).astype(np.float64) - table.mean(axis=0), rowvar=False)
    np.testing.assert_allclose(np.diag(moments.covariances()), np.diag(expected), rtol=1e-9)
    # Uncorrelated columns have products near zero: nine digits of the standard deviations.
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(moments.covariances() / spread, expected / spread, atol=1e-9)


def test_a_hundred_parts_of_a_million_rows_are_the_whole(rng: np.random.Generator) -> None:
    table = hard(rng, 1_000_000)
    table[:500_000, 0] += 10.0  # the halves stand ten standard deviations apart
    parts = [Moments.of_matrix(part, columns="abcd") for part in np.array_split(table, 100)]
    whole = Moments.total(parts)
    expected = np.cov(table - table.mean(axis=0), rowvar=False)
    np.testing.assert_allclose(np.diag(whole.covariances()), np.diag(expected), rtol=1e-9)


def test_sums_give_the_same_as_rows(rng: np.random.Generator) -> None:
    x, y = rng.normal(1e6, 1, 1000), rng.pareto(3, 1000)
    shifts = {"x": 1e6, "y": 0.5}
    sums = {"x": (x - 1e6).sum(), "y": (y - 0.5).sum()}
    products = {
        ("x", "x"): ((x - 1e6) ** 2).sum(),
        ("y", "y"): ((y - 0.5) ** 2).sum(),
        ("x", "y"): ((x - 1e6) * (y - 0.5)).sum(),
    }
    found = Moments.of_sums(1000, sums, products, shifts=shifts)
    np.testing.assert_allclose(found.covariances(), np.cov(x, y), rtol=1e-10)
    np.testing.assert_allclose(found.mean, [x.mean(), y.mean()], rtol=1e-14)


def test_pairs_that_were_not_gathered_are_not_made_up() -> None:
    found = Moments.of_sums(3, {"x": 3.0, "y": 6.0}, {("x", "x"): 5.0, ("y", "y"): 14.0})
    both = found + found
    assert both.variance("x") == pytest.approx(np.var([0.0, 1.0, 2.0] * 2, ddof=1))
    with pytest.raises(UsageError, match="products of 'x' and 'y' were not gathered"):
        both.covariances()


def test_too_few_units_have_no_variance() -> None:
    assert np.isnan(Moments.of({"x": [1.0]}).variance("x")) and Moments.of({"x": [1.0]}).value("x") == 1.0
    assert np.isnan(Moments.nothing(["x"]).value("x"))


def test_bad_input_is_explained() -> None:
    with pytest.raises(DataError, match="column 'x', row 2: a value is missing or infinite"):
        Moments.of({"x": [1.0, np.nan]})
    with pytest.raises(UsageError, match="of one length"):
        Moments.of({"x": [1.0], "y": [1.0, 2.0]})
    with pytest.raises(UsageError, match="of one length"):
        Moments.of({})
    with pytest.raises(UsageError, match="no moments to add up"):
        Moments.total([])
    with pytest.raises(IncomparableError, match="Sum up the same columns"):
        Moments.of({"x": [1.0]}) + Moments.of({"y": [1.0]})
    with pytest.raises(UnknownNameError, match="Did you mean 'clicks'"):
        Moments.of({"clicks": [1.0]}).value("click")
    with pytest.raises(UsageError, match="0 or more units"):
        Moments.of_sums(-1, {"x": 1.0}, {})


# --------------------------------------------------------------------------------------------------------- third powers


def thirds(table: np.ndarray) -> np.ndarray:
    """Centred products of three columns, in long double."""
    centred = (table - table.mean(axis=0)).astype(np.longdouble)
    return np.einsum("ni,nj,nk->ijk", centred, centred, centred).astype(float)


def test_products_of_three_are_those_of_numpy_and_add_up(rng: np.random.Generator) -> None:
    table = np.stack([rng.exponential(2, 900), rng.poisson(3, 900) + 40.0, rng.lognormal(0, 1, 900)], axis=1)
    whole = Moments.of_matrix(table, columns="abc")
    parts = [Moments.of_matrix(part, columns="abc") for part in np.split(table, [7, 8, 500])]
    for found in (whole, Moments.total(parts), parts[0] + (parts[1] + (parts[2] + parts[3]))):
        assert found.third is not None
        np.testing.assert_allclose(found.third, thirds(table), rtol=1e-9, atol=1e-6)
    selected = whole.select(["c", "a"]).third
    assert selected is not None
    np.testing.assert_allclose(selected, thirds(table[:, [2, 0]]), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 39.0])
def test_products_of_three_from_plain_sums(shift: float, rng: np.random.Generator) -> None:
    x, y = rng.poisson(3, 500) + 40.0, rng.exponential(2, 500)
    a = x - shift
    products = {
        ("x", "x"): a @ a,
        ("x", "y"): a @ y,
        ("y", "y"): y @ y,
        ("x", "x", "x"): (a**3).sum(),
        ("x", "x", "y"): (a**2) @ y,
        ("x", "y", "y"): a @ y**2,
        ("y", "y", "y"): (y**3).sum(),
    }
    found = Moments.of_sums(500, {"x": a.sum(), "y": y.sum()}, products, shifts={"x": shift})
    assert found.third is not None
    np.testing.assert_allclose(found.third, thirds(np.stack([x, y], axis=1)), rtol=1e-8, atol=1e-4)
    # What was not gathered is not known, and without any product of three there is none.
    del products["x", "x", "y"], products["x", "y", "y"]
    partly = Moments.of_sums(500, {"x": a.sum(), "y": y.sum()}, products, shifts={"x": shift}).third
    assert partly is not None and np.isnan(partly[0, 0, 1]) and np.isfinite(partly[1, 1, 1])
    pairs = {names: value for names, value in products.items() if len(names) == 2}
    assert Moments.of_sums(500, {"x": a.sum(), "y": y.sum()}, pairs).third is None
    assert (Moments.of_sums(500, {"x": a.sum(), "y": y.sum()}, pairs) + found).third is None
