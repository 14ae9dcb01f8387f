"""Knowledge: requirements, relaxations and critiques on small catalogues by hand, by brute force, and on real ones."""

from __future__ import annotations

import itertools
import operator as python_operator
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclens import models
from reclens.data.dataset import Dataset
from reclens.data.read.movielens import read_movielens
from reclens.errors import UnknownNameError, UsageError
from reclens.models._knowledge.relaxing import minimal_conflicts, minimal_relaxations
from reclens.models._knowledge.requirements import OPERATORS, Requirement, parse_requirement
from reclens.report import explanation_text
from reclens.report.data.words import rule_line
from reclens.testing.models import check_model, model_data

Shop = Callable[..., models.Knowledge]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("tags includes Camping", "abc"),
        ("tags includes any of [warm, cooking]", "cd"),
        ("tags includes all of [camping, light]", "a"),
        ("tags excludes camping", "de"),
        ("tags excludes [light, 'warm']", "bde"),
        ("price <= 60", "bce"),
        ("price < 60.0", "ce"),
        ("price ≥ 80", "af"),
        ("price > 80", "a"),
        ("price between 40 and 80", "bcf"),
        ("price in [20, 100]", "ae"),
        ("price not in [20, 100]", "bcf"),
        ("price = 40", "c"),
        ("price != 40", "abef"),
        ("brand = nord", "ab"),
        ("brand is not Nord", "cdf"),
        ("brand in [Nord, Ost]", "abf"),
        ("brand not in [Nord, Ost]", "cd"),
        ("title contains TENT", "abf"),
        ("title does not contain tent", "cd"),
        ("since >= 2024-03-01", "def"),
        ("since = 2024-02-01", "b"),
        ("stock = true", "adf"),
        ("stock != yes", "be"),
        ("price is missing", "d"),
        ("tags is known", "abcde"),
    ],
)
def test_what_meets_a_requirement(shop: Shop, text: str, fits: str) -> None:
    model = shop(require=[text])
    assert sorted(model.best()["item_id"]) == list(fits)
    assert not set(model.recommend([1]).table["item_id"]) & {"a", "b"}, "what the user has is left out"


def test_wishes_and_popularity_make_the_score(shop: Shop) -> None:
    prefer = {"price low": 3.0, "year near 2021": 1.0, "brand = Sud": 1.0}
    model = shop(require=["tags includes camping"], prefer=prefer, popularity=0.1)
    # Prices run from 20 to 100, years from 2019 to 2022; two users have a, and one has b.
    utilities = {"a": 3 * 0 + (1 - 2 / 2) + 0, "b": 3 * 40 / 80 + 1 + 0, "c": 3 * 60 / 80 + (1 - 1 / 2) + 1}
    popularity = {"a": 1.0, "b": 0.5, "c": 0.0}
    expected = {item: 1 + utilities[item] / 5 + 0.1 * popularity[item] for item in "abc"}
    best = model.best()
    assert best["item_id"].to_list() == ["c", "b", "a"] and best["rank"].to_list() == [1, 2, 3]
    assert dict(best.select("item_id", "score").iter_rows()) == pytest.approx(expected)
    why = model.explain("anybody", "b", n=9)
    assert dict(why.reasons) == pytest.approx(
        {
            "tags includes camping": 1.0,
            "the wish price low": 0.3,
            "the wish year near 2021": 0.2,
            "popularity (1 users)": 0.05,
        }
    )
    assert explanation_text(why).startswith("Beta tent meets tags includes camping (1), the wish price low (0.3)")
    against = shop(require=["tags includes camping", "price <= 60", "brand = Nord"]).explain(1, "a")
    assert dict(against.reasons) == pytest.approx(
        {"tags includes camping": 1 / 3, "brand = Nord": 1 / 3, "not: price <= 60": -2 / 3}
    )
    assert against.score == pytest.approx(0)


def test_without_requirements_the_popular_come_first(shop: Shop) -> None:
    assert shop().best()["item_id"].to_list() == ["a", "b", "c", "d", "e", "f"]
    assert shop().best(user=1, k=2)["item_id"].to_list() == ["c", "d"]
    assert dict(shop().explain(None, "c").reasons) == {"nothing is required": 1.0}


def test_relaxations_by_hand(shop: Shop) -> None:
    require = ["tags includes camping", "price <= 30", "brand = Sud", "stock = true"]
    model = shop(require=require)
    found = model.relaxations()
    # Failed: a {price, brand}, b {price, brand, stock}, c {price, stock}, d {tags, price}, e {tags, brand, stock},
    # f {tags, price, brand}.
    assert found.n_fit == 0 and found.requirements == tuple(require)
    assert [(each.dropped, each.n_items, each.items) for each in found.alternatives] == [
        (("price <= 30", "stock = true"), 1, ("c",)),
        (("price <= 30", "brand = Sud"), 1, ("a",)),
        (("tags includes camping", "price <= 30"), 1, ("d",)),
        (("tags includes camping", "brand = Sud", "stock = true"), 1, ("e",)),
    ]
    assert found.conflicts == (
        ("tags includes camping", "price <= 30"),
        ("price <= 30", "brand = Sud"),
        ("price <= 30", "stock = true"),
        ("tags includes camping", "brand = Sud", "stock = true"),
    )
    lists = model.recommend([2], k=3)
    assert lists.table["item_id"].to_list() == ["c"]
    rules = {rule["code"]: rule["facts"] for rule in lists.card["rules"]}
    assert rules["requirements_dropped"]["requirements"] == ["price <= 30", "stock = true"]
    assert dict(model.explain(2, "c").reasons) == {"tags includes camping": 0.5, "brand = Sud": 0.5}
    nothing = shop(require=require, when_nothing_fits="nothing").recommend([2])
    assert not len(nothing) and "users_without_match" in {rule["code"] for rule in nothing.card["rules"]}


def test_the_nearest_value_instead(shop: Shop) -> None:
    (only,) = shop(require=["brand = Nord", "price < 50"]).relaxations().alternatives[:1]
    assert only.dropped == ("price < 50",) and only.n_items == 2 and only.instead == "price <= 60"
    newest = shop(require=["title contains tent", "year > 2021"]).relaxations().alternatives[0]
    assert newest.instead == "year >= 2021" and newest.items == ("a", "b", "f")
    assert shop(require=["brand = Nord"]).relaxations(user=1).alternatives[0].n_items == 4, "she has both tents of Nord"
    assert shop(require=["brand = Nord"]).relaxations().alternatives == ()


def test_the_card_tells_of_users_and_of_values_that_are_not_there(shop: Shop) -> None:
    rules = {rule["code"]: rule for rule in shop(require=["brand = Nord"]).recommend().card["rules"]}
    assert rules["users_with_all_matches"]["count"] == 1
    model = shop(require=["brand = Nrd"])
    dropped, unmet = model.notes()
    assert (dropped["code"], dropped["facts"]) == ("requirements_dropped", {"requirements": ["brand = Nrd"]})
    assert unmet["facts"] == {"requirements": ["brand = Nrd"], "nearest": ["Nord"]}
    assert rule_line(unmet) == "requirements that no item meets: 1 (brand = Nrd (did you mean 'Nord'?))"


@pytest.mark.parametrize(
    ("require", "says"),
    [
        ("tag includes x", "Did you mean 'tags'"),
        ("tags include x", "unknown operator 'include'. Did you mean 'includes'"),
        ("tags contains x", "Did you mean 'includes'"),
        ("title includes x", "Did you mean 'contains'"),
        ("tags includes [a, b]", "Say 'includes any of' or 'includes all of'"),
        ("price >= cheap", "'cheap' is not a number"),
        ("price < inf", "'inf' is not a number"),
        ("since > spring", "not a date such as 2024-02-29"),
        ("stock = maybe", "expected true or false"),
        ("price low", "Put it into prefer"),
        ("price", "has no operator"),
        ("price <=", "has no value"),
        ("price between 3", "expected two values"),
        ("brand in Nord", "needs a list"),
        ("brand in [Nord", "expected a list such as"),
        ("brand = 'Nord", "quotes"),
        ("brand is known 3", "nothing can follow"),
        ("", "is no text"),
        ({"column": "price", "op": "<="}, "needs 'column', 'operator' and 'value'"),
    ],
)
def test_wrong_requirements_are_explained(shop: Shop, require, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        shop(require=[require])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"require": "price <= 3"}, "expected a list"),
        ({"require": ["price <= 3"] * 17}, "expected 16 at most"),
        ({"prefer": {"price low": 0.0}}, "weight of 'price low' is 0"),
        ({"prefer": {"price is low": 1.0}}, "'low' is not a number"),
        ({"popularity": -1.0}, "popularity is -1"),
        ({"when_nothing_fits": "relaxed"}, "Did you mean 'relax'"),
    ],
)
def test_wrong_hyper_parameters_are_explained(shop: Shop, options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        shop(**options)


def test_numbers_that_are_not_finite_are_missing() -> None:
    table = pl.DataFrame({"item_id": [1, 2, 3, 4], "size": [float("nan"), float("inf"), 1.0, None]})
    model = models.Knowledge().fit(Dataset(pl.DataFrame({"user_id": [1], "item_id": [3]}), users=None, items=table))
    for text, fits in (("size is known", [3]), ("size is missing", [1, 2, 4]), ("size != 5", [3]), ("size > 0", [3])):
        assert sorted(model.asked(require=[text]).best()["item_id"]) == fits, text
    wish = model.asked(prefer={"size low": 1.0}, require=[])
    assert wish.best()["score"].to_list() == pytest.approx([2.01, 1, 1, 1])
    with pytest.raises(UsageError, match="item 2 has no value"):
        model.critique(2, "higher size")


def test_attributes_are_needed_only_by_requirements() -> None:
    data = replace(model_data(), items=None)
    with pytest.raises(UsageError, match="knowledge needs attributes"):
        models.Knowledge(require=["year > 1990"]).fit(data)
    assert len(models.Knowledge().fit(data).recommend(["u1"], k=3)) == 3
    with pytest.raises(UnknownNameError, match="There are none"):
        models.Knowledge().fit(data).asked(require=["year > 1990"])


@pytest.mark.parametrize(
    "options",
    [
        {"require": ["genres includes comedy", "year >= 1970"], "prefer": {"year high": 2.0, "title contains 00": 1.0}},
        {"require": ["year > 2070", {"column": "genres", "operator": "excludes", "value": ["Drama", "War"]}]},
    ],
)
def test_the_contract_of_every_kind(options: dict, tmp_path: Path) -> None:
    check_model(models.build("knowledge", options), tmp_path)


operators = st.sampled_from(sorted({name for names in OPERATORS.values() for name in names}))


@given(st.text(min_size=1), operators, st.lists(st.text(), min_size=2, max_size=3))
def test_a_requirement_is_read_as_it_is_written(column: str, operator: str, values: list[str]) -> None:
    size = 0 if operator in ("is known", "is missing", "low", "high") else 2 if operator == "between" else 1
    kept = tuple(values) if operator.rpartition(" ")[2] == "in" or operator.endswith("of") else tuple(values[:size])
    made = Requirement(column, operator, kept)
    assert parse_requirement(str(made)) == made


rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 4),
        st.none() | st.sampled_from(["x", "y", "Z"]),
        st.none() | st.lists(st.sampled_from("pqr"), max_size=3, unique=True),
    ),
    min_size=1,
    max_size=12,
)


wanted = st.lists(
    st.one_of(
        st.tuples(st.just("n"), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), st.integers(0, 4)),
        st.tuples(st.just("t"), st.sampled_from(["=", "!="]), st.sampled_from("xyz")),
        st.tuples(st.just("l"), st.sampled_from(["includes", "excludes"]), st.sampled_from("pqrs")),
    ),
    min_size=1,
    max_size=5,
)


def meets(row: tuple, column: str, operator: str, value) -> bool:
    """The meaning of a requirement, in Python."""
    found = row["ntl".index(column)]
    if found is None:
        return False
    if column == "t":
        found = found.lower()
    if operator in ("includes", "excludes"):
        return (value in found) == (operator == "includes")
    compare = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "=": "eq", "!=": "ne"}[operator]
    return getattr(python_operator, compare)(found, value)


@given(rows, wanted)
def test_relaxations_are_minimal_and_bring_items_and_lists_meet_what_is_kept(rows: list, wanted: list) -> None:
    schema = {"n": pl.Int64, "t": pl.String, "l": pl.List(pl.String)}
    table = pl.DataFrame(rows, schema, orient="row").with_row_index("item_id")
    texts = [f"{column} {operator} {value}" for column, operator, value in wanted]
    model = models.Knowledge(require=texts).fit(
        Dataset(pl.DataFrame({"user_id": [1], "item_id": [0]}), users=None, items=table)
    )

    def fits(kept: set[int]) -> list[int]:
        return [at for at, row in enumerate(rows) if all(meets(row, *wanted[each]) for each in kept)]

    every = set(range(len(wanted)))
    found = model.relaxations()
    assert found.n_fit == len(fits(every))
    subsets = [set(each) for size in range(len(wanted) + 1) for each in itertools.combinations(every, size)]
    working = [drop for drop in subsets if fits(every - drop)]
    minimal = [drop for drop in working if not any(other < drop for other in working)]
    names = {tuple(texts[at] for at in sorted(drop)): len(fits(every - drop)) for drop in minimal if drop}
    assert {each.dropped: each.n_items for each in found.alternatives} == names
    clashing = [kept for kept in subsets if not fits(kept)]
    smallest = [kept for kept in clashing if not any(other < kept for other in clashing)]
    assert sorted(found.conflicts) == sorted(tuple(texts[at] for at in sorted(kept)) for kept in smallest)
    sizes = [(len(each.dropped), -each.n_items) for each in found.alternatives]
    assert sizes == sorted(sizes)
    dropped = set() if found.n_fit else {texts.index(text) for text in found.alternatives[0].dropped}
    # Requirements that are written alike are dropped together.
    kept = {at for at in every if texts[at] not in {texts[each] for each in dropped}}
    assert sorted(model.best(k=99)["item_id"]) == fits(kept)


@given(st.lists(st.integers(0, 31), min_size=1, max_size=20))
def test_minimal_sets_by_brute_force(failed: list[int]) -> None:
    found = [bits for bits, _ in minimal_relaxations(np.array(failed))]
    assert set(found) == {a for a in failed if not any(b != a and b & a == b for b in failed)}
    hits = [bits for bits in range(32) if all(bits & each for each in found)]
    expected = {a for a in hits if not any(b != a and b & a == b for b in hits)} if 0 not in found else set()
    assert set(minimal_conflicts(found)) == expected


def test_ml_100k(shared_data: Path) -> None:
    archive = shared_data / "movielens" / "ml-100k.zip"
    if not archive.exists():
        pytest.skip(f"needs {archive.name} in {archive.parent}")
    data = read_movielens(archive)
    model = models.Knowledge(require=["genres includes Comedy", "year >= 1990"]).fit(data)
    fitting = data.items.filter(pl.col("genres").list.contains("Comedy") & (pl.col("year") >= 1990))
    counts = data.interactions.group_by("item_id").len()
    expected = fitting.join(counts, on="item_id").sort(["len", "item_id"], descending=[True, False])["item_id"].head(10)
    assert model.best(k=10)["item_id"].to_list() == expected.to_list()
    assert model.relaxations().n_fit == fitting.height
    lists = model.recommend([1, 943], k=20).table
    assert lists["item_id"].is_in(fitting["item_id"].implode()).all()
    assert not lists.join(data.interactions, on=["user_id", "item_id"], how="semi").height
    found = model.asked(require=["genres includes War", "genres includes Horror"]).relaxations().alternatives
    sizes = {genre: data.items.filter(pl.col("genres").list.contains(genre)).height for genre in ("War", "Horror")}
    assert sizes["Horror"] > sizes["War"], "so that keeping Horror comes first"
    assert [(each.dropped, each.n_items) for each in found] == [
        (("genres includes War",), sizes["Horror"]),
        (("genres includes Horror",), sizes["War"]),
    ]
    newer = model.asked(require=[]).critique(50, "newer, like genres")  # Star Wars (1977)
    titles = dict(data.items.select("item_id", "year").iter_rows())
    assert newer.n_items > 100 and all(titles[item] > 1977 for item in newer.table["item_id"])


def test_a_catalogue_of_series_and_films(shared_data: Path) -> None:
    file = shared_data / "catalog" / "netflix_titles.csv.gz"
    if not file.exists():
        pytest.skip(f"needs {file.name} in {file.parent}")
    table = pl.read_csv(file).rename({"show_id": "item_id"})
    table = table.with_columns(pl.col("listed_in").str.split(", "), pl.col("cast").str.split(", "))
    model = models.Knowledge().fit(Dataset(pl.DataFrame({"user_id": [1], "item_id": ["s1"]}), users=None, items=table))
    require = ["type = Movie", "listed_in includes Dramas", "release_year >= 2020", "description contains war"]
    asked = model.asked(require=require, prefer={"release_year high": 1.0})
    expected = table.filter(
        (pl.col("type") == "Movie")
        & pl.col("listed_in").list.contains("Dramas")
        & (pl.col("release_year") >= 2020)
        & pl.col("description").str.to_lowercase().str.contains("war", literal=True)
    )
    assert set(asked.best(k=1000)["item_id"]) == set(expected["item_id"]) and expected.height > 5
