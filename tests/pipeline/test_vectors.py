"""Retrieval from a vector store: the lists of plain NumPy, over any store, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.errors import DataError, UsageError
from reclens.explore import LocalStore, embed_texts, move, read_vectors
from reclens.models import Popular
from reclens.pipeline import Pipeline


@pytest.fixture(scope="module")
def texts(parts) -> pl.DataFrame:
    """A text of each item from its genres and year."""
    items = parts.train.items
    return items.select("item_id", text=pl.format("{} {}", pl.col("genres").list.join(" "), "year"))


@pytest.fixture(scope="module")
def space(texts):
    return embed_texts(texts, columns=["text"], dimension=16)


@pytest.fixture(scope="module")
def address(space, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("vectors") / "store"
    move(space, LocalStore(folder))
    return f"local:{folder}"


def vectors_pipeline(store, **more) -> Pipeline:
    return Pipeline(retrieve={"text": {"model": "vectors", "store": store, "k": 10, **more}}, name="text")


def by_hand(space, parts, user, k: int) -> list[int]:
    """Ids of the items nearest to the mean of the user's items, without those of the history."""
    own = set(parts.train.interactions.filter(pl.col("user_id") == user)["item_id"])
    at = [n for n, one in enumerate(space.ids) if one in own]
    cosines = space.unit @ space.unit[at].astype(np.float64).sum(axis=0)
    order = sorted(range(len(space)), key=lambda n: (-round(float(cosines[n]), 6), space.ids[n]))
    return [space.ids[n] for n in order if space.ids[n] not in own][:k]


def test_lists_are_those_of_the_mean_of_the_history(space, parts, address) -> None:
    fitted = vectors_pipeline(address).fit(parts.train)
    lists = fitted.recommend(parts.test_users, k=5).table
    for user in parts.test_users[:25]:
        mine = lists.filter(pl.col("user_id") == user).sort("rank")
        theirs = by_hand(space, parts, user, 5)
        unlike = [pair for pair in zip(mine["item_id"], theirs, strict=True) if pair[0] != pair[1]]
        # Items of one text are equally near: which of them comes first is decided by rounding.
        text = dict(zip(space.ids, space.attributes["text"], strict=True))
        assert all(text[a] == text[b] for a, b in unlike)


def test_a_store_that_is_an_object_gives_the_same_and_is_not_saved(parts, address, tmp_path) -> None:
    named = vectors_pipeline(address).fit(parts.train).recommend(k=5).table
    fitted = vectors_pipeline(LocalStore(address.removeprefix("local:"))).fit(parts.train)
    assert fitted.recommend(k=5).table.equals(named)
    with pytest.raises(UsageError, match="store is an object, which no file can hold"):
        fitted.save(tmp_path / "kept")


def test_a_saved_pipeline_gives_the_same(parts, address, tmp_path) -> None:
    fitted = vectors_pipeline(address).fit(parts.train)
    fitted.save(tmp_path / "kept")
    assert Pipeline.load(tmp_path / "kept").recommend(k=5).table.equals(fitted.recommend(k=5).table)


def test_users_of_a_store_are_those_of_the_model(parts, tmp_path) -> None:
    """By a model's own vectors of users at length 1, the nearest items are those of the largest cosine."""
    draw = np.random.default_rng(1)
    items = parts.train.item_vocabulary.ids
    users = parts.train.user_vocabulary.ids
    of_items = read_vectors(draw.normal(size=(len(items), 6)), ids=items.to_list(), model="m")
    of_users = read_vectors(draw.normal(size=(len(users), 6)), ids=users.to_list(), model="m")
    stores = {name: LocalStore(tmp_path / name) for name in ("items", "users")}
    move(of_items, stores["items"])
    move(of_users, stores["users"])
    lists = vectors_pipeline(stores["items"], users=stores["users"]).fit(parts.train).recommend(k=1).table
    for row in range(0, len(users), 10):
        own = set(parts.train.interactions.filter(pl.col("user_id") == users[row])["item_id"])
        cosines = of_items.unit @ of_users.unit[row]
        best = next(items[int(n)] for n in np.argsort(-cosines) if items[int(n)] not in own)
        assert lists.filter(pl.col("user_id") == users[row])["item_id"].to_list() == [best]


def test_an_item_that_nobody_had_is_found(space, parts, address) -> None:
    rare = parts.train.item_vocabulary.ids[0]
    train = parts.train.interactions.filter(pl.col("item_id") != rare)
    fitted = vectors_pipeline(address).fit(train)
    whole = fitted.retrievers_["text"].recommend(k=len(space)).table
    assert rare in set(whole["item_id"])


def test_it_is_evaluated_beside_a_classic_model(parts, address) -> None:
    text = vectors_pipeline(address).fit(parts.train).recommend(parts.test_users, k=10)
    popular = Popular().fit(parts.train).recommend(parts.test_users, k=10)
    for lists in (text, popular):
        found = rl.evaluate(lists, parts.test, train=parts.train, metrics=["ndcg@10"])["ndcg@10"].overall
        assert found.low is not None and found.high is not None and found.low <= found.value <= found.high


def test_reasons_add_up_to_the_cosine(space, parts, address) -> None:
    model = vectors_pipeline(address).fit(parts.train).retrievers_["text"]
    lists = model.recommend(parts.test_users[:1], k=1).table
    user, item, score = lists.row(0)[0], lists["item_id"][0], lists["score"][0]
    assert model.explain(user, item, n=999).score == pytest.approx(score, abs=1e-5)


def test_what_cannot_be_retrieved_from_is_said(parts, tmp_path) -> None:
    with pytest.raises(UsageError, match="store is '', expected a vector store or its address"):
        vectors_pipeline("").fit(parts.train)
    with pytest.raises(DataError, match="is empty"):
        vectors_pipeline(LocalStore(tmp_path / "none")).fit(parts.train)
    other = LocalStore(tmp_path / "other")
    move(read_vectors(np.eye(3), ids=["x", "y", "z"], model="m"), other)
    with pytest.raises(DataError, match="holds no item of the training data"):
        vectors_pipeline(other).fit(parts.train)
