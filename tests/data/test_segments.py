"""Segments: labels by hand, ties, missing attributes, and that only the given rows count."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens.data import segments
from reclens.data.dataset import Dataset
from reclens.data.segments import bins, column, mainstreamness, product, quantiles, top_value
from reclens.errors import UnknownNameError, UsageError


def make(rows: list[tuple], *, users: dict | None = None, items: dict | None = None) -> Dataset:
    table = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    return Dataset(
        table,
        users=pl.DataFrame(users) if users else None,
        items=pl.DataFrame(items) if items else None,
    )


def found(table: pl.DataFrame) -> dict:
    assert table.columns == ["user_id", "label"] and isinstance(table.schema["label"], pl.Enum)
    assert table["user_id"].n_unique() == table.height
    return dict(table.iter_rows())


def shown(table: pl.DataFrame) -> list[str]:
    return table.schema["label"].categories.to_list()


PEOPLE = {"user_id": [1, 2, 3, 4, 5], "age": [24, 25, 44, 45, None], "score": [0.5, 2.5, 3.999, 4.0, float("nan")]}


# ---------------------------------------------------------------------------------------------------------------- bins


def test_bins_of_whole_numbers_put_an_edge_into_the_group_above() -> None:
    table = bins("age", [25, 45])(make([(1, 1)], users=PEOPLE))
    assert found(table) == {1: "<25", 2: "25-44", 3: "25-44", 4: "45+", 5: None}
    assert shown(table) == ["<25", "25-44", "45+"]


def test_bins_of_other_numbers_name_what_is_left_out() -> None:
    table = bins("score", [2.5, 4])(make([(1, 1)], users=PEOPLE))
    assert found(table) == {1: "<2.5", 2: "2.5 to <4", 3: "2.5 to <4", 4: "4+", 5: None}


def test_bins_names_of_narrow_and_of_own_labels() -> None:
    data = make([(1, 1)], users=PEOPLE)
    assert shown(bins("age", [24, 25, 45])(data)) == ["<24", "24", "25-44", "45+"]
    assert found(bins("age", [30], labels=["young", "old"])(data))[1] == "young"
    assert shown(bins("age", [1000000, 2500000])(data)) == ["<1000000", "1000000-2499999", "2500000+"]


def test_bins_of_activity_count_the_given_rows() -> None:
    data = make([(1, 1), (1, 2), (1, 3), (2, 1)])
    assert found(bins("n_interactions", [2])(data)) == {1: "2+", 2: "<2"}


@pytest.mark.parametrize("edges", [[], [3, 3], [5, 2], [1, float("inf")], [float("nan")]])
def test_edges_have_to_ascend(edges: list[float]) -> None:
    with pytest.raises(UsageError, match="expected numbers that ascend"):
        bins("age", edges)


# ----------------------------------------------------------------------------------------------------------- quantiles


def test_quantiles_make_equal_groups_where_values_differ() -> None:
    data = make([(user, item) for user in range(1, 7) for item in range(user)])
    table = quantiles("n_interactions", ["light", "medium", "heavy"])(data)
    assert found(table) == {1: "light", 2: "light", 3: "medium", 4: "medium", 5: "heavy", 6: "heavy"}
    assert shown(table) == ["light", "medium", "heavy"]


def test_where_edges_coincide_the_tie_goes_down_and_the_group_inside_it_is_empty() -> None:
    # Seven of nine users have one interaction: the third and the two-thirds edge are both 1.
    rows = [(user, 1) for user in range(7)] + [(user, item) for user in (7, 8) for item in range(2)]
    labels = found(quantiles("n_interactions", ["light", "medium", "heavy"])(make(rows)))
    assert [labels[user] for user in range(9)] == ["light"] * 7 + ["heavy"] * 2
    assert set(found(quantiles("n_interactions", ["a", "b"])(make([(1, 1), (2, 1)]))).values()) == {"a"}


@given(st.lists(st.integers(1, 6), min_size=1, max_size=40), st.integers(2, 5))
def test_quantiles_never_part_equal_values_and_keep_the_order(counts: list[int], n_groups: int) -> None:
    data = make([(user, item) for user, count in enumerate(counts) for item in range(count)])
    names = [f"g{at}" for at in range(n_groups)]
    labels = found(quantiles("n_interactions", names)(data))
    for user, count in enumerate(counts):
        smaller = sum(other < count for other in counts)
        assert labels[user] == names[n_groups * smaller // len(counts)]


def test_quantiles_of_an_attribute_count_the_users_with_interactions() -> None:
    users = {"user_id": [1, 2, 3, 4], "age": [20, 30, 99, None]}
    data = make([(1, 1), (2, 1), (4, 1)], users=users)
    assert found(quantiles("age", ["young", "old"])(data)) == {1: "young", 2: "old", 3: "old", 4: None}


@pytest.mark.parametrize("labels", [["one"], ["a", "a"], []])
def test_labels_have_to_be_two_different_names(labels: list[str]) -> None:
    for way in (lambda: quantiles("age", labels), lambda: mainstreamness(labels)):
        with pytest.raises(UsageError, match="expected two or more different names"):
            way()
    with pytest.raises(UsageError, match="there are 2 labels, expected 3"):
        bins("age", [1, 2], labels=["a", "b"])


# ----------------------------------------------------------------------------------------------------------- top_value

GENRES = {"item_id": [1, 2, 3, 4, 5], "genres": [["War", "Drama"], ["War"], ["Comedy", "Drama"], [], None]}


def test_top_value_weighs_an_item_by_its_number_of_values() -> None:
    # User 1: War 1/2 + 1, Drama 1/2. User 2: Comedy 1/2, Drama 1/2 + 1/2. Users 3 and 4 saw nothing with a genre.
    rows = [(1, 1), (1, 2), (2, 3), (2, 1), (3, 4), (4, 5)]
    table = top_value("genres")(make(rows, items=GENRES))
    assert found(table) == {1: "War", 2: "Drama", 3: None, 4: None}
    # Over all: War 1/2 + 1 + 1/2 = 2, Drama 1/2 + 1/2 + 1/2 = 1.5, Comedy 1/2.
    assert shown(table) == ["War", "Drama", "Comedy"]


def test_ties_of_top_value_go_to_the_more_frequent_and_then_to_the_alphabet() -> None:
    data = make([(1, 3), (2, 1), (3, 3)], items=GENRES)  # Comedy 1, Drama 1.5, War 0.5 over all
    assert found(top_value("genres")(data)) == {1: "Drama", 2: "Drama", 3: "Drama"}
    items = {"item_id": [1], "genres": [["B", "A"]]}
    assert found(top_value("genres")(make([(1, 1)], items=items))) == {1: "A"}


def test_thirds_are_not_decided_by_rounding() -> None:
    # Three thirds of A against one whole B: equal, and B is more frequent over all.
    items = {"item_id": [1, 2, 3, 4], "genres": [["A", "C", "D"], ["A", "E", "F"], ["A", "G", "H"], ["B"]]}
    data = make([(1, 1), (1, 2), (1, 3), (1, 4), (2, 4)], items=items)
    assert found(top_value("genres")(data))[1] == "B"


def test_top_value_of_a_single_valued_column_is_the_mode() -> None:
    items = {"item_id": [1, 2, 3], "shop": ["x", "y", "y"]}
    assert found(top_value("shop")(make([(1, 1), (1, 2), (1, 3), (2, 1)], items=items))) == {1: "y", 2: "x"}


# ------------------------------------------------------------------------------------------------------ mainstreamness


def test_mainstreamness_is_the_share_of_the_head() -> None:
    # Items 1 and 2 are the head (a fifth of ten); user a keeps to it, b half, c not at all.
    rows = [("a", 1), ("a", 2), ("b", 1), ("b", 3), ("c", 4), ("c", 5)]
    rows += [("d", item) for item in (1, 2, 6, 7, 8, 9, 10)]
    table = mainstreamness(labels=["no", "little", "some", "much"])(make(rows))
    assert found(table) == {"c": "no", "d": "little", "b": "some", "a": "much"}


def test_items_that_tie_with_the_last_of_the_head_belong_to_it() -> None:
    # Item 1 has two users and items 2, 3 and 4 have one each. A quarter of four items is item 1 alone: shares 1/2, 1/2
    # and 0. Half of them would be two, and the second ties with all that follow: everybody keeps wholly to the head.
    rows, names = [(1, 1), (2, 1), (1, 2), (2, 3), (3, 4)], ["low", "middle", "high"]
    assert found(mainstreamness(names, head_share=0.25)(make(rows))) == {1: "middle", 2: "middle", 3: "low"}
    assert found(mainstreamness(names, head_share=0.5)(make(rows))) == {1: "low", 2: "low", 3: "low"}


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_the_head_is_a_share(share: float) -> None:
    with pytest.raises(UsageError, match=f"head_share is {share}"):
        mainstreamness(head_share=share)


# -------------------------------------------------------------------------------------------------- column and product


def test_column_shows_numbers_in_their_order() -> None:
    users = {"user_id": [1, 2, 3], "n": [10, 9, None], "ok": [True, None, False], "name": ["b", "a", "b"]}
    data = make([(1, 1)], users=users)
    assert found(column("n")(data)) == {1: "10", 2: "9", 3: None} and shown(column("n")(data)) == ["9", "10"]
    assert shown(column("ok")(data)) == ["false", "true"] and shown(column("name")(data)) == ["a", "b"]
    kept = make([(1, 1)], users={"user_id": [1], "size": pl.Series(["s"], dtype=pl.Enum(["s", "m", "l"]))})
    assert shown(column("size")(kept)) == ["s", "m", "l"]
    with pytest.raises(UsageError, match=r"'tags' is List\(String\): users have one label each"):
        column("tags")(make([(1, 1)], users={"user_id": [1], "tags": [["x"]]}))


def test_product_has_every_pair_in_order() -> None:
    users = {"user_id": [1, 2, 3], "age": [20, 60, None], "sex": ["M", "F", "F"]}
    table = product(bins("age", [50]), "sex")(make([(1, 1)], users=users))
    assert found(table) == {1: "<50 × M", 2: "50+ × F", 3: None}
    assert shown(table) == ["<50 × F", "<50 × M", "50+ × F", "50+ × M"]
    assert found(product("sex", column("age"), sep=" {} ")(make([(1, 1)], users=users)))[1] == "M {} 20"
    own = product("sex", lambda data: data.users.select("user_id", pl.lit("x").alias("own")))
    assert found(own(make([(1, 1)], users=users)))[2] == "F × x"


def test_product_refuses_labels_that_cannot_be_told_apart() -> None:
    users = {"user_id": [1, 2], "a": ["x", "x-y"], "b": ["y-z", "z"]}
    with pytest.raises(UsageError, match="read alike when joined by '-'"):
        product("a", "b", sep="-")(make([(1, 1)], users=users))


# ------------------------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("segmenter", "says"),
    [
        (bins("aeg", [3]), "unknown user attribute 'aeg'. Did you mean 'age'?"),
        (quantiles("n_interaction", ["a", "b"]), "Did you mean 'n_interactions'?"),
        (column("scores"), "Did you mean 'score'?"),
        (top_value("genre"), "unknown item attribute 'genre'. Did you mean 'genres'?"),
        (product("age", "scroe"), "Did you mean 'score'?"),
    ],
)
def test_unknown_columns_get_a_suggestion(segmenter, says: str) -> None:
    data = make([(1, 1)], users=PEOPLE, items=GENRES)
    with pytest.raises(UnknownNameError) as error:
        segmenter(data)
    assert says in str(error.value)


def test_there_may_be_no_attributes_at_all() -> None:
    data = make([(1, 1)])
    with pytest.raises(UnknownNameError, match="Known: n_interactions"):
        bins("zzz", [1])(data)
    with pytest.raises(UnknownNameError, match="There are none"):
        top_value("genres")(data)


def test_text_cannot_be_cut() -> None:
    data = make([(1, 1)], users={"user_id": [1], "sex": ["F"]})
    for segmenter in (bins("sex", [1]), quantiles("sex", ["a", "b"])):
        with pytest.raises(UsageError, match=r"'sex' is String, expected numbers to cut\. .* rl\.segments\.column\."):
            segmenter(data)


def test_segments_are_named_and_users_who_cannot_be_placed_have_null(small_data: Dataset) -> None:
    data = small_data.with_segments(
        age=bins("age", [25, 45]),
        activity=quantiles("n_interactions", ["light", "medium", "heavy"]),
        taste=top_value("genres"),
        stream=mainstreamness(),
        both=product(bins("age", [25, 45]), column("gender")),
    )
    assert data.segments.columns == ["user_id", "age", "activity", "taste", "stream", "both"]
    assert data.segments.height == 200 and sum(data.segments.null_count().row(0)) == 0
    sizes = data.segments["activity"].value_counts()["count"]
    assert sizes.min() > 55 and sizes.max() < 80


def test_segments_come_from_the_given_rows_alone(small_data: Dataset) -> None:
    # The same training rows give the same groups, whatever the test rows were.
    from reclens.data.split import by_time

    train = by_time(small_data, test_share=0.5).train
    alone = Dataset(train.interactions, users=small_data.users, items=small_data.items)
    for segmenter in (quantiles("n_interactions", ["a", "b"]), top_value("genres"), mainstreamness()):
        assert segmenter(train).sort("user_id").equals(segmenter(alone).sort("user_id"))
        assert not segmenter(train).sort("user_id").equals(segmenter(small_data).sort("user_id"))


def test_the_room_is_reached_by_the_map() -> None:
    import reclens as rl

    assert rl.segments is segments
