"""Recommenders from a description."""

from __future__ import annotations

import pytest

from reclens import models
from reclens.errors import UnknownNameError, UsageError


def test_the_label_is_the_model_unless_the_parameters_name_it() -> None:
    made = models.build_all({"ease": {"l2": 5}, "knn50": {"model": "item_knn", "neighbors": 50}, "popular": {}})
    assert made == {"ease": models.EASE(l2=5.0), "knn50": models.ItemKNN(neighbors=50), "popular": models.Popular()}
    assert isinstance(made["ease"].l2, float), "a whole number is written where a number is meant"


@pytest.mark.parametrize(
    ("label", "parameters", "says"),
    [
        ("eas", {}, "unknown model 'eas'. Did you mean 'ease'"),
        ("mine", {}, "unknown model 'mine'"),
        ("mine", {"model": "item_kn"}, "Did you mean 'item_knn'"),
        ("mine", {"model": 3}, "model is 3, expected the name"),
        ("ease", {"l": 5}, "unknown hyper-parameter of ease 'l'. Did you mean 'l2'"),
        ("ease", {"l2": "many"}, "l2 is 'many': expected a number, or nothing, for the value by the rule of the model"),
        ("ease", {"l2": True}, "expected a number"),
        ("ease", {"l2": -1}, "l2 is -1.0, expected a number above 0"),
        ("item_knn", {"neighbors": 5.5}, "neighbors is 5.5: expected a whole number"),
        ("item_knn", {"similarity": 5}, "expected a text, such as 'cosine'"),
        ("ease", 500, "the parameters of 'ease' are 500, expected a mapping"),
        ("../ease", {"model": "ease"}, "no plain name"),
        ("con", {"model": "ease"}, "no name of a device"),
        ("", {"model": "ease"}, "no plain name"),
    ],
)
def test_mistakes_are_explained(label: str, parameters: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        models.build_all({label: parameters})


def test_an_unknown_name_is_told_apart() -> None:
    with pytest.raises(UnknownNameError):
        models.build("ease", {"l3": 1})
