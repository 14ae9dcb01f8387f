"""What another policy would have earned, from a log; and whether the log can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import Advice, DataError, Setting, UnknownNameError, UsageError
from reclens.experiment.off_policy.estimators import BIASED, ESTIMATORS, NEED_MODEL, linear_parts, tuned
from reclens.experiment.off_policy.intervals import Linear, Method, effective_rewarded, mean_estimates
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.reward_model import (
    RewardModel,
    RewardModelCard,
    as_predicted,
    click_rates,
    reward_moments,
)
from reclens.experiment.off_policy.weights import Limits, Objection, Weights, objections, weigh
from reclens.stats.estimate import Estimate
from reclens.tabular import Tabular

__all__ = ["OffPolicy", "PolicyValue", "Refusal", "evaluate_policy", "policy_values"]

_TUNED: Final = ("switch_dr", "dr_os")

Refusal = Literal["biased", "categories", "effective", "rewarded", "repeats"]
"""Why an estimator gives no verdict: it has no interval, as the log cannot say how wrong the model of rewards is; it
differs from ``ips`` by more than chance; its effective sample is too small; its difference rests on too few rewarded
decisions; or its weights are for places that are drawn independently, and these lists never repeat an item."""


@dataclass(frozen=True, kw_only=True)
class PolicyValue:
    """The value of the target by one estimator.

    Attributes:
        estimator: Its name.
        value: Mean reward a decision (a list, where it is of lists), with its interval.
        difference: The same minus that of the logging policy, or of the policy it was held against, on the same
            decisions.
        parameter: Threshold or shrinkage that was found, where it has one.
        effective: Effective sample of the weights it uses; None where that is the one of the whole.
        rewarded: Effective number of rewarded decisions that the difference rests on.
        refused: Why it gives no verdict, as a code; None where it does.
    """

    estimator: str
    value: Estimate
    difference: Estimate
    parameter: float | None = None
    effective: float | None = None
    rewarded: float | None = None
    refused: Refusal | None = None

    @property
    def says(self) -> str:
        """``higher``, ``lower`` or ``undecided``: the side of 0 on which the difference lies; or ``none``."""
        if self.refused is not None:
            return "none"
        low, high = self.difference.low, self.difference.high
        if low is not None and low > 0:
            return "higher"
        return "lower" if high is not None and high < 0 else "undecided"


@dataclass(frozen=True, kw_only=True)
class OffPolicy(Tabular):
    """The estimates of a policy from the log of another.

    Attributes:
        values: By estimator.
        logged: Mean reward of the policy that wrote the log.
        weights: Effective sample, largest weight, overlap, propensities.
        objections: Why there is no verdict; empty where there is one.
        decided_by: The estimator that decides: ``dr`` with a reward model, otherwise ``snips``.
        model: How rewards were predicted; None where they were not or the model is one of your own.
        unit: What a value is the mean over.
        by_place: Whether the deciding estimator takes items by their place alone, in lists of several.
    """

    values: tuple[PolicyValue, ...]
    logged: Estimate
    weights: Weights
    objections: tuple[Objection, ...]
    decided_by: str
    model: RewardModelCard | None
    unit: str = "decision"
    by_place: bool = False

    def __getitem__(self, estimator: str) -> PolicyValue:
        for value in self.values:
            if value.estimator == estimator:
                return value
        raise UnknownNameError("off-policy estimator", estimator, [value.estimator for value in self.values])

    @property
    def verdict(self) -> str:
        """``higher``, ``lower``, ``undecided``, or ``none`` if the log cannot tell."""
        return "none" if self.objections else self[self.decided_by].says

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per estimator; the first is the logging policy."""
        return [self._row("logged", self.logged, None), *(self._row(v.estimator, v.value, v) for v in self.values)]

    def _row(self, name: str, value: Estimate, by: PolicyValue | None) -> dict[str, Any]:
        gap = by.difference if by is not None else None
        says = None if by is None else "none" if self.objections else by.says
        own = by.effective if by is not None else None
        return {
            "estimator": name,
            "value": value.value,
            "low": value.low,
            "high": value.high,
            "difference": gap.value if gap else None,
            "difference_low": gap.low if gap else None,
            "difference_high": gap.high if gap else None,
            "parameter": by.parameter if by else None,
            "verdict": says,
            "refused": by.refused if by else None,
            "rewarded": by.rewarded if by else None,
            "effective": None if by is None else self.weights.effective if own is None else own,
            "largest_weight": self.weights.largest if by else None,
            "mean_weight": self.weights.mean if by else None,
            "unseen": self.weights.unseen if by else None,
        }


def evaluate_policy(
    decisions: Decisions,
    target: Target | np.ndarray,
    *,
    against: Target | None = None,
    predictions: np.ndarray | RewardModel | None = None,
    estimators: Sequence[str] | None = None,
    limits: Limits | None = None,
    level: float = 0.95,
    method: Method = "hall",
    rng: int = 0,
    categories: np.ndarray | None = None,
    logging: Target | None = None,
) -> OffPolicy:
    """Estimate the mean reward of a policy from the log of another.

    The decisions of a user are one unit. Rewards are predicted by models that were not fitted to the user
    (cross-fitting), so that ``dr`` is unbiased even with a wrong model, and its interval includes the variance of
    fitting.

    Args:
        decisions: The log; ``read_decisions(table)`` makes it of a table of impressions.
        target: The policy, or probabilities as ``Target.of_probabilities`` takes them.
        against: Reference of the differences, estimated from the same log; by default the logging policy.
        predictions: Predictions of rewards; by default from ``click_rates``. ``personal_rates`` uses users and
            contexts. Your own predictions must come from a model that was not fitted to the same user.
        estimators: Names in ``ESTIMATORS``; by default all that are possible.
        limits: Limits for a verdict.
        level: Confidence level.
        method: ``hall`` or ``normal``; see ``mean_estimates``.
        rng: Seed of folds.
        categories: Of each action, for ``mips``: codes or labels, shape (actions,), or several columns of them.
        logging: Probabilities of all actions under the logging policy, for ``mips``.

    Raises:
        UnknownNameError: If there is no such estimator.
        UsageError: If shapes do not fit or an argument is out of range, or ``mips`` has no categories.
        DataError: If probabilities are not valid, or ``logging`` does not fit the log.

    Example:
        >>> log = Decisions.of([0, 1, 0, 1] * 100, [1, 0, 1, 1] * 100, [0.5] * 400)
        >>> found = evaluate_policy(log, np.array([1.0, 0.0]), estimators=["ips"])
        >>> found["ips"].value.value, found.weights.effective
        (1.0, 200.0)
    """
    limits = limits or Limits()
    names = _chosen(estimators, categories, logging)
    policy = target if isinstance(target, Target) else Target.of_probabilities(decisions, target)
    model = _model(decisions, predictions, rng) if any(name in NEED_MODEL for name in names) else None
    grouped = None if "mips" not in names else _grouped(decisions, categories, logging)
    parts, parameters = _parts(decisions, policy, model, names, grouped)
    base = None if against is None else _parts(decisions, against, model, names, grouped)[0]
    said, logged = policy_values(decisions, parts, base, parameters, limits=limits, level=level, method=method)
    measured = weigh(decisions, policy, limits=limits)
    decisive = next(name for name in ("dr", "snips", *names) if name in names)
    return OffPolicy(
        values=said,
        logged=logged,
        weights=measured,
        objections=objections(measured, limits=limits),
        decided_by=decisive,
        model=model.made if model is not None else None,
        by_place=decisions.n_places > 1,
    )


def policy_values(
    decisions: Decisions,
    parts: Mapping[str, Linear],
    base: Mapping[str, Linear] | None,
    parameters: Mapping[str, float],
    *,
    limits: Limits,
    effective: Mapping[str, float] | None = None,
    shares: np.ndarray | None = None,
    level: float,
    method: Method,
) -> tuple[tuple[PolicyValue, ...], Estimate]:
    """The value and the difference of each estimator with their intervals, and that of the logging policy.

    Args:
        decisions: The log.
        parts: What decisions count, by estimator.
        base: The same of the policy that differences are from; the logging policy without.
        parameters: Thresholds that were found.
        limits: Limits for a verdict.
        effective: Effective sample by estimator; that of the whole without.
        shares: What each decision adds to the number that the mean is over; 1 without.
        level: Confidence level.
        method: See ``mean_estimates``.
    """
    zero = np.zeros(len(decisions))
    plain = Linear(zero + 1, zero)
    gaps = {name: part - (plain if base is None else base[name]) for name, part in parts.items()}
    measured = {name: part for name, part in parts.items() if name not in BIASED}
    every = {"logged": plain, **measured, **{f"{name} gap": gaps[name] for name in measured}}
    if "mips" in parts and "ips" in parts:
        every["mips less ips"] = parts["mips"] - parts["ips"]
    moments = reward_moments(decisions) if method == "hall" else None
    found = mean_estimates(every, decisions, moments=moments, shares=shares, level=level, method=method)
    said: list[PolicyValue] = []
    for name, gap in gaps.items():
        rewarded = effective_rewarded(gap, decisions.rewards)
        own = None if effective is None else effective[name]
        refused = _refusal(name, rewarded, own, limits, method, found.get("mips less ips"))
        if name in BIASED:
            value, difference = (
                Estimate(
                    float(each.values(decisions.rewards).mean()),
                    low=None,
                    high=None,
                    n=decisions.n_units,
                    level=level,
                    note="biased",
                )
                for each in (parts[name], gap)
            )
        else:
            value, difference = found[name], found[f"{name} gap"]
        said.append(
            PolicyValue(
                estimator=name,
                value=value,
                difference=difference,
                parameter=parameters.get(name),
                effective=own,
                rewarded=rewarded,
                refused=refused,
            )
        )
    return tuple(said), found["logged"]


def _refusal(
    name: str, rewarded: float, effective: float | None, limits: Limits, method: Method, gap: Estimate | None
) -> Refusal | None:
    if name in BIASED:
        return "biased"
    if effective is not None and effective < limits.effective:
        return "effective"
    if rewarded < limits.least_rewarded(method):
        return "rewarded"
    apart = gap is not None and gap.low is not None and gap.high is not None and (gap.low > 0 or gap.high < 0)
    return "categories" if name == "mips" and apart else None


_CATEGORIES: Final = Advice(
    "give_categories",
    (Setting("categories"), Setting("logging")),
    "Give {categories} of the actions and {logging}, what the logging policy would have done with each of them.",
)


def _chosen(estimators: Sequence[str] | None, categories: np.ndarray | None, logging: Target | None) -> tuple[str, ...]:
    if (categories is None) != (logging is None):
        raise UsageError("mips needs two things, and one of them is missing", advice=_CATEGORIES)
    if estimators is None:
        return tuple(name for name in ESTIMATORS if name != "mips" or categories is not None)
    for name in estimators:
        if name not in ESTIMATORS:
            raise UnknownNameError("off-policy estimator", name, ESTIMATORS)
    if "mips" in estimators and categories is None:
        raise UsageError("mips was asked for without what it needs", advice=_CATEGORIES)
    return tuple(estimators)


def _grouped(
    decisions: Decisions, categories: np.ndarray | None, logging: Target | None
) -> tuple[np.ndarray, np.ndarray]:
    """Category of each action, and the probability with which the logging policy chose that of each decision."""
    given = np.asarray(categories)
    if given.ndim not in (1, 2) or len(given) != decisions.n_actions:
        raise UsageError(
            f"categories have shape {given.shape}; expected ({decisions.n_actions},) or "
            f"({decisions.n_actions}, columns)."
        )
    assert logging is not None
    chance, stated = logging.logged(decisions), decisions.propensities
    off = ~np.isclose(chance, stated, rtol=1e-3, atol=1e-9)
    if off.any():
        row = int(off.argmax())
        raise DataError(
            f"the logging policy gives {chance[row]:.4g} to what was done, and the log {stated[row]:.4g}",
            source="the log",
            column="propensities",
            row=row + 1,
            fix="Give the policy that wrote the log.",
        )
    group = np.unique(given, axis=0, return_inverse=True)[1].reshape(-1)
    return group, logging.logged(decisions, group)


def _parts(
    decisions: Decisions,
    policy: Target,
    model: RewardModel | None,
    names: Sequence[str],
    grouped: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[dict[str, Linear], dict[str, float]]:
    """What each decision counts by each estimator, and the thresholds that were found."""
    weights, rewards = policy.logged(decisions) / decisions.propensities, decisions.rewards
    logged = model.logged(decisions) if model is not None else None
    expected = model.expected(decisions, policy) if model is not None else None
    parts: dict[str, Linear] = {}
    parameters: dict[str, float] = {}
    for name in names:
        if name in _TUNED and logged is not None and expected is not None:
            parameters[name] = tuned(
                name, weights=weights, rewards=rewards, logged=logged, expected=expected, units=decisions.units
            )
        of = policy.logged(decisions, grouped[0]) / grouped[1] if name == "mips" and grouped is not None else weights
        parts[name] = linear_parts(
            name, weights=of, rewards=rewards, logged=logged, expected=expected, parameter=parameters.get(name)
        )
    return parts, parameters


def _model(decisions: Decisions, predictions: np.ndarray | RewardModel | None, rng: int) -> RewardModel:
    if predictions is None:
        return click_rates(decisions, rng=rng)
    return predictions if isinstance(predictions, RewardModel) else as_predicted(decisions, predictions)
