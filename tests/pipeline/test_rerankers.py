"""Re-rankers against the formulas of their papers, written out item by item in plain Python."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from reclens.data.dataset import Dataset, UserItemMatrix
from reclens.errors import UnknownNameError, UsageError
from reclens.pipeline import rerank
from reclens.pipeline.rerank import RankedLists, build
from reclens.schema import Vocabulary

LABELS = ["action", "comedy", "drama", "war"]
N_USERS, N_ITEMS, DEPTH, K = 12, 40, 15, 6


@pytest.fixture(scope="module")
def world():
    """Random histories and labels: a training set, its items, the lists, and the same facts as plain Python."""
    rng = np.random.default_rng(8)
    labels = [sorted(rng.choice(LABELS, rng.integers(1, 4), replace=False).tolist()) for _ in range(N_ITEMS)]
    labels[7] = []  # an item of which nothing is known
    histories = [sorted(rng.choice(N_ITEMS, rng.integers(2, 9), replace=False).tolist()) for _ in range(N_USERS)]
    for item in range(N_ITEMS):  # every item is somebody's, so that it is in the catalogue
        if not any(item in own for own in histories):
            histories[item % N_USERS].append(item)
    rows = [(user, item) for user, own in enumerate(histories) for item in own]
    interactions = pl.DataFrame(rows, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row")
    train = Dataset(interactions, items=pl.DataFrame({"item_id": range(N_ITEMS), "genres": labels}))
    items = np.stack([rng.permutation(N_ITEMS)[:DEPTH] for _ in range(N_USERS)]).astype(np.int32)
    scores = -np.sort(-rng.random((N_USERS, DEPTH)), axis=1).astype(np.float32)
    items[3, 10:], scores[3, 10:] = -1, np.nan  # a short list
    lists = RankedLists(users=np.arange(N_USERS), items=items, scores=scores, seen=train.matrix(), k=K)
    return train, lists, labels, [sorted(own) for own in histories]


def scaled(scores: np.ndarray) -> list[float]:
    known = [float(score) for score in scores if not math.isnan(score)]
    return [(score - min(known)) / (max(known) - min(known)) for score in known]


def greedy(items: list[int], worth) -> list[int]:
    """The first K by the best worth given what is chosen, then the others as they stood."""
    chosen: list[int] = []
    for _ in range(min(K, len(items))):
        rest = [item for item in items if item not in chosen]
        chosen.append(max(rest, key=lambda item: (round(worth(item, chosen), 9), -items.index(item))))
    return chosen + [item for item in items if item not in chosen]


def run(kind: str, world, **parameters) -> list[list[int]]:
    train, lists, *_ = world
    made = build({"kind": kind, **parameters})
    made.prepare(train, Vocabulary(pl.Series(range(N_ITEMS))))
    return [[int(item) for item in row if item >= 0] for row in made.rerank(lists).items]


def plain(world) -> list[list[int]]:
    return [[int(item) for item in row if item >= 0] for row in world[1].items]


@pytest.mark.parametrize("weight", [0.3, 0.8])
def test_mmr(world, weight: float) -> None:
    _, lists, labels, _ = world

    def cosine(a: int, b: int) -> float:
        common = len(set(labels[a]) & set(labels[b]))
        return common / math.sqrt(len(labels[a]) * len(labels[b])) if labels[a] and labels[b] else 0.0

    expected = []
    for items, scores in zip(plain(world), lists.scores, strict=True):
        relevance = dict(zip(items, scaled(scores), strict=True))
        expected.append(
            greedy(
                items,
                lambda item, chosen, relevance=relevance: (
                    (1 - weight) * relevance[item]
                    - weight * max((cosine(item, other) for other in chosen), default=0.0)
                ),
            )
        )
    assert run("mmr", world, weight=weight) == expected


@pytest.mark.parametrize("weight", [0.3, 0.9])
def test_calibrated(world, weight: float) -> None:
    _, lists, labels, histories = world

    def mix(items: list[int]) -> dict[str, float]:
        known = [item for item in items if labels[item]]
        return {
            label: sum((label in labels[item]) / len(labels[item]) for item in known) / max(len(known), 1)
            for label in LABELS
        }

    def divergence(p: dict[str, float], items: list[int]) -> float:
        q = mix(items)
        return sum(p[label] * math.log(p[label] / (0.99 * q[label] + 0.01 * p[label])) for label in LABELS if p[label])

    expected = []
    for items, scores, own in zip(plain(world), lists.scores, histories, strict=True):
        relevance, p = dict(zip(items, scaled(scores), strict=True)), mix(own)
        expected.append(
            greedy(
                items,
                lambda item, chosen, relevance=relevance, p=p: (
                    (1 - weight) * relevance[item] - weight * divergence(p, [*chosen, item])
                ),
            )
        )
    assert run("calibrated", world, weight=weight) == expected


@pytest.mark.parametrize("mode", ["smooth", "binary"])
def test_xquad(world, mode: str) -> None:
    _, lists, _, histories = world
    counts = {item: sum(item in own for own in histories) for item in range(N_ITEMS)}
    head: set[int] = set()
    for item in sorted(counts, key=lambda item: (-counts[item], item)):
        if sum(counts[each] for each in head) >= 0.5 * sum(counts.values()):
            break
        head.add(item)
    expected = []
    for items, scores, own in zip(plain(world), lists.scores, histories, strict=True):
        relevance = dict(zip(items, scaled(scores), strict=True))
        likes_head = sum(item in head for item in own) / len(own)

        def worth(item: int, chosen: list[int], relevance=relevance, likes_head=likes_head) -> float:
            same = [other for other in chosen if (other in head) == (item in head)]
            covered = len(same) / max(len(chosen), 1) if mode == "smooth" else float(bool(same))
            return 0.6 * relevance[item] + 0.4 * (likes_head if item in head else 1 - likes_head) * (1 - covered)

        expected.append(greedy(items, worth))
    assert run("xquad", world, weight=0.4, mode=mode, head_share=0.5) == expected


def test_seen_drops_the_history_and_closes_ranks(world) -> None:
    expected = [[item for item in items if item not in own] for items, own in zip(plain(world), world[3], strict=True)]
    assert run("seen", world) == expected
    assert expected != plain(world)


@pytest.mark.parametrize("kind", ["mmr", "calibrated", "xquad"])
def test_a_weight_of_nothing_changes_nothing(world, kind: str) -> None:
    assert run(kind, world, weight=0.0) == plain(world)


def test_the_next_re_ranker_starts_from_the_order_it_is_given(world) -> None:
    """What a place is worth stays with the place: a re-ranker without weight keeps the order of the one before."""
    train, lists, *_ = world
    first, second = build({"kind": "mmr", "weight": 0.9}), build({"kind": "xquad", "weight": 0.0})
    for each in (first, second):
        each.prepare(train, Vocabulary(pl.Series(range(N_ITEMS))))
    moved = first.rerank(lists)
    assert (moved.items != lists.items).any()
    assert (second.rerank(moved).items == moved.items).all()


def test_a_user_without_history_has_nothing_to_be_calibrated_to(world) -> None:
    train, lists, *_ = world
    made = build({"kind": "calibrated", "weight": 0.9})
    made.prepare(train, Vocabulary(pl.Series(range(N_ITEMS))))
    strangers = RankedLists(users=np.full(N_USERS, -1), items=lists.items, scores=lists.scores, seen=lists.seen, k=K)
    assert (made.rerank(strangers).items == lists.items).all()


def test_the_registry() -> None:
    whole = "amortised available boost calibrated constrained_sort dual_prices fair_top_k mmr popularity_discount seen"
    assert rerank.kinds() == [*whole.split(), "xquad"]
    assert rerank.describe("mmr").startswith("Maximal marginal relevance")


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ({"kind": "mrm"}, UnknownNameError, "Did you mean 'mmr'"),
        ({"weight": 0.3}, UsageError, "needs a kind"),
        ({"kind": "mmr", "wieght": 0.3}, UnknownNameError, "Did you mean 'weight'"),
        ({"kind": "mmr", "weight": 1.5}, UsageError, "weight is 1.5"),
        ({"kind": "calibrated", "alpha": 0.0}, UsageError, "alpha is 0.0"),
        ({"kind": "xquad", "mode": "smoth"}, UnknownNameError, "Did you mean 'smooth'"),
        ({"kind": "xquad", "head_share": 1.0}, UsageError, "head_share is 1.0"),
        ({"kind": "mmr", "attribute": "genre"}, UnknownNameError, "Did you mean 'genres'"),
    ],
)
def test_wrong_specs_are_explained(world, spec: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        build(spec).prepare(world[0], Vocabulary(pl.Series(range(N_ITEMS))))


def test_labels_have_to_be_somewhere(world) -> None:
    bare = Dataset(world[0].interactions)
    with pytest.raises(UsageError, match="0 list-valued columns"):
        build({"kind": "mmr"}).prepare(bare, Vocabulary(pl.Series(range(N_ITEMS))))


def test_one_item_and_none() -> None:
    matrix = UserItemMatrix(np.array([0, 1]), np.array([0], np.int32), np.ones(1, np.float32), 3)
    items = np.array([[2, -1], [-1, -1]], np.int32)
    scores = np.array([[0.5, np.nan], [np.nan, np.nan]], np.float32)
    lists = RankedLists(users=np.array([0, -1]), items=items, scores=scores, seen=matrix, k=5)
    labels = pl.DataFrame({"item_id": [0, 1, 2], "genres": [["a"], ["b"], ["a"]]})
    train = Dataset(pl.DataFrame({"user_id": [0, 0, 0], "item_id": [0, 1, 2]}), items=labels)
    for kind in ("mmr", "calibrated", "xquad", "seen"):
        made = build({"kind": kind})
        made.prepare(train, Vocabulary(pl.Series([0, 1, 2])))
        assert made.rerank(lists).items.tolist() == items.tolist()


# ------------------------------------------------------------------------------------------------ filters and boosts


@pytest.fixture(scope="module")
def priced():
    """Six items, best first a … f, with a price and a brand; e has no price."""
    items = pl.DataFrame(
        {
            "item_id": list("abcdef"),
            "price": [30, 10, 25, 5, None, 12],
            "brand": ["Acme", "Bolt", "Acme", "Bolt", "Acme", "Acme"],
        }
    )
    train = Dataset(pl.DataFrame({"user_id": ["u"] * 6, "item_id": list("abcdef")}), items=items)
    scores = np.array([[1.0, 0.8, 0.6, 0.4, 0.2, 0.0]], np.float32)
    lists = RankedLists(
        users=np.array([0]), items=np.arange(6, dtype=np.int32)[None], scores=scores, seen=train.matrix(), k=3
    )
    return train, lists


def order(priced, **spec) -> str:
    train, lists = priced
    made = build(spec)
    made.prepare(train, Vocabulary(pl.Series(list("abcdef"))))
    return "".join("abcdef"[item] for item in made.rerank(lists).items[0] if item >= 0)


def test_what_cannot_be_had_is_dropped(priced) -> None:
    assert order(priced, kind="available", where="price <= 20") == "bdf"  # e: what is not known does not meet it
    assert order(priced, kind="available", where=["price <= 20", "brand = Acme"]) == "f"
    assert order(priced, kind="available", exclude=["a", "c", "nothing"]) == "bdef"


def test_a_boost_lifts_so_many_items_by_so_much(priced) -> None:
    assert order(priced, kind="boost", where="brand = Bolt", amount=0.3, most=1) == "bacdef"  # 0.8 + 0.3 > 1.0
    assert order(priced, kind="boost", where="brand = Bolt", amount=0.3, most=2) == "badcef"  # and 0.4 + 0.3 > 0.6
    assert order(priced, kind="boost", where="price < 13", amount=10.0, most=2) == "bdacef"  # f is the third: it stays
    assert order(priced, kind="boost", where="brand = Bolt", amount=0.0) == "abcdef"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"kind": "available"}, "nothing says what is available"),
        ({"kind": "available", "where": "price low"}, "is met more or less"),
        ({"kind": "available", "where": "pirce <= 20"}, "Did you mean 'price'"),
        ({"kind": "boost"}, "nothing says what is boosted"),
        ({"kind": "boost", "where": "brand = Acme", "amount": -1.0}, "amount is -1.0"),
        ({"kind": "boost", "where": "brand = Acme", "most": 0}, "most is 0"),
        ({"kind": "boost", "where": "brand includes Acme"}, "Did you mean"),
    ],
)
def test_wrong_filters_and_boosts_are_explained(priced, spec: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        order(priced, **spec)
