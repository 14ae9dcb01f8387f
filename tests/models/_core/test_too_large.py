"""What does not fit is refused before it is allocated: the bytes, what is available, and a smaller way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from reclens import memory, models
from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.engine import LocalEngine, quiet
from reclens.errors import NotEnoughMemoryError
from reclens.experiment.aggregate.arm_level import ArmCounts
from reclens.models._core.co_occurrence import co_occurrence, gram_of
from reclens.stats.resample import POISSON, weighted_sums


@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many bytes be available."""
    monkeypatch.setattr(memory, "_SMALL", 0)
    return lambda size: monkeypatch.setattr(memory, "available_memory", lambda: size)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(1)
    pairs = np.unique(rng.integers(0, 300 * 200, 4000))
    return Dataset(pl.DataFrame({"user_id": pairs // 200, "item_id": pairs % 200}))


def wide(n: int) -> UserItemMatrix:
    """A user for each of n items, and none with two."""
    return UserItemMatrix(np.arange(n + 1), np.arange(n, dtype=np.int32), np.ones(n, np.float32), n)


def test_sixty_thousand_items_are_fourteen_gigabytes(available) -> None:
    """60,000 × 60,000 × 4 bytes = 14.4 GB, refused without a byte of it."""
    available(8 * 10**9)
    tracemalloc.start()
    with pytest.raises(NotEnoughMemoryError) as caught:
        co_occurrence(wide(60_000), engine=LocalEngine(1), progress=quiet, what="fit ease")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert str(caught.value) == (
        "fit ease: the dense co-occurrence of 60,000 items in float32 takes 14.4 GB of memory, and 8.0 GB is "
        "available. "
        "Use a sparse model (item_knn, rp3beta), or a smaller catalogue: leave out items with few users."
    )
    assert caught.value.needed == 60_000**2 * 4


def test_slim_takes_no_dense_matrix_of_items_that_share_no_user(available) -> None:
    available(50_000_000)  # 5,000 × 5,000 × 4 bytes are 100 MB
    gram = gram_of(wide(5_000), engine=LocalEngine(1), progress=quiet, what="fit slim")
    assert gram.dense.size == 0 and len(gram.near) == 5_000 and (gram.common == 1).all()


def everybody_has_everything() -> UserItemMatrix:
    items = np.tile(np.arange(900, dtype=np.int32), 2)
    return UserItemMatrix(np.array([0, 900, 1800]), items, np.ones(1800, np.float32), 900)


def test_slim_says_what_the_pairs_of_items_take(available, monkeypatch: pytest.MonkeyPatch) -> None:
    available(4_000_000)
    whole = gram_of(everybody_has_everything(), engine=LocalEngine(1), progress=quiet, what="fit slim").dense
    assert (whole == 2).all()  # 3.2 MB
    monkeypatch.setattr("reclens.models._core.co_occurrence._DENSE", 2.0)
    with pytest.raises(NotEnoughMemoryError, match=r"about 810,000 pairs of items with a common user takes 6\.5 MB"):
        gram_of(everybody_has_everything(), engine=LocalEngine(1), progress=quiet, what="fit slim")


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_absurdly_many_factors(name: str, data: Dataset) -> None:
    """On any machine: 8 bytes × 99,999,999,999 × 500 users and items are 400 TB."""
    with pytest.raises(
        NotEnoughMemoryError,
        match=r"with 99,999,999,999 factors of 300 users and 200 items takes "
        r"400\.0 TB of memory, and .* is available\. Use fewer factors",
    ):
        models.get(name)(factors=99_999_999_999).fit(data)


def test_factors_of_an_svd_are_no_more_than_there_are_rows(data: Dataset, available) -> None:
    available(2_000_000)
    with pytest.raises(
        NotEnoughMemoryError, match=r"pure_svd with 200 factors of 300 users and 200 items takes 2\.4 MB"
    ):
        models.PureSVD(factors=10_000).fit(data)


@pytest.mark.parametrize("name", ["item_knn", "user_knn", "rp3beta"])
def test_neighbors_of_all_rows(name: str, data: Dataset, available) -> None:
    """All 199 other items of 200 (299 users of 300), 8 bytes each."""
    rows = 300 if name == "user_knn" else 200
    available(8 * rows * (rows - 1) - 1)
    with pytest.raises(NotEnoughMemoryError, match=f"{rows - 1} neighbors of each of {rows} rows takes"):
        models.get(name)(neighbors=10**9).fit(data)


def test_neighbors_by_ratings(data: Dataset, available) -> None:
    rated = Dataset(data.interactions.with_columns(rating=pl.lit(3.0)))
    available(8 * 200 * 199 - 1)
    with pytest.raises(NotEnoughMemoryError, match="199 neighbors of each of 200 rows"):
        models.ItemKNN(neighbors=10**9, feedback="explicit").fit(rated)


def test_lists_of_the_whole_catalogue(data: Dataset, available) -> None:
    model = models.Popular().fit(data)
    available(40 * 300 * 200 - 1)
    with pytest.raises(NotEnoughMemoryError, match=r"lists of 200 items for 300 users takes 2\.4 MB.*smaller k"):
        model.recommend(k=10**9)
    available(40 * 300 * 200)
    assert model.recommend(k=10**9).table.height == 300 * 200 - data.interactions.height


def test_popular_pairs(available) -> None:
    """Two users who have all of 900 items: all are in the head: 900² counts of 4 bytes, and 1,024 bits an item."""
    available(1_000_000)
    with pytest.raises(NotEnoughMemoryError, match=r"the pairs of the 900 most popular rows takes 3\.4 MB"):
        gram_of(everybody_has_everything(), engine=LocalEngine(1), progress=quiet, what="fit slim")


def test_exposure_tables_and_draws(available) -> None:
    available(10**6)
    none, keys = np.zeros(0, np.int64), np.zeros(4, np.uint64)
    with pytest.raises(NotEnoughMemoryError, match="10,000 items in 201 groups of users takes"):
        ArmCounts.of(none, none, keys, n_items=10_000, groups=200)
    with pytest.raises(NotEnoughMemoryError, match=r"2,000 draws of 3 sums in 50 segments takes 2\.4 MB"):
        weighted_sums(
            keys,
            np.zeros((4, 3)),
            np.array([0, 4]),
            np.zeros((1, 1), np.int64),
            n_targets=50,
            draws=2000,
            seed=0,
            scheme=POISSON,
        )


def test_a_world_knows_what_everybody_consumed(available) -> None:
    from reclens.world.population import draw_world
    from reclens.world.settings import WorldSettings

    available(2_000)
    with pytest.raises(NotEnoughMemoryError, match=r"what 300 users consumed of 120 items, a bit each takes 4\.8 kB"):
        draw_world(WorldSettings(users=300, items=120))
