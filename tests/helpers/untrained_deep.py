"""A deep model that was never trained, for tests of what is done with one where PyTorch is not installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens.models import SASRec
from reclens.models._core.sequences import Sequences

__all__ = ["CURVES", "without_training"]

CURVES = {"loss": [3.0, 2.0, 1.5], "ndcg@10": [0.1, 0.3, 0.2], "seconds": [1.0, 1.0, 2.0]}
"""Of three epochs, the second of which is the best."""


def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``sasrec`` draw its vectors in place of learning them, so that its fit needs no PyTorch."""

    def fit(self: SASRec, train: Any, *_: Any) -> None:
        rng, sizes = np.random.default_rng(0), {"items": len(self.items_)}
        self.sequences_ = Sequences.of_training(train, self.users_, self.items_)
        own = {name: getattr(self, name) for name in ("factors", "max_length")} | sizes
        shapes = {name: [own.get(each, each) for each in shape] for name, shape in self._shapes().items()}
        self.weights_ = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        self.item_factors_ = self.weights_["items.weight"]
        self.user_factors_ = rng.normal(size=(len(self.users_), self.factors)).astype(np.float32)
        self.curves_ = pl.DataFrame({"epoch": [1, 2, 3], **CURVES})
        self.best_epoch_ = 2

    monkeypatch.setattr("reclens.models._core.deep.need", lambda module, extra: None)
    monkeypatch.setattr(SASRec, "_fit", fit)
