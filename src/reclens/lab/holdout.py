"""Long-term effects: power of a holdout over months, a surrogate index against the truth, effects by age of exposure.

A surrogate index predicts a long-term outcome from short-term ones, by a regression on people for whom both are known,
and reads an experiment by the prediction (Athey, Chetty, Imbens, Kang 2019, NBER 26463). It is unbiased if the change
acts on the outcome only through the surrogates (Prentice 1989) and the regression also holds for treated users. Both
can be tested in the world, where the long-term effect is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.engine import Progress, quiet
from reclens.errors import ArgumentValueError, ArgumentValuesError, DataError, UnknownNameError
from reclens.schema import USER, VARIANT
from reclens.stats.arms import compare_arms
from reclens.stats.estimate import Estimate, normal_estimate
from reclens.stats.moments import Moments
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.population import World
from reclens.world.simulation import TOTALS, Run, simulate
from reclens.world.truth import REPLICATES, true_effect

__all__ = ["SurrogateStudy", "effect_by_age", "holdout_power", "surrogate_study"]

_FEWEST: Final = 20
_MOST_MONTHS: Final = 1200
"""A hundred years: more rows than anybody reads."""


def holdout_power(
    *,
    users: int,
    share: float,
    mean: float,
    sd: float,
    correlation: float,
    lift: float,
    months: int = 12,
    attrition: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
) -> list[dict[str, float]]:
    """Power and smallest detectable lift of a holdout after each month.

    After m months a user's mean has the variance sd² (1 + (m - 1) ρ) / m, with the correlation ρ of their months: a
    holdout gains much from more months where users are fickle, and little where they are set in their ways. Two-sided
    z-test of the mean a month of users who stayed.

    Args:
        users: Total number of users.
        share: Share of the users in the holdout.
        mean: Monthly mean per user in the holdout.
        sd: Standard deviation over users.
        correlation: Correlation ρ of a user's totals in two months.
        lift: True lift of the treatment that the holdout does not get, as a share.
        months: Number of months.
        attrition: Share of users lost per month.
        level: Confidence level.
        power: Power for the smallest detectable lift.

    Returns:
        One row per month: remaining users, standard error as a share of the mean, power, detectable lift.

    Raises:
        UsageError: If a number is out of range.

    Example:
        >>> rows = holdout_power(users=200_000, share=0.05, mean=10, sd=20, correlation=0.4, lift=0.03, months=3)
        >>> [round(row["power"], 3) for row in rows]
        [0.31, 0.416, 0.471]
    """
    from scipy.special import ndtr, ndtri

    most = float("inf")
    ranges = (
        ("share", share, 0 < share < 1),
        ("mean", mean, 0 < mean < most),
        ("sd", sd, 0 < sd < most),
        ("lift", lift, -1 < lift < most),
        ("correlation", correlation, 0 <= correlation <= 1),
        ("attrition", attrition, 0 <= attrition < 1),
        ("level", level, 0 < level < 1),
        ("power", power, 0 < power < 1),
        ("months", months, 1 <= months <= _MOST_MONTHS),
        ("users", users, users * min(share, 1 - share) >= 2),
    )
    for name, value, fine in ranges:
        if not fine:
            raise ArgumentValueError(
                name, f"is {value}, which is out of range: shares lie between 0 and 1, sizes above 0."
            )
    z = float(ndtri((1 + level) / 2))
    rows: list[dict[str, float]] = []
    for month in range(1, months + 1):
        left = users * (1 - attrition) ** (month - 1)
        variance = sd**2 * (1 + (month - 1) * correlation) / month
        error = float(np.sqrt(variance * (1 / (left * share) + 1 / (left * (1 - share)))) / mean)
        found = float(ndtr(lift / error - z) + ndtr(-lift / error - z))
        rows.append(
            {
                "month": month,
                "users": left,
                "error": error,
                "power": found,
                "detectable_lift": (z + float(ndtri(power))) * error,
            }
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class SurrogateStudy(Tabular):
    """A surrogate index and the long-term effect that it predicts; all effects are of the outcome per user.

    Attributes:
        index: Long-term effect predicted from the short-term test; its interval includes the error of the regression.
        long: Long-term effect estimated by the same test if it continues.
        truth: All users treated against no user treated, in the long term.
        residual: Effect of the treatment on the outcome beyond the surrogates: 0 if they explain all of it (Prentice).
        r2: Share of the outcome's variance that the surrogates explain in the data of the regression.
        weights: Of the surrogates in the index.
        covers: Whether the interval of the index covers the truth.
    """

    index: Estimate
    long: Estimate
    truth: Estimate
    residual: Estimate
    r2: float
    weights: dict[str, float]
    covers: bool

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per estimate."""
        rows = (
            ("surrogate_index", self.index),
            ("long_test", self.long),
            ("truth", self.truth),
            ("residual", self.residual),
        )
        return [
            {"what": name, "value": each.value, "low": each.low, "high": each.high, "note": each.note}
            for name, each in rows
        ]


def surrogate_study(
    world: World,
    treatment: Arm,
    control: Arm,
    *,
    short: int = 14,
    long: int = 56,
    outcome: str = "clicks",
    surrogates: Sequence[str] = ("clicks", "visits", "lists"),
    retrain: int = 7,
    replicates: int = REPLICATES,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> SurrogateStudy:
    """Predict the effect of ``long`` days from a test of ``short`` days, and compare it with the truth.

    The regression of the outcome on the surrogates is fitted to a separate simulation under the control alone, with
    other random numbers.

    Args:
        world: Where.
        treatment: The change.
        control: The arm that it is compared with.
        short: Days of the surrogates.
        long: Days of the outcome, counted from the first one.
        outcome: One of ``reclens.world.simulation.TOTALS``.
        surrogates: Totals of the first ``short`` days.
        retrain: Days from one training to the next.
        replicates: Replicates of the truth, each with its own random numbers.
        level: Of the intervals.
        seed: Of the test.
        threads: Threads to use.
        progress: Callback for the progress, by step.

    Raises:
        UsageError: If ``long`` is not longer than ``short``.
        UnknownNameError: If a total does not exist.
    """
    if not 1 <= short < long:
        raise ArgumentValuesError({"short": short, "long": long}, "1 day or more, and more than that")
    for name in (outcome, *surrogates):
        if name not in TOTALS:
            raise UnknownNameError("total of the world", name, TOTALS)
    lives: list[Run] = []
    for at, (arms, days, luck) in enumerate(
        (
            ([control], short, seed + 1_000_003),
            ([control], long, seed + 1_000_003),
            ([control, treatment], short, seed),
            ([control, treatment], long, seed),
        )
    ):
        progress("surrogate study", at, 5)
        lives.append(simulate(world, arms, days=days, retrain=retrain, seed=luck, threads=threads))
    progress("surrogate study", 4, 5)
    truth = true_effect(
        world,
        treatment,
        control,
        days=long,
        retrain=retrain,
        replicates=replicates,
        level=level,
        seed=seed,
        threads=threads,
    )
    progress("surrogate study", 5, 5)
    # A short run is the beginning of a long run with the same seed: surrogates and outcome share users.
    history, known = _columns(lives[0], surrogates), lives[1].users[outcome].to_numpy().astype(np.float64)
    weights, covariance, r2 = _regress(history, known)
    tested, final = _columns(lives[2], surrogates), lives[3].users[outcome].to_numpy().astype(np.float64)
    treated = (lives[2].users["variant"] == treatment.name).to_numpy()
    index = _by_arm(tested @ weights, treated, level)
    gap = tested[treated].mean(axis=0) - tested[~treated].mean(axis=0)
    index = _wider(index, float(gap @ covariance @ gap))
    both, errors, _ = _regress(np.column_stack([tested, treated]), final)
    residual = normal_estimate(float(both[-1]), float(np.sqrt(errors[-1, -1])), n=len(final), level=level)
    true = truth[outcome].difference
    covers = index.low is not None and index.high is not None and index.low <= true.value <= index.high
    return SurrogateStudy(
        index=index,
        long=_by_arm(final, treated, level),
        truth=true,
        residual=residual,
        r2=r2,
        weights=dict(zip(surrogates, weights[1:].tolist(), strict=True)),
        covers=bool(covers),
    )


def effect_by_age(
    user_days: pl.DataFrame,
    *,
    treatment: str,
    control: str,
    metric: str = "clicks",
    most: int = 60,
    level: float = 0.95,
) -> list[dict[str, Any]]:
    """The effect by days since a user's first exposure, to show novelty and primacy effects.

    A user counts on each such day that has passed for them, with 0 where they did not come (Sadeghi et al. 2021, arXiv
    2102.12893).

    Args:
        user_days: ``user_id, date, variant`` and totals, as a run logs them.
        treatment: Name of the arm.
        control: Name of the arm.
        metric: A column.
        most: Maximum number of days.
        level: Confidence level of the intervals.

    Returns:
        One row per day: age, users, mean in control and treatment, difference with its interval.

    Raises:
        DataError: If a column is missing.
    """
    absent = [name for name in (USER, "date", VARIANT, metric) if name not in user_days.columns]
    if absent:
        raise DataError(f"there is no column {', '.join(absent)}", source="user_days", fix="Give the logs of a run.")
    last: Any = user_days["date"].max()
    firsts = user_days.group_by(USER, maintain_order=True).agg(
        pl.col("date").min().alias("first"), pl.col(VARIANT).first()
    )
    aged = (
        user_days.select(USER, "date", metric)
        .join(firsts.select(USER, "first"), on=USER)
        .with_columns((pl.col("date") - pl.col("first")).dt.total_days().alias("age"))
    )
    firsts = firsts.with_columns((pl.lit(last) - pl.col("first")).dt.total_days().alias("watched"))
    rows: list[dict[str, Any]] = []
    for age in range(most):
        there = firsts.filter(pl.col("watched") >= age)
        values = there.join(
            aged.filter(pl.col("age") == age).select(USER, metric), on=USER, how="left", maintain_order="left"
        )
        sides = [
            values.filter(pl.col(VARIANT) == name)[metric].fill_null(0).to_numpy().astype(np.float64)
            for name in (control, treatment)
        ]
        if min(len(side) for side in sides) < _FEWEST:
            break
        found = compare_arms(Moments.of({metric: sides[0]}), Moments.of({metric: sides[1]}), metric, level=level)
        rows.append(
            {
                "age": age,
                "users": there.height,
                "control": found.control,
                "treatment": found.treatment,
                "difference": found.absolute.value,
                "low": found.absolute.low,
                "high": found.absolute.high,
                "lift": found.relative.value,
            }
        )
    return rows


def _columns(run: Run, names: Sequence[str]) -> np.ndarray:
    """Ones, and totals; shape (users, 1 + names)."""
    values = [run.users[name].to_numpy().astype(np.float64) for name in names]
    return np.column_stack([np.ones(run.users.height), *values])


def _regress(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Least squares: coefficients, their covariance that allows for unequal variances (White 1980, HC0), and R²."""
    inverse = np.linalg.pinv(x.T @ x)
    weights = inverse @ (x.T @ y)
    left = y - x @ weights
    spread = float(((y - y.mean()) ** 2).sum())
    meat = (x * left[:, None]).T @ (x * left[:, None])
    return weights, inverse @ meat @ inverse, 1 - float((left**2).sum()) / spread if spread > 0 else 0.0


def _by_arm(values: np.ndarray, treated: np.ndarray, level: float) -> Estimate:
    sides = [Moments.of({"y": values[~treated]}), Moments.of({"y": values[treated]})]
    return compare_arms(sides[0], sides[1], "y", level=level).absolute


def _wider(found: Estimate, variance: float) -> Estimate:
    """An interval with more variance, by the same quantile of the normal distribution."""
    if found.low is None or found.high is None:
        return found
    from scipy.special import ndtri

    z = float(ndtri((1 + found.level) / 2))
    error = np.sqrt(((found.high - found.low) / 2 / z) ** 2 + variance)
    return normal_estimate(found.value, float(error), n=found.n, level=found.level)
