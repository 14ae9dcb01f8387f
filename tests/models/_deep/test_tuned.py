"""Hyper-parameters of deep models are searched as those of all others, within a budget of seconds."""

from __future__ import annotations

import reclens as rl
from reclens import models
from reclens.data.dataset import Dataset

SMALL = {"factors": 16, "max_length": 12, "device": "cpu", "batch_size": 32, "patience": 0, "learning_rate": 0.01}


def test_a_search_with_a_budget_in_seconds(cycle: Dataset) -> None:
    """The default and one more trial always run; a budget that they use up ends the search there."""
    split = rl.split.last_n(cycle, n=1, validation_n=1)
    fixed = {"sasrec": {"factors": None, "blocks": None}}
    begun = [models.SASRec(**SMALL, epochs=12), "popular"]
    found = {row.model: row for row in rl.tune(split, begun, trials=30, seconds=1e-3, spaces=fixed, threads=1)}
    deep = found["sasrec"]
    assert (deep.configurations, deep.stopped) == (2, True)
    assert deep.value.value >= deep.default.value > 2 * found["popular"].value.value
    assert {"learning_rate", "dropout", "epochs"} <= set(deep.parameters)
