"""Exercise 3.3: metrics against another implementation, claims by hand, the right answer, and wrong ones."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest

from reclens.learn import claims, model_lists, two_splits
from reclens.learn.exercise import Draw, Remark
from reclens.learn.exercises import trade_off
from reclens.learn.exercises.trade_off import TradeOff

EXERCISE = TradeOff()
DRAW = Draw(0, EXERCISE.code)
WRONG = {
    "a winner in each pair": {"claim_fails", "no_doubt"},
    "no doubt": {"no_doubt"},
    "all alike": {"claim_fails"},
    "reversed": {"claim_fails"},
    "unpaired intervals": {"wrong_paired_interval"},
    "lists that peek": {"lists_of_another"},
    "three architectures": {"too_few_models"},
    "all on the front": {"wrong_front"},
}


def test_the_solution_passes_and_no_wrong_answer_does(answer: dict[str, str], judged) -> None:
    """One learner: each fits five models on nine splits. A hundred are in benchmarks/results/rates/learn.md."""
    assert list(EXERCISE.judge(answer, DRAW)) == []
    assert set(EXERCISE.wrong) == set(WRONG)
    for name, write in EXERCISE.wrong.items():
        codes = {each.code for each in judged(EXERCISE, DRAW, write)}
        assert codes and WRONG[name] <= codes, name


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("trade-off")
    EXERCISE.write_data(DRAW, place)
    EXERCISE.solve(DRAW, place)
    return {file: (place / file).read_text() for file in EXERCISE.files}


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("answer.toml", "[models.ease]", "[models.eaze]", "architecture_not_allowed"),
        ("answer.toml", "factors = 16", "factors = 1_000_000", "parameter_not_allowed"),
        ("answer.toml", "factors = 16", "factors = -3", "no_model"),
        ("answer.toml", "[table.ease]", "[table.other]", "no_row"),
        ("answer.toml", "\nndcg = [", "\nndcg = [1 + ", None),
        ("answer.toml", "\nndcg = [", "\nndcg = [7, ", "no_row"),
        ("answer.toml", "\ntail = [", "\ntail = [nan] #", "no_row"),
        ("answer.toml", 'segment = "all"', 'segment = "some"', "no_claims"),
        ("lists.csv", "model,user_id", "system,user_id", "no_lists"),
        ("lists.csv", "ease,1,1,", "ease,1,11,", "no_place"),
        ("lists.csv", "ease,1,1,", "ease,one,1,", "no_place"),
        ("lists.csv", "ease,1,1,", "slim,1,1,", "no_place"),
        ("lists.csv", "ease,1,2,", "ease,1,1,", "no_place"),
    ],
)
def test_what_is_no_answer_is_named(answer: dict[str, str], file: str, old: str, new: str, code: str | None) -> None:
    assert old in answer[file]
    changed = {**answer, file: answer[file].replace(old, new, 1)}
    if code is None:
        with pytest.raises(tomllib.TOMLDecodeError):  # refused by `read_answer` before
            list(EXERCISE.judge(changed, DRAW))
        return
    assert code in [each.code for each in EXERCISE.judge(changed, DRAW)]


def test_lists_that_end_early_are_named_by_their_model(answer: dict[str, str]) -> None:
    changed = {**answer, "lists.csv": "\n".join(answer["lists.csv"].splitlines()[:500])}
    found = [each for each in EXERCISE.judge(changed, DRAW) if each.code == "lists_of_another"]
    assert found
    assert {str(each.facts["model"]) for each in found} <= {*tomllib.loads(answer["answer.toml"])["models"]}


def test_metrics_are_those_of_the_evaluation(answer: dict[str, str]) -> None:
    from reclens.evaluation import evaluate

    split = two_splits.make_split(DRAW, DRAW)
    lists = model_lists.read_lists(answer["lists.csv"], tomllib.loads(answer["answer.toml"])["models"])
    assert not isinstance(lists, Remark)
    frame = pl.read_csv(answer["lists.csv"].encode()).filter(model="ease").drop("model")
    found = evaluate(frame, split.truth, metrics=["ndcg@10"])["ndcg@10"].overall
    mine = two_splits.values_of(split, lists["ease"])
    assert np.nanmean(mine["ndcg"]) == pytest.approx(found.value, abs=1e-9)
    counts = split.train.interactions["item_id"].value_counts()
    least = min(counts.filter(pl.col("item_id").is_in(split.head))["count"])
    assert len(split.head) == 40
    assert counts.filter(pl.col("count") > least).filter(~pl.col("item_id").is_in(split.head)).is_empty()


def test_values_by_hand() -> None:
    split = two_splits.make_split(DRAW, DRAW)
    user, item = split.truth.row(0)
    tail = next(each for each in range(1, 201) if each not in split.head)
    head = next(iter(split.head))
    row = split.users["user_id"].to_list().index(user)
    many = split.truth.filter(user_id=user).height
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(10, many) + 1))
    other = next(each for each in (head, tail) if each != item)
    values = two_splits.values_of(split, {user: [-1, item, other]})
    expected = (1 / np.log2(3) + (other in split.truth.filter(user_id=user)["item_id"]) / np.log2(4)) / ideal
    assert values["ndcg"][row] == pytest.approx(expected)
    assert values["tail"][row] == sum(each not in split.head for each in (-1, item, other))
    assert np.delete(values["tail"], row).sum() == 0


def test_splits_share_users_and_hold_out_other_rows() -> None:
    own, hidden = (two_splits.make_split(DRAW, each) for each in (DRAW, DRAW.hidden(1)[0]))
    assert own.users.equals(hidden.users)
    whole = [
        pl.concat([each.train.interactions.select("user_id", "item_id"), each.truth]).sort("user_id", "item_id")
        for each in (own, hidden)
    ]
    assert whole[0].equals(whole[1])
    assert own.truth.join(hidden.truth, on=["user_id", "item_id"]).height < 0.3 * own.truth.height
    assert own.users["segment"].value_counts().sort("segment")["count"].to_list() == [60, 60, 180]


def test_the_front_and_the_claims_by_hand() -> None:
    def constant(ndcg: float, tail: float) -> dict[str, np.ndarray]:
        return {"ndcg": np.full(4, ndcg), "tail": np.full(4, tail)}

    values = {"a": constant(0.3, 1), "b": constant(0.2, 4), "c": constant(0.2, 3), "d": constant(0.3, 1)}
    assert trade_off._pareto(values) == ["a", "b", "d"]
    split = two_splits.make_split(DRAW, DRAW)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=300)
    values = {"a": {"ndcg": noise + 1}, "b": {"ndcg": noise + rng.normal(size=300)}}
    greater = claims.Claim(a="a", relation="greater", b="b", metric="ndcg", segment="all")
    assert claims.z_of(greater, values, split) == pytest.approx(np.sqrt(300), rel=0.2)
    assert claims.holds(greater, values, split, 4.0)
    assert not claims.holds(
        claims.Claim(a="b", relation="greater", b="a", metric="ndcg", segment="all"), values, split, 4.0
    )
    assert not claims.holds(
        claims.Claim(a="a", relation="cannot_be_told_apart", b="b", metric="ndcg", segment="all"), values, split, 4.0
    )
