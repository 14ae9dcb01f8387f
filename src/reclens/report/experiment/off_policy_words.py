"""What a log says about a policy that did not write it, in sentences."""

from __future__ import annotations

from typing import Final

from reclens.experiment.off_policy.evaluate import OffPolicy, PolicyValue, Refusal
from reclens.experiment.off_policy.reward_model import RewardModelCard
from reclens.experiment.off_policy.weights import Objection
from reclens.report._toolkit.format import decimal, p_text, percent, significant, whole

__all__ = ["BY_PLACE", "model_text", "objection_text", "off_policy_text", "refusal_text"]

BY_PLACE: Final = (
    "Items count by their place alone. Where items of a list compete for a click, that runs high for a policy whose "
    "lists have stronger items than those of the log; estimators of whole lists do not."
)
"""What holds for every estimate of decisions by item and place in lists of several."""

_REFUSALS: Final[dict[Refusal, str]] = {
    "biased": "it has no interval: the log cannot say how wrong the model of rewards is",
    "categories": "it differs from ips by more than chance: items of a category are not worth the same",
    "effective": "the effective sample of its weights is too small",
    "rewarded": "its difference rests on too few rewarded decisions",
    "repeats": "its weights are for places that are drawn independently, and these lists never repeat an item",
}


def off_policy_text(found: OffPolicy) -> str:
    """The verdict as sentences."""
    if found.objections:
        return "No verdict. " + " ".join(map(objection_text, found.objections))
    decisive = found[found.decided_by]
    if decisive.refused is not None:
        return f"No verdict by {found.decided_by}: {refusal_text(decisive)}."
    said = {
        "higher": "The target earns more",
        "lower": "The target earns less",
    }.get(found.verdict, "The log cannot tell who earns more")
    low, high = decisive.difference.low, decisive.difference.high
    span = (
        ""
        if low is None or high is None
        else f", between {significant(low, 4, signed=True)} and {significant(high, 4, signed=True)} a {found.unit}"
    )
    more = f" {BY_PLACE}" if found.by_place else ""
    return f"{said}: {significant(decisive.difference.value, 4, signed=True)}{span} ({found.decided_by}).{more}"


def refusal_text(found: PolicyValue) -> str | None:
    """Why an estimator gives no verdict, with its number; None where it does."""
    if found.refused is None:
        return None
    number = {"effective": found.effective, "rewarded": found.rewarded}.get(found.refused)
    return _REFUSALS[found.refused] + ("" if number is None else f" ({decimal(number, 1)})")


def objection_text(objection: Objection) -> str:
    """Why the log cannot decide."""
    value, limit, weights = objection.value, objection.limit, objection.weights
    match objection.code:
        case "never_explored":
            return (
                "Every propensity is 1: the logging policy never explored, so that the log says nothing about what it "
                "did not show."
            )
        case "few_users":
            return f"There are {whole(value)} users; at least {whole(limit)} are needed for an interval."
        case "small_sample":
            return (
                f"The effective sample is {whole(value)} of {whole(weights.n)} decisions; at least {whole(limit)} are "
                "needed."
            )
        case "small_share":
            return (
                f"The effective sample is {percent(value)} of the log; at least {percent(limit)} is needed: the "
                "policies differ too much."
            )
        case "one_decision":
            return f"One decision has {percent(value, 0)} of all weight; at most {percent(limit, 0)} may be."
        case "never_done":
            return (
                f"{percent(value, 0)} of what the target would do was never done at that place; at most "
                f"{percent(limit, 0)} may be. Log a policy that explores it."
            )
        case "mean_weight":
            why = (
                "part of what the target would do could not happen in the log, or propensities are too large"
                if value < limit
                else "propensities are smaller than what was done"
            )
            why += ", or they are conditional on the places above" if weights.places > 1 else ""
            return f"The mean weight is {decimal(value, 3)} and should be 1 ({p_text(weights.p_value)}): {why}."


def model_text(made: RewardModelCard) -> str:
    """How a model of rewards was made.

    Example:
        >>> model_text(RewardModelCard(kind="personal_rates", folds=5, features=2, folds_with_features=5))
        'smoothed mean rewards by item and place, 5-fold cross-fitting, and 2 features of user and context by ridge \
regression (used in 5 of 5 folds)'
    """
    if made.kind == "given":
        return "given predictions"
    base = f"smoothed mean rewards by item and place, {made.folds}-fold cross-fitting"
    if made.kind == "click_rates":
        return base
    return (
        f"{base}, and {made.features} features of user and context by ridge regression (used in "
        f"{made.folds_with_features} of {made.folds} folds)"
    )
