"""The contract kit for metrics: lists made by hand or at random, and what every metric has to keep.

::

    from reclens.testing.metrics import check_metric
    check_metric("my_metric")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from reclens.metrics import CONVENTIONS, describe
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.lists import Catalogue, Lists, Profiles

__all__ = ["check_metric", "make_lists", "random_lists"]


def make_lists(
    items: Sequence[Sequence[int]],
    relevant: Sequence[Sequence[int]],
    *,
    depth: int = 5,
    n_items: int = 40,
    popularity: Sequence[int] | None = None,
    n_users: int | None = None,
    history: Sequence[Sequence[int]] | None = None,
    features: Sequence[Sequence[float]] | None = None,
    grades: Sequence[Mapping[int, float]] | None = None,
) -> Lists:
    """Lists as a metric sees them, out of item codes.

    Args:
        items: For each user the item codes of their list, at most ``depth``.
        relevant: For each user the codes of their relevant items.
        depth: Ranks of the rectangle.
        n_items: Items of the catalogue; ignored when ``popularity`` is given.
        popularity: Training users of each item.
        n_users: Training users; the number of lists by default.
        history: For each user the codes of their training items; None for no training data.
        features: One vector an item.
        grades: For each user code -> relevance; 1 for each relevant item by default.
    """
    graded = grades or [dict.fromkeys(liked, 1.0) for liked in relevant]
    table = np.full((len(items), depth), -1, np.int32)
    gains = np.zeros((len(items), depth))
    ideal = np.zeros((len(items), max([len(liked) for liked in relevant] + [depth])))
    for row, (listed, grade) in enumerate(zip(items, graded, strict=True)):
        table[row, : len(listed)] = listed
        gains[row, : len(listed)] = [grade.get(item, 0.0) for item in listed]
        ideal[row, : len(grade)] = sorted(grade.values(), reverse=True)
    counts = np.array(popularity if popularity is not None else [1] * n_items, np.int64)
    matrix = None if features is None else np.array(features, np.float64)
    shares = None
    if matrix is not None and (matrix >= 0).all():
        sums = matrix.sum(axis=1, keepdims=True)
        shares = np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)
    profiles = None
    if history is not None:
        indptr = np.concatenate([[0], np.cumsum([len(own) for own in history])]).astype(np.int64)
        profiles = Profiles(indptr, np.array([item for own in history for item in sorted(own)], np.int32))
    return Lists(
        items=table,
        gains=gains,
        length=np.array([len(listed) for listed in items], np.int32),
        n_relevant=np.array([len(liked) for liked in relevant], np.int64),
        ideal=ideal[:, :depth],
        catalogue=Catalogue(
            popularity=counts,
            n_users=n_users or len(items),
            in_catalogue=np.ones(len(counts), bool),
            features=matrix,
            distributions=shares,
        ),
        profiles=profiles,
    )


def random_lists(*, n: int = 60, n_items: int = 40, depth: int = 10, rng: int = 0, graded: bool = False) -> Lists:
    """Lists at random: full, short and empty ones, a long-tailed catalogue, histories that are never listed.

    Relevance is 1, or with ``graded`` any of 1, 2, 3 and 4, of which each user has their own highest.
    """
    draw = np.random.default_rng(rng)
    orders = [draw.permutation(n_items) for _ in range(n)]
    lengths = [draw.integers(0, depth + 1) for _ in orders]
    relevant = [draw.choice(n_items, draw.integers(1, 15), replace=False).tolist() for _ in orders]
    best = draw.integers(1, 5, n)
    grades = [
        dict(zip(own, draw.integers(1, top + 1, len(own)).astype(float), strict=True))
        for own, top in zip(relevant, best, strict=True)
    ]
    return make_lists(
        [order[:length].tolist() for order, length in zip(orders, lengths, strict=True)],
        relevant,
        depth=depth,
        grades=grades if graded else None,
        popularity=np.sort(draw.integers(0, n, n_items))[::-1].tolist(),
        history=[order[depth + 5 : depth + 10].tolist() for order in orders],
        features=draw.integers(0, 2, (n_items, 5)).tolist(),
    )


def check_metric(name: str) -> None:
    """Raise AssertionError unless a registered metric keeps the contract.

    It has a definition people can read; its values lie in its declared range; a user's value depends on that user's
    rows alone, to the last bit, with binary and graded relevance and under every convention; a value of the catalogue
    does not depend on the order of the items.
    """
    info = describe(name)
    for part in ("Formula:", "Range:", "Source:"):
        assert part in info.doc, f"the docstring of {name} lacks '{part}'"
    if info.kind == "catalogue":
        counts = np.random.default_rng(0).poisson(2, 50)
        value, turned = info.function(Exposure(counts)), info.function(Exposure(counts[::-1].copy()))
        assert np.isclose(value, turned, rtol=1e-12), f"{name} depends on the order of the items"
        _check_range(name, np.array([value]))
        return
    assert "without a list" in info.doc, f"the docstring of {name} lacks the rule for users without a list"
    for graded in (False, True):
        lists = random_lists(graded=graded)
        parts = [np.array([7, 3, 41]), np.arange(20, 60), *np.arange(60)[:, None]]
        for convention in CONVENTIONS.values():
            values = info.function(lists, convention)
            assert values.shape == lists.length.shape and values.dtype == np.float64, f"{name}: one float64 a user"
            assert np.isfinite(values).sum() > len(values) / 3, f"{name} is hardly ever defined"
            _check_range(name, values[~np.isnan(values)])
            for some in parts:
                alone = info.function(_users_of(lists, some), convention)
                message = f"{name} depends on other users ({convention.name}, {'graded' if graded else 'binary'})"
                np.testing.assert_array_equal(alone, values[some], err_msg=message)


def _users_of(lists: Lists, some: np.ndarray) -> Lists:
    """The lists of some users alone."""
    profiles = None if lists.profiles is None else lists.profiles.part(some)
    return replace(
        lists,
        items=lists.items[some],
        gains=lists.gains[some],
        length=lists.length[some],
        n_relevant=lists.n_relevant[some],
        ideal=lists.ideal[some],
        profiles=profiles,
        cuts={},
    )


def _check_range(name: str, values: np.ndarray) -> None:
    info = describe(name)
    assert values.min() >= info.low, f"{name} is below its range"
    assert info.high is None or values.max() <= info.high + 1e-12, f"{name} is above its range"
