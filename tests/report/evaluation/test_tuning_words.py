"""Cautions of a search in words: every kind has its own, with its numbers and what to do."""

from __future__ import annotations

from typing import get_args

import pytest

from reclens.cli.option_names import as_option
from reclens.report.evaluation.tuning_words import CAUTIONS, caution_text
from reclens.tuning.results import CautionKind

ENDS = {"value": 0.01, "low": -0.02, "high": 0.04}
EDGE = {"parameter": "l2", "value": 95, "low": 1, "high": 100, "side": "high"}
EDGE |= {"wider": {"low": 1, "high": 1000, "log": True, "whole": True}}


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("popular", ENDS, "not better than popular: +0.0100 [-0.0200, +0.0400]"),
        ("close", {"first": "a", "second": "b", **ENDS}, "a and b cannot be told apart"),
        ("edge", EDGE, "(95) lies in the outer tenth of the range 1 … 100, at its upper end"),
        ("edge", EDGE, "by spaces={'ease': {'l2': Whole(low=1, high=1000, log=True)}}. If"),
        ("edge", EDGE | {"value": 500}, "is the default, 500, which the range 1 … 100 leaves out"),
        ("rising", {"metric": "ndcg@10", "half": 0.1, "best": 0.2, "configurations": 4, "trials": 4}, "trials=8."),
        ("default", {"others": 9, "trials": 10, "by_rungs": False}, "none of 9 other configurations beat its default"),
        ("default", {"others": 9, "trials": 10, "by_rungs": True}, 'try method="random", or give every model more'),
        ("default", {"others": 9, "trials": 10, "by_rungs": False, **ENDS}, "cannot be told from luck: +0.0100"),
        ("fewer", {"spent": 2.0, "trials": 6, "seconds": 0.5, "needed": 1.98}, "2.0 of 6 full fits before its 0.5 s"),
        ("failed", {"count": 2, "of": 9, "parameters": {"l2": 1}, "error": "it broke."}, "{'l2': 1}: it broke. Narrow"),
        ("warned", {"count": 2, "of": 9, "kinds": ["A", "B"], "parameters": {}, "warning": "w."}, "warned (A, B)"),
        ("untuned", {"parameters": ["l2", "k"]}, "hyper-parameters (l2, k). It must not be called beaten"),
        ("alone", {}, "ease alone was tuned"),
        ("rising", {}, "ease: rising; an older version kept no more of it."),
    ],
)
def test_cautions_in_words(kind: CautionKind, facts: dict, said: str) -> None:
    assert said in caution_text(kind, "ease", facts)


def test_cautions_name_the_options_of_the_command_line() -> None:
    assert "Search further by --range ease.l2=1:1000." in caution_text("edge", "ease", EDGE, as_option)
    rising = {"metric": "ndcg@10", "half": 0.1, "best": 0.2, "configurations": 4, "trials": 4}
    assert caution_text("rising", "ease", rising, as_option).endswith("Give every model more: --trials 8.")
    failed = {"count": 2, "of": 9, "parameters": {"l2": 1}, "error": "it broke."}
    assert caution_text("failed", "ease", failed, as_option).endswith("Narrow its ranges by --range.")
    slow = {"spent": 2.0, "trials": 6, "seconds": 0.5, "needed": 1.98}
    assert "need --seconds 2.0 or more" in caution_text("fewer", "ease", slow, as_option)


def test_every_kind_has_its_words() -> None:
    assert set(CAUTIONS) == set(get_args(CautionKind))
