"""Content: against scikit-learn's tf-idf, by hand, and on real catalogues."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens import models
from reclens.data.dataset import Dataset
from reclens.data.filters import min_rating
from reclens.data.read.movielens import read_movielens
from reclens.data.split import random
from reclens.errors import DataError, UnknownNameError, UsageError
from reclens.evaluation import evaluate
from reclens.models._content.words import words_of
from reclens.testing.models import check_model, model_data

STORED = Path(__file__).parents[1] / "reference" / "stored" / "tfidf.json"
TEXTS = [
    'A little boy named Andy loves to be in his room, playing with his toys, especially his doll named "Woody".',
    "After being trapped in a jungle board game for 26 years, a Man-Child wins his release from the game.",
    "Le fabuleux destin d'Amélie Poulain: une jeune femme décide de changer la vie des autres.",
    "Москва слезам не верит: три подруги, три судьбы, одна Москва.",
    "Space, space and space again! Two robots fly through space, and a boy loves the toys of space.",
    "The game the boy plays in the jungle is the game of his life; it's 2001: a space_odyssey.",
    "",
    "!!! a b c ...",
]


def catalogue(items: dict[str, list], *, seen: list[tuple], schema: list[str] | None = None) -> Dataset:
    """A data set of given interactions whose items are numbered from 0."""
    size = len(next(iter(items.values())))
    table = pl.DataFrame({"item_id": list(range(size)), **items}, strict=False)
    return Dataset(pl.DataFrame(seen, schema or ["user_id", "item_id"], orient="row"), users=None, items=table)


def vectors(model: models.Content) -> list[dict[str, float]]:
    """The vector of each item, without the names of the columns."""
    near = model.vectors_
    names = [name.partition(": ")[2] for name in model.feature_names_]
    return [
        {names[near.indices[at]]: float(near.values[at]) for at in range(a, b)}
        for a, b in zip(near.indptr, near.indptr[1:], strict=False)
    ]


@pytest.mark.parametrize("min_items", [1, 2])
@pytest.mark.parametrize("sublinear", [False, True])
def test_tf_idf_is_that_of_scikit_learn(sublinear: bool, min_items: int) -> None:
    # Stored: scripts/make_tfidf_values.py made them where scikit-learn is; tfidf.json has the versions.
    data = catalogue({"plot": TEXTS}, seen=[(1, 0)])
    model = models.Content(features={"plot": "text"}, sublinear=sublinear, min_items=min_items).fit(data)
    expected = json.loads(STORED.read_text(encoding="utf-8"))["values"][f"sublinear={sublinear}, min_items={min_items}"]
    got = vectors(model)
    assert [sorted(row) for row in got] == [sorted(row) for row in expected]
    for ours, theirs in zip(got, expected, strict=True):
        for word, value in theirs.items():
            assert ours[word] == pytest.approx(value, abs=1e-6), word


def test_words() -> None:
    texts = pl.Series(["Don't—PANIC 42", "ＡＢ１ ﬁn", "हिन्दी", "a б 1", None, "X" * 3 + "_y"])
    assert words_of(texts).to_list() == [["don", "panic", "42"], ["ab1", "fin"], ["हिन्दी"], [], [], ["xxx_y"]]


def small() -> Dataset:
    """Five films; the user has the first, item 4 has no interaction at all."""
    return catalogue(
        {"genres": [["Comedy"], ["Comedy", "War"], ["War"], None, ["Comedy"]], "studio": ["A", "B", "A", "B", None]},
        seen=[(1, 0), (2, 1), (2, 2), (3, 3)],
    )


def test_scores_by_hand() -> None:
    model = models.Content(features={"genres": "list", "studio": "category"}, min_items=1).fit(small())
    # Three of five items have Comedy, and two each of War, A and B.
    comedy, war = np.log(6 / 4) + 1, np.log(6 / 3) + 1
    both = np.hypot(comedy, war)
    half = np.sqrt(0.5)  # each of the two columns has this length
    first = {"Comedy": half, "A": half}
    others = {
        1: {"Comedy": half * comedy / both, "War": half * war / both, "B": half},
        2: {"War": half, "A": half},
        3: {"B": half},
        4: {"Comedy": half},
    }
    expected = {item: sum(first.get(name, 0) * value for name, value in row.items()) for item, row in others.items()}
    table = model.recommend([1], k=5).table
    got = dict(table.select("item_id", "score").iter_rows())
    assert got == pytest.approx({item: value for item, value in expected.items() if value > 0})
    assert table["item_id"].to_list() == [2, 4, 1], "4 has no interaction; 3 has nothing in common and is left out"
    why = model.explain(1, 1)
    assert why.kind == "feature" and why.reasons == (("genres: Comedy", pytest.approx(0.5 * comedy / both)),)
    assert models.Content().fit(small()).similar_items(0, k=2)["item_id"].to_list() == [2, 4]
    with pytest.raises(UnknownNameError, match="unknown item '9'"):
        model.similar_items(9)


def test_weights_make_a_mean_of_the_columns_cosines() -> None:
    data = small()
    model = models.Content(features=["genres", "studio"], weights={"genres": 3.0}, min_items=1).fit(data)
    got = dict(model.recommend([1], k=5).table.select("item_id", "score").iter_rows())
    assert got[2] == pytest.approx(1 / 4), "the studio is the same, and counts 1 of 4"


def test_likes_and_dislikes() -> None:
    data = catalogue(
        {"genre": ["x", "y", "x", "y", "x", "y"]},
        schema=["user_id", "item_id", "rating"],
        seen=[(1, 0, 5.0), (1, 1, 1.0), (2, 0, 3.0), (2, 1, 3.0), (3, 4, 1.0), (3, 5, 2.0)],
    )
    model = models.Content(features={"genre": "category"}, profile="rating").fit(data)
    got = {user: rows["item_id"].to_list() for (user,), rows in model.recommend([1, 2]).table.group_by("user_id")}
    assert got == {1: [2, 4], 2: [2, 3, 4, 5]}, "user 1 dislikes y; user 2 likes both alike"
    with pytest.raises(UsageError, match='Use profile="mean"'):
        models.Content(profile="rating").fit(small())


def test_what_was_done_long_ago_counts_less() -> None:
    now = datetime(2024, 1, 31, tzinfo=UTC)
    data = catalogue(
        {"genre": ["x", "y", "x", "y"]},
        schema=["user_id", "item_id", "timestamp"],
        seen=[(1, 0, now), (1, 1, now - timedelta(days=60)), (2, 2, now)],
    )
    model = models.Content(features={"genre": "category"}, half_life=30).fit(data)
    scores = model.recommend([1]).table["score"].to_list()
    np.testing.assert_allclose(scores, np.array([1, 1 / 4]) / np.hypot(1, 1 / 4), rtol=1e-6)
    with pytest.raises(UsageError, match="Use half_life=0"):
        models.Content(half_life=1).fit(small())


@pytest.mark.parametrize("dtype", [pl.List(pl.Float32), pl.Array(pl.Float64, 3)])
def test_vectors_that_were_given(dtype: pl.DataType, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    given_vectors = rng.normal(size=(6, 3))
    column = pl.Series("embedding", [*given_vectors.tolist(), None], dtype)
    table = pl.DataFrame({"item_id": range(7), "embedding": column})
    data = Dataset(pl.DataFrame({"user_id": [1, 1], "item_id": [0, 1]}), users=None, items=table)
    model = models.Content(features={"embedding": "vector"}).fit(data)
    unit = given_vectors / np.linalg.norm(given_vectors, axis=1, keepdims=True)
    profile = unit[:2].sum(axis=0)
    expected = unit @ profile / np.linalg.norm(profile)
    model.save(tmp_path)
    for each in (model, models.Content.load(tmp_path)):
        scored = each.score(pl.DataFrame({"user_id": [1] * 7, "item_id": range(7)}))["score"]
        np.testing.assert_allclose(scored[:6], expected, rtol=1e-5)
        assert scored[6] == 0
        parts = dict(each.explain(1, 3).reasons)
        assert parts["embedding: 2"] == pytest.approx(unit[3, 2] * profile[2] / np.linalg.norm(profile), rel=1e-5)


def test_numbers_are_cut_into_ranges_of_equally_many_items() -> None:
    days = [date(2024, 1, 1 + at) for at in range(7)]
    data = catalogue({"year": [1990, 1991, 1992, 2001, 2002, 2003, None], "day": days}, seen=[(1, 0)])
    model = models.Content(features=["year", "day"], bins=2).fit(data)
    assert model.feature_names_ == [
        "year: 1990 to 1992",
        "year: 2001 to 2003",
        "day: 2024-01-01 to 2024-01-04",
        "day: 2024-01-05 to 2024-01-07",
    ]


def test_stop_words_and_kinds() -> None:
    items = {
        "title": ["The Ring of Fire", "The Fire", "A Ring"],
        "genre": ["x", "x", "x"],
        "parent_id": [1, 1, 1],
        "size": [1.5, 2.5, None],
    }
    data = catalogue(items, seen=[(1, 0)])
    model = models.Content(stop_words="english", min_items=1, bins=1).fit(data)
    assert model.feature_names_ == ["title: fire", "title: ring", "genre: x", "size: 1.5 to 2.5"]
    assert model.train_["features"]["kinds"] == {"title": "text", "genre": "category", "size": "number"}
    model = models.Content(features=["title"], stop_words=["RING"], min_items=1).fit(data)
    assert model.feature_names_ == ["title: fire", "title: of", "title: the"]


def test_items_without_attributes_are_counted() -> None:
    data = small()
    data = replace(data, items=data.items.filter(pl.col("item_id") > 0))
    lists = models.Content(features=["genres"]).fit(data).recommend(k=5, cold_users="none")
    rules = {rule["code"]: rule["count"] for rule in lists.card["rules"]}
    assert rules["items_not_in_table"] == 1 and rules["items_without_feature"] == 2
    assert set(lists.table["user_id"]) == {2}, "users 1 and 3 have only items without a feature"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"features": ["genre"]}, "unknown item attribute 'genre'. Did you mean 'genres'"),
        ({"features": {"genres": "lists"}}, "Did you mean 'list'"),
        ({"features": {"genres": "text"}}, "not a 'text': expected list"),
        ({"features": {"year": "vector"}}, "expected number or category"),
        ({"features": "genres"}, "expected a list of columns"),
        ({"features": []}, "features is empty"),
        ({"weights": {"genre": 2.0}}, "Did you mean 'genres'"),
        ({"weights": {"genres": 0.0}}, "the weight of 'genres' is 0"),
        ({"bins": 0}, "bins is 0"),
        ({"min_items": 0}, "min_items is 0"),
        ({"profile": "ratings"}, "Did you mean 'rating'"),
        ({"half_life": -1.0}, "half_life is -1"),
        ({"stop_words": "german"}, "stop_words is 'german'"),
        ({"features": ["title"], "min_items": 1000}, "fewer than 1000 items"),
    ],
)
def test_wrong_hyper_parameters_are_explained(options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        models.Content(**options).fit(model_data())


def test_data_that_cannot_be_used_is_explained() -> None:
    with pytest.raises(UsageError, match="content needs attributes of the items"):
        models.Content().fit(replace(model_data(), items=None))
    with pytest.raises(DataError, match="expected one length"):
        models.Content().fit(catalogue({"embedding": [[1.0, 2.0], [1.0]]}, seen=[(1, 0)]))
    with pytest.raises(DataError, match="no finite number"):
        models.Content().fit(catalogue({"embedding": [[1.0, float("nan")], None]}, seen=[(1, 0)]))


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "rating"},
        {"half_life": 30.0},
        {"features": ["genres"]},
        {"stop_words": ["movie"], "bins": 3},
        {"features": {"title": "text", "year": "number"}, "weights": {"year": 2.0}},
    ],
)
def test_the_contract_of_every_kind(options: dict, tmp_path: Path) -> None:
    check_model(models.build("content", options), tmp_path)


texts = st.lists(st.sampled_from(["space", "war", "love", "Räuber", "42", "a", "--"]), max_size=6).map(" ".join)
tags = st.lists(st.sampled_from("xyz"), max_size=3)
rows = st.lists(st.tuples(texts, tags, st.none() | st.integers(-3, 3)), min_size=2, max_size=8)
schema = {"text": pl.String, "tags": pl.List(pl.String), "size": pl.Int64}


@given(rows, st.booleans())
def test_each_column_is_a_third_of_a_vector_and_scores_stay_below_one(rows: list, sublinear: bool) -> None:
    table = pl.DataFrame(rows, schema, orient="row").with_row_index("item_id")
    data = Dataset(pl.DataFrame({"user_id": [1, 1], "item_id": [0, 1]}), users=None, items=table)
    kinds = {"text": "text", "tags": "list", "size": "number"}
    try:
        model = models.Content(features=kinds, sublinear=sublinear, min_items=1).fit(data)
    except UsageError:  # nothing but missing values
        assert not any(words_of(table["text"]).list.len()) and not any(table["tags"].list.len())
        return
    lengths = [sum(value**2 for value in row.values()) for row in vectors(model)]
    filled = zip(
        words_of(table["text"]).list.len() > 0, table["tags"].list.len() > 0, table["size"].is_not_null(), strict=True
    )
    assert lengths == pytest.approx([sum(columns) / 3 for columns in filled], abs=1e-5)
    scores = model.recommend(k=10, exclude_seen=False).table["score"]
    assert scores.len() == 0 or scores.max() <= 1 + 1e-5


def test_ml_100k(shared_data: Path) -> None:
    archive = shared_data / "movielens" / "ml-100k.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} in {archive.parent}")
    data = read_movielens(archive)
    model = models.Content(features={"genres": "list"}).fit(data)
    # Cosines of genres by plain NumPy.
    listed = data.items.sort("item_id")["genres"].to_list()
    names = sorted({genre for genres in listed for genre in genres})
    flags = np.array([[name in genres for name in names] for genres in listed], float)
    flags *= np.log((1 + len(flags)) / (1 + flags.sum(axis=0))) + 1
    unit = flags / np.maximum(np.linalg.norm(flags, axis=1, keepdims=True), 1e-12)
    ids = data.items["item_id"].sort().to_numpy()
    for user in (1, 100, 943):
        own = data.interactions.filter(pl.col("user_id") == user)["item_id"]
        profile = unit[np.searchsorted(ids, own)].sum(axis=0)
        expected = unit @ profile / np.linalg.norm(profile)
        scored = model.score(pl.DataFrame({"user_id": [user] * len(ids), "item_id": ids}))
        np.testing.assert_allclose(scored["score"], expected, atol=1e-5)


def test_plots_of_films(shared_data: Path) -> None:
    file = shared_data / "catalog" / "ml-1m_plots.csv.gz"
    if not file.exists():
        pytest.skip(f"needs {file.name} in {file.parent}")
    table = pl.read_csv(file).rename({"movieId": "item_id"})
    seen = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [260, 1196, 1]})  # two films of Star Wars; Toy Story
    model = models.Content(features={"plot": "text"}, stop_words="english").fit(Dataset(seen, users=None, items=table))
    assert len(model.feature_names_) > 5_000 and model.vectors_.n_rows == table.height
    titles = dict(table.select("item_id", "title").iter_rows())
    lists = model.recommend(k=10).table
    best = [titles[item] for item in lists.filter(pl.col("user_id") == 1)["item_id"]]
    assert "Star Wars: Episode VI - Return of the Jedi" in best[:3]
    assert titles[lists.filter(pl.col("user_id") == 2)["item_id"][0]] == "Toy Story 2"


def test_cast_and_genres_say_much_more_than_chance(shared_data: Path) -> None:
    archive, plots = shared_data / "movielens" / "ml-1m.zip", shared_data / "catalog" / "ml-1m_plots.csv.gz"
    for file in (archive, plots):
        if not file.exists():
            pytest.skip(f"needs {file.name} in {file.parent}")
    cast = pl.read_csv(plots).select(pl.col("movieId").alias("item_id"), pl.col("director", "actors").str.split(", "))
    data = min_rating(read_movielens(archive), 4)
    split = random(replace(data, items=data.items.join(cast, on="item_id", how="left")), test_share=0.1, rng=1)
    values = {}
    for model in (models.Content(features=["genres", "director", "actors"]), models.Random()):
        lists = model.fit(split.train).recommend(split.test_users, k=10)
        result = evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"], replicates=0)
        values[model.name] = result["ndcg@10"].overall.value
    assert values["content"] > 5 * values["random"], values
