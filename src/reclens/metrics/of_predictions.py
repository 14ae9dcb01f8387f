"""The metrics of predicted ratings, and when to use each. :func:`reclens.evaluate_predictions` computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reclens.errors import Advice

__all__ = ["OF_PREDICTIONS", "RATED", "PredictionMetric"]

RATED: Final = Advice("evaluate_predictions", text="Use rl.evaluation.evaluate_predictions.")
"""The advice where one is asked for of lists."""


@dataclass(frozen=True)
class PredictionMetric:
    """What a metric of predicted ratings is.

    Attributes:
        summary: What it is, in a line.
        use_when: When to use it.
        misleads_when: When its value misleads.
    """

    summary: str
    use_when: str
    misleads_when: str


OF_PREDICTIONS: Final[Mapping[str, PredictionMetric]] = {
    "rmse": PredictionMetric(
        "Root of the mean squared error over ratings: users count by how much they rated.",
        use_when="large errors of predicted ratings are worse than many small ones.",
        misleads_when="lists are what users see: a lower RMSE need not give better lists.",
    ),
    "mae": PredictionMetric(
        "Mean absolute error over ratings: users count by how much they rated.",
        use_when="an error has to be read in units of the rating, and outliers should not dominate.",
        misleads_when="lists are what users see: a lower MAE need not give better lists.",
    ),
    "user_rmse": PredictionMetric(
        "Mean over users of the root of a user's mean squared error: every user counts the same.",
        use_when="all users should have the same weight, whatever their number of ratings.",
        misleads_when="many users have one or two ratings: their values are noise that counts in full.",
    ),
    "user_mae": PredictionMetric(
        "Mean over users of a user's mean absolute error: every user counts the same.",
        use_when="every user counts the same, and outliers should not dominate.",
        misleads_when="many users have one or two ratings: their values are noise that counts in full.",
    ),
}
"""The metrics of predicted ratings, each in units of the rating; lower is better."""
