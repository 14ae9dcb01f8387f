"""BERT4Rec: every place of a request is one that was learned."""

from __future__ import annotations

import numpy as np

from reclens import models
from reclens.models._core.sequences import Sequences


def test_the_oldest_place_of_a_request_is_learned() -> None:
    """The mask of a request takes the last of ``max_length + 1`` places; histories of training fill all of them."""
    import torch

    options = {"factors": 8, "max_length": 4, "device": "cpu", "dropout": 0.0, "mask_share": 0.5}
    model = models.BERT4Rec(**options)
    network = model._network(9)
    whole = Sequences(
        indptr=np.array([0, 9, 18]), items=np.tile(np.arange(9, dtype=np.int32), 2), times=np.arange(18.0)
    )
    torch.manual_seed(0)
    (batch,) = model._batches(whole, np.random.default_rng(0))
    assert [row for group in batch.groups for row in group.items.tolist()] == [[4, 5, 6, 7, 8]] * 2
    model._loss_of(network, batch).backward()
    assert (network.places.weight.grad.abs().sum(1) > 0).all()
