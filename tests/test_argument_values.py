"""An argument out of range is named as the surface that shows it names it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextvars import Context, copy_context

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.cli.option_names import as_option, runs
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.calculator import _as_field
from reclens.errors import ArgumentValueError, ArgumentValuesError
from reclens.experiment.planning.calculator import calculate
from reclens.stats import anomaly


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: calculate(mean=0.2, effect=0.1, cluster_size=0.5),
            {
                "python": "cluster_size is 0.5, expected 1 or more.",
                "options": "--cluster-size is 0.5, expected 1 or more.",
                "page": "“Units a cluster” is 0.5, expected 1 or more.",
            },
        ),
        (
            lambda: rl.models.EASE(l2=-1.0).fit(rl.read(pl.DataFrame({"user_id": [1], "item_id": [1]}))),
            {
                "python": "l2 is -1.0, expected a number above 0.",
                "options": "--param l2 is -1.0, expected a number above 0.",
                "page": "“l2” of the model is -1.0, expected a number above 0.",
            },
        ),
        (
            lambda: anomaly.score_days(np.zeros((4, 1)), warm_up=9, memory=5),
            {
                "python": "period is 7, warm_up is 9 and memory is 5, expected 1 <= period and 1 <= warm_up <= memory.",
                "options": "--period is 7, --warm-up is 9 and --memory is 5, expected 1 <= --period and 1 <= --warm-up "
                "<= --memory.",
                "page": "“period” is 7, “warm_up” is 9 and “memory” is 5, expected 1 <= “period” and 1 <= “warm_up” <= "
                "“memory”.",
            },
        ),
        (
            lambda: rl.split.last_n(rl.read(pl.DataFrame({"user_id": [1], "item_id": [1]})), n=0, validation_n=2),
            {
                "python": "n is 0 and validation_n is 2, expected n of 1 or more and the other 0 or more.",
                "options": "--n is 0 and --validation-n is 2, expected --n of 1 or more and the other 0 or more.",
                "page": "“Units over all arms” is 0 and “validation_n” is 2, expected “Units over all arms” of 1 or "
                "more and the other 0 or more.",
            },
        ),
        (
            lambda: rl.Workspace("nowhere").empty_trash(days=-1),
            {
                "python": "days is -1, expected 0 or more.",
                "options": "--days is -1, expected 0 or more.",
                "page": "“days” is -1, expected 0 or more.",
            },
        ),
        (
            lambda: calculate(kind="ratios", mean=0.2, effect=0.1),  # type: ignore[arg-type]
            {
                "python": "kind is 'ratios', expected 'mean', 'proportion', 'ratio' or 'quantile'.",
                "options": "--kind is 'ratios', expected 'mean', 'proportion', 'ratio' or 'quantile'.",
                "page": "“kind” is 'ratios', expected 'mean', 'proportion', 'ratio' or 'quantile'.",
            },
        ),
    ],
)
def test_an_argument_out_of_range_is_named_by_each_surface(call: Callable[[], object], said: dict[str, str]) -> None:
    with pytest.raises((ArgumentValueError, ArgumentValuesError)) as caught:
        call()
    error = caught.value
    # An empty context: which command runs, whose options are named, is told by one that other tests may have filled.
    options = Context().run(error.said, as_option)
    assert {"python": str(error), "options": options, "page": said_on_page(error, _as_field)} == said
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.said(as_option)) == (type(error), str(error), error.said(as_option))


def test_a_command_without_the_option_names_the_argument() -> None:
    copy_context().run(_in_a_command)


def _in_a_command() -> None:
    runs({"level", "seed"})
    wrong = ArgumentValueError("flips", "is 0, expected 1 or more")
    assert wrong.said(as_option) == "flips is 0, expected 1 or more."
    assert ArgumentValueError("level", "is 2, expected a share").said(as_option) == "--level is 2, expected a share."
