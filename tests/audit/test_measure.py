"""The sums of an audit, by hand on four lists; and that they are those of an evaluation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.attention import position_weights
from reclens.audit.item_groups import item_groups, popularity_tiers
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.settings import AuditSettings
from reclens.errors import UnknownNameError, UsageError
from reclens.vocabulary import Vocabulary

LISTS = pl.DataFrame(
    {"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "b", "c", "d"], "rank": [1, 2, 1, 2, 1]},
)
TRUTH = pl.DataFrame({"user_id": [1, 2, 2, 4], "item_id": ["b", "a", "c", "a"]})
TRAIN = pl.DataFrame({"user_id": [1, 1, 2, 3, 5], "item_id": ["c", "d", "a", "a", "b"]})
ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "seller": ["us", "us", "them", None],
        "tags": [["x", "y"], ["x"], ["y"], ["x", "y"]],
    }
)
USERS = pl.DataFrame({"user_id": [1, 2, 3, 4, 5], "gender": ["F", "M", "F", "M", "F"]})


def measured_of(lists, truth=None, *, train=None, users=None, items=None, **options) -> AuditMeasures:  # type: ignore[no-untyped-def]
    settings = AuditSettings(**{"metrics": (), **options})
    return measure_audit(lists, truth, settings=settings, train=train, users=users, items=items)


@pytest.fixture(scope="module")
def measured() -> AuditMeasures:
    train = rl.Dataset(TRAIN, users=USERS, items=ITEMS)
    return measured_of(LISTS, TRUTH, train=train, k=2, metrics=["recall@2"], attributes=["seller", "tags"], by="gender")


def test_each_quantity_by_hand(measured: AuditMeasures) -> None:
    """Users 1 to 4 count: 3 has a list and no truth, 4 a truth and no list. Their sellers: them, us, unknown."""
    assert measured.groups["seller"].labels == ("them", "us", "(unknown)")
    assert measured.groups["seller"].sizes.tolist() == [1.0, 2.0, 1.0]
    second = 1 / np.log2(3)
    expected = {
        "shown": [1, 3, 1],
        "exposure": [second, 1 + second + 1, 1],
        "hits": [1, 1, 0],
        "attention": [second, second, 0],
        "relevant": [1, 3, 0],
        "owned": [1, 2, 1],
    }
    for quantity, sums in expected.items():
        found = measured.by_group(quantity, "seller").value * 4  # type: ignore[arg-type]
        assert found.tolist() == pytest.approx(sums), quantity
    assert measured.by_group("merit", "seller").value.tolist() == pytest.approx([0.5 / 3, 2.5 / 3, 0])
    assert measured.by_group("profile", "seller").value.tolist() == pytest.approx([0.5 / 3, 2 / 3, 0.5 / 3])


def test_several_labels_share_an_item(measured: AuditMeasures) -> None:
    assert measured.groups["tags"].sizes.tolist() == [2.0, 2.0]
    assert (4 * measured.by_group("shown", "tags").value).tolist() == [0.5 + 1 + 1 + 0.5, 0.5 + 1 + 0.5]
    assert measured.by_group("exposure", "tags").value.sum() == pytest.approx(
        measured.by_group("exposure", "seller").value.sum()
    )


def test_groups_of_users_add_up(measured: AuditMeasures) -> None:
    """Merging groups adds; women are the users 1 and 3, men 2 and 4."""
    women, men = ("gender", "F"), ("gender", "M")
    assert (measured.n(), measured.n(women), measured.n(men)) == (4, 2, 2)
    whole = measured.by_group("exposure", "seller")
    parts = measured.by_group("exposure", "seller", women) * 0.5 + measured.by_group("exposure", "seller", men) * 0.5
    assert whole.value == pytest.approx(parts.value)
    assert float(measured.mean("recall@2", men).value) == pytest.approx((0.5 + 0) / 2)
    assert float(measured.mean("recall@2", women).value) == pytest.approx(1.0), "user 3 has nothing relevant"


def test_a_metric_is_that_of_the_evaluation(measured: AuditMeasures) -> None:
    evaluated = rl.evaluate(LISTS, TRUTH, metrics=["recall@2"])["recall@2"].overall.value
    assert float(measured.mean("recall@2").value) == pytest.approx(evaluated)


def test_order_and_streams_change_nothing(measured: AuditMeasures) -> None:
    train = rl.Dataset(TRAIN, users=USERS, items=ITEMS)
    with_all = pl.concat([LISTS, LISTS.tail(1).with_columns(user_id=pl.lit(4, pl.Int64))])
    shuffled = with_all.sample(fraction=1.0, shuffle=True, seed=3)
    one, other = (
        measured_of(each, TRUTH, train=train, k=2, attributes=["seller"], by="gender") for each in (with_all, shuffled)
    )
    for quantity in ("exposure", "hits", "owned"):
        mine, theirs = one.by_group(quantity, "seller"), other.by_group(quantity, "seller")
        assert mine.value.tolist() == theirs.value.tolist() and np.allclose(mine.draws, theirs.draws, equal_nan=True)


def test_lists_alone_are_enough() -> None:
    found = measured_of(LISTS, items=ITEMS, users=USERS, k=2, attributes=["seller"], by="gender")
    assert (3 * found.by_group("shown", "seller").value).tolist() == [1, 3, 1]
    for missing, why in (("hits", "the truth"), ("profile", "the training data")):
        with pytest.raises(UsageError, match=f"'{missing}' needs {why}"):
            found.by_group(missing, "seller")  # type: ignore[arg-type]


def test_tiers_of_popularity() -> None:
    """Counts 50, 20, 10, 10, 5, 5: the head of 50 % is the first, the tail of 20 % the last three (5 + 5 + 10)."""
    counts = np.array([10, 50, 5, 20, 10, 5, 99])
    tiers = popularity_tiers(counts, np.array([True] * 6 + [False]), head=0.5, tail=0.2)
    assert tiers.sizes.tolist() == [1, 2, 3]
    assert tiers.groups.tolist() == [1, 0, 2, 1, 2, 2], "of equal counts the lower code is the more popular one"
    with pytest.raises(UsageError, match="sum below 1"):
        popularity_tiers(counts, np.ones(7, bool), head=0.9, tail=0.2)
    with pytest.raises(UsageError, match="none is popular"):
        popularity_tiers(np.zeros(3, int), np.ones(3, bool))


def test_what_makes_no_groups_is_refused() -> None:
    items, inside = Vocabulary(ITEMS["item_id"]), np.ones(4, bool)
    table = ITEMS.with_columns(own=pl.col("item_id"), one=pl.lit("same"))
    with pytest.raises(UsageError, match="of its own"):
        item_groups("own", table, items, inside)
    with pytest.raises(UsageError, match="one value of 'one'"):
        item_groups("one", table, items, inside)
    with pytest.raises(UnknownNameError, match="seler"):
        item_groups("seler", table, items, inside)


def test_small_groups_are_one_group() -> None:
    table = pl.DataFrame({"item_id": range(10), "brand": ["a"] * 4 + ["b"] * 3 + ["c", "d", "e"]})
    groups = item_groups("brand", table, Vocabulary(table["item_id"]), np.ones(10, bool), most=2)
    assert (groups.labels, groups.sizes.tolist(), groups.folded) == (("a", "b", "(other)"), [4, 3, 3], 3)


def test_weights_of_ranks() -> None:
    assert position_weights(4).tolist() == pytest.approx((1 / np.log2([2, 3, 4, 5])).tolist())
    assert position_weights(3, "rbp", patience=0.5).tolist() == [1.0, 0.5, 0.25]
    assert position_weights(2, [4.0, 1.0, 0.5]).tolist() == [1.0, 0.25]
    for wrong in ([1.0], [0.0, 1.0], [1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(UsageError):
            position_weights(2, wrong)
    with pytest.raises(UsageError, match="expected 'log'"):
        position_weights(2, "linear")  # type: ignore[arg-type]
