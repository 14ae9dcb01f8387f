"""Joint measures on the published toy, bias disparity, differential fairness and rating gaps by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.measure import measure_audit
from reclens.audit.settings import AuditSettings
from reclens.audit.two_sided import bias_disparity, differential_fairness, joint_exposure, rating_gaps
from reclens.errors import DataError, UsageError

GROUP = np.array([0, 0, 1, 1])
OF_USER, OF_ITEM = np.meshgrid(np.arange(4), np.arange(4), indexing="ij")
TOY = {
    "by turns": (OF_USER + OF_ITEM) % 2 == 0,
    "one group of items a user": GROUP[OF_ITEM] == OF_USER % 2,
    "one item of each group a group of users": GROUP[OF_USER] == OF_ITEM % 2,
    "one item of each group for all": OF_ITEM % 2 == 0,
    "one group of items a group of users": GROUP[OF_USER] == GROUP[OF_ITEM],
    "one group of items for all": GROUP[OF_ITEM] == 0,
}
PUBLISHED = {
    "ii": (1, 1, 1, 1, 1, 1),
    "ig": (0, 1, 0, 0, 1, 1),
    "gi": (0, 0, 1, 1, 1, 1),
    "gg": (0, 0, 0, 0, 1, 1),
    "ai": (0, 0, 0, 1, 0, 1),
    "ag": (0, 0, 0, 0, 0, 1),
}


@pytest.mark.parametrize("at", range(6), ids=list(TOY))
def test_the_toy_of_wu_et_al(at: int) -> None:
    """Two groups of two users, two of two items, a target of .25: each measure is 0 or .0625."""
    exposure = list(TOY.values())[at] * 0.5
    for row in joint_exposure(exposure, np.full((4, 4), 0.25), GROUP, GROUP):
        assert row.value == pytest.approx(PUBLISHED[row.measure][at] * 0.0625), row.measure
        assert row.value == pytest.approx(row.disparity - 2 * row.relevance + 0.0625)


def test_shapes_have_to_agree() -> None:
    with pytest.raises(UsageError, match="expected one shape"):
        joint_exposure(np.zeros((4, 3)), np.zeros((4, 4)), GROUP, GROUP)


def test_bias_disparity_by_hand() -> None:
    """Women have 3 a of 4, lists 1 a of 2; the catalogue is 2 a of 4: 1.5 becomes 1, a third less."""
    train = rl.Dataset(
        pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "c", "d"]}),
        users=pl.DataFrame({"user_id": [1, 2, 3], "gender": ["F", "F", "M"]}),
        items=pl.DataFrame({"item_id": ["a", "b", "c", "d"], "seller": ["us", "us", "them", "them"]}),
    )
    lists = pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["a", "d", "b"], "rank": [1, 1, 1]})
    settings = AuditSettings(k=1, by="gender", attributes=["seller"], metrics=())
    found = bias_disparity(measure_audit(lists, train=train, settings=settings), "seller", by="gender")
    row = next(each for each in found if (each.segment, each.group) == ("F", "us"))
    assert (row.source, row.shown, row.disparity.value) == pytest.approx((1.5, 1.0, -1 / 3))


def test_differential_fairness_by_hand() -> None:
    """Rates (9 + 1) ÷ (18 + 2) and (4 + 1) ÷ (18 + 2): twice as often; and a second outcome that is alike."""
    counts, totals = np.array([[9, 3], [4, 3]]), np.array([18, 18])
    assert differential_fairness(counts, totals) == pytest.approx(np.log(2))
    assert differential_fairness(counts[[0, 0]], totals) == 0.0
    for wrong in ({"counts": -counts}, {"totals": np.array([1, 1])}, {"alpha": 0.0}):
        given: dict[str, Any] = {"counts": counts, "totals": totals, **wrong}
        with pytest.raises(UsageError):
            differential_fairness(**given)


def test_rating_gaps_by_hand() -> None:
    """Item 1: women 1 too high, men 1 too low. Item 2: women .5 too low, men right. Item 3: women only."""
    rows = [("w", 1, 3.0, 4.0), ("m", 1, 4.0, 3.0), ("w", 2, 4.0, 3.5), ("m", 2, 2.0, 2.0), ("w", 3, 1.0, 5.0)]
    predictions = pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "prediction"], orient="row")
    users = pl.DataFrame({"user_id": ["w", "m"], "gender": ["F", "M"]})
    women = next(gap for gap in rating_gaps(predictions, users, "gender") if gap.segment == "F")
    assert (women.value, women.absolute) == pytest.approx(((2 + 0.5) / 2, (0 + 0.5) / 2))
    assert (women.under, women.over) == pytest.approx(((1 + 0.5) / 2, (1 + 0) / 2))
    assert women.non_parity == pytest.approx((4 + 3.5 + 5) / 3 - 2.5) and women.items == 2
    with pytest.raises(DataError, match="'prediction'"):
        rating_gaps(predictions.drop("prediction"), users, "gender")
