"""The shipped SQL gives the same numbers as the Python path: to the last digit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from reclens.data import queries, segments
from reclens.data.dataset import Dataset
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.schema import TIMESTAMP_TYPE
from reclens.workspace import Workspace


@pytest.fixture(scope="module")
def data(small_data: Dataset) -> Dataset:
    """Ratings as weights too, and ids that sort as text."""
    return replace(small_data, interactions=small_data.interactions.with_columns(weight=pl.col("rating") / 4))


@pytest.fixture(params=["integers", "text"])
def any_ids(request, data: Dataset) -> Dataset:
    if request.param == "integers":
        return data
    cast = [pl.col("user_id").cast(pl.String), pl.col("item_id").cast(pl.String)]
    return replace(
        data,
        interactions=data.interactions.with_columns(cast),
        users=data.users.with_columns(cast[0]),
        items=data.items.with_columns(cast[1]),
    )


def labels_of(table: pl.DataFrame) -> dict:
    return dict(table.select("user_id", pl.col("label").cast(pl.String)).iter_rows())


# ----------------------------------------------------------------------------------------------------- the same numbers


def test_the_matrix_is_that_of_the_data_set(any_ids: Dataset) -> None:
    cells = queries.run("user_item_matrix", any_ids)
    ones, weights = any_ids.matrix(), any_ids.matrix(values="weight")
    codes = cells["user_code"].to_numpy()
    assert np.array_equal(np.searchsorted(codes, np.arange(ones.n_rows + 1)), ones.indptr)
    assert np.array_equal(cells["item_code"].to_numpy(), ones.indices)
    assert np.array_equal(cells["value"].to_numpy().astype(np.float32), weights.values)
    assert cells["user_id"].equals(any_ids.user_vocabulary.decode(codes).alias("user_id"))
    assert cells["item_id"].equals(any_ids.item_vocabulary.decode(cells["item_code"]).alias("item_id"))


def test_user_activity_is_a_group_by(any_ids: Dataset) -> None:
    expected = (
        any_ids.interactions.group_by("user_id")
        .agg(
            events=pl.len().cast(pl.Int64),
            items=pl.col("item_id").n_unique().cast(pl.Int64),
            active_days=pl.col("timestamp").dt.date().n_unique().cast(pl.Int64),
            first_at=pl.col("timestamp").min(),
            last_at=pl.col("timestamp").max(),
            mean_rating=pl.col("rating").mean(),
        )
        .sort("events", "user_id", descending=[True, False])
    )
    assert_frame_equal(queries.run("user_activity", any_ids), expected, check_exact=True)
    least = queries.run("user_activity", any_ids, at_least=40)
    assert_frame_equal(least, expected.filter(pl.col("events") >= 40), check_exact=True)


def test_item_popularity_is_a_group_by(any_ids: Dataset) -> None:
    found = queries.run("item_popularity", any_ids)
    counts = (
        any_ids.interactions.group_by("item_id")
        .agg(pl.len(), pl.col("user_id").n_unique().alias("users"), pl.col("rating").mean())
        .sort("len", "item_id", descending=[True, False])
    )
    n = any_ids.interactions.height
    assert found["item_id"].equals(counts["item_id"])
    assert (
        found["events"].to_list() == counts["len"].to_list() and found["users"].to_list() == counts["users"].to_list()
    )
    assert found["share"].to_list() == [count / n for count in counts["len"]]
    assert found["cumulative_share"].to_list() == [count / n for count in counts["len"].cum_sum()]
    assert found["mean_rating"].to_list() == counts["rating"].to_list()
    assert found["item_rank"].to_list() == list(range(1, counts.height + 1))
    assert queries.run("item_popularity", any_ids, at_least=30)["share"][0] == found["share"][0]


def test_co_occurrence_is_the_product_of_the_matrix_with_itself(any_ids: Dataset) -> None:
    matrix = any_ids.matrix()
    dense = np.zeros((matrix.n_rows, matrix.n_columns), np.int64)
    dense[np.repeat(np.arange(matrix.n_rows), np.diff(matrix.indptr)), matrix.indices] = 1
    shared, users = dense.T @ dense, dense.sum(axis=0)
    found = queries.run("co_occurrence", any_ids, at_least=1)
    a = any_ids.item_vocabulary.encode(found["item_a"])
    b = any_ids.item_vocabulary.encode(found["item_b"])
    assert (a < b).all() and found.height == np.count_nonzero(np.triu(shared, 1))
    together = shared[a, b]
    assert np.array_equal(found["users"].to_numpy(), together)
    assert np.array_equal(found["jaccard"].to_numpy(), together / (users[a] + users[b] - together))
    assert np.array_equal(found["lift"].to_numpy(), together * matrix.n_rows / (users[a] * users[b]))
    assert found["users"].is_sorted(descending=True)
    assert queries.run("co_occurrence", any_ids, at_least=20).height == np.count_nonzero(np.triu(shared, 1) >= 20)


def test_co_occurrence_leaves_very_active_users_out_of_every_count() -> None:
    events = pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 3, 3, 3], "item_id": [1, 2, 1, 2, 1, 2, 3, 3]})
    # User 3 has three items. Without her items 1 and 2 have the same two users: Jaccard 1, and lift 2 · 2 / (2 · 2).
    assert queries.run("co_occurrence", events, max_items=2).rows() == [(1, 2, 2, 1.0, 1.0)]
    # Item 3 has one user, twice: she counts once.
    rows = queries.run("co_occurrence", events, at_least=1).rows()
    assert rows == [(1, 2, 3, 1.0, 1.0), (1, 3, 1, 1 / 3, 1.0), (2, 3, 1, 1 / 3, 1.0)]


def test_segment_tables_are_the_segments(any_ids: Dataset) -> None:
    names = ["rare", "now and then", "often", "all the time"]
    same = [
        (queries.run("segment_activity", any_ids), segments.quantiles("n_interactions", ["light", "medium", "heavy"])),
        (queries.run("segment_activity", any_ids, labels=names), segments.quantiles("n_interactions", names)),
        (queries.run("segment_favourite", any_ids), segments.top_value("genres")),
        (queries.run("segment_favourite", any_ids, column="year"), segments.top_value("year")),
        (queries.run("segment_mainstreamness", any_ids), segments.mainstreamness()),
        (
            queries.run("segment_mainstreamness", any_ids, labels=names, head_share=0.05),
            segments.mainstreamness(names, head_share=0.05),
        ),
    ]
    for table, segmenter in same:
        assert table.height == 200 and labels_of(table) == labels_of(segmenter(any_ids))


logs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=40)


@settings(max_examples=25)
@given(logs, st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75]))
def test_segment_tables_are_the_segments_on_any_log(rows: list[tuple[int, int]], head_share: float) -> None:
    table = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    genres = [["A"], ["B"], ["A", "B"], ["A", "B", "C"], [], None, ["C", None, "C"]]
    data = Dataset(table, items=pl.DataFrame({"item_id": range(7), "genres": genres}))
    names = ["low", "middle", "high"]
    assert labels_of(queries.run("segment_activity", data, labels=names)) == labels_of(
        segments.quantiles("n_interactions", names)(data)
    )
    assert labels_of(queries.run("segment_mainstreamness", data, labels=names, head_share=head_share)) == labels_of(
        segments.mainstreamness(names, head_share=head_share)(data)
    )
    favourite = labels_of(segments.top_value("genres")(data))
    assert labels_of(queries.run("segment_favourite", data)) == {u: v for u, v in favourite.items() if v is not None}


def test_a_real_log_gives_the_known_counts(shared_data) -> None:
    import zipfile

    with zipfile.ZipFile(shared_data / "movielens" / "ml-100k.zip") as archive:
        text = archive.read("ml-100k/u.data")
    columns = ["user_id", "item_id", "rating", "seconds"]
    events = pl.read_csv(text, separator="\t", has_header=False, new_columns=columns)
    popular = queries.run("item_popularity", events)
    assert popular.height == 1682 and popular.row(0)[:3] == (50, 583, 583)  # Star Wars (1977)
    assert queries.run("user_activity", events).row(0)[:2] == (405, 737)


# ----------------------------------------------------------------------------------------------------------- event logs


def test_a_log_with_repeats_becomes_one_row_a_pair() -> None:
    day = [datetime(2024, 1, at, tzinfo=UTC) for at in (1, 2, 3)]
    events = pl.DataFrame(
        {
            "user_id": ["u", "u", "u", "u", "v", "w", "w"],
            "item_id": ["i", "i", "i", "j", "i", "i", "i"],
            "timestamp": [day[1], day[0], day[2], day[1], None, day[0], day[0]],
            "rating": [3.0, 5.0, None, None, 2.0, 4.0, 1.0],
            "weight": [0.5, 0.25, None, 2.0, 1.0, 1.0, 1.0],
        },
        schema_overrides={"timestamp": TIMESTAMP_TYPE},
    )
    found = queries.run("interactions", events)
    assert found.columns == ["user_id", "item_id", "events", "weight", "rating", "first_at", "last_at"]
    assert found.rows() == [
        ("u", "i", 3, 1.75, 3.0, day[0], day[2]),  # the event of day 3 has no rating: that of day 2 counts
        ("u", "j", 1, 2.0, None, day[1], day[1]),
        ("v", "i", 1, 1.0, 2.0, None, None),
        ("w", "i", 2, 2.0, 4.0, day[0], day[0]),  # at one moment the higher one
    ]
    assert found.schema["last_at"] == TIMESTAMP_TYPE
    assert queries.run("user_item_matrix", events)["value"].to_list() == [1.75, 2.0, 1.0, 2.0]


def test_columns_that_are_absent_are_null() -> None:
    events = pl.DataFrame({"user_id": [1], "item_id": [2], "colour": ["red"]})
    assert queries.run("user_activity", events).row(0) == (1, 1, 1, 0, None, None, None)
    assert queries.run("interactions", events).row(0) == (1, 2, 1, 1.0, None, None, None)


def test_days_are_those_of_utc() -> None:
    # 23:30 and 00:30 UTC are one day in New York and two in UTC.
    times = pl.Series([datetime(2024, 5, 1, 23, 30, tzinfo=UTC), datetime(2024, 5, 2, 0, 30, tzinfo=UTC)])
    events = pl.DataFrame(
        {"user_id": [1, 1], "item_id": [1, 2], "timestamp": times.dt.convert_time_zone("America/New_York")}
    )
    found = queries.run("user_activity", events)
    assert found["active_days"][0] == 2 and found["first_at"][0] == times[0]
    before_1970 = events.with_columns(
        timestamp=pl.Series([datetime(1969, 12, 31, 23, 30), datetime(1970, 1, 1, 0, 30)])
    )
    assert queries.run("user_activity", before_1970)["active_days"][0] == 2


def test_threads_change_no_count(data: Dataset) -> None:
    for name in ("co_occurrence", "user_activity", "item_popularity", "segment_mainstreamness"):
        assert queries.run(name, data, threads=2).equals(queries.run(name, data))


# ------------------------------------------------------------------------------------------------ the queries as things


def test_each_query_says_what_it_is_for() -> None:
    found = queries.names()
    assert list(found) == [
        "co_occurrence",
        "interactions",
        "item_popularity",
        "segment_activity",
        "segment_favourite",
        "segment_mainstreamness",
        "user_activity",
        "user_item_matrix",
    ]
    for name, what in found.items():
        sql = queries.text(name)
        assert sql.startswith(f"-- {what}\n--\n") and what.endswith(".") and len(what) > 30
        assert "-- Reads       " in sql and "-- Gives       " in sql and "-- Same as     " in sql
        assert max(map(len, sql.splitlines())) <= 120


@pytest.mark.parametrize("name", list(queries.names()))
def test_each_query_gives_the_columns_it_says(name: str, data: Dataset) -> None:
    said = next(line for line in queries.text(name).splitlines() if line.startswith("-- Gives "))
    assert queries.run(name, data).columns == said.removeprefix("-- Gives       ").split(", ")


def test_parameters_have_the_defaults_of_the_comments() -> None:
    assert queries.parameters("segment_activity") == {"labels": ["light", "medium", "heavy"]}
    assert queries.parameters("segment_mainstreamness") == {
        "labels": ["niche", "balanced", "mainstream"],
        "head_share": 0.2,
    }
    assert queries.parameters("segment_favourite") == {"column": "genres"}
    assert queries.parameters("interactions") == {}


def test_unknown_names_get_a_suggestion(data: Dataset) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown query 'user_activty'\. Did you mean 'user_activity'\?"):
        queries.run("user_activty", data)
    with pytest.raises(
        UnknownNameError, match=r"parameter of the query co_occurrence 'atleast'\. Did you mean 'at_least'\?"
    ):
        queries.run("co_occurrence", data, atleast=3)
    with pytest.raises(
        UnknownNameError, match=r"item attribute for the query segment_favourite 'genre'\. Did you mean"
    ):
        queries.run("segment_favourite", data, column="genre")
    with pytest.raises(UnknownNameError, match=r"'genres'\. There are none"):
        queries.run("segment_favourite", data.interactions)
    with pytest.raises(UnknownNameError, match="unknown query"):
        queries.text("../dataset")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("co_occurrence", {"at_least": "1; DROP TABLE events"}),
        ("co_occurrence", {"at_least": 2.5}),
        ("co_occurrence", {"at_least": True}),
        ("segment_activity", {"labels": "light"}),
        ("segment_activity", {"labels": []}),
        ("segment_activity", {"labels": [1, 2]}),
    ],
)
def test_parameters_of_another_kind_are_refused(name: str, values: dict, data: Dataset) -> None:
    with pytest.raises(UsageError, match="expected"):
        queries.run(name, data, **values)


def test_parameters_are_bound_and_never_pasted(data: Dataset) -> None:
    odd = ["'); DROP TABLE events; --", '"', "<script>"]
    assert set(queries.run("segment_activity", data, labels=odd)["label"]) == set(odd)


def test_events_need_ids_and_times_that_are_times() -> None:
    with pytest.raises(DataError, match=r"there is no column 'item_id'\. The columns are user_id, movie"):
        queries.run("user_activity", pl.DataFrame({"user_id": [1], "movie": [2]}))
    with pytest.raises(DataError, match="column 'timestamp': times are Int64, expected Datetime"):
        queries.run("user_activity", pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [3]}))


def test_neither_pyarrow_nor_pandas_is_used_and_nothing_is_said() -> None:
    code = (
        "import sys\n"
        "sys.modules['pyarrow'] = sys.modules['pandas'] = None  # as if they were not installed\n"
        "import polars as pl\n"
        "from reclens.data import queries\n"
        "events = pl.DataFrame({'user_id': [1, 2], 'item_id': [1, 1]})\n"
        "print(queries.run('user_item_matrix', events).height)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "2", "")


@pytest.mark.parametrize("name", list(queries.names()))
def test_a_query_written_for_a_workspace_gives_the_same(name: str, small_data, tmp_path) -> None:
    workspace = Workspace(tmp_path)
    workspace.save(small_data, "mine")
    tables = workspace.tables()
    written = queries.written_for(
        name,
        "dataset_mine_interactions",
        columns=tables["dataset_mine_interactions"],
        items="dataset_mine_items",
        item_columns=tables["dataset_mine_items"],
    )
    assert not [line for line in written.splitlines() if "$" in line and not line.startswith("--")]
    expected = queries.run(name, small_data)
    found = workspace.sql(written).with_columns(pl.selectors.datetime().dt.replace_time_zone("UTC"))
    assert found.columns == expected.columns and found.height == expected.height > 0
    for column in expected.columns:
        if expected[column].dtype.is_float():
            assert found[column].to_list() == pytest.approx(expected[column].to_list(), nan_ok=True)
        else:
            assert found[column].to_list() == expected[column].to_list(), column


def test_a_query_of_attributes_needs_them() -> None:
    with pytest.raises(UnknownNameError, match="segment_favourite"):
        queries.written_for("segment_favourite", "log", columns=["user_id", "item_id"])
