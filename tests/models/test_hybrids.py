"""The hybrids: worked out by hand, and what has to hold whatever the models are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.models import AugmentedHybrid, CascadeHybrid, FusionHybrid, Recommender, SwitchingHybrid, WeightedHybrid
from reclens.testing.models import check_model, model_data

# User 1 has item 0, so that the first score is on no scale.
A = [9, 1, 2, 3, None, 5, None]
B = [1, 10, 20, None, 40, 30, None]
TWO = {"a": {"model": "fixed", "values": A}, "b": {"model": "fixed", "values": B}}
HYBRIDS = [WeightedHybrid, SwitchingHybrid, FusionHybrid, CascadeHybrid, AugmentedHybrid]


def shown(model: Recommender, user: int = 1, **options) -> dict[int, float]:
    """The list of a user: item -> score, best first."""
    table = model.recommend([user], k=50, **options).table
    return dict(zip(table["item_id"].to_list(), table["score"].to_list(), strict=True))


def close(expected: dict[int, float]) -> dict:
    return {item: pytest.approx(value, rel=1e-5, abs=1e-6) for item, value in expected.items()}


def z(values: dict[int, float]) -> dict[int, float]:
    numbers = np.array(list(values.values()), float)
    return dict(zip(values, (numbers - numbers.mean()) / numbers.std(), strict=True))


@pytest.mark.usefixtures("fixed")
class TestWeighted:
    def test_min_max(self, seven: Dataset) -> None:
        model = WeightedHybrid(models=TWO, weights={"a": 3, "b": 1}, scale="min_max").fit(seven)
        # a: 1, 2, 3, 5 become 0, ¼, ½, 1; b: 10, 20, 30, 40 become 0, ⅓, ⅔, 1. Nobody scores item 6.
        expected = {5: 0.75 + 1 / 6, 3: 0.375, 2: 0.1875 + 1 / 12, 4: 0.25, 1: 0.0}
        assert shown(model) == close(expected) and list(shown(model)) == [5, 3, 2, 4, 1]
        assert model.explain(1, 2).reasons == (("a", pytest.approx(0.1875)), ("b", pytest.approx(1 / 12)))
        assert model.explain(1, 6).reasons == () and model.explain(1, 6).score == 0
        seen = shown(model, exclude_seen=False)
        assert seen == close({0: 0.75, **expected}), "9 is above the scale of a and 1 below that of b"

    def test_rank(self, seven: Dataset) -> None:
        model = WeightedHybrid(models=TWO, weights={"a": 3, "b": 1}, scale="rank").fit(seven)
        a, b = {1: 0.2, 2: 0.4, 3: 0.6, 5: 0.8}, {1: 0.2, 2: 0.4, 5: 0.6, 4: 0.8}
        assert shown(model) == close({i: 0.75 * a.get(i, 0) + 0.25 * b.get(i, 0) for i in (1, 2, 3, 4, 5)})

    def test_equal_scores_have_one_rank(self, seven: Dataset) -> None:
        same = {"a": {"model": "fixed", "values": [1, 2, 2, 2, 2, 8, 8]}}
        got = shown(WeightedHybrid(models=same, scale="rank").fit(seven))
        # Six items: the upper two at (5 + 6) ÷ 2 of 7, the lower four at (1 + 2 + 3 + 4) ÷ 4 of 7.
        assert got == close({5: 5.5 / 7, 6: 5.5 / 7, 1: 2.5 / 7, 2: 2.5 / 7, 3: 2.5 / 7, 4: 2.5 / 7})

    def test_z(self, seven: Dataset) -> None:
        model = WeightedHybrid(models=TWO, weights={"a": 3, "b": 1}, scale="z").fit(seven)
        a, b = z({1: 1, 2: 2, 3: 3, 5: 5}), z({1: 10, 2: 20, 5: 30, 4: 40})
        low_a, low_b = min(a.values()), min(b.values())
        assert shown(model) == close({i: 0.75 * a.get(i, low_a) + 0.25 * b.get(i, low_b) for i in (1, 2, 3, 4, 5)})

    @pytest.mark.parametrize(("scale", "value"), [("min_max", 1.0), ("rank", 0.5)])
    def test_a_model_that_scores_all_alike(self, seven: Dataset, scale: str, value: float) -> None:
        flat = {"a": {"model": "fixed", "values": [0.1] * 7}}
        got = shown(WeightedHybrid(models=flat, scale=scale).fit(seven))
        assert got == close(dict.fromkeys(range(1, 7), value)) and list(got) == [1, 2, 3, 4, 5, 6]

    def test_z_scores_that_are_all_0_are_no_opinion(self, seven: Dataset) -> None:
        flat = WeightedHybrid(models={"a": {"model": "fixed", "values": [0.1] * 7}}, scale="z").fit(seven)
        assert not flat.recommend([1], k=7, cold_users="none").table.height

    def test_weights_are_shares_and_equal_without_any(self) -> None:
        assert WeightedHybrid(models=TWO).shares == {"a": 0.5, "b": 0.5}
        assert WeightedHybrid(models=TWO, weights={"b": 2}).shares == {"b": 1.0}


@pytest.mark.usefixtures("fixed")
class TestFusion:
    def test_reciprocal_ranks(self, seven: Dataset) -> None:
        # a lists 5, 3, 2, 1 and b lists 4, 5, 2, 1.
        expected = {5: 1 / 61 + 1 / 62, 2: 2 / 63, 1: 2 / 64, 4: 1 / 61, 3: 1 / 62}
        model = FusionHybrid(models=TWO).fit(seven)
        assert shown(model) == close(expected) and list(shown(model)) == [5, 2, 1, 4, 3]
        assert model.explain(1, 5).reasons == (("a", pytest.approx(1 / 61)), ("b", pytest.approx(1 / 62)))
        assert shown(FusionHybrid(models=TWO, constant=0, depth=2).fit(seven)) == close({5: 1.5, 4: 1.0, 3: 0.5})

    def test_an_item_of_the_history_has_the_rank_it_would_have(self, seven: Dataset) -> None:
        got = shown(FusionHybrid(models=TWO).fit(seven), exclude_seen=False)
        assert got[0] == pytest.approx(1 / 61 + 1 / 65), "before all four of a, behind all four of b"
        assert {item: got[item] for item in (1, 2, 3, 4, 5)} == close(shown(FusionHybrid(models=TWO).fit(seven)))

    def test_turns(self, seven: Dataset) -> None:
        model = FusionHybrid(models=TWO, mode="mixed").fit(seven)
        # Turns: a5 b4 a3 (b5) a2 (b2) a1 (b1); those in brackets were shown before.
        assert shown(model) == close({5: 1.0, 4: 1 / 2, 3: 1 / 3, 2: 1 / 5, 1: 1 / 7})
        assert model.explain(1, 4).reasons == (("b", 0.5),)
        other = FusionHybrid(models={"b": TWO["b"], "a": TWO["a"]}, mode="mixed").fit(seven)
        assert list(shown(other)) == [4, 5, 3, 2, 1], "b begins"


@pytest.mark.usefixtures("fixed")
class TestCascade:
    def test_the_second_model_decides_within_a_band(self, seven: Dataset) -> None:
        # Bands of a over 1 … 5: items 1 and 2 below 3, items 3 and 5 above; b prefers 1 to 2 and 3 to 5.
        two = {"a": TWO["a"], "b": {"model": "fixed", "values": [0, 2, 1, 4, 9, 3, 9]}}
        model = CascadeHybrid(models=two, bands=2).fit(seven)
        # Item 0 of the history would stand in the upper band, and is the last of it.
        expected = {3: 2 + 2 / 3, 5: 2 + 1 / 3, 1: 1.5, 2: 1.0}
        assert shown(model) == close(expected) and list(shown(model)) == [3, 5, 1, 2]
        assert model.explain(1, 3).reasons == (("a", 2.0), ("b", pytest.approx(2 / 3)))
        assert list(shown(CascadeHybrid(models=two, bands=4).fit(seven))) == [5, 3, 2, 1], "bands of one item each"
        assert list(shown(CascadeHybrid(models=two, bands=1).fit(seven))) == [3, 5, 1, 2], "the second model alone"
        assert set(shown(CascadeHybrid(models=two, bands=1, depth=2).fit(seven))) == {3, 5}, "of two candidates"

    def test_what_the_second_does_not_score_is_last_in_its_band_in_the_first_ones_order(self, seven: Dataset) -> None:
        two = {"a": TWO["a"], "b": {"model": "fixed", "values": [None, 1, None, None, None, None, None]}}
        assert list(shown(CascadeHybrid(models=two, bands=1).fit(seven))) == [1, 5, 3, 2]


@pytest.mark.usefixtures("fixed")
class TestSwitching:
    MODELS = {"pop": {"model": "fixed", "values": [1, 2, 3, 4, 5, 6, 7], "anybody": True}, **TWO}  # noqa: RUF012

    def test_who_goes_where(self, seven: Dataset) -> None:
        model = SwitchingHybrid(models=self.MODELS, min_history={"a": 2, "pop": 0, "b": 4}).fit(seven)
        lists = model.recommend([1, 2, 3, 99], k=2)
        by_user = dict(lists.table.group_by("user_id").agg(pl.col("item_id")).iter_rows())
        assert by_user == {1: [6, 5], 2: [0, 3], 3: [5, 1], 99: [6, 5]}
        served = [each for each in lists.card["rules"] if each["code"] == "users_served_by"]
        assert {each["facts"]["model"]: each["count"] for each in served} == {"pop": 2, "a": 1, "b": 1}
        assert not model.is_personalized and model.explain(2, 3).score == 3

    def test_nobody_serves_a_stranger_where_all_are_personal(self, seven: Dataset) -> None:
        model = SwitchingHybrid(models=TWO, min_history={"a": 0, "b": 2}).fit(seven)
        assert model.is_personalized and not model.recommend([99], cold_users="none").table.height

    def test_a_model_that_cannot_use_a_history_passes_the_user_on(self, seven: Dataset) -> None:
        made = self.MODELS | {"a": TWO["a"] | {"folding": False}}
        model = SwitchingHybrid(models=made, min_history={"pop": 0, "a": 1, "b": 2}).fit(seven)
        history = pl.DataFrame({"user_id": [7, 8, 8], "item_id": [0, 0, 1]})
        lists = model.recommend(history=history, k=1).table
        assert lists["item_id"].to_list() == [6, 4], "7 by pop and 8 by b"
        with pytest.raises(UsageError, match="cannot use a history"):
            SwitchingHybrid(models={"a": made["a"]}, min_history={"a": 0}).fit(seven).recommend(history=history)


@pytest.mark.usefixtures("fixed")
class TestAugmented:
    def test_short_histories_are_filled_and_long_ones_left_alone(self, seven: Dataset) -> None:
        made = {"a": TWO["a"], "popular": {}}
        # a's best unseen: 5, 3 for user 1; 0 for user 2; user 3 has four. With the seven real ones, counts are:
        model = AugmentedHybrid(models=made, fill_to=3).fit(seven)
        counts = {0: 2, 1: 1, 2: 1, 3: 2, 4: 1, 5: 2, 6: 1}
        assert model.filled_ == 3
        assert shown(model, 99) == counts
        assert shown(model, 1) == {item: n for item, n in counts.items() if item != 0}, "only what is real is left out"
        assert not model.is_personalized

    def test_the_target_learns_from_what_was_filled_in(self) -> None:
        data = model_data()
        model = AugmentedHybrid(models={"item_knn": {}, "ease": {"l2": 20}}, fill_to=30).fit(data)
        knn = models.ItemKNN().fit(data)
        lengths = data.interactions.group_by("user_id").len()
        best = knn.recommend(k=30).table.join(lengths, on="user_id").filter(pl.col("rank") + pl.col("len") <= 30)
        filled = pl.concat([data.interactions.select("user_id", "item_id"), best.select("user_id", "item_id")])
        ease = models.EASE(l2=20).fit(Dataset(filled))
        pairs = best.select("user_id", "item_id").head(40)
        assert pairs.height == 40
        np.testing.assert_allclose(model.score(pairs)["score"], ease.score(pairs)["score"], rtol=1e-4, atol=1e-5)

    def test_an_explanation_tells_what_was_filled_in(self) -> None:
        model = AugmentedHybrid(models={"item_knn": {}, "ease": {"l2": 20}}, fill_to=30).fit(model_data())
        own = model_data().interactions.filter(pl.col("user_id") == "u1")["item_id"].to_list()
        item = model.recommend(["u1"], k=1).table["item_id"].item()
        reasons = [str(reason) for reason, _ in model.explain("u1", item, n=100).reasons]
        made_up = [reason for reason in reasons if reason.endswith(", filled in by item_knn")]
        assert len(made_up) == 30 - len(own) - (f"{item}, filled in by item_knn" not in made_up and 1)
        assert not set(made_up) & set(own) and set(reasons) - set(made_up) <= set(own)

    def test_other_columns_are_those_of_the_user(self, seven: Dataset) -> None:
        rated = seven.interactions.with_columns(rating=pl.Series([1.0, 2, 4, 5, 5, 5, 5]), note=pl.lit("x"))
        made = {"a": TWO["a"], "item_knn": {"similarity": "adjusted_cosine"}}
        model = AugmentedHybrid(models=made, fill_to=3).fit(replace(seven, interactions=rated))
        knn = model.parts_["item_knn"]
        # User 2 has 2 and 4, and was given item 0 with 3: nothing after centring.
        assert knn.values_[knn.seen_.indptr[1] : knn.seen_.indptr[2]].tolist() == [0.0, -1.0, 1.0]


@pytest.mark.parametrize("scale", ["min_max", "rank", "z"])
@pytest.mark.parametrize("name", ["ease", "item_knn", "popular"])
def test_with_all_the_weight_on_one_model_its_lists_come_back(name: str, scale: str) -> None:
    alone = models.build(name).fit(model_data()).recommend(k=60).table
    made = {name: {}, "recent_popular": {}}
    hybrid = WeightedHybrid(models=made, weights={name: 1, "recent_popular": 0}, scale=scale).fit(model_data())
    columns = ["user_id", "item_id", "rank"]
    assert hybrid.recommend(alone["user_id"].unique(maintain_order=True), k=60).table[columns].equals(alone[columns])


@pytest.mark.parametrize("name", ["ease", "item_knn", "popular"])
@pytest.mark.parametrize("mode", ["reciprocal_rank", "mixed"])
def test_one_list_alone_is_fused_to_itself(name: str, mode: str) -> None:
    alone = models.build(name).fit(model_data()).recommend(k=60).table
    fused = FusionHybrid(models={name: {}}, mode=mode).fit(model_data()).recommend(k=60).table
    columns = ["user_id", "item_id", "rank"]
    assert fused[columns].equals(alone[columns])


@pytest.mark.parametrize("name", ["ease", "item_knn", "popular"])
@pytest.mark.parametrize("bands", [1, 7])
def test_a_cascade_that_a_constant_refines_is_its_first_model(fixed, name: str, bands: int) -> None:
    data = model_data()
    alone = models.build(name).fit(data).recommend(k=60).table
    constant = {"model": "fixed", "values": [1.0] * data.interactions["item_id"].n_unique()}
    cascade = CascadeHybrid(models={name: {}, "flat": constant}, depth=60, bands=bands).fit(data)
    columns = ["user_id", "item_id", "rank"]
    assert cascade.recommend(alone["user_id"].unique(maintain_order=True), k=60).table[columns].equals(alone[columns])


@pytest.mark.parametrize(
    "model",
    [
        WeightedHybrid(models={"popular": {}, "ease": {}}, scale="rank"),
        WeightedHybrid(models={"random": {}, "user_knn": {}, "item_knn": {"neighbors": 5}}, scale="z"),
        SwitchingHybrid(models={"item_knn": {}, "ease": {}}, min_history={"item_knn": 0, "ease": 25}),
        FusionHybrid(models={"ease": {}, "popular": {}, "item_knn": {}}, mode="mixed"),
        FusionHybrid(models={"ease": {}, "item_knn": {}}, depth=5),
        CascadeHybrid(models={"popular": {}, "ease": {}}, bands=3),
        AugmentedHybrid(models={"popular": {}, "item_knn": {"neighbors": 10}}, fill_to=40),
        CascadeHybrid(
            models={
                "both": {"model": "weighted_hybrid", "models": {"ease": {}, "popular": {}}, "weights": {"ease": 1}},
                "knn5": {"model": "item_knn", "neighbors": 5},
            }
        ),
    ],
    ids=lambda model: f"{model.name}: {', '.join(model.models)}",
)
def test_the_contract_of_other_hybrids(model: Recommender, tmp_path: Path) -> None:
    check_model(model, tmp_path)


def test_users_whom_a_model_cannot_serve_are_left_to_the_others_and_counted(fixed, seven: Dataset) -> None:
    popular = models.Popular().fit(seven).recommend([99], k=7).table["item_id"].to_list()
    for hybrid in (WeightedHybrid, FusionHybrid):
        lists = hybrid(models={"a": TWO["a"], "popular": {}}).fit(seven).recommend([1, 99], k=7)
        assert lists.table.filter(pl.col("user_id") == 99)["item_id"].to_list() == popular
        assert [rule for rule in lists.card["rules"] if rule["code"] == "users_not_served"] == [
            {"code": "users_not_served", "count": 1, "facts": {"model": "a"}}
        ]


@pytest.mark.parametrize("hybrid", HYBRIDS)
def test_catalogues_of_different_models_are_joined(fixed, seven: Dataset, hybrid, tmp_path: Path) -> None:
    """``cold`` knows item 7 of the items table too, which ``warm`` has never seen."""
    # Filled into two histories, it is known to the target of an augmented hybrid.
    warm = {"model": "fixed", "values": [*A, 3] if hybrid is AugmentedHybrid else A}
    cold = {"model": "fixed", "values": [1, 2, 3, 4, 5, 6, 7, 8], "cold": True}
    options = {SwitchingHybrid: {"min_history": {"cold": 0, "warm": 3}}, AugmentedHybrid: {"fill_to": 3}}
    model = hybrid(models={"cold": cold, "warm": warm}, **options.get(hybrid, {})).fit(seven)
    assert model.cold_items and len(model.items_) == 8
    lists = model.recommend([1, 2], k=8, exclude_seen=False).table
    assert (lists["item_id"] == 7).sum() == 2
    told = pl.DataFrame({"user_id": ["x", "x", "y"], "item_id": [0, 7, 7]})
    found = model.recommend(history=told, k=8).table
    assert set(found["user_id"]) == {"x", "y"} and not (found["item_id"] == 7).any()
    assert not found.filter((pl.col("user_id") == "x") & (pl.col("item_id") == 0)).height
    model.save(tmp_path)
    assert hybrid.load(tmp_path).recommend(k=8).table.equals(model.recommend(k=8).table)


def test_scores_of_a_smaller_catalogue_stand_at_the_right_items(fixed, seven: Dataset) -> None:
    cold = {"model": "fixed", "values": [0, 0, 0, 0, 0, 0, 0, 8], "cold": True}
    model = WeightedHybrid(models={"cold": cold, "b": TWO["b"]}, weights={"cold": 1, "b": 1}, scale="min_max").fit(
        seven
    )
    assert shown(model) == close({4: 0.5, 7: 0.5, 5: 1 / 3, 2: 1 / 6, 1: 0.0, 3: 0.0, 6: 0.0})


def test_blocks_are_bounded_by_all_models_together() -> None:
    hybrid = WeightedHybrid(models={"ease": {}, "item_knn": {}, "popular": {}}).fit(model_data())
    assert hybrid._block_size() * 6 <= hybrid.parts_["ease"]._block_size()


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("weighted_hybrid", {"models": {}}, "is made of no model"),
        ("weighted_hybrid", {"models": {"eas": {}}}, "Did you mean 'ease'"),
        ("weighted_hybrid", {"models": {"ease": {"l": 5}}}, "Did you mean 'l2'"),
        ("weighted_hybrid", {"models": ["ease"]}, "expected a mapping"),
        ("weighted_hybrid", {"models": {"ease": {}}, "weights": {"esae": 1}}, "Did you mean 'ease'"),
        ("weighted_hybrid", {"models": {"ease": {}}, "weights": {"ease": -1}}, "the weight of ease is -1"),
        ("weighted_hybrid", {"models": {"ease": {}}, "weights": {"ease": "1"}}, "the weight of ease is '1'"),
        ("weighted_hybrid", {"models": {"ease": {}}, "weights": {"ease": 0}}, "all weights are 0"),
        ("weighted_hybrid", {"scale": "minmax"}, "Did you mean 'min_max'"),
        ("switching_hybrid", {"models": {"ease": {}}, "min_history": {}}, "min_history has no entry for ease"),
        ("switching_hybrid", {"models": {"ease": {}}, "min_history": {"ease": 0, "eas": 1}}, "Did you mean 'ease'"),
        ("switching_hybrid", {"models": {"ease": {}}, "min_history": {"ease": 1}}, "has to start at 0"),
        ("switching_hybrid", {"models": {"ease": {}}, "min_history": {"ease": -1}}, "min_history of ease is -1"),
        ("fusion_hybrid", {"mode": "mixd"}, "Did you mean 'mixed'"),
        ("fusion_hybrid", {"constant": -1}, "constant is -1"),
        ("fusion_hybrid", {"depth": 0}, "depth is 0"),
        ("cascade_hybrid", {"models": {"ease": {}}}, "has 1"),
        ("cascade_hybrid", {"bands": 0}, "bands is 0"),
        ("cascade_hybrid", {"depth": 0}, "depth is 0"),
        ("augmented_hybrid", {"models": {"ease": {}}}, "has 1"),
        ("augmented_hybrid", {"fill_to": 0}, "fill_to is 0"),
    ],
)
def test_wrong_hyper_parameters_are_explained(name: str, parameters: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        models.build("mine", {"model": name, **parameters})
    with pytest.raises(UsageError, match=says):
        models.get(name)(**parameters).fit(model_data())
