"""Titles and plots of synthetic items: they follow the genres, so that a search by words finds what it should."""

from __future__ import annotations

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.data.synthetic import synthetic_movielens
from reclens.data.synthetic_plots import with_plots
from reclens.errors import UsageError
from reclens.explore import embed_texts
from reclens.explore.query_text import encoder_of


@pytest.fixture(scope="module")
def films() -> pl.DataFrame:
    items = with_plots(synthetic_movielens(n_users=200, n_items=800, n_ratings=8_000, rng=3), rng=3).items
    assert items is not None
    return items


def test_titles_are_each_once_and_few_plots_are_missing(films: pl.DataFrame) -> None:
    assert films["title"].n_unique() == films.height == 800
    assert 4 <= films["plot"].null_count() <= 32  # 2 % of 800, within 4 standard deviations
    assert films["plot"].n_unique() > 0.95 * films.height
    assert films["plot"].drop_nulls().str.contains(r"^An? .+\.$").all()


def test_a_search_by_words_of_a_genre_finds_the_genre(films: pl.DataFrame) -> None:
    space = embed_texts(films, columns=["plot"], dimension=64)
    genres = dict(films.select("item_id", "genres").iter_rows())
    encoder, hits = encoder_of(space), {}
    for words, genre in (("a ghost in a cursed house", "Horror"), ("a starship and an android", "Sci-Fi")):
        near = space.ids.gather((encoder.encode([words])[0] @ space.unit.T).argsort()[::-1][:10])
        hits[genre] = sum(genre in genres[each] for each in near)
    assert min(hits.values()) >= 9, hits


def test_the_same_seed_gives_the_same_texts_and_ratings_stay(films: pl.DataFrame) -> None:
    data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)
    first, again, other = with_plots(data), with_plots(data), with_plots(data, rng=1)
    assert first.items is not None and other.items is not None
    assert first.items.equals(again.items) and not first.items["plot"].equals(other.items["plot"])  # type: ignore[arg-type]
    assert first.interactions.equals(data.interactions)
    assert first.card["synthetic"] and "grammar" in first.card["note"]


def test_real_items_get_no_invented_texts() -> None:
    real = Dataset(pl.DataFrame({"user_id": [1], "item_id": [2]}), items=pl.DataFrame({"item_id": [2]}), name="shop")
    with pytest.raises(UsageError, match="'shop' is not synthetic data"):
        with_plots(real)
