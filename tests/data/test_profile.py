"""The profile: every measure by hand on small tables, and the published counts of MovieLens 100K."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.data import queries
from reclens.data.dataset import Dataset
from reclens.data.profile import Profile, profile
from reclens.errors import DataError
from reclens.report.data.profile_words import problem_detail, problem_name, profile_rows
from reclens.schema import TIMESTAMP_TYPE

DAY = datetime(2024, 3, 1, 12, tzinfo=UTC)


def make(rows: list[tuple], **columns: list) -> Dataset:
    table = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    series = {name: pl.Series(values, strict=False) for name, values in columns.items()}
    if "timestamp" in series:
        series["timestamp"] = series["timestamp"].cast(TIMESTAMP_TYPE)
    return Dataset(table.with_columns(**series), name="toy")


def problems(found: Profile) -> dict[str, int]:
    assert all(problem_detail(each) for each in found.problems)
    return {problem_name(problem): problem.rows for problem in found.problems}


def test_size_and_density_count_pairs_once() -> None:
    found = profile(make([(1, 1), (1, 2), (2, 1), (1, 1)]))
    assert (found.n_interactions, found.n_users, found.n_items, found.duplicates) == (4, 2, 2, 1)
    assert found.density == 3 / 4
    assert problems(found) == {"repeated pairs": 1}
    assert (found.first, found.ratings, found.mean_rating, found.tied_rows) == (None, None, None, None)


def test_tails_by_hand() -> None:
    # Four items with 6, 2, 1 and 1 of ten interactions; Gini = Σ|xi - xj| ÷ (2 n² mean), the definition.
    rows = [(user, 1) for user in range(6)] + [(0, 2), (1, 2), (0, 3), (1, 4)]
    items = profile(make(rows)).items
    counts = [6, 2, 1, 1]
    gaps = sum(abs(a - b) for a in counts for b in counts)
    assert items.gini == pytest.approx(gaps / (2 * 16 * 2.5), abs=1e-15)
    assert items.head_share == 0.6  # a fifth of four items is one
    assert items.n_for_80 == 2  # 6 of 10 are too few, 8 of 10 are 80 %
    assert (items.n, items.mean, items.under_5, items.cold) == (4, 2.5, 3, None)
    assert items.quantiles["median"] == 1.5 and items.quantiles["min"] == 1 and items.quantiles["max"] == 6
    assert profile(make([(1, 1), (2, 2)])).items.gini == 0


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), min_size=1, max_size=80))
def test_the_tail_agrees_with_the_sql(rows: list[tuple[int, int]]) -> None:
    data = make(rows)
    found, table = profile(data).items, queries.run("item_popularity", data)
    head = -(-table.height // 5)
    assert found.head_share == table["cumulative_share"][head - 1]
    assert found.n_for_80 == table.filter(pl.col("cumulative_share") < 0.8 - 1e-12).height + 1
    counts = table["events"].to_list()
    gaps = sum(abs(a - b) for a in counts for b in counts)
    assert found.gini == pytest.approx(gaps / (2 * len(counts) * sum(counts)), abs=1e-12)
    assert found.under_5 == sum(count < 5 for count in counts)


def test_cold_are_those_with_attributes_and_without_interactions() -> None:
    data = dataclasses.replace(
        make([(1, 10), (2, 10), (9, 11)]),
        users=pl.DataFrame({"user_id": [1, 2, 3, 4], "age": [30, None, 20, None]}),
        items=pl.DataFrame({"item_id": [10, 11], "genres": [["a"], []]}),
    )
    found = profile(data)
    assert (found.users.cold, found.users.without_attributes) == (2, 1)
    assert (found.items.cold, found.items.without_attributes) == (0, 0)
    assert problems(found) == {"users without attributes": 1, "users: no age": 2, "items: no genres": 1}


def test_times_and_their_ties() -> None:
    stamps = [DAY, DAY, DAY + timedelta(days=2), DAY, DAY + timedelta(days=1), DAY + timedelta(days=1)]
    found = profile(make([(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2)], timestamp=stamps))
    assert (found.first, found.last, found.span_days) == (DAY, DAY + timedelta(days=2), 2)
    assert found.tied_rows == 4  # two of user 1 and two of user 3
    assert found.users_tied_at_the_end == 1  # user 3; what user 1 did last is known
    assert problems(found) == {"ties in time at the end": 1}


def test_times_that_cannot_be() -> None:
    stamps = [datetime(1970, 1, 1), datetime(1970, 1, 1), datetime(9024, 1, 1), None]
    found = profile(make([(1, 1), (2, 2), (3, 3), (4, 4)], timestamp=stamps))
    assert problems(found) == {
        "no timestamp": 1,
        "times before 1990": 2,
        "times in the future": 1,
        "times without a time of day": 4,
    }
    none = make([(1, 1)], timestamp=[None])
    assert profile(none).first is None and problems(profile(none)) == {"no timestamp": 1}
    with pytest.raises(DataError, match="column 'timestamp': timestamps are Int64, expected Datetime"):
        profile(Dataset(pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [5]}), name="toy"))


def test_numbers_that_cannot_be() -> None:
    rows = [(1, item) for item in range(6)]
    ratings = [1.0, 2.5, None, float("nan"), float("inf"), 2.5]
    found = profile(make(rows, rating=ratings, weight=[1.0, 0.0, -1.0, 1.0, None, 1.0]))
    assert problems(found) == {"no rating": 1, "rating not finite": 2, "no weight": 1, "weight not positive": 2}
    assert dict(found.ratings) == {"1": 1, "2.5": 2, "inf": 1}
    assert found.mean_rating == 2.0
    assert problems(profile(make(rows, rating=[5.0] * 6))) == {"one rating only": 6}


def test_many_different_ratings_are_shown_in_intervals() -> None:
    found = profile(make([(1, item) for item in range(100)], rating=[float(at) for at in range(100)]))
    assert next(iter(found.ratings)) == "0 to 9.9" and sum(found.ratings.values()) == 100 and len(found.ratings) == 10


def test_nothing_cannot_be_profiled() -> None:
    with pytest.raises(DataError, match="toy: there are no interactions"):
        profile(Dataset(pl.DataFrame(schema={"user_id": pl.Int64, "item_id": pl.Int64}), name="toy"))


def test_the_rows_are_plain_and_complete(small_data: Dataset) -> None:
    from reclens.data.filters import k_core

    found = profile(k_core(small_data))
    rows = found.to_dicts()
    assert all(list(row) == ["section", "measure", "value", "facts"] for row in rows)
    assert json.loads(json.dumps(rows)) == rows
    by_name = {(row["section"], row["measure"]): row["value"] for row in rows}
    assert by_name["size", "interactions"] == found.n_interactions
    assert by_name["items", "Gini"] == found.items.gini
    assert by_name["rules applied", "k_core"] >= 0
    assert next(row for row in rows if row["measure"] == "name")["facts"] == "synthetic=True"
    assert next(row for row in profile_rows(found) if row["measure"] == "name")["detail"].startswith("synthetic: drawn")
    assert list(dict.fromkeys(row["section"] for row in rows)) == [
        "size",
        "time",
        "users",
        "items",
        "ratings",
        "problems",
        "rules applied",
    ]


def test_a_profile_cannot_be_changed(small_data: Dataset) -> None:
    found = profile(small_data)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.n_users = 3
    with pytest.raises(TypeError):
        found.ratings["1"] = 3


def test_movielens_100k_has_its_published_counts(shared_data) -> None:
    with zipfile.ZipFile(shared_data / "movielens" / "ml-100k.zip") as archive:
        text = archive.read("ml-100k/u.data")
    columns = ["user_id", "item_id", "rating", "seconds"]
    table = pl.read_csv(text, separator="\t", has_header=False, new_columns=columns)
    times = pl.from_epoch("seconds", time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    found = profile(Dataset(table.with_columns(timestamp=times).drop("seconds"), name="ml-100k"))
    # The README: 100,000 ratings (1-5) from 943 users on 1682 movies; each user has rated at least 20 movies; from
    # September 19th, 1997 (Minnesota time) through April 22nd, 1998.
    assert (found.n_interactions, found.n_users, found.n_items, found.duplicates) == (100_000, 943, 1682, 0)
    assert found.users.quantiles["min"] == 20 and found.users.under_5 == 0
    assert found.first.date().isoformat() == "1997-09-20" and found.last.date().isoformat() == "1998-04-22"
    assert dict(found.ratings) == {"1": 6110, "2": 11370, "3": 27145, "4": 34174, "5": 21201}
    assert found.mean_rating == pytest.approx(3.52986, abs=1e-12)
    assert found.users_tied_at_the_end == 415
    assert problems(found) == {"ties in time at the end": 415}
