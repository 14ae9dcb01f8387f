"""What another policy would have earned, from a log; and whether the log can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.errors import UnknownNameError
from reclens.experiment.off_policy.estimators import ESTIMATORS, NEED_MODEL, decision_values, tuned
from reclens.experiment.off_policy.intervals import Method, Ratio, ratio_estimates
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.reward_model import Predicted, as_predicted, click_rates
from reclens.experiment.off_policy.weights import Limits, Weights, objections, weigh
from reclens.stats.estimate import Estimate

__all__ = ["OffPolicy", "PolicyValue", "evaluate_policy"]

_TUNED: Final = ("switch_dr", "dr_os")


@dataclass(frozen=True)
class PolicyValue:
    """The value of the target by one estimator.

    Attributes:
        estimator: Its name.
        value: Mean reward a decision (a list, where it is of lists), with its interval.
        difference: The same minus that of the logging policy, or of the policy it was held against, on the same
            decisions.
        parameter: Threshold or shrinkage that was found, where it has one.
        effective: Effective sample of the weights it uses; None where that is the one of the whole.
        enough: Whether that is enough for a verdict.
    """

    estimator: str
    value: Estimate
    difference: Estimate
    parameter: float | None = None
    effective: float | None = None
    enough: bool = True

    @property
    def says(self) -> str:
        """``higher``, ``lower`` or ``undecided``: the side of 0 on which the difference lies; or ``none``."""
        if not self.enough:
            return "none"
        low, high = self.difference.low, self.difference.high
        if low is not None and low > 0:
            return "higher"
        return "lower" if high is not None and high < 0 else "undecided"


@dataclass(frozen=True)
class OffPolicy:
    """What a log says about a policy that did not write it.

    Attributes:
        values: By estimator.
        logged: Mean reward of the policy that wrote the log.
        weights: Effective sample, largest weight, overlap, propensities.
        objections: Why there is no verdict; empty where there is one.
        decided_by: The estimator whose difference decides: ``dr`` where there is a reward model, else ``snips``.
        model: How rewards were predicted; None where they were not.
        unit: What a value is the mean over.
    """

    values: tuple[PolicyValue, ...]
    logged: Estimate
    weights: Weights
    objections: tuple[str, ...]
    decided_by: str
    model: str | None
    unit: str = "decision"

    def __getitem__(self, estimator: str) -> PolicyValue:
        for value in self.values:
            if value.estimator == estimator:
                return value
        raise UnknownNameError("off-policy estimator", estimator, [value.estimator for value in self.values])

    @property
    def verdict(self) -> str:
        """``higher``, ``lower``, ``undecided``, or ``none`` where the log cannot tell."""
        return "none" if self.objections else self[self.decided_by].says

    @property
    def words(self) -> str:
        """The verdict as sentences."""
        if self.objections:
            return "No verdict. " + " ".join(self.objections)
        decisive = self[self.decided_by]
        if not decisive.enough:
            return (
                f"No verdict. The effective sample of {self.decided_by} is {decisive.effective or 0:,.0f}: too small."
            )
        said = {"higher": "The target earns more", "lower": "The target earns less",
                "undecided": "The log cannot tell who earns more"}  # fmt: skip
        low, high = decisive.difference.low, decisive.difference.high
        span = "" if low is None or high is None else f", between {low:+.4g} and {high:+.4g} a {self.unit}"
        return f"{said[self.verdict]}: {decisive.difference.value:+.4g}{span} ({self.decided_by})."

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row an estimator; the first is the logging policy itself."""
        return [self._row("logged", self.logged, None), *(self._row(v.estimator, v.value, v) for v in self.values)]

    def _row(self, name: str, value: Estimate, by: PolicyValue | None) -> dict[str, Any]:
        gap = by.difference if by is not None else None
        says = None if by is None else "none" if self.objections else by.says
        own = by.effective if by is not None else None
        return {
            "estimator": name, "value": value.value, "low": value.low, "high": value.high,
            "difference": gap.value if gap else None, "difference_low": gap.low if gap else None,
            "difference_high": gap.high if gap else None, "parameter": by.parameter if by else None, "verdict": says,
            "effective": None if by is None else self.weights.effective if own is None else own,
            "largest_weight": self.weights.largest if by else None, "mean_weight": self.weights.mean if by else None,
            "unseen": self.weights.unseen if by else None,
        }  # fmt: skip


def evaluate_policy(
    decisions: Decisions,
    target: Target | np.ndarray,
    *,
    against: Target | None = None,
    predictions: np.ndarray | Predicted | None = None,
    estimators: Sequence[str] = tuple(ESTIMATORS),
    limits: Limits | None = None,
    level: float = 0.95,
    method: Method = "bootstrap",
    replicates: int = 2_000,
    rng: int = 0,
) -> OffPolicy:
    """Estimate the mean reward of a policy from the log of another.

    The decisions of a user are resampled together. Predictions count as fixed: the interval does not hold what
    fitting them adds, which is little under cross-fitting.

    Args:
        decisions: The log; ``read_decisions(table)`` makes it of a table of impressions.
        target: The policy, or probabilities as ``Target.of_probabilities`` takes them.
        against: What differences are from, estimated from the same log; the logging policy without.
        predictions: Of rewards; by ``click_rates`` without.
        estimators: Which of ``ESTIMATORS``.
        limits: Where there is no verdict.
        level: Confidence level.
        method: ``bootstrap`` or ``normal``; see ``ratio_estimates``.
        replicates: Of the bootstrap.
        rng: Seed of folds and of the bootstrap.

    Raises:
        UnknownNameError: If there is no such estimator.
        UsageError: If shapes do not fit or an argument is out of range.
        DataError: If probabilities are none.

    Example:
        >>> log = Decisions.of([0, 1, 0, 1] * 100, [1, 0, 1, 1] * 100, [0.5] * 400)
        >>> found = evaluate_policy(log, np.array([1.0, 0.0]), estimators=["ips"])
        >>> found["ips"].value.value, found.weights.effective
        (1.0, 200.0)
    """
    for name in estimators:
        if name not in ESTIMATORS:
            raise UnknownNameError("off-policy estimator", name, ESTIMATORS)
    policy = target if isinstance(target, Target) else Target.of_probabilities(decisions, target)
    needed = any(name in NEED_MODEL for name in estimators)
    model = _model(decisions, predictions, rng) if needed else None
    values, parameters = _values(decisions, policy, model, estimators)
    base = None if against is None else _values(decisions, against, model, estimators)[0]
    ratios: dict[str, Ratio] = {"logged": (decisions.rewards, np.ones(len(decisions))), **values}
    for name in estimators:
        less = decisions.rewards if base is None else _linear(*base[name])
        ratios[f"{name} gap"] = (_linear(*values[name]) - less, np.ones(len(decisions)))
    found = ratio_estimates(ratios, decisions.units, level=level, method=method, replicates=replicates, rng=rng)
    said = tuple(PolicyValue(name, found[name], found[f"{name} gap"], parameters.get(name)) for name in estimators)
    measured = weigh(decisions, policy, limits=limits)
    decisive = next(name for name in ("dr", "snips", *estimators) if name in estimators)
    return OffPolicy(said, found["logged"], measured, objections(measured, limits=limits), decisive,
                     model.words if model is not None else None)  # fmt: skip


def _values(
    decisions: Decisions, policy: Target, model: Predicted | None, estimators: Sequence[str]
) -> tuple[dict[str, Ratio], dict[str, float]]:
    """Numerator and denominator of each decision by each estimator, and the thresholds that were found."""
    weights, rewards = policy.logged(decisions) / decisions.propensities, decisions.rewards
    logged = model.logged(decisions) if model is not None else None
    expected = policy.expected(decisions, model.values, model.group) if model is not None else None
    values: dict[str, Ratio] = {}
    parameters: dict[str, float] = {}
    for name in estimators:
        if name in _TUNED and logged is not None and expected is not None:
            parameters[name] = tuned(name, weights=weights, rewards=rewards, logged=logged, expected=expected,
                                     units=decisions.units)  # fmt: skip
        values[name] = decision_values(name, weights=weights, rewards=rewards, logged=logged, expected=expected,
                                       parameter=parameters.get(name))  # fmt: skip
    return values, parameters


def _model(decisions: Decisions, predictions: np.ndarray | Predicted | None, rng: int) -> Predicted:
    if predictions is None:
        return click_rates(decisions, rng=rng)
    return predictions if isinstance(predictions, Predicted) else as_predicted(decisions, predictions)


def _linear(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A ratio of sums as a mean over decisions, by its linearisation; a mean is one already."""
    total = float(bottom.sum())
    if not total:
        return np.zeros_like(top)
    value = float(top.sum()) / total
    return value + (top - value * bottom) * (len(top) / total)
