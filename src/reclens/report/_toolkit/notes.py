"""The notes of estimates in words: why there is no interval, or what to keep in mind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reclens.evaluation.cards import IntervalMethod
from reclens.report._toolkit.format import percent
from reclens.stats.estimate import EstimateNote

__all__ = ["INTERVALS", "NOTES", "interval_text", "note_text"]

NOTES: Final[dict[EstimateNote, str]] = {
    "no_value": "nobody has a value",
    "one_unit": "a single user has no interval",
    "no_variation": "all values are the same: there is no interval and no test",
    "too_few_units": "an arm has too few units: there is no interval and no test",
    "too_few_rows": "an arm showed too few rows for each item: no interval of so few is known to hold the truth",
    "too_few_replicates": "too few bootstrap replicates for an interval",
    "skewed_too_few": "skewed values of few users: no interval of so few is known to hold the truth",
    "skewed_few": "skewed values of few users: in simulations, such intervals held the truth less often than their "
    "level",
    "different_users": "values of different users: the difference is not paired and has no interval",
    "every_user_ties": "every user ties",
    "catalogue_metric": "a property of all lists together: resampling users gives no honest interval",
    "chosen_as_best": "chosen as the best of several on these users: expect less elsewhere",
    "control_is_zero": "the control is 0, so that its lift has no interval",
    "control_reaches_zero": "the interval of the control reaches zero, so that the lift is not bounded",
    "control_near_zero": "the control is few standard errors from zero: an interval of the lift by Fieller's theorem "
    "is right there",
    "mean_not_positive": "a mean is not positive: it has no logarithm",
    "expected_below_five": "fewer than five units are expected in a cell: the normal approximation is rough",
    "quantile_too_few": "too few units to bound this quantile",
    "quantile_at_end": "the quantile is the smallest or largest value there is",
    "quantile_coarse": "many of the rows have one value about the quantile, and hardly any the next one: a quantile of "
    "so coarse a value cannot tell arms apart; the share above a cut, or a mean, can",
    "repeated_interval": "a repeated interval: it holds at each look of the plan",
    "msprt": "always valid, by the mixture sequential probability ratio test",
    "confidence_sequence": "a confidence sequence: it holds at any look",
    "median_unbiased": "median-unbiased, which allows for the stop at this look",
    "larger_arm_drawn": "the statistic depends on the number of users: random draws of as many as the smaller arm has "
    "count in the larger one, averaged",
    "exposures_without_time": "the exposures have no column of the time that was named: all of them count, also before "
    "the start",
    "no_catalogue": "no catalogue was given: items shown in any arm stand for it",
    "rows_left_out": "rows without a finite value were left out",
    "one_untriggered_unit": "a single unit was not triggered: nothing tells how much such units vary",
    "zero_weights": "every weight is 0: the log never did what the target would do",
    "biased": "it has no interval: the log cannot say how wrong the model of rewards is",
    "repeats": "its weights are for places that are drawn independently, and these lists never repeat an item",
    "no_spread": "fewer than two units have credit: there is no spread to measure",
    "one_credit": "all units gave the same credit, or too few did",
    "no_preference": "nobody preferred either",
    "over_strategies": "over strategies",
    "one_side_constant": "one side is the same for all strategies",
    "effect_not_told": "the effect is not told apart from nothing, so that this is noise",
    "one_replicate": "one draw of luck; two replicates or more have an interval",
    "over_replicates": "over replicates of the world",
    "over_learning_replicates": "over replicates of arms that learn",
}
"""Every note of an estimate in words."""


INTERVALS: Final[dict[IntervalMethod, str]] = {
    "bca": "BCa of the Poisson bootstrap over users",
    "bca_widened": "BCa of the Poisson bootstrap over users, widened for small samples; Wilson of values of 0 and 1",
}


def interval_text(method: str) -> str:
    """How intervals were made; what an older version kept as a sentence stays as it is.

    Example:
        >>> interval_text("bca")
        'BCa of the Poisson bootstrap over users'
    """
    words: Mapping[str, str] = {**INTERVALS}
    return words.get(method, method)


def note_text(note: str | None, coverage: float | None = None) -> str | None:
    """What a note says; None where there is none. A note of no known code, as of an older version, stays as it is.

    Args:
        note: The code.
        coverage: Simulated coverage of such intervals, if it is below their level.

    Example:
        >>> note_text("skewed_few", 0.91)
        'skewed values of few users: 95 % intervals of lognormal values held the truth in 91% of simulations'
    """
    if note == "skewed_few" and coverage is not None:
        return (
            "skewed values of few users: 95 % intervals of lognormal values held the truth in "
            f"{percent(coverage, 0)} of simulations"
        )
    words: Mapping[str, str] = {**NOTES}
    return None if note is None else words.get(note, note)
