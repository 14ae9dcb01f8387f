"""The shop of the audit exercises: an unbiased system shows luck alone, and NDCG by hand."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from reclens.learn.shop import PLACES, Bias, Shop, ndcg, shown_lists


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.drawn(np.random.default_rng(5), users=600, items=240)


def test_ndcg_by_hand() -> None:
    lists = np.array([[4, 1, 2], [7, 8, -1], [1, 2, 3]])
    truth = np.array([[1, 2, 9], [9, 5, 6], [3, 2, 1]])
    ideal = 1 + 1 / math.log2(3) + 0.5
    assert ndcg(lists, truth) == pytest.approx([(1 / math.log2(3) + 0.5) / ideal, 0.0, 1.0])


def test_unbiased_lists_differ_from_the_truth_by_luck_alone(shop: Shop) -> None:
    rng = np.random.default_rng(6)
    lists = [shown_lists(shop, [], rng) for _ in range(20)]
    shares = [(shop.of_item("tier") == "head")[each].mean(1) for each in lists]
    truth = (shop.of_item("tier") == "head")[shop.truth].mean(1)
    p = [stats.ttest_rel(each, truth).pvalue for each in shares]
    # The truth is one draw that all lists share, so the p-values are not independent: no one of them may be tiny.
    assert min(p) > 1e-3
    assert not any(set(row) & set(seen) for row, seen in zip(lists[0], shop.history, strict=True))


def test_a_bias_moves_what_it_is_about_and_nothing_else(shop: Shop) -> None:
    lists = shown_lists(shop, [Bias("seller_under_exposed", "s2")], np.random.default_rng(7))
    sellers = shop.of_item("seller")
    shares = {name: (sellers[lists] == name).mean() / (sellers[shop.truth] == name).mean() for name in set(sellers)}
    assert shares.pop("s2") < 0.7
    assert min(shares.values()) > 0.95
    short = shown_lists(shop, [Bias("group_short_lists", "new")], np.random.default_rng(8))
    lengths, new = (short >= 0).sum(1), shop.of_user("tenure") == "new"
    assert lengths[new].mean() < 8 and (lengths[~new] == PLACES).all()


def test_a_shop_is_the_same_in_each_process() -> None:
    """Biases of users do not commute, and the order of a set of texts is another one in each process."""
    told = (
        "import hashlib, numpy as np; from reclens.learn.shop import *; "
        "rng = np.random.default_rng(5); shop = Shop.drawn(rng, users=200, items=60); "
        "biases = [Bias(each.code, each.groups[0]) for each in KINDS.values() if each.of == 'users']; "
        "print(hashlib.sha256(shown_lists(shop, biases, rng).tobytes()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", told],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
