"""Popularity bias: by hand, and the published groups of MovieLens 1M."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.popularity import lift_rows, popularity_bias, popularity_taste
from reclens.audit.settings import AuditSettings
from reclens.concentration import gini
from reclens.errors import UsageError

TRAIN = pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 3, 4], "item_id": ["a", "b", "a", "c", "a", "d", "a"]})
LISTS = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["c", "d", "b", "e", "b"], "rank": [1, 2, 1, 2, 1]})
TRUTH = pl.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["c", "d", "b", "c"]})


def measured_of(lists, truth=None, *, train=None, users=None, items=None, **options) -> AuditMeasures:  # type: ignore[no-untyped-def]
    settings = AuditSettings(**{"metrics": (), **options})
    return measure_audit(lists, truth, settings=settings, train=train, users=users, items=items)


@pytest.fixture(scope="module")
def measured():  # type: ignore[no-untyped-def]
    """Users of the items: a 4, b c d 1 each; head a (4 of 7 hold 20 %), tail d (1 of 7), middle b and c."""
    return measured_of(LISTS, TRUTH, train=rl.Dataset(TRAIN), k=2, attributes=["popularity"])


def test_the_lift_by_hand(measured) -> None:  # type: ignore[no-untyped-def]
    """Of the three others: lists 1/3, 1/3 (e is unknown), 1/3; profiles (3/3 + 0/3) / 2 for each of the three."""
    (row,) = lift_rows(measured)
    assert (row.value.value, row.reference_value.value, row.ratio.value) == pytest.approx((1 / 3, 0.5, 2 / 3))
    assert row.n == 3 and row.reason == "few_users"


def test_lists_that_are_the_history_have_no_lift() -> None:
    """Whoever is shown what they have: the user is left out on both sides, so that the ratio is 1."""
    lists = TRAIN.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
    (row,) = lift_rows(measured_of(lists, train=rl.Dataset(TRAIN), k=2))
    assert (row.value.value, row.ratio.value) == pytest.approx(((0.5 + 0.5 + 0.5 + 1) / 4, 1.0))


def test_parity_of_tiers_by_hand(measured) -> None:  # type: ignore[no-untyped-def]
    """Candidates of users 1 to 3: head 0, middle 1 + 1 + 2, tail 1 + 1 + 0. Shown: middle 3 of 4, tail 1 of 2."""
    assert measured.groups["popularity"].sizes.tolist() == [1, 2, 1]
    assert (3 * measured.by_group("candidates", "popularity").value).tolist() == pytest.approx([0, 4, 2])
    found = measured.by_group("shown", "popularity") / measured.by_group("candidates", "popularity")
    assert np.isnan(found.value[0]) and found.value[1:].tolist() == pytest.approx([0.75, 0.5])
    parity, opportunity = popularity_bias(measured)
    assert (parity.measure, opportunity.measure) == ("pop_rsp", "pop_reo")
    assert [round(each.value, 6) for each in parity.rates[1:]] == [0.75, 0.5]
    rates = np.array([0.75, 0.5])
    assert parity.value.value == pytest.approx(rates.std() / rates.mean()), "a tier without candidates has no rate"
    assert opportunity.rates[1].value == pytest.approx(2 / 3), "c, b and c are relevant; c and b are shown"


def test_without_tiers_it_is_said() -> None:
    found = measured_of(LISTS, TRUTH, train=rl.Dataset(TRAIN), k=2)
    with pytest.raises(UsageError, match="attributes="):
        popularity_bias(found)


def test_movielens_1m_has_the_published_groups(shared_data: Path) -> None:
    """Abdollahpouri et al. as re-run by Daniil et al.: sizes, group averages, and three correlations to 1e-9."""
    data = rl.read_movielens(shared_data / "movielens" / "ml-1m.zip")
    matrix = data.matrix()
    counts, size = np.bincount(matrix.indices), np.diff(matrix.indptr)
    owners = np.repeat(np.arange(matrix.n_rows), size)
    mean = np.bincount(owners, counts[matrix.indices] / matrix.n_rows) / size
    label = popularity_taste()(data)["label"].cast(pl.String).to_numpy()
    groups = [label == name for name in ("niche", "diverse", "blockbuster")]
    assert [int(each.sum()) for each in groups] == [1208, 3624, 1208]
    assert [round(float(mean[each].mean()), 5) for each in groups] == [0.10802, 0.15698, 0.20907]
    assert [round(float(size[each].mean()), 1) for each in groups] == [301.8, 152.3, 69.2]
    top = np.isin(np.arange(len(counts)), np.lexsort((np.arange(len(counts)), -counts))[:741])
    popular = np.bincount(owners, top[matrix.indices])
    found = [np.corrcoef(size, each)[0, 1] for each in (popular, mean, popular / size)]
    assert found == pytest.approx([0.9662364112421092, -0.48167705404310884, -0.40259977494843086], abs=1e-9)


def test_movielens_1m_has_the_published_concentration(shared_data: Path) -> None:
    """Gini of the popularity of its items, the ratings that the head fifth has, and the profiles of men and women."""
    data = rl.read_movielens(shared_data / "movielens" / "ml-1m.zip")
    counts = np.bincount(data.matrix().indices)
    assert round(float(gini(counts)), 4) == 0.6336
    top = np.sort(counts)[::-1][: round(0.2 * len(counts))]
    assert round(float(top.sum() / counts.sum()), 3) == 0.652
    assert data.users is not None
    sizes = data.interactions.group_by("user_id").len().join(data.users, on="user_id")
    found = sizes.group_by("gender").agg(pl.len().alias("users"), pl.col("len").mean()).sort("gender")
    assert found["users"].to_list() == [1709, 4331]
    assert [round(each, 1) for each in found["len"]] == [144.2, 174.0]


def test_ties_are_settled_by_id() -> None:
    """Four users with one item each and equal shares: the first by id is niche, the last one blockbuster."""
    data = rl.Dataset(pl.DataFrame({"user_id": [4, 3, 2, 1], "item_id": ["a", "b", "c", "d"]}))
    taste = popularity_taste(popular=0.5, niche=0.25, blockbuster=0.25)(data)
    assert dict(taste.rows()) == {1: "niche", 2: "diverse", 3: "diverse", 4: "blockbuster"}
    with pytest.raises(UsageError, match="1 or less"):
        popularity_taste(niche=0.6, blockbuster=0.6)
