"""Re-rankers that look after groups: by hand, against plain Python, by enumeration of all lists, and by properties."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.data.dataset import Dataset
from reclens.errors import UnknownNameError, UsageError
from reclens.pipeline.rerank import RankedLists, Reranker, build
from reclens.schema import Vocabulary

N_ITEMS, DEPTH, N_USERS = 60, 20, 80


def made_of(
    items: pl.DataFrame, codes: np.ndarray, scores: np.ndarray, k: int, spec: dict
) -> tuple[Reranker, RankedLists]:
    """A prepared re-ranker and the lists; item codes are ids; every item has one training user more than the next."""
    n = items.height
    rows = [(user, item) for item in range(n) for user in range(n - item)]
    train = Dataset(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"), items=items)
    made = build(spec)
    made.prepare(train, Vocabulary(pl.Series(range(n))))
    users = np.arange(len(codes)) % n
    return made, RankedLists(
        users=users, items=codes.astype(np.int32), scores=scores.astype(np.float32), seen=train.matrix(), k=k
    )


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Sixty items of four unequal sellers, three without one, in lists of twenty; some lists are short."""
    rng = np.random.default_rng(3)
    sellers = [None if item < 3 else "abcd"[min(int(rng.geometric(0.5)) - 1, 3)] for item in range(N_ITEMS)]
    tags = [rng.choice(["x", "y", "z"], rng.integers(1, 4), replace=False).tolist() for _ in range(N_ITEMS)]
    codes = np.stack([rng.permutation(N_ITEMS)[:DEPTH] for _ in range(N_USERS)])
    scores = -np.sort(-rng.random((N_USERS, DEPTH)), axis=1)
    codes[7, 4:], scores[7, 4:] = -1, np.nan
    return pl.DataFrame({"item_id": range(N_ITEMS), "seller": sellers, "tags": tags}), codes, scores


GROUP_SPECS = [
    {"kind": "constrained_sort", "attribute": "seller", "method": "greedy"},
    {"kind": "constrained_sort", "attribute": "seller", "target": "catalogue", "method": "conservative"},
    {"kind": "constrained_sort", "attribute": "popularity", "target": {"tail": 0.7}},
    {"kind": "dual_prices", "attribute": "seller", "weight": 0.8},
    {"kind": "dual_prices", "attribute": "tags", "target": "history", "weight": 0.5},
    {"kind": "dual_prices", "attribute": "seller", "prices": {"a": 0.3, "(unknown)": 0.1}},
    {"kind": "amortised", "weight": 0.6},
    {"kind": "amortised", "weight": 0.6, "attribute": "seller"},
    {"kind": "popularity_discount", "beta": 0.4},
    {"kind": "fair_top_k", "where": "seller = a", "share": 0.4},
]


@pytest.mark.parametrize("spec", GROUP_SPECS, ids=lambda spec: f"{spec['kind']}-{len(spec)}")
def test_lists_are_permuted_kept_and_do_not_change_the_re_ranker(market: tuple, spec: dict) -> None:
    made, lists = made_of(*market, 8, spec)
    found = made.rerank(lists)
    assert (np.sort(found.items, axis=1) == np.sort(lists.items, axis=1)).all()
    assert (found.items[:, :-1] >= 0).sum() >= (found.items[:, 1:] >= 0).sum()  # what is empty stays on the right
    assert (np.diff((found.items >= 0).astype(int), axis=1) <= 0).all()
    assert (found.items != lists.items).any()
    assert (made.rerank(lists).items == found.items).all()
    again = build(spec)
    again.restore(made.state(), Vocabulary(pl.Series(range(N_ITEMS))))
    assert (again.rerank(lists).items == found.items).all()


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "dual_prices", "attribute": "seller", "weight": 0.0},
        {"kind": "amortised", "weight": 0.0},
        {"kind": "popularity_discount", "beta": 0.0},
        {"kind": "fair_top_k", "where": "seller = a", "share": 0.01},
    ],
    ids=lambda spec: spec["kind"],
)
def test_no_strength_changes_nothing(market: tuple, spec: dict) -> None:
    made, lists = made_of(*market, 8, spec)
    assert (made.rerank(lists).items == lists.items).all()


# --------------------------------------------------------------------------------------------- constrained sorting


def geyik(groups: list[str], p: dict[str, Fraction], k: int, method: str) -> list[int]:
    """Algorithms 1 and 2 of Geyik, Ambler and Kenthapadi (2019) in exact arithmetic."""
    queues = {group: [at for at, own in enumerate(groups) if own == group] for group in p}
    count, found = dict.fromkeys(p, 0), []
    for i in range(1, k + 1):
        open_ = [group for group in p if count[group] < len(queues[group])]
        head = {group: queues[group][count[group]] for group in open_}
        below_min = [group for group in open_ if count[group] < math.floor(i * p[group])]
        below_max = [group for group in open_ if math.floor(i * p[group]) <= count[group] < math.ceil(i * p[group])]
        if below_min or not below_max or method == "greedy":
            best = min(below_min or below_max or open_, key=lambda group: head[group])
        elif method == "conservative":
            best = min(below_max, key=lambda group: (math.ceil(i * p[group]) / p[group], head[group]))
        else:
            best = min(below_max, key=lambda group: (math.ceil(math.ceil(i * p[group]) / p[group]), head[group]))
        found.append(head[best])
        count[best] += 1
    return found + [at for at in range(len(groups)) if at not in found]


def test_det_greedy_against_the_library_reranking() -> None:
    """The example of its README: half a1, half a2."""
    groups = ["a1", "a1", "a1", "a2", "a1", "a1", "a1", "a2", "a2", "a1"]
    items = pl.DataFrame({"item_id": range(10), "of": groups})
    spec = {"kind": "constrained_sort", "attribute": "of", "target": {"a1": 0.5, "a2": 0.5}, "method": "greedy"}
    made, lists = made_of(items, np.arange(10)[None], np.linspace(1, 0, 10)[None], 10, spec)
    assert made.rerank(lists).items[0].tolist() == [0, 3, 1, 7, 2, 8, 4, 5, 6, 9]


@pytest.mark.parametrize("method", ["greedy", "conservative", "relaxed"])
def test_constrained_sorting_is_that_of_the_paper(method: str) -> None:
    rng = np.random.default_rng(12)
    shares = {"a": Fraction(1, 10), "b": Fraction(2, 10), "c": Fraction(3, 10), "d": Fraction(4, 10)}
    groups = rng.choice(list(shares), 40, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    codes = np.stack([rng.permutation(40)[:30] for _ in range(25)])
    scores = np.repeat(np.linspace(1, 0, 30)[None], 25, axis=0)
    target = {group: float(share) for group, share in shares.items()}
    spec = {"kind": "constrained_sort", "attribute": "of", "target": target, "method": method}
    made, lists = made_of(pl.DataFrame({"item_id": range(40), "of": groups}), codes, scores, 20, spec)
    found = made.rerank(lists).items
    for row, own in zip(codes, found, strict=True):
        order = geyik([groups[item] for item in row], shares, 20, method)
        assert own.tolist() == row[order].tolist()


@pytest.mark.parametrize("method", ["conservative", "relaxed"])
def test_constrained_sorting_keeps_the_lower_bounds_where_there_are_candidates(method: str) -> None:
    """Geyik et al., theorem 2: DetCons and DetRelaxed with two and three groups never fall below ⌊p i⌋."""
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 20)
    for _ in range(20):
        p = rng.dirichlet([1, 1, 1])
        spec = {
            "kind": "constrained_sort",
            "attribute": "of",
            "target": {str(group): float(share) for group, share in enumerate(p / p.sum() * (1 - 1e-12))},
            "method": method,
        }
        items = pl.DataFrame({"item_id": range(60), "of": [str(group) for group in groups]})
        made, lists = made_of(items, rng.permutation(60)[None], np.linspace(1, 0, 60)[None], 15, spec)
        placed = groups[made.rerank(lists).items[0, :15]]
        counts = np.stack([(placed == group).cumsum() for group in range(3)], axis=1)
        assert (counts >= np.floor(np.arange(1, 16)[:, None] * p - 1e-9)).all()


# -------------------------------------------------------------------------------------------------------- dual prices


def exposures(items: np.ndarray, groups: np.ndarray, k: int, n_groups: int) -> np.ndarray:
    weights = 1 / np.log2(np.arange(2, k + 2))
    found = np.zeros(n_groups)
    for row in items[:, :k]:
        for place, item in enumerate(row):
            found[groups[item]] += weights[place]
    return found


def test_no_lists_with_the_exposure_have_more_relevance() -> None:
    """Everett 1963, by enumeration of every pair of lists: 60 × 60 ways of filling three of five places twice."""
    groups = np.array([0, 0, 1, 1, 2])
    items = pl.DataFrame({"item_id": range(5), "of": ["a", "a", "b", "b", "c"]})
    codes = np.array([[0, 1, 2, 3, 4], [1, 0, 4, 2, 3]])
    scores = np.array([[1, 0.9, 0.7, 0.2, 0.0], [1, 0.8, 0.75, 0.3, 0.0]])
    weights = 1 / np.log2(np.arange(2, 5))
    options = []
    for row, own in zip(codes, scores, strict=True):
        ways = list(itertools.permutations(range(5), 3))
        relevance = np.array([(own[list(way)] * weights).sum() for way in ways])
        exposure = np.array([[(weights * (groups[row[list(way)]] == group)).sum() for group in (1, 2)] for way in ways])
        options.append((relevance, exposure))
    relevance = options[0][0][:, None] + options[1][0][None, :]
    exposure = options[0][1][:, None] + options[1][1][None, :]
    for prices in ({"b": 0.25}, {"c": 0.5}, {"b": 0.22, "c": 0.31}, {"b": 0.9, "c": 0.9}):
        spec = {"kind": "dual_prices", "attribute": "of", "prices": prices}
        made, lists = made_of(items, codes, scores, 3, spec)
        found = made.rerank(lists).items
        reached = exposures(found, groups, 3, 3)[1:]
        own = sum(
            float(
                (scores[row][[int(np.flatnonzero(codes[row] == item)[0]) for item in found[row, :3]]] * weights).sum()
            )
            for row in range(2)
        )
        priced = np.array([group in prices for group in ("b", "c")])
        enough = (exposure[..., priced] >= reached[priced] - 1e-9).all(axis=-1)
        assert own == pytest.approx(relevance[enough].max(), abs=1e-6), prices


def test_the_prices_meet_the_floors_of_several_groups() -> None:
    rng = np.random.default_rng(4)
    n, n_items, k = 1500, 200, 10
    groups = rng.choice(4, n_items, p=[0.5, 0.3, 0.15, 0.05])
    items = pl.DataFrame({"item_id": range(n_items), "of": ["abcd"[group] for group in groups]})
    codes = np.argsort(-(rng.random((n, n_items)) + 0.3 * (groups == 0)), axis=1)[:, :60]
    scores = -np.sort(-rng.random((n, 60)), axis=1)
    target = {"a": 0.3, "b": 0.3, "c": 0.25, "d": 0.15}
    spec = {"kind": "dual_prices", "attribute": "of", "target": target, "weight": 1.0}
    made, lists = made_of(items, codes, scores, k, spec)
    reached = exposures(made.rerank(lists).items, groups, k, 4)
    assert reached / reached.sum() == pytest.approx([0.3, 0.3, 0.25, 0.15], abs=1e-3)
    # Half of the way is half of the way, and what is said of the shares is so.
    half, lists = made_of(items, codes, scores, k, {**spec, "weight": 0.5})
    before = exposures(lists.items, groups, k, 4) / exposures(lists.items, groups, k, 4).sum()
    told = half.shares(lists)  # type: ignore[attr-defined]
    after = exposures(half.rerank(lists).items, groups, k, 4)
    for at, label in enumerate("abcd"):
        assert told[label][0] == pytest.approx(before[at])
        assert told[label][1] == pytest.approx((before[at] + target[label]) / 2)
        assert told[label][2] == pytest.approx(after[at] / after.sum())
        assert told[label][2] == pytest.approx(told[label][1], abs=1e-3)
    # The prices found, given for one list at a time, make the same lists.
    prices = half.find_prices(lists)  # type: ignore[attr-defined]
    fixed, _ = made_of(items, codes, scores, k, {**spec, "prices": prices})
    one = RankedLists(users=lists.users[5:6], items=lists.items[5:6], scores=lists.scores[5:6], seen=lists.seen, k=k)
    assert (fixed.rerank(one).items == half.rerank(lists).items[5:6]).all()


def test_a_floor_for_one_group_leaves_the_others_alone() -> None:
    """A floor that is met already has a price of 0, and groups without a target cost nothing."""
    items = pl.DataFrame({"item_id": range(6), "of": list("aabbcc")})
    codes = np.stack([np.roll(np.arange(6), shift) for shift in range(6)])
    scores = np.repeat(np.linspace(1, 0, 6)[None], 6, axis=0)
    spec = {"kind": "dual_prices", "attribute": "of", "target": {"c": 0.2}, "weight": 1.0}
    made, lists = made_of(items, codes, scores, 3, spec)
    assert made.find_prices(lists) == {"a": 0.0, "b": 0.0, "c": 0.0}  # type: ignore[attr-defined]
    more, lists = made_of(items, codes, scores, 3, {**spec, "target": {"c": 0.6}})
    found = more.find_prices(lists)  # type: ignore[attr-defined]
    assert found["c"] > 0 and found["a"] == found["b"] == 0
    assert more.shares(lists)["a"][1] is None  # type: ignore[attr-defined]


def test_an_item_with_several_labels_gives_each_a_share_of_its_exposure(market: tuple) -> None:
    items, codes, scores = market
    spec = {"kind": "dual_prices", "attribute": "tags", "weight": 0.0}
    made, lists = made_of(items, codes, scores, 8, spec)
    weights, found = 1 / np.log2(np.arange(2, 10)), dict.fromkeys("xyz", 0.0)
    for row in lists.items:
        for place, item in enumerate(row[:8]):
            for tag in items["tags"][int(item)] if item >= 0 else ():
                found[tag] += weights[place] / len(items["tags"][int(item)])
    told = made.shares(lists)  # type: ignore[attr-defined]
    assert {tag: told[tag][0] for tag in "xyz"} == pytest.approx(
        {tag: found[tag] / sum(found.values()) for tag in "xyz"}, abs=1e-6
    )


# ---------------------------------------------------------------------------------------------------------- amortised


def test_equals_take_turns() -> None:
    """Two items alike in relevance: whoever stood second the first time stands first the next."""
    items = pl.DataFrame({"item_id": [0, 1]})
    codes, scores = np.array([[0, 1]] * 4), np.ones((4, 2))
    made, lists = made_of(items, codes, scores, 2, {"kind": "amortised", "weight": 1.0})
    assert made.rerank(lists).items.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    one = RankedLists(users=lists.users[:1], items=lists.items[:1], scores=lists.scores[:1], seen=lists.seen, k=2)
    # Across days: what is settled today is paid back tomorrow; asking without settling changes nothing.
    assert [made.rerank(one).items[0].tolist() for _ in range(2)] == [[0, 1], [0, 1]]
    assert [made.settle(one).items[0].tolist() for _ in range(3)] == [[0, 1], [1, 0], [0, 1]]  # type: ignore[attr-defined]
    # attention 1 / log2(1 + rank) is .6131 and .3869 of a list; each had ½ of the relevance
    share = 1 / (1 + 1 / math.log2(3))
    assert made.state()["deficit_"] == pytest.approx([0.5 - share, share - 0.5])


def test_attention_comes_to_relevance_over_many_lists() -> None:
    """Σ |attention - relevance| ÷ lists falls towards 0 as lists add up, and stays high without."""
    n, m, k = 400, 8, 4
    scores = np.repeat(np.linspace(1.0, 0.3, m)[None], n, axis=0)
    merit = np.arange(m)[::-1] / np.arange(m).sum()
    attention = 1 / np.log2(np.arange(2, k + 2))
    gaps = {}
    for weight in (0.0, 0.3, 1.0):
        spec = {"kind": "amortised", "weight": weight}
        made, lists = made_of(pl.DataFrame({"item_id": range(m)}), np.tile(np.arange(m), (n, 1)), scores, k, spec)
        total = np.zeros(m)
        for row in made.rerank(lists).items:
            total[row[:k]] += attention / attention.sum()
        gaps[weight] = np.abs(total / n - merit).sum()
    assert gaps[1.0] < gaps[0.3] < gaps[0.0]
    assert gaps[1.0] < 0.02 and gaps[0.0] > 0.4


# ------------------------------------------------------------------------------------------------ popularity discount


def test_the_discount_by_hand() -> None:
    # Item i has 4 - i users: popularity + 1 is 5, 4, 3, 2; scores ÷ root: .447, .45, .520, .495.
    items, codes = pl.DataFrame({"item_id": range(4)}), np.array([[0, 1, 2, 3]])
    scores = np.array([[1.0, 0.9, 0.9, 0.7]])
    made, lists = made_of(items, codes, scores, 4, {"kind": "popularity_discount", "beta": 0.5})
    assert made.rerank(lists).items[0].tolist() == [2, 3, 1, 0]
    # Scores below 0 are moved up by 1 first: .894, .8, .693, 0 by the root.
    below = np.array([[1.0, 0.6, 0.2, -1.0]])
    made, lists = made_of(items, codes, below, 4, {"kind": "popularity_discount", "beta": 0.5})
    assert made.rerank(lists).items[0].tolist() == [0, 1, 2, 3]
    made, lists = made_of(items, codes, below, 4, {"kind": "popularity_discount", "beta": 2.0})
    assert made.rerank(lists).items[0].tolist() == [2, 1, 0, 3]  # .08, .1, .133, 0


# ------------------------------------------------------------------------------------------------------- whole pipeline


def test_in_a_pipeline_all_users_are_priced_together_and_the_account_is_kept(tmp_path: Path) -> None:
    data = rl.synthetic_movielens(n_users=300, n_items=60, n_ratings=4_000, rng=5)
    shop = rl.Pipeline(
        retrieve={"item_knn": {"k": 40}},
        rerank=[{"kind": "dual_prices", "weight": 0.5, "head_share": 0.5}, {"kind": "amortised", "weight": 0.2}],
    ).fit(data)
    lists, stages = shop.recommend(k=5).table, shop.run(k=5)
    tail = ~np.isin(data.item_vocabulary.ids.to_numpy(), np.array(head_of(data, 0.5)))

    def share(table: pl.DataFrame) -> float:
        shown = table.filter(pl.col("rank") <= 5)
        weight = 1 / np.log2(1.0 + shown["rank"].to_numpy())
        return float((tail[data.item_vocabulary.encode(shown["item_id"])] * weight).sum() / weight.sum())

    priced = next(iter(stages.reranked.values())).table
    assert share(priced) == pytest.approx((share(stages.ranked.table) + tail.mean()) / 2, abs=2e-3)
    shop.save(tmp_path / "shop")
    assert rl.Pipeline.load(tmp_path / "shop").recommend(k=5).table.equals(lists)


def head_of(data: Dataset, share: float) -> list[int]:
    counts = data.interactions["item_id"].value_counts().sort(["count", "item_id"], descending=[True, False])
    before = counts["count"].cum_sum() - counts["count"]
    return counts["item_id"].filter(before < share * counts["count"].sum()).to_list()


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ({"kind": "constrained_sort", "attribute": "seler"}, UnknownNameError, "Did you mean 'seller'"),
        ({"kind": "constrained_sort", "attribute": "tags"}, UsageError, "several values of 'tags'"),
        ({"kind": "constrained_sort", "method": "gredy"}, UnknownNameError, "Did you mean 'greedy'"),
        ({"kind": "constrained_sort", "target": "catalog"}, UnknownNameError, "Did you mean 'catalogue'"),
        ({"kind": "constrained_sort", "target": {"tails": 0.5}}, UnknownNameError, "Did you mean 'tail'"),
        ({"kind": "dual_prices", "target": "candidates"}, UnknownNameError, "target of dual_prices"),
        ({"kind": "dual_prices", "target": {"tail": 0.5, "head": 0.7}}, UsageError, "add up to 1.2"),
        ({"kind": "dual_prices", "target": {"tail": -0.5}}, UsageError, "is -0.5"),
        ({"kind": "dual_prices", "weight": 2.0}, UsageError, "weight is 2.0"),
        ({"kind": "dual_prices", "prices": {"tial": 1.0}}, UnknownNameError, "Did you mean 'tail'"),
        ({"kind": "dual_prices", "prices": {"tail": math.nan}}, UsageError, "price of 'tail' is nan"),
        ({"kind": "dual_prices", "attention": [0.0, 1.0]}, UsageError, "the first above 0"),
        ({"kind": "amortised", "weight": -0.1}, UsageError, "weight is -0.1"),
        ({"kind": "amortised", "attribute": "tags"}, UsageError, "several values of 'tags'"),
        ({"kind": "popularity_discount", "beta": -0.1}, UsageError, "beta is -0.1"),
    ],
)
def test_wrong_specs_are_explained(market: tuple, spec: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        made_of(*market, 8, spec)


def test_attention_has_to_reach_to_the_last_place(market: tuple) -> None:
    made, lists = made_of(*market, 8, {"kind": "dual_prices", "attention": [1.0, 0.5]})
    with pytest.raises(UsageError, match="2 weights for lists of 8"):
        made.rerank(lists)
