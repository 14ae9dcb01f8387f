"""The loop: resuming, seeds, early stopping, and what ends a training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest


@dataclass
class Rows:
    """A batch of a regression."""

    x: Any
    y: Any

    def to(self, device):
        return self


@pytest.fixture
def job():
    """A network with dropout, its batches and its loss."""
    import torch
    from torch import nn

    from reclens.models._deep.train import Plan, isolated, train

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype(np.float32)
    y = (x[:, :1] - 2 * x[:, 1:2]).astype(np.float32)

    def batches(rng):
        order = rng.permutation(64)
        for at in order.reshape(4, 16):
            yield Rows(torch.from_numpy(x[at]), torch.from_numpy(y[at]))

    def run(epochs=6, *, scale=1.0, patience=0, metrics=None, **more):
        plan = replace(Plan(epochs=epochs, patience=patience, learning_rate=0.01, seed=4), **more.pop("plan", {}))
        with isolated(4, 1):
            network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
            given = iter(metrics or [])

            def loss(batch):
                return scale * ((network(batch.x) - batch.y) ** 2).mean()

            validate = (lambda: next(given)) if metrics else None
            done = train(network, batches, loss, plan=plan, validate=validate, **more)
        return network, done

    return run


def same(one, other) -> bool:
    import torch

    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_killed_run_ends_like_one_that_was_not(job) -> None:
    whole, _ = job(6)
    kept = []
    for stop in (1, 4):
        kept.clear()

        def report(epoch, number, left, stop=stop):
            if number == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            job(6, keep=kept.append, report=report)
        again, done = job(6, kept=kept[-1])
        assert len(kept) == stop and len(done.epochs) == 6 and same(again, whole)


def test_equal_seeds_are_equal_runs_and_the_callers_seed_is_left_alone(job) -> None:
    import torch

    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, other = job(2)[0], job(2)[0]
    assert torch.equal(torch.get_rng_state(), before) and same(one, other)
    assert not same(one, job(2, plan={"seed": 5})[0]), "another seed, other dropout and order"


def test_the_best_epoch_is_kept_and_patience_counts_from_it(job) -> None:
    network, done = job(20, patience=3, metrics=[0.1, 0.3, 0.2, 0.3, 0.25, 0.9])
    assert done.best == 2 and len(done.epochs) == 5, "equal is no better"
    assert [epoch.metric for epoch in done.epochs] == [0.1, 0.3, 0.2, 0.3, 0.25]
    assert same(network, job(2)[0])
    assert not network.training
    kept = []
    job(20, patience=3, metrics=[0.1, 0.3, 0.2, 0.3, 0.25], keep=kept.append)
    again, done = job(20, patience=3, metrics=[1.0], kept=kept[-1])
    assert len(done.epochs) == 5 and same(again, network), "a run that is over is not trained further"


def test_what_ends_a_training(job) -> None:
    import torch

    from reclens.models._deep.train import TrainingError

    for options, code in (
        ({"scale": float("nan")}, "not_finite"),
        ({"scale": float("inf")}, "not_finite"),
        ({"scale": 0.0}, "no_gradient"),
        ({"kept": b"PK no checkpoint"}, "not_readable"),
        ({"kept": b""}, "not_readable"),
    ):
        with pytest.raises(TrainingError) as caught:
            job(3, **options)
        assert caught.value.code == code
    kept: list[bytes] = []
    job(1, keep=kept.append, plan={"run": "a"})
    with pytest.raises(TrainingError) as caught:
        job(3, kept=kept[0], plan={"run": "b"})
    assert caught.value.code == "other_run"

    class Full:
        def to(self, device):
            raise torch.OutOfMemoryError

    from torch import nn

    from reclens.models._deep.train import Plan, train

    plan = Plan(epochs=1, patience=0, learning_rate=0.1)
    with pytest.raises(TrainingError) as caught:
        train(nn.Linear(2, 1), lambda rng: [Full()], lambda batch: batch, plan=plan)
    assert caught.value.code == "out_of_memory"


def test_a_checkpoint_holds_no_pickle(job) -> None:
    import io

    kept: list[bytes] = []
    job(1, keep=kept.append)
    with np.load(io.BytesIO(kept[0]), allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files) and "adam/0/exp_avg" in file.files


def test_the_loss_is_taken_in_training_and_the_metric_in_evaluation(job) -> None:
    """Dropout is on while the network learns, and off while it is validated."""
    from torch import nn

    from reclens.models._deep.train import Plan, train

    network, seen = nn.Linear(6, 1), []
    import torch

    batch = Rows(torch.ones(2, 6), torch.ones(2, 1))

    def loss(rows):
        seen.append(("loss", network.training))
        return ((network(rows.x) - rows.y) ** 2).mean()

    def validate():
        seen.append(("metric", network.training))
        return 0.5

    train(
        network,
        lambda rng: [batch],
        loss,
        plan=Plan(epochs=2, patience=5, learning_rate=0.1),
        validate=validate,
    )
    assert seen == [("loss", True), ("metric", False)] * 2 and not network.training
