"""Distances of lists from parity and from tastes: by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from reclens.audit.distances import list_distances
from reclens.audit.item_groups import item_groups
from reclens.vocabulary import Vocabulary

ITEMS = np.array([[3, 0, 1], [0, -1, -1], [-1, -1, -1]], np.int32)
WEIGHTS = 1 / np.log2([2, 3, 4])


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    table = pl.DataFrame({"item_id": [0, 1, 2, 3], "seller": ["a", "a", "a", "b"]})
    groups = item_groups("seller", table, Vocabulary(table["item_id"]), np.ones(4, bool))
    parts = {
        "shown": groups.of_lists(ITEMS, np.ones(3)),
        "exposure": groups.of_lists(ITEMS, WEIGHTS),
        "profile": np.array([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]),
    }
    return list_distances(groups, ITEMS, parts)


def test_attention_weighted_fairness(found: dict[str, np.ndarray]) -> None:
    """b has 1 of 1 + .6309 + .5 of the exposure of the first list, and 1 of 4 items."""
    share = 1 / WEIGHTS.sum()
    assert found["awrf"][:2].tolist() == pytest.approx([share - 0.25, 0.25])
    assert np.isnan(found["awrf"][2])


def test_divergence_of_prefixes(found: dict[str, np.ndarray]) -> None:
    """Prefixes of the first list: b; b and a; b, a and a; each against 3/4 and 1/4 (scipy's entropy)."""
    prefixes = [entropy(p, [0.75, 0.25]) for p in ([0, 1], [0.5, 0.5], [2 / 3, 1 / 3])]
    assert found["ndkl"][0] == pytest.approx(WEIGHTS @ prefixes / WEIGHTS.sum())
    assert found["ndkl"][1] == pytest.approx(entropy([1, 0], [0.75, 0.25])), "one place alone has the whole weight"
    assert np.isnan(found["ndkl"][2])


def test_miscalibration(found: dict[str, np.ndarray]) -> None:
    expected = jensenshannon([0.5, 0.5], [2 / 3, 1 / 3], base=2) ** 2
    assert found["miscalibration"][:2].tolist() == pytest.approx([expected, 0.0])
    assert np.isnan(found["miscalibration"][2])
