"""What a tracker is sent of a fit: the curves of a deep model by epoch, and the sizes of any model."""

from __future__ import annotations

import polars as pl

from reclens import models
from reclens.job.track import Training, tracked_numbers
from reclens.testing.models import model_data


def test_the_epochs_of_a_deep_model_are_steps() -> None:
    """A model with curves, as a fit of a deep one leaves them: one call an epoch, and one for the whole."""
    model = models.Popular().fit(model_data())
    plain = list(tracked_numbers(Training(model=model, seconds=2.5)))
    (nothing, sizes), *more = plain
    assert nothing is None and not more and sizes["seconds"] == 2.5 and sizes["users"] == len(model.users_)
    curves = {"epoch": [1, 2], "loss": [0.9, 0.4], "ndcg@10": [0.1, 0.2], "seconds": [3.0, 2.0]}
    model.curves_ = pl.DataFrame(curves)
    assert list(tracked_numbers(Training(model=model, seconds=2.5))) == [
        (1, {"epoch/loss": 0.9, "epoch/ndcg@10": 0.1, "epoch/seconds": 3.0}),
        (2, {"epoch/loss": 0.4, "epoch/ndcg@10": 0.2, "epoch/seconds": 2.0}),
        *plain,
    ]
