"""Exposure and gaps by hand; and what has to hold whatever the data are: order, copies, and groups that are merged."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reclens as rl
from reclens.audit import Audit, AuditRow
from reclens.audit.exposure import exposure_rows, parity_rows
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.settings import AuditSettings
from reclens.audit.user_gaps import gap_rows

SECOND = 1 / np.log2(3)
LISTS = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "b", "c", "d"], "rank": [1, 2, 1, 2, 1]})
TRUTH = pl.DataFrame({"user_id": [1, 2, 2, 4], "item_id": ["b", "a", "c", "a"]})
TRAIN = rl.Dataset(
    pl.DataFrame({"user_id": [1, 1, 2, 3, 5], "item_id": ["c", "d", "a", "a", "b"]}),
    users=pl.DataFrame({"user_id": [1, 2, 3, 4, 5], "gender": ["F", "M", "F", "M", "F"]}),
    items=pl.DataFrame({"item_id": ["a", "b", "c", "d"], "seller": ["us", "us", "them", None]}),
)


@pytest.fixture(scope="module")
def toy() -> AuditMeasures:
    """Exposure of them, us and unknown: .63, 2.63 and 1; relevant 1, 3, 0; shown and relevant .63, .63, 0."""
    about = AuditSettings(k=2, metrics=["recall@2"], attributes=["seller"], by="gender", minimum=2)
    return measure_audit(LISTS, TRUTH, train=TRAIN, settings=about)


def test_shares_of_exposure_by_hand(toy: AuditMeasures) -> None:
    rows = {(row.group, row.reference): row for row in exposure_rows(toy, "seller")}
    share = (2 + SECOND) / (3 + 2 * SECOND)
    for reference, alike in (("catalogue", 1 / 2), ("merit", 2.5 / 3), ("profile", 2 / 3)):
        row = rows["us", reference]
        assert (row.value.value, row.reference_value.value) == pytest.approx((share, alike))
        assert (row.ratio.value, row.difference.value) == pytest.approx((share / alike, share - alike))
    assert (rows["us", "catalogue"].n, rows["us", "merit"].n, rows["us", "profile"].n) == (4, 3, 3)


def test_ratios_of_exposure_by_hand(toy: AuditMeasures) -> None:
    rows = {row.measure: row for row in parity_rows(toy, "seller") if row.group == "us"}
    expected = {
        "exposure_of_an_item": ((2 + SECOND) / 4 / 2, (1 + SECOND) / 4 / 2),
        "treatment": ((2 + SECOND) / 3, (1 + SECOND) / 1),
        "impact": (SECOND / 3, SECOND / 1),
    }
    for measure, (mine, rest) in expected.items():
        row = rows[measure]
        assert (row.value.value, row.reference_value.value, row.ratio.value) == pytest.approx((mine, rest, mine / rest))


def test_gaps_by_hand(toy: AuditMeasures) -> None:
    """Women: user 1 has all of it, user 3 nothing to find. Men: half, and no list."""
    rows = {row.segment: row for row in gap_rows(toy)}
    assert (rows["F"].value.value, rows["F"].reference_value.value) == pytest.approx((1.0, 0.25))
    assert (rows["F"].n, rows["F"].n_reference, rows["F"].section, rows["F"].harm) == (1, 2, "users", "low")
    assert rows["M"].ratio.value == pytest.approx(0.25) and rows["M"].difference.value == pytest.approx(-0.75)


def plain(rows: Any) -> dict[Any, Any]:
    """What rows say, whatever their order: values and ends to rounding."""
    return {
        (row.measure, row.attribute, row.group, row.by, row.segment, row.reference): (
            row.n,
            row.family,
            row.severity,
            *(None if end is None else round(end, 9) for end in (row.value.value, row.ratio.low, row.ratio.high)),
        )
        for row in rows
        if row.reference != "random"
    }


@pytest.fixture(scope="module")
def audited(market) -> tuple[dict[str, Any], Audit]:  # type: ignore[no-untyped-def]
    parts = market(tilt=0.1, users=300)
    users = parts["train"].users.with_columns(sex=pl.col("gender"))
    items = parts["train"].items.with_columns(maker=pl.col("brand"))
    parts["train"] = rl.Dataset(parts["train"].interactions, users=users, items=items)
    return parts, rl.audit.run(**parts, by="gender", attributes=["brand", "popularity"])


def test_the_order_of_users_changes_nothing(audited: tuple[dict[str, Any], Audit]) -> None:
    parts, found = audited
    train = parts["train"]
    order = np.random.default_rng(1).permutation(300)
    shuffled = {
        "recommendations": parts["recommendations"].join(pl.DataFrame({"user_id": order}), on="user_id"),
        "truth": parts["truth"].sample(fraction=1.0, shuffle=True, seed=2),
        "train": rl.Dataset(
            train.interactions.sample(fraction=1.0, shuffle=True, seed=3),
            users=train.users.sample(fraction=1.0, shuffle=True, seed=4),
            items=train.items,
        ),
    }
    again = rl.audit.run(**shuffled, by="gender", attributes=["brand", "popularity"])
    assert plain(again.rows) == plain(found.rows)


def test_a_copy_of_a_group_has_its_numbers(audited: tuple[dict[str, Any], Audit]) -> None:
    parts, found = audited
    copied = rl.audit.run(**parts, by="sex", attributes=["maker", "popularity"])
    renamed = {
        (measure, {"maker": "brand"}.get(attribute, attribute), group, {"sex": "gender"}.get(by, by), *rest): values
        for (measure, attribute, group, by, *rest), values in plain(copied.rows).items()
    }
    assert renamed == plain(found.rows)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=60, max_size=60).filter(lambda made: len(set(made)) == 3))
def test_merged_groups_add_up(made: list[str]) -> None:
    """Shares of exposure, of the catalogue, of merit and of histories of b and c are those of the two together."""
    rng = np.random.default_rng(0)
    shown = np.argsort(rng.random((40, 60)))[:, :5].ravel()
    lists = pl.DataFrame(
        {"user_id": np.repeat(np.arange(40), 5), "item_id": shown, "rank": np.tile(np.arange(1, 6), 40)}
    )
    rows = pl.DataFrame({"user_id": rng.integers(0, 40, 400), "item_id": rng.integers(0, 60, 400)}).unique()
    items = pl.DataFrame({"item_id": np.arange(60), "brand": made}).with_columns(
        merged=pl.col("brand").replace({"c": "b"})
    )
    everything = pl.DataFrame({"user_id": np.zeros(60, np.int64), "item_id": np.arange(60)})
    train = rl.Dataset(pl.concat([rows.sort("user_id", "item_id"), everything]).unique(), items=items)
    about = AuditSettings(k=5, metrics=(), attributes=["brand", "merged"], replicates=200)
    measures = measure_audit(lists, rows.tail(100), train=train, settings=about)

    def shares(attribute: str) -> dict[tuple[str | None, str], AuditRow]:
        return {(row.group, row.reference): row for row in exposure_rows(measures, attribute)}

    apart, together = shares("brand"), shares("merged")
    for reference in ("catalogue", "merit", "profile"):
        for part in ("value", "reference_value"):
            mine = [getattr(apart[name, reference], part).value for name in "bc"]
            assert getattr(together["b", reference], part).value == pytest.approx(sum(mine))
