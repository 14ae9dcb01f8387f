"""The contract kit for recommenders: what every model has to keep, whatever it learns.

::

    from reclens.testing.models import check_model
    check_model(MyModel(), tmp_path)
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.errors import DataError, NotFittedError, UnknownNameError, UsageError
from reclens.models import Recommender
from reclens.schema import ITEM, RANK, RATING, SCORE, TIMESTAMP, USER

__all__ = ["check_model", "model_data"]


def model_data() -> Dataset:
    """A small data set with text ids, ratings, timestamps and genres."""
    data = synthetic_movielens(n_users=80, n_items=60, n_ratings=2000, rng=5)
    assert data.users is not None and data.items is not None
    user, item = pl.format("u{}", USER).alias(USER), pl.format("i{}", ITEM).alias(ITEM)
    return replace(
        data,
        interactions=data.interactions.with_columns(user, item),
        users=data.users.with_columns(user),
        items=data.items.with_columns(item),
    )


def check_model(model: Recommender, folder: Path) -> None:
    """Raise AssertionError unless a recommender keeps the contract.

    Args:
        model: A model that is not fitted yet.
        folder: An empty folder for the saved model.
    """
    data = model_data()
    for call in (model.recommend, lambda: model.explain("u1", "i1"), lambda: model.save(folder)):
        _raises(NotFittedError, call, "asked before it was fitted")
    before = data.interactions.clone()
    assert model.fit(data) is model, "fit returns the model"
    assert data.interactions.equals(before), "fit leaves the data alone"
    lists = model.recommend(k=7)
    items = data.interactions[ITEM].unique()
    if model.cold_items and data.items is not None:
        items = data.items[ITEM]
    _check_lists(lists.table, data, items, k=7, exclude_seen=True)
    _check_lists(model.recommend(k=7, exclude_seen=False).table, data, items, k=7, exclude_seen=False)
    _check_lists(model.recommend(k=1000).table, data, items, k=1000, exclude_seen=True)
    assert lists.table.equals(model.recommend(k=7, threads=1).table), "the number of threads changes the lists"
    shorter = lists.table.filter(pl.col(RANK) <= 3)
    assert model.recommend(k=3).table.equals(shorter), "the best three are the first three of the best seven"
    some = model.recommend(["u7", "u3", "u7"], k=7).table
    expected = pl.concat([lists.table.filter(pl.col(USER) == user) for user in ("u7", "u3")])
    assert some.equals(expected), "a user's list depends on who else is asked for"
    _check_strangers(model, data)
    _check_limits(model, lists.table)
    own = model.recommend(k=7, cold_users="none").table
    _check_scores(model, own)
    _check_similar_items(model)
    _check_histories(model, lists.table, data)
    _check_predictions(model, data)
    _check_explanations(model, own)
    _check_partial_fit(model, data)
    _check_saving(model, lists.table, folder)
    _raises(UsageError, lambda: model.recommend(k=0), "k of 0")


def _check_lists(table: pl.DataFrame, data: Dataset, items: pl.Series, *, k: int, exclude_seen: bool) -> None:
    assert table.columns == [USER, ITEM, RANK, SCORE]
    assert table.null_count().sum_horizontal().item() == 0
    assert not table.select(USER, ITEM).is_duplicated().any(), "an item stands in a list twice"
    assert table[ITEM].is_in(items.implode()).all(), "an item that is not in the catalogue"
    by_user = table.group_by(USER, maintain_order=True).agg(pl.col(RANK), pl.col(SCORE))
    for ranks, scores in zip(by_user[RANK].to_list(), by_user[SCORE].to_list(), strict=True):
        assert ranks == list(range(1, len(ranks) + 1)) and len(ranks) <= k, "ranks count 1, 2, 3 …"
        assert all(a >= b for a, b in itertools.pairwise(scores)), "scores fall"
    ties = table.filter((pl.col(SCORE) == pl.col(SCORE).shift(1)) & (pl.col(USER) == pl.col(USER).shift(1)))
    above = table.with_columns(pl.col(ITEM).shift(1).alias("above")).join(ties, on=[USER, ITEM], how="semi")
    assert (above["above"] < above[ITEM]).all(), "equal scores stand by item id"
    seen = table.join(data.interactions, on=[USER, ITEM], how="semi").height
    assert not (exclude_seen and seen), "a seen item is recommended"


def _check_strangers(model: Recommender, data: Dataset) -> None:
    """A user of whom nothing is known has the most popular items, or no list, and is counted."""
    lists = model.recommend(["nobody", "u1"], k=3)
    assert lists.table[USER].unique(maintain_order=True).to_list() == ["nobody", "u1"], "users in the order asked for"
    rules = {rule["code"]: rule["count"] for rule in lists.card.get("rules", ())}
    assert rules["users_without_known_item"] == 1, "users without a known item are counted"
    without = model.recommend(["u1", "nobody"], k=3, cold_users="none").table
    known = lists.table.filter(pl.col(USER) == "u1")
    if not model.is_personalized:
        assert without.filter(pl.col(USER) == "nobody").height == 3, "a model that is not personal serves anybody"
        return
    assert without.equals(known), "cold_users='none' gives a stranger no list, and leaves the others alone"
    users = data.interactions.group_by(ITEM).agg(pl.col(USER).n_unique().cast(pl.Float32).alias(SCORE))
    popular = users.sort([SCORE, ITEM], descending=[True, False]).head(3).select(ITEM, SCORE)
    cold = lists.table.filter(pl.col(USER) == "nobody")
    assert cold.select(ITEM, SCORE).equals(popular), "a stranger has the most popular items, by their users"
    _raises(UnknownNameError, lambda: model.recommend(["u1"], cold_users="popluar"), "an unknown rule")  # type: ignore[arg-type]


def _check_limits(model: Recommender, table: pl.DataFrame) -> None:
    """Excluded items are not shown, only candidates are, and the rest of a list does not change."""
    asked = model.recommend(k=1, cold_users="none").table[USER].head(2).reverse()
    whole = model.recommend(asked, k=1000, cold_users="none").table
    for limit in (table.select(ITEM).unique().sort(ITEM).head(10), whole.gather_every(3).select(USER, ITEM)):
        given = limit if USER in limit.columns else limit[ITEM]
        left = model.recommend(asked, k=4, cold_users="none", exclude=given).table
        alone = model.recommend(asked, k=4, cold_users="none", candidates=given).table
        rest = whole.join(limit, on=limit.columns, how="anti", maintain_order="left")
        kept = whole.join(limit, on=limit.columns, how="semi", maintain_order="left")
        for found, rows in ((left, rest), (alone, kept)):
            expected = rows.group_by(USER, maintain_order=True).head(4)
            assert found.select(USER, ITEM).equals(expected.select(USER, ITEM)), "a limit changes the order of the rest"
            assert np.allclose(found[SCORE], expected[SCORE], rtol=1e-5, atol=1e-6), "a limit changes scores"
    card = model.recommend(["u1"], candidates=["no such item", *table[ITEM].head(2)]).card
    counted = {rule["code"]: rule["count"] for rule in card.get("rules", ())}
    assert counted["unknown_candidates"] == 1, "unknown candidates are counted"
    _raises(DataError, lambda: model.recommend(["u1"], candidates=["no such item"]), "candidates that are all unknown")


def _check_scores(model: Recommender, table: pl.DataFrame) -> None:
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    scored = model.score(shuffled.select(USER, ITEM))
    assert scored.select(USER, ITEM).equals(shuffled.select(USER, ITEM)), "score keeps the pairs and their order"
    assert np.allclose(scored[SCORE], shuffled[SCORE], rtol=1e-4, atol=1e-6), "score and recommend give one score"
    strange = model.score(pl.DataFrame({USER: ["u1", "nobody"], ITEM: ["no such item", table[ITEM][0]]}))
    assert strange[SCORE][0] is None, "an unknown item has no score"
    assert (strange[SCORE][1] is None) == model.is_personalized, "only models that are not personal score for anybody"


def _check_histories(model: Recommender, table: pl.DataFrame, data: Dataset) -> None:
    """Histories in a request, of new users and of known ones."""
    # With their times: models of sequences look at the order.
    renamed = data.interactions.select(pl.format("new-{}", USER).alias(USER), ITEM, TIMESTAMP)
    if model.is_personalized and not model.supports_fold_in:
        _raises(UsageError, lambda: model.recommend(history=renamed), "a history that cannot be used")
        return
    found = model.recommend(history=renamed, k=7).table
    assert found[USER].str.starts_with("new-").all(), "the users of the history are served"
    if model.is_personalized and model.exact_fold_in:
        same = found.with_columns(pl.col(USER).str.strip_prefix("new-")).join(table, on=[USER, RANK], how="full")
        assert np.allclose(same[SCORE], same[f"{SCORE}_right"], rtol=1e-3, atol=1e-5), "equal histories, equal scores"
    seen = found.join(renamed, on=[USER, ITEM], how="semi").height
    assert not seen, "an item of the given history is recommended"
    outside = pl.concat([renamed, pl.DataFrame({USER: ["new-u1"], ITEM: ["no such item"]})], how="diagonal")
    card = model.recommend(history=outside, k=7).card
    counted = {rule["code"]: rule["count"] for rule in card.get("rules", ())}
    assert counted["unknown_history_items"] == 1, "unknown items are counted"
    _check_added_histories(model, table, data)
    first = found.row(0)
    reasons = model.explain(first[0], first[1], history=renamed, n=3)
    total = sum(part for _, part in reasons.reasons) + reasons.rest
    assert np.isclose(total, first[3], rtol=1e-3, atol=1e-5), "the reasons of a newcomer add up to the score"
    scored = model.score(found.select(USER, ITEM), history=renamed)
    assert np.allclose(scored[SCORE], found[SCORE], rtol=1e-3, atol=1e-5), "a newcomer's scores are those of their list"


def _check_added_histories(model: Recommender, table: pl.DataFrame, data: Dataset) -> None:
    """The history of a known user is added to their training data, or replaces it."""
    mine = data.interactions.filter(pl.col(USER) == "u1").select(USER, ITEM, TIMESTAMP)
    other = table.filter(pl.col(USER) == "u1")[ITEM][0]
    later = pl.col(TIMESTAMP).max() + pl.duration(days=1)
    one = mine.select(pl.lit("u1").alias(USER), pl.lit(other).alias(ITEM), later)
    asked = ["u3", "u1", "u2"]
    added = model.recommend(asked, history=one, k=7)
    assert added.table[USER].unique(maintain_order=True).to_list() == asked, "users in the order asked for"
    kept = pl.concat([table.filter(pl.col(USER) == user) for user in ("u3", "u2")])
    assert added.table.filter(pl.col(USER) != "u1").equals(kept), "a history changes the lists of its own users alone"
    both = pl.concat([mine, one]).with_columns(pl.lit("u1").alias(USER))
    whole = model.recommend(["u1"], history=both, history_mode="replace", k=7).table
    assert added.table.filter(pl.col(USER) == "u1").equals(whole), (
        "what comes with the request adds to the training data"
    )
    again = model.recommend(["u1"], history=mine.head(3), k=7).table
    assert again.equals(table.filter(pl.col(USER) == "u1")), "a history that is known already changes nothing"
    alone = model.recommend(["u1", "u2"], history=one, history_mode="replace", k=60, cold_users="none")
    if model.is_personalized:
        assert "u2" not in alone.table[USER].to_list(), "with 'replace' a user without a history is a cold one"
    seen = set(alone.table.filter(pl.col(USER) == "u1")[ITEM])
    assert other not in seen, "an item of the given history is recommended"
    _raises(UnknownNameError, lambda: model.recommend(["u1"], history=one, history_mode="ad"), "an unknown mode")  # type: ignore[arg-type]


def _check_similar_items(model: Recommender) -> None:
    if not model.relates_items:
        _raises(UsageError, lambda: model.similar_items("i1"), "similar items of a model that relates none")
        return
    found = model.similar_items(["i9", "i2", "i9"], k=4)
    assert found.columns == ["seed_item", ITEM, RANK, SCORE]
    assert found["seed_item"].unique(maintain_order=True).is_in(["i9", "i2"]).all(), "seeds in the order given"
    assert (found["seed_item"] != found[ITEM]).all(), "an item is no neighbour of its own"
    for _, mine in found.group_by("seed_item", maintain_order=True):
        assert mine[RANK].to_list() == list(range(1, mine.height + 1)) and mine.height <= 4, "ranks count 1, 2, 3 …"
        assert mine[SCORE].is_sorted(descending=True) and (mine[SCORE] > 0).all(), "scores fall, and are above 0"
    alone = pl.concat([model.similar_items("i9", k=4), model.similar_items("i2", k=4)])
    assert alone.select("seed_item", ITEM).equals(found.select("seed_item", ITEM)), "depends on the other seeds"
    _raises(UnknownNameError, lambda: model.similar_items("no such item"), "an unknown item")


def _check_partial_fit(model: Recommender, data: Dataset) -> None:
    """What a fit on all data gives is what a fit on a part and the rest later gives."""
    rows = data.interactions.with_row_index("row")
    first, later = (rows.filter((pl.col("row") % 3 == 0) == part).drop("row") for part in (False, True))
    parts = [replace(data, interactions=each) for each in (first, later)]
    if not model.adds_up:
        fitted = replace(model).fit(data)
        _raises(UsageError, lambda: fitted.partial_fit(parts[1]), "learning more of a model that cannot")
        return
    model = replace(model).fit(parts[0]).partial_fit(parts[1])
    whole = replace(model).fit(data)
    assert model.recommend(k=7).table.equals(whole.recommend(k=7).table), "learned in parts, the lists are others"


def _check_predictions(model: Recommender, data: Dataset) -> None:
    strangers = pl.DataFrame({USER: ["nobody", "u1"], ITEM: ["i1", "no such item"]})
    pairs = pl.concat([data.interactions.select(USER, ITEM).gather_every(7), strangers])
    if not (model.predicts_ratings and getattr(model, "feedback", "explicit") == "explicit"):
        _raises(UsageError, lambda: model.predict(pairs), "predict of a model without predicted ratings")
        return
    found = model.predict(pairs)
    assert found.select(USER, ITEM).equals(pairs), "predict keeps the pairs and their order"
    low, high = data.interactions[RATING].min(), data.interactions[RATING].max()
    assert found["prediction"].is_between(low, high).all(), "a rating for every pair, in the range of the ratings"
    assert found["fallback"].to_list()[-2:] == ["unknown_user", "unknown_item"], "why there is no prediction"
    turned = model.predict(pairs.reverse(), threads=1).reverse()
    assert found.equals(turned), "a prediction depends on the other pairs, or on the number of threads"
    alone = pl.concat([model.predict(pairs.slice(at, 1)) for at in range(5)])
    assert found.head(5).equals(alone), "a prediction depends on the other pairs"


def _check_explanations(model: Recommender, table: pl.DataFrame) -> None:
    for user, item, _, score in table.head(20).rows():
        found = model.explain(user, item, n=3)
        assert len(found.reasons) <= 3 and found.kind
        total = sum(part for _, part in found.reasons) + found.rest
        assert np.isclose(total, score, rtol=1e-4, atol=1e-6), "reasons add up to the score"
    _raises(UnknownNameError, lambda: model.explain("u1", "no such item"), "an unknown item")


def _check_saving(model: Recommender, table: pl.DataFrame, folder: Path) -> None:
    model.save(folder)
    again = type(model).load(folder)
    assert again == model, "hyper-parameters survive"
    assert again.recommend(k=7).table.equals(table), "a saved model recommends the same"
    some = table.select(USER, ITEM)
    with contextlib.suppress(UsageError):  # where it predicts no ratings
        assert again.predict(some).equals(model.predict(some)), "a saved model predicts the same"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".npz", ".parquet", ".json"}, "no pickles"
    whole = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(whole[: len(whole) // 2])
    _raises(DataError, lambda: type(model).load(folder), "a broken file")


def _raises(error: type[Exception], call: object, what: str) -> None:
    assert callable(call)
    try:
        call()
    except error:
        return
    raise AssertionError(f"{what} has to raise {error.__name__}")
