"""Models of sequences: what they learn, what they must not see, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reclens as rl
from reclens import models
from reclens.errors import DataError, NotEnoughMemoryError, UnknownNameError, UsageError
from reclens.models._core.sequence_model import SequenceModel, histories_of
from reclens.report.evaluation.training import attention_rows
from reclens.schema import Vocabulary

SMALL = {"factors": 16, "max_length": 12, "device": "cpu", "batch_size": 32}
OF_SEQUENCES = [name for name in models.names() if issubclass(models.get(name), SequenceModel)]
IN_ORDER = [name for name in OF_SEQUENCES if name != "two_tower"]
CAUSAL = [name for name in OF_SEQUENCES if name != "bert4rec"]


@pytest.fixture(scope="module", params=IN_ORDER)
def fitted(request: pytest.FixtureRequest, cycle):
    """Each model, fitted on the ring."""
    pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
    options = {"epochs": 60, "patience": 6, "learning_rate": 0.01, "dropout": 0.1, "batch_size": 16, "negatives": 8}
    if request.param == "bert4rec":
        options |= {"epochs": 160, "patience": 60}  # it learns from a part of the events alone
    return models.get(request.param)(**(SMALL | options)).fit(cycle, threads=1)


def test_the_ring_is_learned_and_popularity_does_not_know_it(fitted, cycle, next_hits) -> None:
    assert next_hits(fitted) > 0.97
    assert next_hits(models.Popular().fit(cycle)) < 0.2


def test_every_loss_learns_the_ring(cycle, next_hits) -> None:
    for options in (
        {"loss": "bce", "negatives": 1, "shared_by": "position"},
        {"loss": "gbce", "negatives": 8, "shared_by": "sequence"},
        {"loss": "sampled_softmax", "negatives": 8},
    ):
        # Validation stands still for some ten epochs before the ring is found: with patience, it is a matter of luck.
        plan = {"epochs": 60, "patience": 0, "learning_rate": 0.01, "batch_size": 16}
        model = models.SASRec(**(SMALL | plan | options))
        assert next_hits(model.fit(cycle, threads=1)) > 0.9, options


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_future_changes_nothing_of_the_past(data) -> None:
    """States before a place do not depend on the items from it on; those of a place do depend on its item."""
    import torch

    from reclens.models._deep.batches import Group

    name = data.draw(st.sampled_from(CAUSAL))
    model = models.get(name)(**(SMALL | {"dropout": 0.0}))
    model.users_ = Vocabulary(pl.Series(["a user"]))
    network = model._network(30).eval()
    n = data.draw(st.integers(2, 12))
    items = torch.tensor(data.draw(st.lists(st.integers(0, 28), min_size=n, max_size=n)))[None]
    at = data.draw(st.integers(1, n - 1))
    other = items.clone()
    other[0, at:] = 29
    times = torch.arange(n, dtype=torch.float32)[None] * 3600
    groups = [
        Group(items=each, lengths=torch.tensor([n]), times=times, next_times=times + 3600) for each in (items, other)
    ]
    with torch.inference_mode():
        before, after = (network(group)[0] for group in groups)
    torch.testing.assert_close(before[:at], after[:at], rtol=0, atol=1e-6)
    assert (before[at] - after[at]).abs().max() > 1e-6


def test_the_padding_of_others_changes_nothing(fitted) -> None:
    """A user alone has the vector that they have beside a user with a longer history."""
    alone = fitted._read(fitted._restored(), fitted.sequences_, np.array([0]))
    beside = fitted._read(fitted._restored(), fitted.sequences_, np.arange(len(fitted.users_)))
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-5)
    np.testing.assert_allclose(beside, fitted.user_factors_, atol=1e-5)


def test_the_order_of_a_history_counts(fitted) -> None:
    """By timestamps where there are some, and by rows where there are none."""
    walk = pl.DataFrame({"user_id": ["new"] * 3, "item_id": [6, 4, 5]})
    dated = walk.with_columns(timestamp=pl.Series([3, 1, 2]))
    assert fitted.recommend(history=dated, k=1).table["item_id"].to_list() == [7]
    if fitted.name == "hstu":
        with pytest.raises(DataError, match="looks at times, and the history lacks timestamp"):
            fitted.recommend(history=walk, k=1)
        return
    in_order = walk[[1, 2, 0]]
    assert fitted.recommend(history=in_order, k=1).table["item_id"].to_list() == [7]
    backwards = fitted.score(pl.DataFrame({"user_id": ["new"], "item_id": [7]}), history=in_order.reverse())
    forwards = fitted.score(pl.DataFrame({"user_id": ["new"], "item_id": [7]}), history=in_order)
    assert forwards["score"][0] > backwards["score"][0]


def test_an_explanation_names_the_last_item_and_adds_up(fitted) -> None:
    user = int(fitted.users_.ids[0])
    item, score = fitted.recommend([user], k=1).table.row(0)[1::2]
    why = fitted.explain(user, item, n=99)
    assert sum(part for _, part in why.reasons) + why.rest == pytest.approx(score, rel=1e-4)
    if fitted.name in ("sasrec", "gru4rec"):
        assert why.reasons[0][0] == (item - 1) % 20
    # What is left without the items is the score of a history whose items have the vector 0.
    import torch

    from reclens.models._deep.batches import group_of
    from reclens.models._deep.reading import last_states

    whole = fitted.sequences_
    n = min(int(whole.indptr[1]), 12)
    group = group_of(histories_of(whole), whole.indptr[[1]], np.array([n]))
    with torch.inference_mode():
        state = last_states(fitted._restored(), group, torch.zeros(1, n, 16)).numpy()[0]
    nothing = dict(why.reasons)["any history"]
    assert nothing == pytest.approx(float(state @ fitted.item_factors_[fitted._code(item, fitted.items_)]), abs=0.03)


def test_equal_seeds_give_equal_models(cycle) -> None:
    def make(seed: int) -> SequenceModel:
        return models.SASRec(**SMALL, epochs=2, seed=seed).fit(cycle, threads=1)

    one, other, third = make(1), make(1), make(2)
    assert all((one.weights_[name] == other.weights_[name]).all() for name in one.weights_)
    assert one.recommend(k=5).table.equals(other.recommend(k=5).table)
    assert not (one.user_factors_ == third.user_factors_).all()


def test_a_fit_that_was_killed_goes_on_from_its_checkpoint(cycle, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if " · " in what and done == 2:
            raise Killed

    model = models.SASRec(**SMALL, epochs=4, patience=2)
    whole = models.SASRec(**SMALL, epochs=4, patience=2).fit(cycle, threads=1)
    with pytest.raises(Killed):
        model.fit(cycle, threads=1, checkpoint=tmp_path, progress=kill)
    resumed: list[int] = []
    model.fit(
        cycle,
        threads=1,
        checkpoint=tmp_path,
        progress=lambda what, done, total: resumed.append(done) if " · " in what else None,
    )
    assert resumed == [3, 4], "the first two epochs are not run again"
    assert all((model.weights_[name] == whole.weights_[name]).all() for name in whole.weights_)
    assert model.curves_.drop("seconds").equals(whole.curves_.drop("seconds"))
    with pytest.raises(UsageError, match="other hyper-parameters or other data"):
        models.SASRec(**SMALL, epochs=4, patience=2, dropout=0.3).fit(cycle, checkpoint=tmp_path)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK")
    with pytest.raises(UsageError, match="no checkpoint of a fit"):
        model.fit(cycle, checkpoint=tmp_path)


def test_progress_names_loss_metric_and_time_left(cycle) -> None:
    said: list[str] = []
    model = models.SASRec(**SMALL, epochs=2).fit(cycle, threads=1, progress=lambda what, done, total: said.append(what))
    assert any("loss " in each and "ndcg@10 0." in each and "s left" in each for each in said)
    assert model.curves_.columns == ["epoch", "loss", "ndcg@10", "seconds"]
    assert model.curves_["epoch"].to_list() == [1, 2] and model.best_epoch_ in (1, 2)
    without = models.SASRec(**SMALL, epochs=2, patience=0).fit(cycle, threads=1)
    assert without.curves_.columns == ["epoch", "loss", "seconds"] and without.best_epoch_ == 2


def test_the_validation_metric_is_that_of_the_evaluation(timed) -> None:
    """NDCG@10 of the loop, beside the one that ``rl.evaluate`` gives lists over the same held-out events."""
    rng = np.random.default_rng(0)
    walks = {user: rng.permutation(30)[: rng.integers(3, 9)].tolist() for user in range(60)}
    data = timed(walks)
    model = models.SASRec(**SMALL, epochs=1, seed=3).fit(data, threads=1)
    split = rl.split.last_n(data, n=1)
    # Trained for one epoch on all but the last events: what the metric of that epoch was taken on.
    other = models.SASRec(**SMALL, epochs=1, patience=0, seed=3).fit(split.train, threads=1)
    wanted = rl.evaluate(other.recommend(split.test_users, k=10), split.test, train=split.train, metrics=["ndcg@10"])
    assert model.curves_["ndcg@10"][0] == pytest.approx(wanted["ndcg@10"].overall.value, abs=1e-9)


def test_users_with_one_event_are_served_and_not_learned_from(timed) -> None:
    walks = {user: [user % 5, (user + 1) % 5, (user + 2) % 5] for user in range(20)} | {99: [3]}
    model = models.SASRec(**SMALL, epochs=2, patience=0).fit(timed(walks), threads=1)
    assert model.recommend([99], k=2).table.height == 2


def test_hstu_is_told_the_time_of_the_target(timed) -> None:
    """After a day comes the item after the next one, else the next one: who knows the time knows the item."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(120):
        item, at = int(rng.integers(30)), 0
        for _ in range(10):
            rows.append((user, item, at))
            late = rng.random() < 0.5
            item, at = (item + (2 if late else 1)) % 30, at + (86_400 if late else 60)
    table = pl.DataFrame(rows, ["user_id", "item_id", "timestamp"], orient="row")
    data = rl.read(table.with_columns(pl.from_epoch("timestamp")), duplicates="last")
    split = rl.split.last_n(data, n=1)
    options = SMALL | {
        "epochs": 30,
        "patience": 0,
        "learning_rate": 0.01,
        "dropout": 0.0,
        "negatives": 7,
        "batch_size": 16,
    }
    hits = {}
    for bias in ("none", "target"):
        model = models.HSTU(**options, time_bias=bias).fit(split.train, threads=1)
        if bias == "target":
            assert model.train_["context"] == "last training timestamp"
            model = model.at(split.test.select("user_id", "timestamp"))
        lists = model.recommend(split.test_users, k=1, exclude_seen=False)
        hits[bias] = lists.table.join(split.test, on=["user_id", "item_id"], how="semi").height / len(split.test_users)
    assert lists.card["train"]["context"] == "target timestamp"
    assert hits["target"] > hits["none"] + 0.2
    with pytest.raises(UsageError, match="do not depend on when"):
        models.HSTU(**SMALL, epochs=1).fit(split.train, threads=1).at(split.test)


def test_two_towers_learn_tastes_from_histories_and_attributes(timed, tmp_path: Path) -> None:
    """Two towns whose people stay with their own 15 items; attributes alone place an item that one user has."""
    rng = np.random.default_rng(0)
    walks = {user: (15 * (user % 2) + rng.permutation(15)[:8]).tolist() for user in range(100)}
    walks[0].append(30)  # item 30 belongs to town 0, and has one user
    data = timed(walks)
    towns = pl.DataFrame(
        {"item_id": range(31), "town": ["a" if item < 15 or item == 30 else "b" for item in range(31)]}
    )
    data = replace(data, items=towns)
    options = SMALL | {
        "epochs": 30,
        "patience": 0,
        "learning_rate": 0.01,
        "hidden": 16,
        "negatives": 64,
        "dropout": 0.0,
    }
    model = models.TwoTower(**options).fit(data, threads=1)
    own = model.recommend(k=5).table.with_columns(same=(pl.col("item_id") // 15) % 2 == pl.col("user_id") % 2)
    assert own["same"].mean() > 0.95
    near = model.similar_items(30, k=5)["item_id"].to_list()
    assert sum(item < 15 for item in near) >= 4, "by its attribute"
    new = pl.DataFrame({"user_id": ["x"] * 3, "item_id": [16, 20, 21]})
    assert (model.recommend(history=new, k=5).table["item_id"] >= 15).mean() > 0.7
    spaces = rl.explore.embed_model(model)
    assert spaces.items.vectors.shape == (31, 16) and spaces.users.vectors.shape == (100, 16)
    pipeline = rl.Pipeline(retrieve={"two_tower": options | {"k": 20}}, rank={"model": "popular"}).fit(data)
    assert pipeline.recommend([1], k=3).table.height == 3


def test_bert4rec_sees_both_sides_of_a_mask_and_not_what_it_hides() -> None:
    import torch

    from reclens.models._deep.batches import Group
    from reclens.models._deep.bert4rec import drawn_masks

    network = models.BERT4Rec(**(SMALL | {"dropout": 0.0}))._network(30).eval()
    items = torch.tensor([[1, 2, 3, 4, 5]])
    masked = torch.tensor([[False, False, True, False, False]])

    def state(changed: int, value: int) -> torch.Tensor:
        other = items.clone()
        other[0, changed] = value
        with torch.inference_mode():
            return network(Group(items=other, lengths=torch.tensor([5])), masked=masked)[0, 2]

    assert torch.equal(state(2, 3), state(2, 9)), "the hidden item itself"
    assert not torch.allclose(state(1, 2), state(1, 9)) and not torch.allclose(state(3, 4), state(3, 9))
    torch.manual_seed(0)
    group = Group(items=torch.zeros(4_000, 6, dtype=torch.long), lengths=torch.tensor([6, 1, 3, 4] * 1_000))
    drawn = drawn_masks(group, 0.2)
    assert drawn.any(1).all() and not (drawn & ~group.mask()).any()
    of_six = drawn[::4].float().mean(0)
    # A place is masked alone with 1/11, and at random with 0.2; nothing at all with 0.8^6, and then the last one is.
    assert of_six[0].item() == pytest.approx(10 / 11 * 0.2, abs=0.04)
    assert of_six[5].item() == pytest.approx(1 / 11 + 10 / 11 * (0.2 + 0.8**6), abs=0.05)


def test_attention_adds_up_to_one_in_every_block(cycle) -> None:
    model = models.SASRec(**SMALL, epochs=1, blocks=2, heads=2).fit(cycle, threads=1)
    found = model.attention(3)
    n = cycle.interactions.filter(pl.col("user_id") == 3).height
    assert found.height == 2 * min(n, 12) and found["place"].min() == 1
    assert found.group_by("block").agg(pl.col("weight").sum())["weight"].to_list() == pytest.approx([1, 1], rel=1e-5)
    last = found.filter((pl.col("place") == 1) & (pl.col("block") == 1))["item_id"].item()
    own = cycle.interactions.filter(pl.col("user_id") == 3).sort("timestamp")
    assert last == own["item_id"][-1]
    rows = attention_rows(found, str)
    assert [row["item"] for row in rows] == [str(item) for item in own["item_id"].reverse()[:12]]
    for block in (1, 2):
        weights = found.filter(pl.col("block") == block).sort("place")["weight"]
        assert [row[f"block {block}"] for row in rows] == weights.to_list() and weights.n_unique() > 1
    with pytest.raises(UnknownNameError):
        model.attention("nobody")


def test_attention_is_that_of_the_network(cycle) -> None:
    """The weights of the last place, from the fused attention: values that are one-hot give the weights back."""
    import torch

    from reclens.models._deep.sasrec import Attention

    torch.manual_seed(0)
    attention = Attention(8, 2)
    asking, told = torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    with torch.inference_mode():
        scores = []
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            query = attention.query(asking)[0, -1, at]
            scores.append(torch.softmax(attention.key(told)[0, :, at] @ query / 2, 0))
        torch.testing.assert_close(attention.weights(asking, told), (scores[0] + scores[1]) / 2)


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_data_without_an_order_is_refused(name: str, timed) -> None:
    plain = rl.read({"user": [1, 1, 2, 2], "item": [1, 2, 2, 3]})
    with pytest.raises(UsageError, match="no timestamps"):
        models.get(name)().fit(plain)
    with pytest.raises(UsageError, match="one item"):
        models.get(name)().fit(timed({1: [5], 2: [5]}))
    with pytest.raises(UsageError, match="two events or more"):
        models.get(name)().fit(timed({1: [5], 2: [6]}))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"heads": 3}, "heads is 3, expected a divisor of factors = 64"),
        ({"loss": "bpr"}, "unknown loss 'bpr'"),
        ({"shared_by": "batches"}, "Did you mean 'batch'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"calibration": 1.5}, "calibration is 1.5"),
        ({"epochs": 0}, "epochs is 0"),
        ({"negatives": 0}, "negatives is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"device": "tpu"}, "expected auto, cpu or cuda"),
    ],
)
def test_wrong_hyper_parameters_are_explained(options: dict, says: str, cycle) -> None:
    with pytest.raises(UsageError, match=says):
        models.SASRec(**options).fit(cycle)


def test_cuda_that_is_not_there(cycle) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    with pytest.raises(UsageError, match='PyTorch finds no such device\\. Set device="cpu"'):
        models.SASRec(**(SMALL | {"device": "cuda"})).fit(cycle)


def test_memory_that_is_not_there_names_the_knobs(cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotEnoughMemoryError, match=r"Lower batch_size= or max_length="):
        models.SASRec(batch_size=10**9, max_length=10**4).fit(cycle)
    import torch

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("reclens.models._deep.losses.full_softmax", full)
    with pytest.raises(UsageError, match=r"ran out of memory\. Lower batch_size= or max_length="):
        models.SASRec(**SMALL, epochs=1).fit(cycle, threads=1)


def test_a_loss_that_is_not_finite_names_the_learning_rate(cycle) -> None:
    with pytest.raises(UsageError, match=r"not finite in epoch 1.*Lower learning_rate="):
        models.SASRec(**SMALL, epochs=1, learning_rate=1e30).fit(cycle, threads=1)


def test_a_network_that_answers_everybody_alike_is_refused(cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.SASRec, "_read", lambda self, network, sequences, rows: np.ones((len(rows), 16), "f4"))
    with pytest.raises(UsageError, match=r"has collapsed: .* Lower learning_rate= or dropout="):
        models.SASRec(**SMALL, epochs=1, patience=0).fit(cycle, threads=1)
