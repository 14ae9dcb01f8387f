"""Partitions of whole users, cut and brought in any way, come to the sums of all users; here without an engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.errors import DataError
from reclens.evaluation import partition_rows
from reclens.evaluation.partition_context import ItemFacts, facts_of
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.partitions import PartitionPlan, measure_partition
from reclens.metrics.conventions import convention_named
from reclens.metrics.registry import parse
from reclens.schema import stable_hash
from spark_tables import Made, make_tables


def three() -> ItemFacts:
    """A catalogue of three items."""
    return facts_of(None, 0, offered=pl.Series(["a", "b", "c"]), features=None, attributes=None, relevant=None)


def plan(facts: ItemFacts | None, **how: Any) -> PartitionPlan:
    about: dict[str, Any] = {
        "specs": (parse("ndcg@10"), parse("coverage@10")),
        "convention": convention_named("trec"),
        "depth": 10,
        "replicates": 40,
        "seed": 1,
        "ordered_by": "rank",
        "relevance": None,
        "tables": frozenset({"lists", "truth"}),
        "has_catalogue": True,
        "facts": facts,
        "n_items": 0 if facts is None else int(facts.offered.sum()),
        "n_users": 0,
        "labels": {},
        "by": [],
    }
    return PartitionPlan(**about | how)


def rows_of(lists: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Lists and truth as an engine brings them together."""
    parts = [(0, lists, "rank"), (1, truth, "grade")]
    tables = [
        table.select(
            pl.lit(part, pl.Int8).alias("part"), "user_id", "item_id", pl.col(number).cast(pl.Float64).alias("number")
        )
        for part, table, number in parts
    ]
    return pl.concat(tables)


def shuffled(rows: pl.DataFrame, *, partitions: int, seed: int = 0) -> list[list[pl.DataFrame]]:
    """Whole users a partition, their rows in any order, in pieces of any size; some partitions get none."""
    rng = np.random.default_rng(seed)
    rows = rows[rng.permutation(rows.height)]
    place = pl.Series(stable_hash(rows["user_id"]) % np.uint64(partitions))
    found = []
    for partition in range(partitions):
        own = rows.filter(place == partition)
        cuts = np.sort(rng.integers(0, own.height + 1, 3))
        found.append([own[int(a) : int(b)] for a, b in zip([0, *cuts], [*cuts, own.height], strict=True)])
    return found


def total(asked: PartitionPlan, partitions: Iterable[list[pl.DataFrame]]) -> PartitionSums:
    parts = [measure_partition(asked, each) for each in partitions]
    return PartitionSums.total(PartitionSums.of_row(part.to_row()) for part in parts if part is not None)


@pytest.mark.parametrize("kind", ["string", "int64"])
def test_sums_do_not_depend_on_how_rows_come_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_rows, "_ROWS_AT_ONCE", 50)
    own: Made = make_tables(kind, n=80)
    offered = own.items["item_id"].head(40)  # of what is shown, a third is not in the catalogue
    asked = plan(facts_of(None, 0, offered=offered, features=None, attributes=None, relevant=None))

    found = total(asked, shuffled(rows_of(own.lists, own.truth), partitions=25))

    how: dict[str, Any] = {"metrics": ["ndcg@10", "coverage@10"], "catalogue": offered, "replicates": 40, "rng": 1}
    one = rl.evaluate(own.lists, own.truth, **how)
    for name in ("n", "units", "weights"):
        np.testing.assert_array_equal(getattr(found.summary, name), getattr(one.summary, name), err_msg=name)
    np.testing.assert_allclose(found.summary.sums, one.summary.sums, rtol=1e-12, atol=1e-12)
    # By hand: places of items among the first ten of the lists of users with relevant items.
    users = own.truth["user_id"].unique()
    first = own.lists.filter(pl.col("rank") <= 10, pl.col("user_id").is_in(users.implode()))
    shown = first.filter(pl.col("item_id").is_in(offered.implode())).group_by("item_id").len().sort("item_id")
    counted = found.exposure.filter(k=10, cell=0).sort("item_id")
    assert counted["item_id"].to_list() == shown["item_id"].to_list()
    assert counted["count"].to_list() == shown["len"].to_list()
    assert found.counts["users"] == len(users) and found.counts["inside"] == shown["len"].sum()
    strangers = set(own.lists["user_id"]) - set(users)
    assert found.counts["strangers"] == len(strangers) > 0
    assert found.counts["without_list"] == len(set(users) - set(own.lists["user_id"])) > 0
    assert found.counts["lists_rows"] == own.lists.height and found.counts["truth_rows"] == own.truth.height


def test_rules_of_the_lists_are_added() -> None:
    own = make_tables("string", n=20)
    gaps = own.lists.with_columns(pl.col("rank") * 2)  # so that the rank of every row is another one

    found = total(plan(three()), shuffled(rows_of(gaps, own.truth), partitions=4))

    assert {each["code"]: each["count"] for each in found.rules} == {"rank_gaps_closed": gaps.height}


def test_partitions_without_rows_lists_or_truth() -> None:
    lists = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "a"], "rank": [2, 1]})
    truth = pl.DataFrame({"user_id": ["v"], "item_id": ["c"], "grade": [1]})
    nothing = rows_of(lists.clear(), truth.clear())

    assert measure_partition(plan(three()), []) is None
    assert measure_partition(plan(three()), [nothing, nothing]) is None
    only_lists = measure_partition(plan(three()), [nothing, rows_of(lists, truth.clear())])
    only_truth = measure_partition(plan(three()), [rows_of(lists.clear(), truth)])

    # A list of nobody who is evaluated counts as one of a stranger; a user without a list has the value 0.
    assert only_lists is not None and only_truth is not None
    assert only_lists.counts["users"] == 0 and only_lists.counts["strangers"] == 1 and only_lists.exposure.is_empty()
    assert only_lists.keys == (int(stable_hash(pl.Series(["u"]))[0]),)
    assert only_truth.counts["users"] == only_truth.counts["without_list"] == 1
    assert only_truth.summary.n[0, 0] == 1 and only_truth.summary.total[0, 0] == 0
    both = only_lists + only_truth
    assert both.counts["users"] == 1 and both.counts["strangers"] == 1 and both.counts["lists_rows"] == 2


def test_ranks_that_are_none_name_the_ids() -> None:
    truth = pl.DataFrame({"user_id": ["v"], "item_id": ["c"], "grade": [1]})
    lists = pl.DataFrame({"user_id": ["v", "v", "u"], "item_id": ["b", "a", "a"], "rank": [1.0, 1.0, 1.0]})
    with pytest.raises(DataError, match="user 'v' has 'a' and 'b' at rank 1"):
        measure_partition(plan(three()), [rows_of(lists, truth)])
    for number, said in ((None, "'None' is not a whole number"), (float("nan"), "'None'"), (1.5, "'1.5' is not a")):
        odd = lists.with_columns(rank=pl.Series([1.0, number, 1.0], dtype=pl.Float64))
        with pytest.raises(DataError, match=said):
            measure_partition(plan(three()), [rows_of(odd, truth)])


def test_items_that_are_joined_keep_their_facts() -> None:
    lists = pl.DataFrame({"user_id": ["v", "v", "u"], "item_id": ["b", "z", "a"], "rank": [1, 2, 1]})
    truth = pl.DataFrame({"user_id": ["v", "u"], "item_id": ["b", "b"], "grade": [1, 1]})
    rows = rows_of(lists, truth).join(three().table(), on="item_id", how="left", maintain_order="left")

    joined = [measure_partition(plan(facts, n_items=3), [rows]) for facts in (three(), None)]

    assert joined[0] is not None and joined[1] is not None
    assert joined[0].counts == joined[1].counts and joined[0].exposure.equals(joined[1].exposure)
    np.testing.assert_array_equal(joined[0].summary.sums, joined[1].summary.sums)
