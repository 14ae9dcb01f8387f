"""Recommendation lists of any form come out whole, or with an error that names the row."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data.read.lists import normalize_recommendations, run_starts
from reclens.data.read.tables import read_recommendations
from reclens.errors import DataError


def counts(made) -> dict[str, int]:
    return {rule["code"]: rule["count"] for rule in made.card["rules"]}


@pytest.fixture
def csv(tmp_path: Path):
    def write(content: str) -> Path:
        path = tmp_path / "log.csv"
        path.write_text(content)
        return path

    return write


def lists(rows, columns=("user_id", "item_id", "rank"), **options):
    return read_recommendations(pl.DataFrame(rows, schema=list(columns), orient="row", strict=False), **options)


def test_ranks_with_gaps_and_another_start() -> None:
    made = lists([(1, 10, 3), (1, 11, 7), (2, 10, 1)])
    assert made.table.rows() == [(1, 10, 1), (1, 11, 2), (2, 10, 1)]
    assert counts(made) == {"rank_gaps_closed": 2}
    from_zero = lists([(1, 10, 0), (1, 11, 1)])
    assert from_zero.table.rows() == [(1, 10, 1), (1, 11, 2)]
    assert counts(from_zero) == {"rank_gaps_closed": 2}


def test_an_item_twice_keeps_its_best_rank() -> None:
    made = lists([(1, 10, 1), (1, 11, 2), (1, 10, 3), (1, 12, 4), (2, 10, 1)])
    assert made.table.rows() == [(1, 10, 1), (1, 11, 2), (1, 12, 3), (2, 10, 1)]
    assert counts(made) == {"repeated_items": 1}
    words = lists([("x", "a", 1), ("x", "a", 2), ("y", "a", 1)])
    assert words.table.rows() == [("x", "a", 1), ("y", "a", 1)]


def test_two_items_at_one_rank() -> None:
    with pytest.raises(DataError, match=r"column 'rank'.*user 1 has 10 and 11 at rank 1"):
        lists([(1, 10, 1), (1, 11, 1)])
    made = lists([(1, 10, 1, 0.2), (1, 11, 1, 0.5), (1, 12, 2, 0.1)], ("user_id", "item_id", "rank", "score"))
    assert made.table["item_id"].to_list() == [11, 10, 12]
    assert made.table["rank"].to_list() == [1, 2, 3]
    assert counts(made)["equal_ranks_by_score"] == 1
    with pytest.raises(DataError, match="at rank 1"):
        lists([(1, 10, 1, 0.5), (1, 11, 1, 0.5)], ("user_id", "item_id", "rank", "score"))


@pytest.mark.parametrize("rank", ["first", "1.5", "", "-1"])
def test_ranks_that_are_none(csv, rank: str) -> None:
    with pytest.raises(DataError, match=r"log\.csv, column 'rank', row 2"):
        read_recommendations(csv(f"user,item,rank\n1,1,1\n1,2,{rank}\n"))


def test_no_order_at_all(csv) -> None:
    with pytest.raises(DataError, match="there is no column for 'rank'"):
        read_recommendations(csv("user,item\n1,1\n"))


def test_scores_that_are_none(csv) -> None:
    with pytest.raises(DataError, match="column 'score', row 2: 'x' is not a number"):
        read_recommendations(csv("user,item,score\n1,1,0.5\n1,2,x\n"))
    with pytest.raises(DataError, match="column 'score', row 2: the number is missing"):
        read_recommendations(csv("user,item,score\n1,1,0.5\n1,2,\n"))
    ranked = read_recommendations(csv("user,item,score,rank\n1,1,0.5,1\n1,2,,2\n"))
    assert ranked.table["score"].to_list() == [0.5, None]


@pytest.mark.parametrize("words", [False, True])
def test_repeats_are_found_among_many_lists(words: bool) -> None:
    """Above a million rows a compiled loop looks for repeats."""
    users, depth = 110_000, 10
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(users), depth),
            "item_id": (np.arange(users)[:, None] * 7 + np.arange(depth) * 2**34).ravel(),
            "rank": np.tile(np.arange(1, depth + 1, dtype=np.int32), users),
        }
    )
    if words:
        frame = frame.with_columns(pl.col("item_id").cast(pl.String))
    assert normalize_recommendations(frame, "lists")[1] == []
    at = 10 * 77_777 + 3
    repeated = frame["item_id"].scatter(at, frame["item_id"][at - 2])
    table, rules = normalize_recommendations(frame.with_columns(repeated), "lists")
    assert [rule["count"] for rule in rules] == [1]
    assert table.filter(pl.col("user_id") == 77_777)["rank"].to_list() == list(range(1, depth))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(1, 40)), min_size=1, max_size=40),
    st.booleans(),
)
def test_lists_come_out_whole(rows: list[tuple[int, int, int]], words: bool) -> None:
    """Whatever the order, gaps and repeats: ranks 1 … n, no item twice, best ranks in their order."""
    unique = {(user, rank): item for user, item, rank in rows}
    frame = pl.DataFrame(
        [(f"u{u}" if words else u, i, r) for (u, r), i in unique.items()],
        schema=["user_id", "item_id", "rank"],
        orient="row",
    )
    table, _ = normalize_recommendations(frame, "lists")
    expected = {}
    for (user, _rank), item in sorted(unique.items()):
        shown = expected.setdefault(f"u{user}" if words else user, [])
        if item not in shown:
            shown.append(item)
    found = {key[0]: list(part["item_id"]) for key, part in table.group_by("user_id", maintain_order=True)}
    assert found == expected
    for _, part in table.group_by("user_id"):
        assert part["rank"].to_list() == list(range(1, part.height + 1))


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("pieces", [1, 3, 400])
def test_runs_are_found_across_the_pieces_of_a_column(words: bool, pieces: int) -> None:
    users = np.repeat(np.random.default_rng(1).permutation(500), np.random.default_rng(2).integers(1, 6, 500))
    ids = pl.Series("user_id", users).cast(pl.String if words else pl.Int64)
    cuts = np.linspace(0, len(ids), pieces + 1).astype(int)
    cut = pl.concat([ids.slice(a, b - a) for a, b in itertools.pairwise(cuts)], rechunk=False)
    expected = [row for row in range(len(users)) if row == 0 or users[row] != users[row - 1]]
    assert run_starts(cut).tolist() == expected
    assert run_starts(ids.head(0)).tolist() == []


@pytest.mark.parametrize("at", [49_999, 50_000, 50_001, 120_000])
def test_one_rank_out_of_place_is_found_anywhere(at: int) -> None:
    """Ranks are looked at in pieces of 50,000 rows."""
    depth, rows = 60_000, 180_000
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(3), depth),
            "item_id": np.arange(rows),
            "rank": np.tile(np.arange(depth) + 1, 3),
        }
    )
    assert normalize_recommendations(frame, "lists")[1] == []
    later = frame.with_columns(rank=pl.col("rank") + ((pl.int_range(rows) >= at) & (pl.col("user_id") == at // depth)))
    moved = depth - at % depth
    found = {rule["code"]: rule["count"] for rule in normalize_recommendations(later, "lists")[1]}
    assert found == {"rank_gaps_closed": moved}
