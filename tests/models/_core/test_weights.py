"""Weights at or below zero are counted and said: a fit takes every interaction for one."""

from __future__ import annotations

import warnings

import pytest

from reclens.data.read.tables import read
from reclens.models import EASE, Popular
from reclens.models._core.weights import WeightsWarning

ROWS = {"user": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "c", "b"], "weight": [2.0, -1.0, 0.0, -3.0, 1.0]}


@pytest.mark.parametrize("model", [Popular(), EASE(l2=1)])
def test_a_fit_says_how_many(model, tmp_path) -> None:
    with pytest.warns(WeightsWarning, match="2 interactions of 'data' have a weight below zero and 1 a weight of zero"):
        fitted = model.fit(read(ROWS))
    assert fitted.train_["weights"] == {"negative": 2, "zero": 1}
    assert fitted.recommend([1], k=1).card["train"]["weights"] == {"negative": 2, "zero": 1}
    fitted.save(tmp_path)
    assert type(fitted).load(tmp_path).train_["weights"] == {"negative": 2, "zero": 1}


def test_the_advice_is_quiet_and_changes_what_it_says() -> None:
    data = read(ROWS)
    positive = data.with_events(data.events.filter(data.events["weight"] > 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Popular().fit(positive)
        assert "weights" not in fitted.train_ and fitted.seen_.indptr[-1] == 2
        assert Popular().fit(read(ROWS, columns={"weight": None})).seen_.indptr[-1] == 5
